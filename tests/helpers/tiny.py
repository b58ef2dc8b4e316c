"""Tiny random-weight models in the hub's folder layout, one for each family that guiderail is tested with.

The folders are written by the real transformers and tokenizers code, so that a test which loads one takes
the same path as a person who loads the real model. Weights are drawn wider than usual (and biases and norms
are not left at zero and one), so that greedy decoding does not fall into one repeated token and a forgotten
bias shows.
"""

import inspect
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

TokenizerKind = Literal["byte_level", "sentencepiece"]

_WRITTEN = TemporaryDirectory(prefix="guiderail-tiny-")  # removed when Python ends

GPT2_REGEX = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
QWEN2_REGEX = "|".join(
    (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)", r"[^\r\n\p{L}\p{N}]?\p{L}+", r"\p{N}",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+",
    )
)  # fmt: skip
# The embedded model's: a newline is alone, indentation is one piece.
EMBEDDED_REGEX = "|".join(
    (
        r"\n", r"[ \t]{2,}", r"\t", r" ?[\p{L}\p{M}_][\p{L}\p{M}\p{N}_]*", r" ?\p{N}{1,3}",
        r" ?[^\s\p{L}\p{M}\p{N}_]+", r"[^\S\n]",
    )
)  # fmt: skip
# The three splits of DeepSeek-Coder that matter for code, in its order.
DEEPSEEK_REGEXES = (r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+")


@dataclass(frozen=True)
class TinyFamily:
    """What one family's folder is made of.

    Parameters
    ----------
    model_type
        The transformers configuration name, e.g. ``qwen3``.
    kind, regexes
        Tokenizer kind, and for a byte-level one the splits before it.
    bos, eos
        Special tokens; a model with ``adds_bos`` expects ``bos`` before every prompt.
    specials
        The family's own special tokens, FIM ones included.
    config
        Overrides of the tiny configuration.
    """

    model_type: str
    eos: str
    specials: tuple[str, ...] = ()
    kind: TokenizerKind = "byte_level"
    regexes: tuple[str, ...] = (GPT2_REGEX,)
    bos: str | None = None
    adds_bos: bool = False
    dummy_prefix: bool = False
    added: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)


_STARCODER = (
    "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>", "<repo_name>", "<file_sep>",
)  # fmt: skip
_QWEN = (
    "<|im_start|>", "<|im_end|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>",
    "<|repo_name|>", "<|file_sep|>",
)  # fmt: skip
_CODEGEMMA = ("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|file_separator|>")

