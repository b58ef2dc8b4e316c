"""llama.cpp on the same weights: export to GGUF, and a child process that decodes token ids.

Where prompts and answers are token ids the vocabulary in the file is a stand-in; its server, which is given text, needs
the real one. In f32, with flash attention off
and f32 keys and values, llama.cpp's greedy tokens equal transformers' (its defaults differ by enough to flip ties).
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from guiderail.errors import GuiderailError
from guiderail.openmp import without

# llama.cpp's name of an architecture, and whether its rotary pairs are interleaved there (ours are half-split).
ARCHITECTURES = {"Qwen3ForCausalLM": ("qwen3", False), "LlamaForCausalLM": ("llama", True)}
LAYER = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


# The names in a GGUF file of the tokens for infilling, and what they are called in tokenizers.
INFILL = {
    "fim_pre": "<|fim_prefix|>",
    "fim_suf": "<|fim_suffix|>",
    "fim_mid": "<|fim_middle|>",
    "fim_pad": "<|fim_pad|>",
    "fim_rep": "<|repo_name|>",
    "fim_sep": "<|file_sep|>",
}


def export(module: Any, path: Path, tokenizer: Path | None = None) -> None:
    """Write `module` (a transformers Llama or Qwen3 causal language model) as an f32 GGUF file.

    Parameters
    ----------
    tokenizer
        The tokenizer.json whose byte-level BPE vocabulary goes into the file; a stand-in does without. llama.cpp
        splits text into words by rules of its own, of which Qwen2's are taken.

    Raises
    ------
    GuiderailError
        If the architecture or the vocabulary is another one, or the extra `bench` is not installed.
    """
    gguf = _extra("gguf")
    name = type(module).__name__
    if name not in ARCHITECTURES:
        raise GuiderailError(f"No GGUF export for {name}", f"It exists for {', '.join(ARCHITECTURES)}")
    architecture, interleaved = ARCHITECTURES[name]
    writer = gguf.GGUFWriter(str(path), architecture)
    _write_metadata(writer, module.config)
    if tokenizer:
        _write_vocabulary(writer, module.config.vocab_size, tokenizer)
    else:
        _write_stand_in(writer, module.config.vocab_size)
    state, config = module.state_dict(), module.config
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    for target, source in _names(config, state).items():
        array = state[source].float().numpy()
        part = target.split(".")[-2]
        if interleaved and part in heads:
            array = array.reshape(heads[part], 2, -1, array.shape[1]).swapaxes(1, 2).reshape(array.shape)
        writer.add_tensor(target, np.ascontiguousarray(array))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _extra(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise GuiderailError(f"{name} is not installed", "Install it with: pip install 'guiderail[bench]'") from error


def _names(config: Any, state: dict[str, Any]) -> dict[str, str]:
    names = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}
    if not config.tie_word_embeddings:
        names["output.weight"] = "lm_head.weight"
    for layer in range(config.num_hidden_layers):
        names |= {
            f"blk.{layer}.{ours}.weight": f"model.layers.{layer}.{theirs}.weight" for ours, theirs in LAYER.items()
        }
    return {ours: theirs for ours, theirs in names.items() if theirs in state}


def _write_metadata(writer: Any, config: Any) -> None:
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    values = {
        "context_length": config.max_position_embeddings,
        "embedding_length": config.hidden_size,
        "block_count": config.num_hidden_layers,
        "feed_forward_length": config.intermediate_size,
        "head_count": config.num_attention_heads,
        "head_count_kv": config.num_key_value_heads,
        "key_length": head_dim,
        "value_length": head_dim,
        "rope_dimension_count": head_dim,
        "rope_freq_base": config.rope_parameters["rope_theta"],
        "layer_norm_rms_eps": config.rms_norm_eps,
        "vocab_size": config.vocab_size,
        "file_type": 0,
    }
    for name, value in values.items():
        getattr(writer, f"add_{name}")(value)


def _write_stand_in(writer: Any, size: int) -> None:
    """A vocabulary of made-up words."""
    words = size - 3
    values = {
        "tokenizer_model": "llama",
        # No byte tokens: the server would hold back the halves of characters that they stand for.
        "token_list": ["<unk>", "<s>", "</s>", *(f"t{i}" for i in range(words))],
        "token_scores": [-float(i) for i in range(size)],
        "token_types": [2, 3, 3] + [1] * words,
        "unk_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "add_bos_token": False,
    }
    for name, value in values.items():
        getattr(writer, f"add_{name}")(value)


def _write_vocabulary(writer: Any, size: int, tokenizer: Path) -> None:
    """The words and merges of a tokenizer.json."""
    described = json.loads(tokenizer.read_text(encoding="utf-8"))
    model, added = described["model"], {one["content"]: one["id"] for one in described["added_tokens"]}
    if model["type"] != "BPE" or not set(INFILL.values()) <= added.keys():
        raise GuiderailError("No GGUF export of this vocabulary", "It exists for Qwen's and the embedded model's kind")
    words = [f"<unused{number}>" for number in range(size)]
    for word, number in (model["vocab"] | added).items():
        words[number] = word
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(words)
    writer.add_token_types([3 if word in added else 1 for word in words])  # 3 is a control token
    writer.add_token_merges([one if isinstance(one, str) else " ".join(one) for one in model["merges"]])
    writer.add_eos_token_id(added["<|endoftext|>"])
    writer.add_add_bos_token(False)
    for name, word in INFILL.items():
        writer.add_uint32(f"tokenizer.ggml.{name}_token_id", added[word])


class LlamaCpp:
    """A child process with llama.cpp's server in it.

    Parameters
    ----------
    path
        The GGUF file.
    threads, context
        Threads, and tokens of prompt and answer at most.
    """

    def __init__(self, path: Path, threads: int, context: int) -> None:
        arguments = [sys.executable, "-P", "-m", __name__, str(path), str(threads), str(context)]
        self._process = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env=without(os.environ),
        )  # fmt: skip
        self._answer()  # ready

    def decode(self, ids: list[int], tokens: int) -> tuple[float, list[int]]:
        """Seconds that `tokens` greedy tokens after `ids` took, and the tokens; nothing is kept from before."""
        seconds, out, _ = self._ask(ids, tokens, reuse=0)
        return seconds, out

    def follow(self, ids: list[int], reuse: int) -> tuple[float, int]:
        """Seconds to the first token after `ids`, and the tokens that were encoded for it.

        The last prompt's cache is kept up to the first change, and after it in runs of `reuse` tokens that llama.cpp
        finds again further left (`n_cache_reuse`).
        """
        seconds, _, encoded = self._ask(ids, 1, reuse)
        return seconds, encoded

    def _ask(self, ids: list[int], tokens: int, reuse: int) -> tuple[float, list[int], int]:
        assert self._process.stdin
        self._process.stdin.write(json.dumps([ids, tokens, reuse]) + "\n")
        self._process.stdin.flush()
        seconds, out, encoded = self._answer()
        return seconds, out, encoded

    def _answer(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise GuiderailError(
                f"llama.cpp ended with status {self._process.wait()}", "Install it with: pip install 'guiderail[bench]'"
            )
        return json.loads(line)

    def close(self) -> None:
        """End the child process."""
        self._process.kill()
        self._process.communicate()


def _serve(path: str, threads: int, context: int) -> None:
    xlc = _extra("xllamacpp")
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # llama.cpp may print: the answers have a stream of their own
    p = xlc.CommonParams()
    p.model.path, p.n_ctx, p.n_parallel, p.verbosity, p.warmup = path, context, 1, 0, True
    p.n_gpu_layers = 0
    p.cpuparams.n_threads = p.cpuparams_batch.n_threads = threads
    p.cache_type_k = p.cache_type_v = xlc.ggml_type.GGML_TYPE_F32
    p.flash_attn_type = xlc.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    p.cache_ram_mib = 0  # a prompt of an earlier round must not come back
    server = xlc.Server(p)
    print(json.dumps("ready"), file=answers, flush=True)
    for line in sys.stdin:
        ids, tokens, reuse = json.loads(line)
        request = {"prompt": ids, "n_predict": tokens, "temperature": 0.0, "ignore_eos": True}
        request |= {"cache_prompt": reuse > 0, "n_cache_reuse": reuse}
        start = time.perf_counter()
        result = server.handle_completions({**request, "logprobs": 1})
        seconds = time.perf_counter() - start
        result = result if isinstance(result, dict) else json.loads(result)
        out = [token["id"] for token in result["choices"][0]["logprobs"]["content"]]
        print(json.dumps([seconds, out, result["timings"]["prompt_n"]]), file=answers, flush=True)
    os._exit(0)  # the server's own shutdown may hang


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
