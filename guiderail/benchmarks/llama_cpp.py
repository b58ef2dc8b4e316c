"""llama.cpp on the same weights: export to GGUF, and a child process that decodes token ids.

Where prompts and answers are token ids the vocabulary in an exported file is a stand-in; its server, which is given
text, needs the real one. In f32, with flash attention off and f32 keys and values, llama.cpp's greedy tokens equal
transformers' (its defaults differ by enough to flip ties).
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from guiderail.errors import GuiderailError
from guiderail.model.gguf.file import open_file
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

SPIN = "300000"  # rounds of a waiting thread that does not sleep within a pass
PROBED = 16  # tokens decoded to compare settings

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """How llama.cpp's threads work together.

    Parameters
    ----------
    threads
        How many there are.
    spins
        Whether they wait for one another without sleeping, which is fastest on a machine that does nothing else.
    """

    threads: int
    spins: bool = False

    def environment(self) -> dict[str, str]:
        """The environment of llama.cpp's process."""
        return without(os.environ) | ({"GOMP_SPINCOUNT": SPIN} if self.spins else {})


class LlamaCpp:
    """A child process with llama.cpp in it.

    Parameters
    ----------
    path
        The GGUF file.
    waiting
        Its threads.
    context
        Tokens of prompt and answer at most.
    build
        A folder with another build of llama.cpp than the one that is installed: a Python package, xllamacpp or
        llama-cpp-python.
    exact
        Keys and values in float32 and no flash attention, as transformers computes; else llama.cpp's defaults.

    Attributes
    ----------
    load_s
        Seconds that it took to load the model.
    system
        What it was built for, in its own words.
    """

    def __init__(
        self, path: Path, waiting: Waiting, context: int, *, build: str | None = None, exact: bool = False
    ) -> None:
        options = {"path": str(path), "threads": waiting.threads, "context": context, "exact": exact, "build": build}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "guiderail.benchmarks.llama_child", json.dumps(options)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env=waiting.environment(),
        )  # fmt: skip
        ready = self._answer()
        self.load_s, self.system = float(ready["load_s"]), str(ready["system"])

    def decode(self, ids: list[int], tokens: int) -> float:
        """Seconds that `tokens` greedy tokens after `ids` took; nothing is kept from before."""
        return self._ask(ids=ids, tokens=tokens)[0]

    def tokens(self, ids: list[int], tokens: int) -> list[int]:
        """The tokens that `decode` decodes."""
        return self._ask(ids=ids, tokens=tokens, named=True)

    def passes(self, ids: list[int], widths: Sequence[int], rounds: int) -> list[list[float]]:
        """Seconds of passes over so many tokens after `ids`, a list for each width."""
        return self._ask(ids=ids, widths=list(widths), rounds=rounds)

    def scores(self, ids: list[int], rows: int) -> np.ndarray:
        """Scores [rows, vocabulary], float32, after each of the last `rows` ids; only a library has them."""
        with tempfile.TemporaryDirectory() as folder:
            return np.load(self._ask(ids=ids, rows=rows, scored=f"{folder}/scores.npy"))

    def line(self, ids: list[int], tokens: int) -> str:
        """The rest of a line after `ids`, greedily; only a library has it."""
        return self._ask(ids=ids, tokens=tokens, to_line_end=True)

    def memory(self) -> int:
        """Bytes of its process that are in memory."""
        import psutil

        return psutil.Process(self._process.pid).memory_info().rss

    def follow(self, ids: list[int], reuse: int) -> tuple[float, int]:
        """Seconds to the first token after `ids`, and the tokens that were encoded for it.

        The last prompt's cache is kept up to the first change, and after it in runs of `reuse` tokens that llama.cpp
        finds again further left (`n_cache_reuse`).
        """
        seconds, encoded = self._ask(ids=ids, reuse=reuse)
        return seconds, encoded

    def _ask(self, **request: Any) -> Any:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            self._process.communicate()
            raise GuiderailError(
                f"llama.cpp ended with status {self._process.returncode}",
                "Install it with: pip install 'guiderail[bench]'",
            )
        return json.loads(line)

    def close(self) -> None:
        """End the child process."""
        self._process.kill()
        self._process.communicate()


def fastest(path: Path, most: int, build: str | None, ids: list[int], exact: bool = False) -> Waiting:
    """With which threads llama.cpp decodes a model fastest here: all or half of `most`, sleeping or spinning."""
    found = {}
    for waiting in (
        Waiting(threads=n, spins=spins) for n in sorted({most, max(1, most // 2)}) for spins in (False, True)
    ):
        server = LlamaCpp(path, waiting, len(ids) + PROBED + 8, build=build, exact=exact)
        try:
            found[waiting] = min(server.decode(ids, PROBED) for _ in range(2))
        finally:
            server.close()
    return min(found, key=lambda waiting: found[waiting])


def type_of(path: Path) -> str:
    """In which type a GGUF file has its weights, as people say it: Q4_K_M, Q8_0, F32."""
    gguf, header = _extra("gguf"), open_file(path).header
    try:
        return (
            gguf.LlamaFileType(header.metadata.get("general.file_type"))
            .name.removeprefix("MOSTLY_")
            .removeprefix("ALL_")
        )
    except ValueError:
        return "mixed"
