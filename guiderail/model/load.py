"""From a reference to a running model.

Only safetensors and GGUF weights are read and only classes that transformers itself has are run: no model on disk can
bring code along.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from logging import CRITICAL
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guiderail.errors import GuiderailError, UsageError
from guiderail.model import memory, store
from guiderail.model.errors import MissingWeightsError
from guiderail.model.garbage import gc_paused
from guiderail.model.info import ModelInfo, read_config
from guiderail.model.shape import ARCHITECTURES
from guiderail.model.store import EMBEDDED, UnknownModelError
from guiderail.settings import names_path, names_server

if TYPE_CHECKING:
    import torch

    from guiderail.model.checkpoint import Checkpoint
    from guiderail.model.model import Model

_QUANTISED = 100_000_000  # parameters from which on 8 bit is the usual precision on a CPU (docs/speed.md)
# Encoder-decoders and models that read images or sound; text models may mention none of these.
_OTHER_INPUTS = ("vision_config", "audio_config", "encoder")


class WrongArchitectureError(GuiderailError):
    """The model is not a causal language model that transformers itself knows."""


class DeviceError(UsageError):
    """The device that was asked for is not there."""


def resolve(reference: str) -> Path:
    """The folder of a model on this machine, or its GGUF file.

    Parameters
    ----------
    reference
        ``embedded``, the path of a folder or of a GGUF file (any shard of one; see `names_path`), or a hub id
        (``owner/name`` or ``owner/name@revision``) that was pulled. A hub id is never a folder: the current one is a
        repository's.

    Raises
    ------
    UnknownModelError
        If it is none of them; nothing is fetched from here.
    ModelFolderError
        If the folder is no model's, or this installation has no embedded model.
    """
    return _located(reference)[0]


def describe(reference: str) -> ModelInfo:
    """What the model of `reference` says about itself, without loading it; raises as `resolve` does."""
    if reference == EMBEDDED:
        return store.embedded_info()
    place, revision = _located(reference)
    name = reference.partition("@")[0] if revision else reference
    return store.read_place(place, name, revision)


def configuration(info: ModelInfo) -> dict[str, Any]:
    """The model's configuration, as transformers has it; raises ModelFolderError."""
    if info.file is None:
        return read_config(info.folder)
    from guiderail.model.gguf.config import configuration as of_file
    from guiderail.model.gguf.file import open_file

    return of_file(open_file(info.file))


def load(
    reference: str,
    *,
    device: str = "auto",
    dtype: str = "auto",
    threads: int = 0,
    accept: Callable[[ModelInfo], None] = lambda _: None,
) -> Model:
    """Load a model, ready to run.

    Parameters
    ----------
    reference
        See `resolve`.
    device
        ``cpu``, ``cuda``, or ``auto``: the GPU if there is one.
    dtype
        ``float32``, ``bfloat16``, ``float16``, ``int8`` (weights and products in 8 bit, the rest in float32; on a CPU),
        or ``auto``: on a CPU int8 for large models and float32 for small ones, on a GPU bfloat16 where it has it.
    threads
        CPU threads of a pass at most; 0: the cores. On a CPU this sets torch's number of threads, for the whole process
        (`threads`); on a GPU it is left alone unless it is said here.
    accept
        Told of the model before anything of it is read; what it raises is raised here.

    Raises
    ------
    UnknownModelError, ModelFolderError
        If there is no such model here, or its files are incomplete.
    WrongArchitectureError
        If it is not a causal language model, or needs code of its own.
    NotEnoughMemoryError
        Before anything is read, saying what is needed and what would fit.
    MissingWeightsError
        If tensors are missing, damaged, of the wrong shape, or hold what is no number.
    TokenizerError
        If its tokenizer has no exact bytes.
    DeviceError
        If there is no GPU and one is asked for.
    """
    with gc_paused():
        model = _loaded(reference, device, dtype, threads, accept)
    memory.release_memory()
    return model


