"""Several continuations in one pass through recurrent layers: tree verification as in STree (arXiv 2505.14969).

What a token adds to a layer's state decays on its way to the tokens after it. In a tree these are the nodes below it:
with a mask of ancestors in place of the causal one, the sums that a chunk of tokens is computed by are those of all
paths at once. For Mamba-2 this is STree's. For the gated delta rule, where a token also corrects what the state holds,
the triangular system of a chunk has the same mask; nodes stand after their parents, so it stays triangular.

transformers' layers call their convolution and scan as functions of their own module. `register` puts a function in
the place of each that hands every call on, except in the pass of a tree.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import softplus

from guiderail.model.attention import current
from guiderail.model.recurrent import Cacheless, LayerState, State

_L2_EPSILON = 1e-6  # of the norm of queries and keys of the delta rule, as in transformers


@dataclass(slots=True)
class _Nodes:
    """What a layer keeps of the nodes that were run, for those below them and for `TreeStates.after`.

    Parameters
    ----------
    columns
        What the convolution reads of each, [channels, nodes].
    keys, writes
        What each adds to a head's state is the product of its key and its write, [heads, nodes, width].
    decays
        Logarithm of what is left at each node of the state before the tree, [heads, nodes].
    is_turned
        Whether the layer stores the transposed matrices.
    """

    columns: torch.Tensor | None = None
    keys: torch.Tensor | None = None
    writes: torch.Tensor | None = None
    decays: torch.Tensor | None = None
    is_turned: bool = False


class TreeStates:
    """The states after every node of a tree that has been run, in the form of what the nodes add.

    Parameters
    ----------
    before
        The state that the tree starts from, after a token at least.
    """

    def __init__(self, before: State) -> None:
        self.before = before
        self.nodes: dict[int, _Nodes] = {}

    def after(self, path: Sequence[int]) -> State:
        """The state after a path, from the root on."""
        return {layer: self._after(self.before[layer], nodes, list(path)) for layer, nodes in self.nodes.items()}

    def _after(self, before: LayerState, nodes: _Nodes, path: list[int]) -> LayerState:
        assert nodes.columns is not None
        columns = torch.cat((before.columns[0], nodes.columns[:, path]), 1)[None, :, -before.columns.shape[-1] :]
        if nodes.keys is None or nodes.writes is None or nodes.decays is None:
            return LayerState(columns.clone())
        last = nodes.decays[:, path[-1], None]
        keys = nodes.keys[:, path] * (last - nodes.decays[:, path]).exp()[..., None]
        added = keys.transpose(1, 2) @ nodes.writes[:, path]
        matrix = _matrix(before, nodes.is_turned) * last[..., None].exp() + added
        return LayerState(columns.clone(), (matrix.transpose(1, 2) if nodes.is_turned else matrix)[None].contiguous())


class TreePass(Cacheless):
    """A pass over the new nodes of a tree.

    Parameters
    ----------
    states
        What is known of the nodes before them; the new ones are added.
    paths
        Of each new node the nodes from the root down to it, itself included.
    device
        Of the model.
    """

    def __init__(self, states: TreeStates, paths: Sequence[Sequence[int]], device: torch.device) -> None:
        self._states, self._paths = states, paths
        self._layer = -1
        total = paths[-1][-1] + 1
        seen = torch.zeros(len(paths), total, dtype=torch.bool)
        for row, path in zip(seen, paths, strict=True):
            row[list(path)] = True
        self._seen = seen.to(device)
        self._windows: dict[int, torch.Tensor] = {}

    @property
    def after(self) -> State:
        """The state after the last node."""
        return self._states.after(self._paths[-1])

    def get_conv_state(self, layer_idx: int, state_idx: int = 0) -> None:
        """None: a node's columns are those of its own path (`convolve`)."""

    def get_recurrent_state(self, layer_idx: int, state_idx: int = 0) -> None:
        """None, for the same reason."""

    def update_recurrent_state(self, recurrent_states: torch.Tensor | None, layer_idx: int, **_: Any) -> None:
        """There is no one state after a tree."""

    def is_recording_past(self, layer_idx: int) -> bool:
        """Yes: each node's columns are wanted."""
        return True

    def update_conv_state(
        self, conv_states: torch.Tensor, layer_idx: int, state_idx: int = 0, **_: Any
    ) -> torch.Tensor:
        """Note the columns of the new nodes; the convolution is given these alone."""
        self._layer = layer_idx
        nodes = self._states.nodes.setdefault(layer_idx, _Nodes())
        nodes.columns = _joined(nodes.columns, conv_states[0], 1)
        return conv_states

    def convolve(
        self, columns: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, activation: str | None
    ) -> torch.Tensor:
        """The convolution of each new node over its own path, [1, channels, new nodes]."""
        from transformers.activations import ACT2FN

        nodes, kernel = self._states.nodes[self._layer], weight.shape[-1]
        assert nodes.columns is not None
        held = self._states.before[self._layer].columns[0]
        every = torch.cat((held, nodes.columns), 1).to(weight.dtype)
        window = self._window(kernel, held.shape[1])
        out = (every[:, window] * weight[:, None]).sum(-1)
        out = out if bias is None else out + bias[:, None]
        return (ACT2FN[activation](out) if activation else out)[None].to(columns.dtype)

    def _window(self, kernel: int, held: int) -> torch.Tensor:
        """Which columns each node's convolution reads, int64 [new nodes, kernel]; the `held` ones come first."""
        if kernel not in self._windows:
            rows = [[*range(held), *(held + node for node in path)][-kernel:] for path in self._paths]
            self._windows[kernel] = torch.tensor(rows, device=self._seen.device)
        return self._windows[kernel]

    def scan(
        self,
        queries: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        decays: torch.Tensor,
        betas: torch.Tensor | None,
        *,
        is_turned: bool,
    ) -> torch.Tensor:
        """What each new node reads of the state after it, float32 [heads, new nodes, width].

        Parameters
        ----------
        queries, keys, values
            float32 [heads, new nodes, width].
        decays
            Logarithms of what each node leaves of the state before it, [heads, new nodes].
        betas
            [heads, new nodes]: the state is corrected by the delta rule. None: values are added as they are.
        is_turned
            See `_Nodes`.
        """
        nodes, old = self._states.nodes[self._layer], self._seen.shape[1] - len(self._paths)
        nodes.is_turned = is_turned
        total = self._totals(nodes, decays, old)
        nodes.decays, nodes.keys = _joined(nodes.decays, total, 1), _joined(nodes.keys, keys, 1)
        left = (total[..., None] - nodes.decays[:, None]).masked_fill(~self._seen, float("-inf")).exp()
        matrix, start = _matrix(self._states.before[self._layer], is_turned), total[..., None].exp()
        if betas is not None:
            overlap = betas[..., None] * (keys @ nodes.keys.transpose(1, 2)) * left
            values = betas[..., None] * (values - start * (keys @ matrix))
            values = values if nodes.writes is None else values - overlap[..., :old] @ nodes.writes
            values = torch.linalg.solve_triangular(overlap[..., old:], values, upper=False, unitriangular=True)
        nodes.writes = _joined(nodes.writes, values, 1)
        return start * (queries @ matrix) + (queries @ nodes.keys.transpose(1, 2) * left) @ nodes.writes

    def _totals(self, nodes: _Nodes, decays: torch.Tensor, old: int) -> torch.Tensor:
        """The decay from the root to each new node, [heads, new nodes]."""
        total = decays @ self._seen[:, old:].to(decays.dtype).T
        if nodes.decays is None:
            return total
        above = [max((n for n in path if n < old), default=-1) for path in self._paths]
        base = torch.cat((nodes.decays, torch.zeros_like(nodes.decays[:, :1])), 1)
        return total + base[:, above]


