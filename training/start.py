"""A warm start: the weights of an earlier run in place of random ones, under a fresh optimiser.

The optimiser's state is not part of an export, so its moments begin at zero and the schedule warms up again.
Weights that were decayed to zero lose at first by any learning rate above that (Gupta et al., "Continual
pre-training of large language models: how to (re)warm your model?", 2023), the more the higher its peak, which is
why a recipe that goes on states a peak of its own.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from training.config import model_config
from training.model import CompletionModel, ModelShape

INDEX = "model.safetensors.index.json"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")


class StartError(ValueError):
    """A folder that this recipe cannot start from."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where a run starts, and what its weights have read before: a fact that no file of theirs holds."""

    weights: Path
    tokens: float
    seconds: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", Path(self.weights))


def load_start(model: CompletionModel, start: Start, tokenizer: Path) -> None:
    """Put the weights of a Hugging Face folder into a model of the same shape.

    Parameters
    ----------
    tokenizer
        The folder of the tokenizer that packed the corpus.

    Raises
    ------
    StartError
        If shape, tokenizer or names of the tensors are not those of the model.
    """
    check_shape(start.weights, model.shape)
    check_tokenizer(start.weights, tokenizer)
    tensors = read_tensors(start.weights)
    wanted = {name: parameter.shape for name, parameter in model.named_parameters()}
    found = {name: tensor.shape for name, tensor in tensors.items() if name != "lm_head.weight"}  # tied, so repeated
    if wrong := sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)):
        raise StartError(f"{start.weights}: {len(wrong)} tensors are not the model's, the first is {wrong[0]}")
    for name, parameter in model.named_parameters():
        parameter.data.copy_(tensors[name])


def check_shape(folder: Path, shape: ModelShape) -> None:
    """Hold the configuration of the weights against the shape of the recipe."""
    theirs = _read_json(folder / "config.json")
    ours = model_config(shape)
    kept = {key: value for key, value in ours.items() if key not in {"dtype", "rope_parameters"}}
    if wrong := [
        f"{key} {theirs.get(key)} (recipe: {value})" for key, value in kept.items() if theirs.get(key) != value
    ]:
        raise StartError(f"{folder} has {', '.join(wrong)}: give the recipe's [model] the shape of the weights")


def take_tokenizer(folder: Path, target: Path) -> None:
    """Copy the tokenizer of the weights to where the pack stage looks for it."""
    target.mkdir(parents=True, exist_ok=True)
    for name in TOKENIZER_FILES:
        shutil.copyfile(folder / name, target / name)


def check_tokenizer(folder: Path, tokenizer: Path) -> None:
    """Refuse a corpus whose token numbers mean other text than those of the weights."""
    if _read_json(folder / TOKENIZER_FILES[0]) != _read_json(tokenizer / TOKENIZER_FILES[0]):
        raise StartError(
            f"{tokenizer} is not the tokenizer of {folder}: "
            "give the recipe a work folder of its own, or remove tokenizer/ and packed/ from this one"
        )


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """All tensors of a folder, whole or in shards."""
    names = ["model.safetensors"]
    if (folder / INDEX).exists():
        names = sorted(set(_read_json(folder / INDEX)["weight_map"].values()))
    tensors: dict[str, Tensor] = {}
    for name in names:
        try:
            tensors |= load_file(folder / name)
        except (OSError, SafetensorError) as error:
            raise StartError(f"{folder / name} cannot be read: {error}") from None
    return tensors


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StartError(f"{path} cannot be read: {error}") from None