def _loaded(reference: str, device: str, dtype: str, threads: int, accept: Callable[[ModelInfo], None]) -> Model:
    import torch

    from guiderail.model.model import Model
    from guiderail.model.threads import allow
    from guiderail.model.tokenizer import Tokenizer

    info = describe(reference)
    accept(info)
    config = configuration(info)
    check_architecture(config, info.name)
    place, kind = placement(device, dtype, info.parameters)
    memory.check(info, place, kind)
    if place == "cpu" or threads:
        allow(threads)
    tokenizer = Tokenizer.from_gguf(info.file) if info.file else Tokenizer.from_folder(info.folder)
    int8 = kind == "int8"
    stored, computed = (torch.bfloat16, torch.float32) if int8 else (getattr(torch, kind),) * 2
    source = _checkpoint(info, config) if place == "cpu" else None
    is_lean = source is not None
    if source is None:
        source = (_read_gguf if info.file else _read_module)(info, stored).to(place)
        _check_numbers(source, info.name)
    with nullcontext() if is_lean else _quiet_transformers():  # transformers reports the kernels that it lacks
        model = Model(source, tokenizer, info, torch.device(place), computed, int8=int8)
    _forget_files()
    return model


def _checkpoint(info: ModelInfo, config: dict[str, Any]) -> Checkpoint | None:
    """A Llama-shaped model whose files are all that is wanted, so that transformers is not needed; otherwise None."""
    from guiderail.model.checkpoint import of_folder

    if info.file is None:
        return of_folder(info, config)
    from guiderail.model.gguf.file import open_file
    from guiderail.model.gguf.module import checkpoint_of

    return checkpoint_of(open_file(info.file), info.name)


def _forget_files() -> None:
    """Forget what was read of the files: a vocabulary takes tens of megabytes."""
    from guiderail.model import info
    from guiderail.model.gguf import file

    info.forget()
    file.forget()


def _located(reference: str) -> tuple[Path, str | None]:
    """A model's folder, and the commit if it is a hub model."""
    if reference == EMBEDDED:
        return store.embedded_info().folder, None
    if names_path(reference):
        return _at(reference), None
    if names_server(reference):
        raise UnknownModelError(f"{reference} is a model server, and this needs a model that runs here", "Name another")
    hub_id, _, revision = reference.partition("@")
    if store.is_hub_id(hub_id):
        snapshot = store.find(hub_id, revision or None)
        if snapshot is not None:
            return store.model_in(snapshot, store.pinned_file(hub_id)), snapshot.name
        fetch = f"Fetch it: guiderail models pull {reference}"
        raise UnknownModelError(f"The model {reference} is not on this machine", fetch + _if_folder(reference))
    raise _unknown(reference)


def _at(reference: str) -> Path:
    """The folder or the GGUF file that a path names, if it holds a model."""
    place = Path(os.path.expanduser(reference)).absolute()  # noqa: PTH111 (Path's raises for an unknown user)
    if os.path.isdir(place):  # noqa: PTH112 (Path's raises where it may not look)
        return store.model_in(place)
    if place.suffix.lower() != ".gguf":
        raise _unknown(reference)
    if not os.path.isfile(place):  # noqa: PTH113
        raise UnknownModelError(f"There is no file {reference}", "Check the path, or see guiderail models ls")
    return place


def _unknown(reference: str) -> UnknownModelError:
    return UnknownModelError(
        f"There is no model {reference}",
        "Name 'embedded', the path of a model's folder or GGUF file (/path, ~/path or ./path), or the hub id "
        f"(owner/name) of a pulled model; see guiderail models ls{_if_folder(reference)}",
    )


def _if_folder(reference: str) -> str:
    return f"; if you mean the folder, write ./{reference}" if os.path.isdir(reference) else ""  # noqa: PTH112


def check_architecture(config: dict[str, Any], name: str) -> None:
    """Refuse what is not a causal language model of transformers' own.

    Raises
    ------
    WrongArchitectureError
        Saying what the model is instead.
    """
    remedy = "Choose a causal language model (its config.json says ...ForCausalLM)"
    architectures = config.get("architectures") or []
    if not architectures:
        raise WrongArchitectureError(f"{name}: config.json names no architecture", remedy)
    architecture = architectures[0]
    if config.get("is_encoder_decoder") or any(key in config for key in _OTHER_INPUTS):
        raise WrongArchitectureError(f"{name} is a {architecture}: not a decoder of text alone", remedy)
    if architecture in _known(config.get("model_type", "")):
        _check_storage(config, name)
        return
    if config.get("auto_map"):
        raise WrongArchitectureError(
            f"{name} needs code of its own ({architecture}), which is never run here",
            "Choose a model that transformers loads without trust_remote_code",
        )
    raise WrongArchitectureError(f"{name} is a {architecture}, not a causal language model of transformers", remedy)