def _matrix(state: LayerState, is_turned: bool) -> torch.Tensor:
    """A head's matrix of keys and values, float32 [heads, key, value]."""
    assert state.matrix is not None
    matrix = state.matrix[0].float()
    return matrix.transpose(1, 2) if is_turned else matrix


def _joined(one: torch.Tensor | None, other: torch.Tensor, axis: int) -> torch.Tensor:
    return other if one is None else torch.cat((one, other), axis)


def _convolve(
    tree: TreePass,
    hidden_states: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    activation: str | None = None,
    **_: Any,
) -> torch.Tensor:
    return tree.convolve(hidden_states, weight, bias, activation)


def _delta_rule(
    tree: TreePass,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    *,
    g: torch.Tensor,
    beta: torch.Tensor,
    use_qk_l2norm_in_kernel: bool = False,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """`chunk_gated_delta_rule` of a tree; tensors are [1, nodes, heads, ...]."""
    repeats = value.shape[2] // key.shape[2]
    q, k = (x[0].repeat_interleave(repeats, 1).transpose(0, 1).float() for x in (query, key))
    if use_qk_l2norm_in_kernel:
        q, k = (x * torch.rsqrt((x * x).sum(-1, keepdim=True) + _L2_EPSILON) for x in (q, k))
    v, decays, betas = (x[0].transpose(0, 1).float() for x in (value, g, beta))
    out = tree.scan(q * q.shape[-1] ** -0.5, k, v, decays, betas, is_turned=False)
    return out.transpose(0, 1)[None].to(query.dtype), None


def _mamba2(
    tree: TreePass,
    hidden_states: torch.Tensor,
    dt: torch.Tensor,
    A: torch.Tensor,  # transformers' names, which it calls by
    B: torch.Tensor,
    C: torch.Tensor,
    *,
    D: torch.Tensor | None = None,
    dt_bias: torch.Tensor | None = None,
    dt_softplus: bool = False,
    dt_limit: tuple[float, float] = (0.0, float("inf")),
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """`mamba2_chunk_scan` of a tree; tensors are [1, nodes, heads, ...]."""
    dt = dt if dt_bias is None else dt + dt_bias.to(dt.dtype)
    steps = (softplus(dt) if dt_softplus else dt).clamp(*dt_limit)[0].float()
    x = hidden_states[0].float()
    q, k = (one[0].float().repeat_interleave(x.shape[1] // one.shape[2], 1).transpose(0, 1) for one in (C, B))
    values = (x * steps[..., None]).transpose(0, 1)
    out = tree.scan(q, k, values, (A.float() * steps).T, None, is_turned=True).transpose(0, 1)
    return (out if D is None else out + D[:, None] * x)[None].contiguous(), None


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "causal_conv1d_fn": _convolve, "torch_chunk_gated_delta_rule": _delta_rule, "mamba2_chunk_scan": _mamba2,
}  # fmt: skip


def register(module: torch.nn.Module) -> None:
    """Have the recurrent layers of a transformers model run trees."""
    for name in {type(part).__module__ for part in module.modules() if hasattr(part, "layer_idx")}:
        source = sys.modules[name]
        for function, ours in _FUNCTIONS.items():
            theirs = getattr(source, function, None)
            if theirs is not None and not hasattr(theirs, "of_tree"):
                setattr(source, function, _dispatching(theirs, ours))


def _dispatching(theirs: Callable[..., Any], ours: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(theirs)
    def run(*args: Any, **kwargs: Any) -> Any:
        step = current()
        if step is not None and isinstance(step.recurrent, TreePass):
            return ours(step.recurrent, *args, **kwargs)
        return theirs(*args, **kwargs)

    run.of_tree = ours  # type: ignore[attr-defined]
    return run