FAMILIES: dict[str, TinyFamily] = {
    # DeepSeek-Coder
    "llama": TinyFamily(
        "llama", bos="<｜begin▁of▁sentence｜>", eos="<｜end▁of▁sentence｜>", adds_bos=True,
        specials=("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"), regexes=DEEPSEEK_REGEXES,
        config={"rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 100000.0}},
    ),
    "codellama": TinyFamily(
        "llama", bos="<s>", eos="</s>", adds_bos=True, kind="sentencepiece", dummy_prefix=True,
        specials=("▁<PRE>", "▁<MID>", "▁<SUF>", "▁<EOT>"),
    ),
    "seed-coder": TinyFamily(
        "llama", bos="<[begin▁of▁sentence]>", eos="<[end▁of▁sentence]>", adds_bos=True,
        specials=("<[fim-prefix]>", "<[fim-middle]>", "<[fim-suffix]>"), regexes=(QWEN2_REGEX,),
    ),
    # The embedded model's shape
    "guiderail": TinyFamily(
        "qwen3", eos="<|endoftext|>", specials=_QWEN[2:], regexes=(EMBEDDED_REGEX,),
        config={"initializer_range": 0.25},
    ),
    "qwen2": TinyFamily("qwen2", eos="<|endoftext|>", specials=_QWEN, regexes=(QWEN2_REGEX,)),
    "qwen3": TinyFamily("qwen3", eos="<|endoftext|>", specials=_QWEN, regexes=(QWEN2_REGEX,),
        config={"initializer_range": 0.25}),
    "starcoder2": TinyFamily(
        "starcoder2", bos="<|endoftext|>", eos="<|endoftext|>", specials=_STARCODER,
        config={"sliding_window": 48, "use_bias": True, "initializer_range": 0.25},
    ),
    # CodeGemma
    "gemma": TinyFamily(
        "gemma", bos="<bos>", eos="<eos>", adds_bos=True, kind="sentencepiece", specials=_CODEGEMMA,
        added=("\n\n", "\t\t", "<table>"), config={"num_key_value_heads": 1},
    ),
    "gemma2": TinyFamily(
        "gemma2", bos="<bos>", eos="<eos>", adds_bos=True, kind="sentencepiece",
        added=("\n\n", "\t\t", "<table>"), config={"sliding_window": 32, "query_pre_attn_scalar": 16},
    ),
    # Codestral
    "mistral": TinyFamily(
        "mistral", bos="<s>", eos="</s>", adds_bos=True, kind="sentencepiece", dummy_prefix=True,
        specials=("[PREFIX]", "[MIDDLE]", "[SUFFIX]"), config={"sliding_window": 40},
    ),
    "granite": TinyFamily(
        "granite", bos="<|end_of_text|>", eos="<|end_of_text|>", specials=_STARCODER[:4],
        config={"attention_multiplier": 0.3, "residual_multiplier": 0.6, "logits_scaling": 2.0,
                "embedding_multiplier": 3.0},
    ),
    "phi": TinyFamily("phi", bos="<|endoftext|>", eos="<|endoftext|>"),
    "stablelm": TinyFamily(
        "stablelm", bos="<|endoftext|>", eos="<|endoftext|>", specials=_STARCODER,
        config={"use_qkv_bias": True, "use_parallel_residual": True},
    ),
}  # fmt: skip

# Families with recurrent layers
_DELTA_NET = {
    "linear_num_value_heads": 4, "linear_num_key_heads": 2, "linear_key_head_dim": 16, "linear_value_head_dim": 8,
    "layer_types": ["linear_attention", "full_attention", "linear_attention"], "initializer_range": 0.25,
}  # fmt: skip
_MAMBA = {
    "mamba_n_heads": 8, "mamba_d_head": 16, "mamba_n_groups": 2, "mamba_d_state": 8, "mamba_chunk_size": 32,
    "initializer_range": 0.25,
}  # fmt: skip
HYBRIDS: dict[str, TinyFamily] = {
    "qwen3-next": TinyFamily(
        "qwen3_next", eos="<|endoftext|>", specials=_QWEN, regexes=(QWEN2_REGEX,),
        config={**_DELTA_NET, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32,
                "shared_expert_intermediate_size": 32, "decoder_sparse_step": 2},
    ),
    "qwen3.5": TinyFamily(
        "qwen3_5_text", eos="<|endoftext|>", specials=_QWEN, regexes=(QWEN2_REGEX,), config=_DELTA_NET
    ),
    "olmo-hybrid": TinyFamily("olmo_hybrid", eos="<|endoftext|>", config=_DELTA_NET),
    # Granite 4
    "granite-4": TinyFamily(
        "granitemoehybrid", eos="<|end_of_text|>", specials=_QWEN[2:6],
        config={**_MAMBA, "layer_types": ["mamba", "attention", "mamba"], "num_local_experts": 4,
                "num_experts_per_tok": 2, "shared_intermediate_size": 64},
    ),
    "bamba": TinyFamily("bamba", eos="<|endoftext|>", config={**_MAMBA, "attn_layer_indices": [1]}),
    # Attention and Mamba-2 in each layer
    "falcon-h1": TinyFamily("falcon_h1", eos="<|endoftext|>", config={**_MAMBA, "mamba_d_ssm": 128}),
    # Layers of one part each
    "nemotron-h": TinyFamily(
        "nemotron_h", eos="<|endoftext|>",
        config={"layers_block_type": ["mamba", "attention", "mlp"], "mamba_num_heads": 8, "mamba_head_dim": 16,
                "n_groups": 2, "ssm_state_size": 8, "chunk_size": 32, "initializer_range": 0.25},
    ),
    "lfm2": TinyFamily(
        "lfm2", eos="<|endoftext|>",
        config={"layer_types": ["conv", "full_attention", "conv"], "block_auto_adjust_ff_dim": False,
                "initializer_range": 0.25},
    ),
}  # fmt: skip


@cache
def training_text() -> str:
    """A few tens of KB of real Python: modules of the standard library."""
    import bisect
    import heapq
    import textwrap

    return "\n".join(inspect.getsource(module) for module in (bisect, heapq, textwrap))


def tiny_tokenizer(kind: TokenizerKind = "byte_level", family: str | None = None, vocab_size: int = 700) -> Tokenizer:
    """A BPE tokenizer trained in memory, with the special tokens of `family`.

    Parameters
    ----------
    kind
        ``byte_level`` (GPT-2's byte alphabet) or ``sentencepiece`` (byte fallback, ``▁`` for a space).
    family
        A key of `FAMILIES` or `HYBRIDS`; by default ``guiderail`` or ``codellama``, by `kind`.
    vocab_size
        Size before special tokens are added.
    """
    family = family or {"byte_level": "guiderail", "sentencepiece": "codellama"}[kind]
    tiny = _family(family)
    if tiny.kind != kind:
        raise ValueError(f"family {family} has a {tiny.kind} tokenizer, not {kind}")
    build = _byte_level if kind == "byte_level" else _sentencepiece
    tokenizer = build(tiny, vocab_size)
    names = dict.fromkeys(name for name in (tiny.bos, tiny.eos, *tiny.specials) if name)
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in names])
    tokenizer.add_tokens([AddedToken(name, special=False, normalized=False) for name in tiny.added])
    if tiny.adds_bos and tiny.bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{tiny.bos} $A", special_tokens=[(tiny.bos, tokenizer.token_to_id(tiny.bos))]
        )
    return tokenizer