def _known(family: Any) -> tuple[str, ...]:
    """transformers' causal language models of a type; it is only asked for those that need it."""
    if family in ARCHITECTURES:
        return (ARCHITECTURES[family],)
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as KNOWN

    known = KNOWN.get(family, ())
    return (known,) if isinstance(known, str) else tuple(known)


def _check_storage(config: dict[str, Any], name: str) -> None:
    quantisation = config.get("quantization_config")
    if quantisation:
        method = quantisation.get("quant_method", "an unknown method")
        raise WrongArchitectureError(
            f"{name} is quantised ({method}), which cannot be loaded here", "Choose the model it was made from"
        )


def placement(device: str, dtype: str, parameters: int) -> tuple[str, str]:
    """The device and the precision that ``auto`` stands for here, for a model of so many parameters.

    Raises
    ------
    DeviceError
        If there is no GPU and one is asked for.
    UnsupportedPrecisionError
        If 8-bit products are asked for on a GPU, or where torch has none.
    """
    place = _device(device)
    return place, _dtype(dtype, place, parameters)


def _device(wanted: str) -> str:
    if wanted == "cpu":
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if wanted == "cuda":
        raise DeviceError("There is no usable NVIDIA GPU for device cuda", "Use --device cpu, or auto")
    return "cpu"


def _dtype(wanted: str, device: str, parameters: int) -> str:
    if wanted == "int8":
        _check_int8(device)
    if wanted != "auto":
        return wanted
    if device == "cpu":
        return "int8" if parameters >= _QUANTISED and _int8_is_possible() else "float32"
    import torch

    return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"


def _read_gguf(info: ModelInfo, dtype: torch.dtype) -> Any:
    """The module with the weights of a GGUF file."""
    from guiderail.model.attention import register
    from guiderail.model.gguf.file import open_file
    from guiderail.model.gguf.module import build_module

    assert info.file is not None
    with _quiet_transformers():
        return build_module(open_file(info.file), dtype, register())


def _int8_is_possible() -> bool:
    from guiderail.model.matrix import int8_is_possible

    return int8_is_possible()


def _check_int8(device: str) -> None:
    from guiderail.model.matrix import UnsupportedPrecisionError

    if device != "cpu":
        raise UnsupportedPrecisionError("int8 is computed on a CPU alone", "Use --dtype bfloat16, or --device cpu")
    if not _int8_is_possible():
        raise UnsupportedPrecisionError("this build of torch has no 8-bit products", "Use --dtype float32")


def _read_module(info: ModelInfo, dtype: torch.dtype) -> Any:
    """The module with its weights; every tensor of the architecture must have come from the files."""
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM

    from guiderail.model.attention import register

    try:
        with _quiet_transformers():
            module, loaded = AutoModelForCausalLM.from_pretrained(  # pyright: ignore[reportGeneralTypeIssues]
                info.folder,
                dtype=dtype,
                attn_implementation=register(),
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
            )
    except KeyError as error:  # attention classes of its own, looked up by name
        reason = f"{info.name} is a {info.architecture}, which does not run through guiderail's attention"
        raise WrongArchitectureError(reason, "Choose a model of another architecture") from error
    except (OSError, SafetensorError) as error:
        raise MissingWeightsError(f"{info.name}: the weights cannot be read ({error})", "Fetch it again") from error
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise MissingWeightsError(f"{info.name} cannot be loaded ({reason})", "Fetch it again") from error
    missing = sorted(loaded["missing_keys"])
    if missing:
        shown = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        raise MissingWeightsError(f"{info.name} lacks weights of a {info.architecture}: {shown}", "Fetch it again")
    return module


def _check_numbers(module: torch.nn.Module, name: str) -> None:
    from guiderail.model.checkpoint import check_numbers

    for tensor_name, tensor in module.named_parameters():
        if tensor.is_floating_point():
            check_numbers(tensor_name, tensor.detach(), name)


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """No bars and reports on standard error while weights are read; what is wrong is raised instead."""
    from transformers.utils import logging

    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity(CRITICAL)
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
