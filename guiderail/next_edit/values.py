"""Values that no syntax tells: a model writes them, each into its gap in a call and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from guiderail.next_edit.calls import GAP
from guiderail.next_edit.proposal import Proposal
from guiderail.next_edit.source_tree import read
from guiderail.text.document import Document
from guiderail.text.edit import Edit
from guiderail.text.languages.table import FUNCTIONS

if TYPE_CHECKING:
    from guiderail.engine.request import CompletionRequest
    from guiderail.engine.suggestion import Suggestion

LONGEST = 200  # characters of a value
MOST_TOKENS = 32
MOST_ENDS = 16  # of what is written that are tried: for each the whole text is parsed
ENDS = re.compile(r"(?=[,)\]};\n])|(?=\s*\Z)")
# An argument that is none, or does more than have a value.
UNFIT = re.compile(r".*comment|ERROR|named_expression|generator_expression|yield|await|.*assignment\w*")

Write = Callable[[Document, int], Iterable[str]]  # what may follow at an offset of a text, the likeliest first


def request_at(request: CompletionRequest, document: Document, hole: int) -> CompletionRequest:
    """The request for a value at a hole, with the settings and the project of another."""
    settings = replace(request.settings, until="line", max_tokens=MOST_TOKENS)
    return replace(request, document=document, offset=hole, settings=settings, uri="", n=1, by_hand=False)


def texts(suggestions: Iterable[Suggestion], document: Document, hole: int) -> list[str]:
    """What suggestions put at a hole; those that change what is before it are left out."""
    found = []
    for one in suggestions:
        typed = document.text[one.start : hole]
        if one.text.startswith(typed):
            found.append(one.text[len(typed) :])
    return found


def missing(proposal: Proposal) -> tuple[str, ...]:
    """The parameters for which an edit has no value yet."""
    return tuple(GAP.findall(proposal.edit.text))


def filled(proposal: Proposal, write: Write) -> Proposal | None:
    """An edit with a value in each gap; None if none is written that is an argument and nothing else."""
    text = proposal.edit.text
    while (gap := GAP.search(text)) is not None:
        head, tail = text[: gap.start()], text[gap.end() :]
        value = _value(proposal, head, GAP.sub(r"\1", tail), write)
        if value is None:
            return None
        text = head + value + tail
    return replace(proposal, edit=replace(proposal.edit, text=text))


def _value(proposal: Proposal, head: str, tail: str, write: Write) -> str | None:
    """What a model writes between two parts of an edit's text; later gaps hold the names of their parameters."""
    edit, document = proposal.edit, proposal.document
    hole = edit.start + len(head)
    text = Edit(edit.start, edit.end, head + tail).apply(document.text)
    shadow = replace(document, text=text)
    values = (one for written in write(shadow, hole) for one in beginnings(written))
    return next((one for one in values if _is_argument(shadow, hole, one)), None)


def beginnings(written: str) -> Iterator[str]:
    """The parts of a text that may be a whole value, the shortest first."""
    written = written[:LONGEST]
    for end in islice(ENDS.finditer(written), MOST_ENDS):
        if value := written[: end.start()].strip():
            yield value


def _is_argument(document: Document, hole: int, value: str) -> bool:
    """Whether a text is one argument at a place of a call, and leaves what is around it as it is."""
    tree = read(replace(document, text=document.text[:hole] + value + document.text[hole:]))
    node = tree.node_around(hole, hole + len(value)) if tree is not None else None
    if tree is None or node is None or (tree.start(node), tree.end(node)) != (hole, hole + len(value)):
        return False
    syntax = FUNCTIONS[tree.language]
    while (outer := node.parent) is not None and outer.byte_range == node.byte_range:
        node = outer
    if outer is None or not ("argument" in outer.type or outer.type == syntax.keyword):
        return False
    return node.type not in {*syntax.spreads, syntax.keyword} and UNFIT.fullmatch(node.type) is None