def _family(name: str) -> TinyFamily:
    return FAMILIES[name] if name in FAMILIES else HYBRIDS[name]


def _byte_level(tiny: TinyFamily, vocab_size: int) -> Tokenizer:
    tokenizer = Tokenizer(BPE())
    splits = [pre_tokenizers.Split(Regex(regex), "isolated") for regex in tiny.regexes]
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*splits, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    if QWEN2_REGEX in tiny.regexes:
        tokenizer.normalizer = normalizers.NFC()
    trainer = BpeTrainer(
        vocab_size=vocab_size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator([training_text()], trainer)
    return tokenizer


def _sentencepiece(tiny: TinyFamily, vocab_size: int) -> Tokenizer:
    """A Llama-2-like ``tokenizer.json``: control tokens, 256 byte tokens, then pieces and their merges."""
    head = ["<unk>", tiny.bos or "<s>", tiny.eos, *(f"<0x{byte:02X}>" for byte in range(256))]
    pieces, merges = _sentencepiece_merges(vocab_size - len(head), newline=not tiny.dummy_prefix)
    vocab = {piece: i for i, piece in enumerate([*head, *pieces])}
    tokenizer = Tokenizer(BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.add_special_tokens([AddedToken("<unk>", special=True, normalized=False)])
    steps: list[Any] = [normalizers.Prepend("▁")] if tiny.dummy_prefix else []
    tokenizer.normalizer = normalizers.Sequence([*steps, normalizers.Replace(" ", "▁")])
    strip = [decoders.Strip(" ", 1, 0)] if tiny.dummy_prefix else []
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *strip]
    )
    return tokenizer


