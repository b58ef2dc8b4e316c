"""Whole names: where a monitor lists the legal names, the likeliest whole name is taken, not the likeliest first token.

Token by token, a name whose first token is the likeliest wins, though another name may be likelier as a whole. Here one
pass over the tree of all names gives each its probability: that its tokens come, and then something that ends it. The
winner is decoded in whatever tokens the model prefers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from guiderail.cache.tree import ROOT, TokenTree
from guiderail.decoding.constraints.choice import apply, choose
from guiderail.decoding.constraints.constraint import Constraint
from guiderail.decoding.constraints.masks import permit
from guiderail.decoding.constraints.vocabulary import Vocabulary
from guiderail.decoding.method import DecodeRequest, Event, FinishedEvent, advance, staged
from guiderail.decoding.partial_text import PartialText
from guiderail.decoding.sampling import Sampler
from guiderail.decoding.spec import BuildContext, Metadata, MethodSpec, parameter

if TYPE_CHECKING:
    from guiderail.decoding.session import Session


@dataclass(frozen=True, kw_only=True)
class WholeNamesSpec(MethodSpec):
    """Greedy decoding that takes the likeliest of the names that monitors list."""

    metadata = Metadata(
        summary="greedy; of the names that monitors list it takes the likeliest whole one",
        paper="",
        cost="one forward pass a token, and one over all legal names for each name",
        use="to try with monitors: the embedded model gets 40.9 % of names right, token by token 39.9 %, within chance",
        sampling="greedy",
    )
    names: int = parameter(
        256, "most names that are compared; where there are more it decodes plainly", low=2, high=4096
    )

    def build(self, context: BuildContext) -> WholeNames:
        """See `MethodSpec.build`."""
        sampler = Sampler(context.sampling, context.index)
        return WholeNames(sampler, context.vocabulary, context.model.tokenizer.encode, self.names)


class WholeNames:
    """Greedy decoding that decides on whole names.

    Parameters
    ----------
    sampler
        How a token is chosen.
    vocabulary
        The model's tokens by their bytes.
    encode
        How the model's tokenizer cuts a name.
    most
        Names that are compared at most.
    """

    def __init__(
        self, sampler: Sampler, vocabulary: Vocabulary, encode: Callable[[str], Sequence[int]], most: int
    ) -> None:
        self._choose = sampler
        self._encode = encode
        self._endings = NameEndings(vocabulary)
        self._most = most

    def decode(
        self, session: Session, logits: torch.Tensor, request: DecodeRequest, constraints: Sequence[Constraint]
    ) -> Iterator[Event]:
        """See `Method.decode`."""
        text, ids, prompt = PartialText(request), list(session.ids), len(session.ids)
        name: list[Constraint] = []
        while not text.finish and not request.cancelled():
            if len(ids) > prompt:
                logits = advance(session, ids[-1])
            raw = logits[: len(request.token_bytes)]
            scores = staged(raw, ids, len(ids) - prompt, request)
            if not name or name[0].is_satisfied:
                name = self._name(session, scores, constraints)
            token = choose([*constraints, *name], scores, self._choose)
            for constraint in (*constraints, *name):
                constraint.accept(token)
            ids.append(token)
            before, text = text, text.add(token)
            if len(text.tokens) > len(before.tokens):  # a token that only ends the text is no event
                yield text.event(raw)
        yield FinishedEvent(text.finish or "cancelled", text.text)

    def _name(self, session: Session, scores: torch.Tensor, constraints: Sequence[Constraint]) -> list[Constraint]:
        """The likeliest name as a constraint; none where no names are listed, or something else constrains too."""
        open_ones = [constraint for constraint in constraints if not constraint.is_satisfied]
        if len(open_ones) != 1:
            return []
        apply(open_ones, scores)  # waits for the answer, if one is to come
        rests = open_ones[0].continuations(self._most)
        if len(rests) < 2:
            return []
        chances = self._chances(session, scores, rests)
        return [OneName(self._endings, rests[int(chances.argmax())])]

    def _chances(self, session: Session, scores: torch.Tensor, rests: Sequence[bytes]) -> torch.Tensor:
        """The log-probability of each name, from one pass over all of them."""
        tree = TokenTree()
        nodes: dict[tuple[int, ...], int] = {}
        paths = [self._path(tree, nodes, rest) for rest in rests]
        rows = scores[None]
        if len(tree):
            rows = torch.cat((rows, session.feed_tree(tree)[:, : len(scores)]))
            session.keep([])
        logs = rows.log_softmax(-1)
        return torch.stack([self._chance(tree, logs, rest, path) for rest, path in zip(rests, paths, strict=True)])

    def _path(self, tree: TokenTree, nodes: dict[tuple[int, ...], int], rest: bytes) -> list[int]:
        """The nodes of a name, from the root on; they are added where they are missing."""
        path, tokens = [ROOT], self._encode(rest.decode("utf-8", "ignore"))
        for depth, token in enumerate(tokens, 1):
            before = tuple(tokens[:depth])
            if before not in nodes:
                nodes[before] = tree.add(token, path[-1])
            path.append(nodes[before])
        return path

    def _chance(self, tree: TokenTree, logs: torch.Tensor, rest: bytes, path: Sequence[int]) -> torch.Tensor:
        """That a name's tokens come up to some node, and then one that ends it: over all nodes."""
        ways, before = [], torch.zeros(())
        for node in path:
            if node != ROOT:
                token = tree.tokens[node]
                before = before + logs[tree.parents[node] + 1, token]
                rest = rest[len(self._endings.vocabulary.token_bytes[token]) :]
            ways.append(before + logs[node + 1, self._endings.after(rest)].logsumexp(-1))
        return torch.stack(ways).logsumexp(-1)


