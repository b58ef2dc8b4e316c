"""One loaded model: its tokenizer, its device, and one forward pass over a cache that the caller owns."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch

from guiderail.errors import GuiderailError
from guiderail.model import lean, quantised, threads
from guiderail.model.attention import NAME, Step, running
from guiderail.model.matrix import Int8, Layout, Packed, Plain, packing_pays

if TYPE_CHECKING:
    from guiderail.model.info import ModelInfo
    from guiderail.model.tokenizer import Tokenizer

LAYER_TYPES = frozenset({"full_attention", "sliding_attention"})


class UnsupportedArchitectureError(GuiderailError):
    """The model keeps state that is not one key and one value a token."""


class Model:
    """A causal language model, ready to run.

    Parameters
    ----------
    module
        A transformers causal language model loaded with our attention function (`attention.register`); its weights
        are taken over (`plain_module`).
    tokenizer
        Its tokenizer, with the exact bytes of every id.
    info
        Where it comes from and what it can do.
    device, dtype
        Where it runs, and the precision of its activations, keys and values.
    int8
        Whether its weights are quantised to 8 bit (`quantised`), which is for a CPU and float32.

    Raises
    ------
    UnsupportedArchitectureError
        If a layer keeps something else than keys and values (recurrent layers, chunked attention), the module does
        not run through our attention function (ALiBi in transformers' Bloom and Falcon), or its layers differ in the
        width of their keys.

    Attributes
    ----------
    layers, kv_heads, head_dim, value_dim
        Of the keys and values that the attention function is given.
    layout
        How its weights lie in memory (`matrix`).
    """

    def __init__(
        self,
        module: Any,
        tokenizer: Tokenizer,
        info: ModelInfo,
        device: torch.device,
        dtype: torch.dtype,
        *,
        int8: bool = False,
    ) -> None:
        _check(module, info.name)
        self.module = module.eval()
        self.tokenizer = tokenizer
        self.info = info
        self.device = device
        self.dtype = dtype
        config = module.config
        self.layers: int = config.num_hidden_layers
        self.kv_heads, self.head_dim, self.value_dim = self._widths()
        self.vocab_size: int = config.vocab_size
        self.has_sliding_layers = "sliding_window" in config.to_dict() and bool(config.sliding_window)
        # Off a CPU the module's own overhead is hidden by graphs (see `graphs`), and its kernels are the tested ones.
        is_lean = device.type == "cpu" and lean.supports(module)
        self.layout = _layout(is_lean=is_lean, int8=int8, dtype=dtype)
        if int8:
            quantised.widen(module)
        self._lean = lean.LeanForward(module, self.layout) if is_lean else None
        if int8 and not is_lean:
            quantised.quantise(module)

    @torch.inference_mode()
    def _widths(self) -> tuple[int, int, int]:
        """Heads and widths of keys and values, as one token shows them: a configuration does not tell them all."""
        seen = _Seen()
        one = torch.zeros(1, 1, dtype=torch.int64, device=self.device)
        try:
            with running(Step(seen, slice(0, 1), 1)):
                self.module(input_ids=one, position_ids=one, use_cache=False, logits_to_keep=1)
        except torch.OutOfMemoryError:
            raise
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise _unsupported(self.module, self.info.name, f"fails ({error})") from error
        shapes = {(key.shape[0], key.shape[2], value.shape[2]) for key, value in seen.layers.values()}
        if len(seen.layers) != self.layers:
            raise _unsupported(self.module, self.info.name, f"gives it {len(seen.layers)} of {self.layers} layers")
        if len(shapes) > 1:
            raise _unsupported(self.module, self.info.name, "has layers of different widths")
        return shapes.pop()

    def plain_module(self) -> Any:
        """A copy of the module with weights of its own, laid out as transformers does: to run it by itself.

        `module` cannot run where its weights were taken over in another layout (`matrix`). Of quantised weights it has
        the rounded ones, in float32.
        """
        module = copy.deepcopy(self.module)
        if self._lean is not None:
            self._lean.give_back(module)
        else:
            quantised.restore(module)
        return module

    @torch.inference_mode()
    def embed(self, ids: torch.Tensor) -> torch.Tensor:
        """The embeddings of `ids` (int64 [q]), [q, hidden], as `forward` takes them in place of ids."""
        return self.module.get_input_embeddings()(ids)  # some architectures scale them

    @torch.inference_mode()
    def forward(self, ids: torch.Tensor, positions: torch.Tensor, step: Step, *, last: bool = True) -> torch.Tensor:
        """Run `ids` and write their keys and values where `step` says.

        Parameters
        ----------
        ids, positions
            int64 [q], on the model's device. Instead of ids embeddings may be given (`embed`), [q, hidden].
        step
            The cache's part of the pass.
        last
            Whether only the last token's logits are wanted.

        Returns
        -------
        Tensor
            float32 [1 or q, vocabulary].
        """
        if self.device.type != "cpu":
            return self._run(ids, positions, step, last=last)
        with threads.taken_by(len(ids)):
            return self._run(ids, positions, step, last=last)

    def _run(self, ids: torch.Tensor, positions: torch.Tensor, step: Step, *, last: bool) -> torch.Tensor:
        if self._lean is not None:
            return self._lean(ids, positions, step, last=last).float()
        given = {"inputs_embeds" if ids.is_floating_point() else "input_ids": ids[None]}
        with running(step):
            output = self.module(
                **given, position_ids=positions[None], use_cache=False, logits_to_keep=1 if last else 0
            )
        return output.logits[0].float()


def _layout(*, is_lean: bool, int8: bool, dtype: torch.dtype) -> Layout:
    """How the weights are going to lie in memory."""
    if int8:
        return Int8
    return Packed if is_lean and dtype == torch.float32 and packing_pays() else Plain


class _Seen:
    """A store that shows what it was given."""

    def __init__(self) -> None:
        self.layers: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def write(self, layer: int, slots: slice | torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> None:
        self.layers[layer] = key, value

    def read(self, layer: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.layers[layer]


def _unsupported(module: Any, name: str, why: str) -> UnsupportedArchitectureError:
    return UnsupportedArchitectureError(
        f"{name}: {type(module).__name__} does not run through guiderail's attention: it {why}",
        "Choose a model of another architecture",
    )


def _check(module: Any, name: str) -> None:
    config = module.config
    if config._attn_implementation != NAME:
        raise UnsupportedArchitectureError(
            f"{name}: {type(module).__name__} does not run through guiderail's attention",
            "Load it with attn_implementation=attention.register()",
        )
    strange = set(getattr(config, "layer_types", None) or ()) - LAYER_TYPES
    if strange:
        raise UnsupportedArchitectureError(
            f"{name}: {type(module).__name__} has layers that cannot be cached here: {', '.join(sorted(strange))}",
            "Choose a model with attention in every layer",
        )