def _sentencepiece_merges(count: int, newline: bool) -> tuple[list[str], list[tuple[str, str]]]:
    """`count` pieces learned from words with their leading spaces, and the merges that make them."""
    learner = Tokenizer(BPE())
    learner.normalizer = normalizers.Replace(" ", "▁")
    words = pre_tokenizers.Split(Regex(r"▁*[^▁\n]+|▁+"), "isolated")
    lines = pre_tokenizers.Split("\n", "isolated" if newline else "removed")
    learner.pre_tokenizer = pre_tokenizers.Sequence([lines, words])
    learner.train_from_iterator(
        [training_text()], BpeTrainer(vocab_size=count, initial_alphabet=["▁"], show_progress=False)
    )
    model = json.loads(learner.to_str())["model"]
    return sorted(model["vocab"], key=model["vocab"].__getitem__), [tuple(pair) for pair in model["merges"]]


def tiny_tokenizer_folder(family: str, folder: Path) -> Path:
    """Write only ``tokenizer.json`` and ``tokenizer_config.json`` of `family` into `folder`; return it."""
    from transformers import PreTrainedTokenizerFast

    tiny = _family(family)
    folder.mkdir(parents=True, exist_ok=True)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tiny_tokenizer(tiny.kind, family), bos_token=tiny.bos, eos_token=tiny.eos
    )
    fast.save_pretrained(folder)
    return folder


def tiny_model_folder(
    family: str,
    folder: Path,
    *,
    seed: int = 0,
    layers: int = 3,
    max_shard_size: str = "5GB",
    edit_config: Callable[[dict[str, Any]], None] | None = None,
) -> Path:
    """Write a complete hub-layout folder of a tiny random model of `family` into `folder`; return it.

    Parameters
    ----------
    family
        A key of `FAMILIES` or `HYBRIDS`.
    folder
        Made if missing.
    seed
        Of the weights.
    layers
        Decoder layers; hidden size is 64, four heads of 16, two key-value heads.
    max_shard_size
        As in ``save_pretrained``; a small one makes sharded weights and their index.
    edit_config
        Called with the configuration values before the model is built.
    """
    if edit_config is not None:
        return _write_model(family, folder, seed, layers, max_shard_size, edit_config)
    return shutil.copytree(_written_once(family, seed, layers, max_shard_size), folder, dirs_exist_ok=True)


@cache
def _written_once(family: str, seed: int, layers: int, max_shard_size: str) -> Path:
    """A folder to copy: to train a tokenizer and to build a model takes longer than most tests of them."""
    folder = Path(_WRITTEN.name, f"{family}-{seed}-{layers}-{max_shard_size}")
    return _write_model(family, folder, seed, layers, max_shard_size, None)


def _write_model(
    family: str,
    folder: Path,
    seed: int,
    layers: int,
    max_shard_size: str,
    edit_config: Callable[[dict[str, Any]], None] | None,
) -> Path:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig
    from transformers.utils.logging import disable_progress_bar

    tiny = _family(family)
    tiny_tokenizer_folder(family, folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    values = _config_values(tiny, tokenizer, layers)
    if edit_config is not None:
        edit_config(values)
    config = AutoConfig.for_model(tiny.model_type, **values)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        _roughen(model)
    model.generation_config = GenerationConfig(
        bos_token_id=values["bos_token_id"], eos_token_id=values["eos_token_id"], do_sample=False
    )
    disable_progress_bar()  # a test may be about what is printed
    model.save_pretrained(folder, max_shard_size=max_shard_size)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# A tiny random model\n", encoding="utf-8")
    return folder


def _roughen(model: Any) -> None:
    """Move biases and norms off zero and one; shrink tied embeddings, whose token would repeat itself."""
    import torch

    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
        if model.config.tie_word_embeddings:
            model.get_input_embeddings().weight.mul_(0.1)


def _config_values(tiny: TinyFamily, tokenizer: Tokenizer, layers: int) -> dict[str, Any]:
    eos = tokenizer.token_to_id(tiny.eos)
    values: dict[str, Any] = {
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": 1024,
        "initializer_range": 0.12,
        "bos_token_id": tokenizer.token_to_id(tiny.bos) if tiny.bos else None,
        "eos_token_id": eos,
        "pad_token_id": eos,
    }
    return values | tiny.config
