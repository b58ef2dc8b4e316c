"""The weights of a Llama-shaped model in its files, each read on demand.

Nothing of transformers is imported: its classes take longer to import than a small model takes to load.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from guiderail.model.errors import MissingWeightsError
from guiderail.model.info import ModelInfo, weight_files
from guiderail.model.rope import Rope, frequencies
from guiderail.model.shape import Shape, shape_of

# What files hold beside weights: frequencies of old Llama checkpoints, which are computed.
_NO_WEIGHTS = ".rotary_emb.inv_freq"
_FLOATS = {"F64", "F32", "F16", "BF16"}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model that is not laid out yet.

    Parameters
    ----------
    name
        As a person refers to it.
    config
        The values of its ``config.json``.
    shape
        What they mean.
    weights
        All tensors of `Shape.tensors`, of any floating-point type.
    rope
        Its rotary frequencies.
    files
        Those that decide what the weights are; none where there are no files.
    """

    name: str
    config: Mapping[str, Any]
    shape: Shape
    weights: Mapping[str, torch.Tensor]
    rope: Rope
    files: tuple[Path, ...] = ()

    def read(self, name: str, dtype: torch.dtype | None = None) -> torch.Tensor:
        """A tensor in `dtype`, or as it is stored; maybe a view of the file.

        Raises
        ------
        MissingWeightsError
            If it is not all numbers: every answer of such a model is nonsense, or a failure of its own.
        """
        tensor = self.weights[name]
        tensor = tensor if dtype is None else tensor.to(dtype)
        check_numbers(name, tensor, self.name)
        return tensor


def check_numbers(tensor_name: str, tensor: torch.Tensor, name: str) -> None:
    """Raise MissingWeightsError if a tensor of the model `name` is not finite."""
    if tensor.numel() and not all(bool(bound.isfinite()) for bound in tensor.aminmax()):
        remedy = "Fetch it again, or choose another model"
        raise MissingWeightsError(f"{name}: the weights in {tensor_name} are not all numbers", remedy)


def of_folder(info: ModelInfo, config: Mapping[str, Any]) -> Checkpoint | None:
    """The model of a folder; None if transformers should read it, and say what is wrong with it."""
    from safetensors import SafetensorError

    shape = shape_of(config)
    if shape is None:
        return None
    try:
        paths = weight_files(info.folder)
        files = _files_of(paths, shape)
    except (OSError, SafetensorError):
        return None
    if files is None:
        return None
    rope = frequencies(shape.rope, shape.head_dim, shape.context)
    return Checkpoint(info.name, config, shape, _Tensors(files, info.name), rope, tuple(paths))


def of_module(module: Any, name: str) -> Checkpoint | None:
    """The model of a transformers module, whose weights are taken over; None if it is not Llama-shaped."""
    config = module.config.to_dict()
    shape = shape_of(config, type(module).__name__)
    if shape is None or dict(_shapes(module)) != shape.tensors():
        return None
    rotary = module.model.rotary_emb
    rope = rotary.inv_freq.detach().float(), float(rotary.attention_scaling)
    return Checkpoint(name, config, shape, _Taken(dict(module.named_parameters())), rope)


def _shapes(module: Any) -> Iterator[tuple[str, tuple[int, ...]]]:
    return ((name, tuple(parameter.shape)) for name, parameter in module.named_parameters())


def _files_of(paths: Iterable[Path], shape: Shape) -> dict[str, Path] | None:
    """The file of each tensor, or None if they are not exactly the ones that are wanted."""
    from safetensors import safe_open

    wanted, found = shape.tensors(), dict[str, Path]()
    for path in paths:
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118  # it is no mapping
                if name.endswith(_NO_WEIGHTS):
                    continue
                part = file.get_slice(name)
                if tuple(part.get_shape()) != wanted.get(name) or part.get_dtype() not in _FLOATS or name in found:
                    return None
                found[name] = path
    return found if found.keys() == wanted.keys() else None


class _Lazy(Mapping[str, torch.Tensor]):
    """Tensors by name, each got when it is asked for."""

    def __init__(self, names: Iterable[str], get: Callable[[str], torch.Tensor]) -> None:
        self._names, self._get = set(names), get

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __getitem__(self, name: str) -> torch.Tensor:
        return self._get(name)


class _Tensors(_Lazy):
    """The tensors of safetensors files: each a view of a mapping of its own, which ends with it.

    So pages of the file count as this process's memory only as long as they are needed.
    """

    def __init__(self, files: Mapping[str, Path], name: str) -> None:
        super().__init__(files, self._read)
        self._files, self._model = files, name

    def _read(self, name: str) -> torch.Tensor:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self._files[name], "pt") as file:
                return file.get_tensor(name)
        except (OSError, SafetensorError) as error:
            reason = f"{self._model}: the weights cannot be read ({error})"
            raise MissingWeightsError(reason, "Fetch it again") from error


class _Taken(_Lazy):
    """The parameters of a module, which are empty once they were asked for."""

    def __init__(self, parameters: Mapping[str, torch.Tensor]) -> None:
        super().__init__(parameters, self._take)
        self._parameters = parameters

    def _take(self, name: str) -> torch.Tensor:
        parameter = self._parameters[name]
        tensor, parameter.data = parameter.data, parameter.data.new_empty(0)
        return tensor
