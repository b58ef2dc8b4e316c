"""What an analyser can be asked.

    analyser.ask(SIGNATURES, Question(path, "python", text, offset)).result(0.05)

A request leaves at once and its answer is kept: asking ahead and asking again cost nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from guiderail.monitors.analysis import answers
from guiderail.monitors.analysis.answers import Diagnostic, Location, Members, Signatures, Symbol

if TYPE_CHECKING:
    from guiderail.monitors.analysis.client import Client

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Question:
    """A place: `offset` (code points) of a file that holds `text`, whatever is on disk."""

    path: Path
    language: str
    text: str
    offset: int


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """One kind of question.

    Parameters
    ----------
    name
        What it is called in the cache and in logs.
    send
        Asks a running server about the file that it has been shown.
    placed
        Whether the answer depends on the offset.
    """

    name: str
    send: Callable[[Client, Question], Awaitable[T]]
    placed: bool = True


async def _completions(client: Client, question: Question) -> Members:
    server = client.server
    return answers.read_completions(
        await client.completion(question.offset), server.limit, flag_counts=server.incomplete_means_missing
    )


async def _members(client: Client, question: Question) -> Members:
    return answers.members_of(await _completions(client, question))


async def _signatures(client: Client, question: Question) -> Signatures:
    return answers.read_signatures(await client.signature_help(question.offset))


async def _hover(client: Client, question: Question) -> str:
    return answers.read_hover(await client.hover(question.offset))


async def _definitions(client: Client, question: Question) -> tuple[Location, ...]:
    return answers.read_locations(await client.definition(question.offset))


async def _symbols(client: Client, _: Question) -> tuple[Symbol, ...]:
    return answers.read_symbols(await client.symbols(), client.offset)


async def _diagnostics(client: Client, _: Question) -> tuple[Diagnostic, ...]:
    return answers.read_diagnostics(await client.diagnostics(), client.offset)


MEMBERS = Request("members", _members)  # names behind a dereference
COMPLETIONS = Request("completions", _completions)  # whatever may be written, keywords and ``name=`` included
SIGNATURES = Request("signatures", _signatures)  # overloads of the call that the offset is in
HOVER = Request("hover", _hover)  # what is known of the name at the offset
DEFINITIONS = Request("definitions", _definitions)  # where the name at the offset is defined
SYMBOLS = Request("symbols", _symbols, placed=False)  # what the file declares
DIAGNOSTICS = Request("diagnostics", _diagnostics, placed=False)  # what is wrong with the file
