"""From a checkpoint to a folder that transformers loads without custom code."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from training.config import model_config
from training.manifest import sha256_of
from training.recipe import Recipe
from training.tokenizer import END, PAD
from training.train import CHECKPOINT

SUMS = "SHA256SUMS"


def write_weights(tensors: dict[str, Tensor], folder: Path, limit: float) -> list[str]:
    """One safetensors file, or shards with the index transformers expects when they exceed the limit.

    Weights of an earlier export go first: transformers would read a whole file that lies beside shards.
    """
    for old in folder.glob("model*.safetensors*"):
        old.unlink()
    shards: list[dict[str, Tensor]] = [{}]
    size = 0
    for name, tensor in tensors.items():
        if shards[-1] and size + tensor.nbytes > limit:
            shards.append({})
            size = 0
        shards[-1][name] = tensor
        size += tensor.nbytes
    if len(shards) == 1:
        save_file(shards[0], folder / "model.safetensors", {"format": "pt"})
        return ["model.safetensors"]
    names = [f"model-{i:05d}-of-{len(shards):05d}.safetensors" for i in range(1, len(shards) + 1)]
    for name, shard in zip(names, shards, strict=True):
        save_file(shard, folder / name, {"format": "pt"})
    index = {
        "metadata": {"total_size": sum(t.nbytes for t in tensors.values())},
        "weight_map": {key: name for name, shard in zip(names, shards, strict=True) for key in shard},
    }
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")
    return names


def export(recipe: Recipe, folder: Path | None = None) -> Path:
    """Write configuration, tokenizer and bf16 weights of the newest checkpoint."""
    folder = folder or recipe.export
    folder.mkdir(parents=True, exist_ok=True)
    state = torch.load(recipe.run_folder / CHECKPOINT, map_location="cpu", weights_only=True)
    masters = state["optimizer"]["masters"]
    write_weights(
        {name: m.to(torch.bfloat16).contiguous() for name, m in masters.items()}, folder, recipe.shard_mib * 2**20
    )
    (folder / "config.json").write_text(json.dumps(model_config(recipe.model), indent=2) + "\n")
    generation = {"eos_token_id": [END], "pad_token_id": PAD, "do_sample": False}
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(recipe.work / "tokenizer" / name, folder / name)
    write_sums(folder)
    return folder


def write_sums(folder: Path) -> None:
    """Write the list that `guiderail doctor` and ``sha256sum -c`` hold the folder's files against."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != SUMS)
    (folder / SUMS).write_text("".join(f"{sha256_of(path)}  {path.name}\n" for path in files))
