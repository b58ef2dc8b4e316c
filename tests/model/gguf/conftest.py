"""Tiny models in the hub's layout, and the same as GGUF files."""

import dataclasses
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from gguf import GGMLQuantizationType as Kind

from tests.helpers.gguf import write_gguf
from tests.helpers.tiny import FAMILIES, TinyFamily, tiny_model_folder

# Factors of half a head's sixteen, for Phi-3's rotary frequencies.
_SHORT, _LONG = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7], [2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5]
_LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}  # fmt: skip
_YARN = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 256}
_GEMMA3 = {
    "full_attention": {"rope_type": "default", "rope_theta": 1_000_000.0},
    "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
}


def _of(family: str, **config: Any) -> TinyFamily:
    """A family with other values in its configuration."""
    return dataclasses.replace(FAMILIES[family], config=FAMILIES[family].config | config)


# A file of the families llama and starcoder2 does not state a sliding window: they have none here.
MODELS: dict[str, TinyFamily] = {
    "llama": _of("seed-coder"),
    "llama, tied": _of("codellama", tie_word_embeddings=True),
    "llama, biases": _of("codellama", attention_bias=True, mlp_bias=True),
    "llama, wide heads": _of("seed-coder", head_dim=32),
    "llama, linear": _of("seed-coder", rope_parameters={"rope_type": "linear", "factor": 4.0, "rope_theta": 1e5}),
    "llama 3": _of("seed-coder", rope_parameters=_LLAMA3),
    "mistral": _of("mistral", sliding_window=None),
    "qwen2": FAMILIES["qwen2"],
    "qwen2, yarn": _of("qwen2", rope_parameters=_YARN),
    "qwen3": FAMILIES["qwen3"],
    "gemma": FAMILIES["gemma"],
    "gemma2": FAMILIES["gemma2"],
    "gemma3": dataclasses.replace(
        _of("gemma", sliding_window=32, query_pre_attn_scalar=16, rope_parameters=_GEMMA3), model_type="gemma3_text"
    ),
    "starcoder2": _of("starcoder2", sliding_window=None),
    "granite": FAMILIES["granite"],
    "phi3": dataclasses.replace(_of("codellama", sliding_window=40), model_type="phi3"),
    "phi3, longrope": dataclasses.replace(
        _of(
            "codellama",
            max_position_embeddings=1024,
            original_max_position_embeddings=512,
            rope_parameters={
                "rope_type": "longrope", "rope_theta": 10000.0, "short_factor": _SHORT, "long_factor": _LONG,
                "original_max_position_embeddings": 512,
            },
        ),
        model_type="phi3",
    ),
}  # fmt: skip


@pytest.fixture(scope="session")
def hub_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of one of `MODELS`, made once."""

    @cache
    def made(name: str) -> Path:
        def plain(values: dict[str, Any]) -> None:
            if MODELS[name].model_type == "gemma3_text":
                values["num_hidden_layers"] = 7  # the sixth sees everything

        with patch.dict(FAMILIES, {name: MODELS[name]}):
            return tiny_model_folder(name, tmp_path_factory.mktemp("hub") / "model", edit_config=plain)

    return made


@pytest.fixture(scope="session")
def gguf_file(hub_folder: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """One of `MODELS` as a GGUF file, made once."""

    @cache
    def made(name: str, kind: Kind = Kind.F32) -> Path:
        return write_gguf(hub_folder(name), tmp_path_factory.mktemp("gguf") / "model.gguf", kind, pre=_pre(name))

    return made


def _pre(name: str) -> str | None:
    """Seed-Coder's family stands for Llama 3 here, and its tiny vocabulary splits as Qwen2 does."""
    return "qwen2" if MODELS[name].model_type == "llama" and MODELS[name].kind == "byte_level" else None
