"""One loaded model: its tokenizer, its device, and one forward pass over a cache that the caller owns."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

from guiderail.errors import GuiderailError
from guiderail.model import lean, memory, plain, quantised, threads
from guiderail.model.attention import NAME, Step, running
from guiderail.model.checkpoint import Checkpoint, of_module
from guiderail.model.hybrid import HYBRIDS
from guiderail.model.matrix import FineInt8, Int8, Layout, Packed, Plain, packing_pays
from guiderail.model.recurrent import Continuation, State, state_bytes
from guiderail.model.recurrent_tree import TreePass, TreeStates, register
from guiderail.model.rope import STATIC_ROPE
from guiderail.model.shape import LAYER_TYPES
from guiderail.model.tensor_cache import NoTensorCache, TensorCache

if TYPE_CHECKING:
    from guiderail.model.info import ModelInfo
    from guiderail.model.tokenizer import Tokenizer


class UnsupportedArchitectureError(GuiderailError):
    """The model keeps state that is not one key and one value a token."""


class Model:
    """A causal language model, ready to run.

    Parameters
    ----------
    source
        The files of a Llama-shaped model, for a CPU (`checkpoint`); or a transformers causal language model loaded
        with our attention function (`attention.register`), whose weights are taken over (`plain_module`).
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
        If a layer keeps something else than keys and values (chunked attention, recurrent layers of other families
        than `hybrid.HYBRIDS`), the module does not run through our attention function (ALiBi in transformers' Bloom
        and Falcon), or its layers differ in the width of their keys.
    MissingWeightsError
        If weights cannot be read, or are no numbers.

    Attributes
    ----------
    layers, kv_heads, head_dim, value_dim
        Of the keys and values that the attention function is given; layers without attention do not count.
    state_bytes
        What the state of its recurrent layers takes; 0 for a model that has none.
    rope
        Parameters of its rotary frequencies, one entry for each kind of layer that has some.
    first_length
        Positions that it was first trained on, before its frequencies were stretched.
    layout
        How its weights lie in memory (`matrix`).
    """

    def __init__(
        self,
        source: Any,
        tokenizer: Tokenizer,
        info: ModelInfo,
        device: torch.device,
        dtype: torch.dtype,
        *,
        int8: bool = False,
    ) -> None:
        self.tokenizer = tokenizer
        self.info = info
        self.device = device
        self.dtype = dtype
        self._is_int8 = int8
        # Off a CPU the module's own overhead is hidden by graphs (see `graphs`), and its kernels are the tested ones.
        checkpoint: Checkpoint | None = source if isinstance(source, Checkpoint) else None
        if checkpoint is None:
            _check(source, info.name)
            checkpoint = of_module(source, info.name) if device.type == "cpu" else None
        self._module: Any = None
        self._built: Any = None
        self.state_bytes = 0
        self._rows: dict[int, int] | None = None
        self.layout = _layout(is_lean=checkpoint is not None, int8=int8, dtype=dtype)
        if checkpoint is not None:
            self._lay_out(checkpoint)
        else:
            self._take(source, int8=int8)

    def _lay_out(self, checkpoint: Checkpoint) -> None:
        """Run by the lean pass, with no module at all."""
        self._config = checkpoint.config
        shape = checkpoint.shape
        self.layers, self.kv_heads = shape.layers, shape.kv_heads
        self.head_dim = self.value_dim = shape.head_dim
        self.vocab_size: int = shape.vocabulary
        self.has_sliding_layers = any(shape.windows)
        self.rope: list[Mapping[str, Any]] = [shape.rope]
        self.first_length: int = shape.context
        self._lean = lean.LeanForward(checkpoint, self.layout, self.dtype, _kept(checkpoint, self.layout, self.dtype))

    def _take(self, module: Any, *, int8: bool) -> None:
        """Run by the module itself."""
        self._module, self._lean = module.eval(), None
        config = module.config
        self.layers = config.num_hidden_layers
        rope = getattr(config, "rope_parameters", None) or {}
        self.rope = [r for r in (rope, *rope.values()) if isinstance(r, dict) and r]
        self.kv_heads, self.head_dim, self.value_dim = self._widths()
        self.vocab_size = config.vocab_size
        self.has_sliding_layers = "sliding_window" in config.to_dict() and bool(config.sliding_window)
        self.first_length = getattr(config, "original_max_position_embeddings", None) or self._most_positions()
        if int8:
            quantised.widen(module)
            quantised.quantise(module)

    @property
    def precision(self) -> str:
        """The setting ``dtype`` that it was loaded with: ``int8``, or that of its activations."""
        return "int8" if self._is_int8 else str(self.dtype).removeprefix("torch.")

    def _most_positions(self) -> int:
        return getattr(self._module.config, "max_position_embeddings", None) or self.info.context_length

    @property
    def is_hybrid(self) -> bool:
        """Whether it has recurrent layers."""
        return bool(self.state_bytes)

    @torch.inference_mode()
    def _widths(self) -> tuple[int, int, int]:
        """Heads and widths of keys and values, as one token shows them: a configuration does not tell them all."""
        seen = _Seen()
        hybrid = self._module.config.model_type in HYBRIDS
        state = self._hybrid_layers(seen) if hybrid else self._probe(seen, None)
        shapes = {(key.shape[0], key.shape[2], value.shape[2]) for key, value in seen.layers.values()}
        if len(seen.layers) != self.layers and not state:
            raise _unsupported(self._module, self.info.name, f"gives it {len(seen.layers)} of {self.layers} layers")
        if len(shapes) > 1:
            raise _unsupported(self._module, self.info.name, "has layers of different widths")
        if state:
            self._rows = {layer: row for row, layer in enumerate(sorted(seen.layers))}
            self.layers, self.state_bytes = len(self._rows), state_bytes(state)
        return shapes.pop()

    def _hybrid_layers(self, seen: _Seen) -> State:
        """The state of the recurrent layers after a token, once they have shown that they run trees as well."""
        if "cache" not in inspect.signature(self._module.forward).parameters:
            raise _unsupported(self._module, self.info.name, "needs a newer version of transformers")
        if any(rope.get("rope_type", "default") not in STATIC_ROPE for rope in self.rope):
            raise _unsupported(self._module, self.info.name, "has recurrent layers and frequencies that change")
        register(self._module)
        whole = Continuation({})
        self._probe(seen, whole)
        tree = TreeStates(whole.after)
        self._probe(_Seen(), TreePass(tree, [[0]], self.device))
        for layer, state in whole.after.items():
            nodes = tree.nodes.get(layer)
            if nodes is None or (nodes.writes is None) != (state.matrix is None):
                raise _unsupported(self._module, self.info.name, f"computes layer {layer} in an unknown way")
        return whole.after

    def _probe(self, seen: _Seen, recurrent: Continuation | TreePass | None) -> None:
        one = torch.zeros(1, 1, dtype=torch.int64, device=self.device)
        given = {} if recurrent is None else {"cache": recurrent}
        try:
            with running(Step(seen, slice(0, 1), 1, recurrent=recurrent)):
                self._module(input_ids=one, position_ids=one, use_cache=False, logits_to_keep=1, **given)
        except torch.OutOfMemoryError:
            raise
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise _unsupported(self._module, self.info.name, f"fails ({error})") from error

    @cached_property
    def can_exit(self) -> bool:
        """Whether a pass can end after some of the first layers (`forward`): not every transformers module can."""
        if self._lean is not None:
            return True
        if self.is_hybrid:
            return False
        seen = _Seen()
        one = torch.zeros(1, dtype=torch.int64, device=self.device)
        self.forward(one, one, Step(seen, slice(0, 1), 1), layers=1)
        return list(seen.layers) == [0]

    @property
    def module(self) -> Any:
        """The transformers module; of a model that runs without one, a copy that is built when it is first wanted."""
        if self._module is not None:
            return self._module
        if self._built is None:
            self._built = self.plain_module()
        return self._built

    def plain_module(self) -> Any:
        """A module with weights of its own, laid out as transformers does: to run it by itself.

        Of quantised weights it has the rounded ones, in float32.
        """
        if self._lean is not None:
            return plain.build(self._config, self._lean.state(), self._lean.frequencies, self.dtype)
        module = copy.deepcopy(self._module)
        quantised.restore(module)
        return module

    def frequencies(self) -> list[torch.Tensor]:
        """All sets of rotary frequencies that its layers use, [pairs] each, in radians a position."""
        if self._lean is not None:
            return [self._lean.frequencies]
        names = (n for n, _ in self._module.named_buffers() if n.endswith("inv_freq"))
        return [self._module.get_buffer(n).detach() for n in names if not n.endswith("original_inv_freq")]

    def reset_frequencies(self) -> None:
        """Make the next pass choose its frequencies from its own length (dynamic ones keep the longest's so far)."""
        for module in () if self._module is None else self._module.modules():
            if hasattr(module, "max_seq_len_cached") and hasattr(module, "original_inv_freq"):
                module.inv_freq = module.original_inv_freq.to(self.device)
                module.max_seq_len_cached = module.original_max_seq_len

    @torch.inference_mode()
    def embed(self, ids: torch.Tensor) -> torch.Tensor:
        """The embeddings of `ids` (int64 [q]), [q, hidden], as `forward` takes them in place of ids."""
        if self._lean is not None:
            return self._lean.embed(ids)
        return self._module.get_input_embeddings()(ids)  # some architectures scale them

    @torch.inference_mode()
    def forward(
        self,
        ids: torch.Tensor,
        positions: torch.Tensor,
        step: Step,
        *,
        last: bool = True,
        layers: int | None = None,
    ) -> torch.Tensor:
        """Run `ids` and write their keys and values where `step` says.

        Parameters
        ----------
        ids, positions
            int64 [q], on the model's device. Instead of ids embeddings may be given (`embed`), [q, hidden].
        step
            The cache's part of the pass.
        last
            Whether only the last token's logits are wanted.
        layers
            Run the first so many layers alone, and the unembedding after them; by default all (`can_exit`).

        Returns
        -------
        Tensor
            float32 [1 or q, vocabulary].
        """
        if self.device.type != "cpu":
            return self._run(ids, positions, step, last=last, layers=layers)
        with threads.taken_by(len(ids), self.info.parameters):
            return self._run(ids, positions, step, last=last, layers=layers)

    def _run(
        self, ids: torch.Tensor, positions: torch.Tensor, step: Step, *, last: bool, layers: int | None
    ) -> torch.Tensor:
        if self._lean is not None:
            return self._lean(ids, positions, step, last=last, layers=layers).float()
        given: dict[str, Any] = {"inputs_embeds" if ids.is_floating_point() else "input_ids": ids[None]}
        if self.is_hybrid and step.recurrent is not None:
            given["cache"] = step.recurrent
        step.rows = self._rows
        with running(step), _first_layers(self._module, layers):
            output = self._module(
                **given, position_ids=positions[None], use_cache=False, logits_to_keep=1 if last else 0
            )
        return output.logits[0].float()


def _layout(*, is_lean: bool, int8: bool, dtype: torch.dtype) -> Layout:
    """How the weights are going to lie in memory."""
    if int8:
        return Int8
    return Packed if is_lean and dtype == torch.float32 and packing_pays() else Plain


def _kept(checkpoint: Checkpoint, layout: Layout, dtype: torch.dtype) -> TensorCache | NoTensorCache:
    """Where the laid-out weights of a large model are kept."""
    numbers = sum(map(math.prod, checkpoint.shape.tensors().values()))
    if not checkpoint.files or numbers < memory.LARGE:
        return NoTensorCache()
    how: dict[str, object] = {"layout": layout.__name__, "dtype": str(dtype), "shape": repr(checkpoint.shape)}
    how["torch"] = torch.__version__  # its kernels say which way of laying out is the fastest
    if layout is Int8:
        how["levels"] = [kind.levels() for kind in (Int8, FineInt8)]
    return TensorCache(
        checkpoint.files, how, numbers * (1 if layout is Int8 else dtype.itemsize) + _table_bytes(checkpoint)
    )


def _table_bytes(checkpoint: Checkpoint) -> int:
    return 2 * checkpoint.shape.vocabulary * checkpoint.shape.hidden


@contextmanager
def _first_layers(module: Any, layers: int | None) -> Iterator[None]:
    """Let a transformers module run its first layers alone; most loop over as many as their configuration says."""
    config = module.get_decoder().config if layers is not None else None
    if config is None:
        yield
        return
    every, config.num_hidden_layers = config.num_hidden_layers, layers
    try:
        yield
    finally:
        config.num_hidden_layers = every


class _Seen:
    """A store that records what it is given."""

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
    if strange and config.model_type not in HYBRIDS:
        raise UnsupportedArchitectureError(
            f"{name}: {type(module).__name__} has layers that cannot be cached here: {', '.join(sorted(strange))}",
            "Choose a model with attention in every layer, or of one of the families with recurrent layers that run: "
            + ", ".join(dict.fromkeys(HYBRIDS.values())),
        )