class NameEndings:
    """The tokens that finish a name and go on with something else.

    Parameters
    ----------
    vocabulary
        The model's tokens by their bytes.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary

    def after(self, rest: bytes) -> np.ndarray:
        """Ids (int64) whose bytes begin with `rest`, and then with what is no part of a name."""
        if not rest:
            return self._endings
        found = self.vocabulary.beginning_with(rest)
        return found[[self._ends(self.vocabulary.token_bytes[token], len(rest)) for token in found.tolist()]]

    @cached_property
    def _endings(self) -> np.ndarray:
        ids = self.vocabulary.ids
        return ids[[self._ends(self.vocabulary.token_bytes[token], 0) for token in ids.tolist()]]

    @staticmethod
    def _ends(data: bytes, place: int) -> bool:
        """Whether a byte is there and is no part of a name."""
        return len(data) > place and data[place] < 128 and not (chr(data[place]).isalnum() or data[place] in b"_$")


class OneName(Constraint):
    """The rest of one name comes next, and then something that ends it.

    Parameters
    ----------
    endings
        The tokens that end a name.
    rest
        What of it is still to be written.
    """

    def __init__(self, endings: NameEndings, rest: bytes) -> None:
        self._endings = endings
        self._rests: list[bytes | None] = [rest]  # None once it has ended

    @property
    def is_satisfied(self) -> bool:
        """See `Constraint.is_satisfied`."""
        return self._rests[-1] is None

    def fill_mask(self, bitmask: np.ndarray) -> None:
        """Allow the tokens that are a part of what remains, or end it."""
        rest = self._rests[-1]
        if rest is None:
            return
        vocabulary = self._endings.vocabulary
        parts, node = [self._endings.after(rest)], vocabulary.longest_prefix(rest) if rest else -1
        while node >= 0:
            parts.append(vocabulary.ids[[node]])
            node = vocabulary.parents[node]
        permit(bitmask, np.concatenate(parts))

    def accept(self, token: int) -> None:
        """Move on by one token."""
        rest, data = self._rests[-1], self._endings.vocabulary.token_bytes[token]
        goes_on = rest is not None and rest.startswith(data)
        self._rests.append(rest[len(data) :] if goes_on and rest is not None else None)

    def rollback(self, tokens: int) -> None:
        """Move back by `tokens` tokens."""
        if tokens:
            del self._rests[-tokens:]
