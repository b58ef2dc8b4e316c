"""The requests to an analyser.

    analyser.ask(SIGNATURES, Question(path, "python", text, offset)).result(0.05)

A request is sent at once and its answer is cached: asking early or again costs nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from guiderail.monitors.analysis import answers
from guiderail.monitors.analysis.answers import Diagnostic, Members, Reference, References, Signatures, TypePlace
from guiderail.text.languages.table import PYTHON_STATEMENTS

if TYPE_CHECKING:
    from guiderail.monitors.analysis.client import Client
    from guiderail.text.document import Document

T = TypeVar("T")
OUTDATED = (-32801, -32802)  # ContentModified, ServerCancelled: rust-analyzer says so while it reads the project
MOST_REFUSED = 5
REFUSED_PAUSE_S = 0.05
WARM_S = 6.0  # for so long an empty answer of a server that has just started is not believed
STEADY_TRIES, STEADY_PAUSE_S = 10, 0.5  # of the first question for uses, until its answer stays the same
PROBE = "guiderail__probe"
CLASS = "__class__"
NOT_FOUND = "pp_file_not_found"  # clang's code of that diagnostic


@dataclass(frozen=True, slots=True)
class Question:
    """A place: `offset` (code points) of a file that holds `text`, whatever is on disk.

    `besides` are other files as they are to be seen, whatever they hold.
    """

    path: Path
    language: str
    text: str
    offset: int
    besides: tuple[Document, ...] = ()


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
    mark
        A name to show at the offset in Python, to servers that offer the same before a name: what stands after it is
        then not read as a part of the same expression, and the type before it can be asked for in the same text.
    """

    name: str
    send: Callable[[Client, Question], Awaitable[T]]
    placed: bool = True
    mark: str = ""

    def shown(self, question: Question, *, marks: bool) -> str:
        """The text that the server is shown."""
        return _marked(question, self.mark) if marks and question.language in PYTHON_STATEMENTS else question.text


def _marked(question: Question, mark: str) -> str:
    return question.text[: question.offset] + mark + question.text[question.offset :]


async def _completions(client: Client, question: Question) -> Members:
    answer = await _asked(client, question)
    if client.is_warm:
        return answer
    end = time.monotonic() + WARM_S
    for pause in count(1):
        if answer.items or time.monotonic() > end:
            break
        await asyncio.sleep(0.1 * pause)
        answer = await _asked(client, question)
    client.is_warm = True
    return answer


async def _asked(client: Client, question: Question) -> Members:
    server = client.server
    reply = await _patiently(lambda: client.completion(question.offset))

    starts: dict[tuple[Any, Any], int] = {}  # most edits begin at the same place

    def replaced_text(edit: dict[str, Any]) -> str | None:
        """What an edit would replace before the offset."""
        try:
            place = edit["start"]["line"], edit["start"]["character"]
            start = starts[place] if place in starts else starts.setdefault(place, client.offset(edit["start"]))
        except (KeyError, TypeError):
            return None
        return question.text[start : question.offset] if question.offset - start <= answers.LONGEST_EDIT else None

    return answers.read_completions(
        reply, server.limit, flag_counts=server.incomplete_means_missing, replaced_text=replaced_text
    )


async def _patiently(send: Callable[[], Awaitable[Any]]) -> Any:
    """The answer to a request that is sent again while the server refuses it as outdated."""
    for _ in range(MOST_REFUSED):
        try:
            return await send()
        except Exception as error:  # pygls' own, which takes long to import
            if getattr(error, "code", None) not in OUTDATED:
                raise
            await asyncio.sleep(REFUSED_PAUSE_S)
    return await send()


async def _members(client: Client, question: Question) -> Members:
    members = answers.members_of(await _completions(client, question))
    if question.language in PYTHON_STATEMENTS and members.items:
        return replace(members, types=await _types(client, question))
    if not client.server.probes or not members.items:
        return members
    # A type that takes any name knows the type, or the origin, of a name that it cannot know.
    text = question.text[: question.offset] + PROBE + question.text[question.offset :]
    client.show(question.path, question.language, text)
    origin = await client.definition(question.offset + 1)
    known = origin or _type_in(answers.read_hover(await client.hover(question.offset + 1))) not in ("", "any")
    return replace(members, takes_any=bool(known))


async def _types(client: Client, question: Question) -> tuple[TypePlace, ...]:
    """Where the types of what is before a dot are defined: asked of its class, and of its last character.

    A module's file is known of itself alone, an expression's type as a rule of its class alone.
    """
    if not client.locates_types:
        return ()
    text = _marked(question, CLASS)
    if not client.server.marks:
        client.show(question.path, question.language, text)
    found, failure = list[TypePlace](), None
    for offset, of_receiver in ((question.offset + 1, False), (question.offset - 2, True)):
        try:
            reply = await _patiently(partial(client.type_definition, offset)) if offset >= 0 else None
        except Exception as error:  # one place says enough; without any, nothing is known of who adds members
            reply, failure = None, error
        for path, span in answers.read_places(reply):
            name = ""
            if path == question.path:
                with contextlib.suppress(KeyError, TypeError):
                    name = text[client.offset(span["start"]) : client.offset(span["end"])]
            found.append(TypePlace(path, span["start"]["line"], name, of_receiver))
    if failure is not None and not found:
        raise failure
    return tuple(found)


async def _resolved(client: Client, question: Question) -> Members:
    """Completions, which are not all where a header was not found."""
    members = await _completions(client, question)
    lacks = any(one.code == NOT_FOUND for one in await _diagnostics(client, question))
    return replace(members, complete=members.complete and not lacks)


def _type_in(hover: str) -> str:
    """A hover's text without the fences of Markdown, which some servers send unasked."""
    return "\n".join(line for line in hover.splitlines() if not line.startswith("```")).strip()


async def _signatures(client: Client, question: Question) -> Signatures:
    return answers.read_signatures(await client.signature_help(question.offset))


async def _hover(client: Client, question: Question) -> str:
    return answers.read_hover(await client.hover(question.offset))


async def _diagnostics(client: Client, _: Question) -> tuple[Diagnostic, ...]:
    return answers.read_diagnostics(await client.diagnostics(), client.offset)


async def _references(client: Client, question: Question) -> References:
    places = await _uses(client, question)
    for _ in range(0 if client.has_found else STEADY_TRIES):  # while it reads the project it knows of some files only
        await asyncio.sleep(STEADY_PAUSE_S)
        before, places = places, await _uses(client, question)
        if before == places:
            break
    client.has_found = True
    defined = answers.read_places(await _patiently(partial(client.definition, question.offset)))
    is_own = any(
        path == question.path and client.offset(span["start"]) <= question.offset < client.offset(span["end"])
        for path, span in defined
    )
    return References(is_own, places)


async def _uses(client: Client, question: Question) -> tuple[Reference, ...]:
    return answers.read_references(await _patiently(partial(client.references, question.offset)), client.encoding)


async def _overrides(client: Client, question: Question) -> tuple[Reference, ...]:
    if not client.finds_overrides:
        return ()
    found = await _patiently(partial(client.implementations, question.offset))
    return answers.read_references(found, client.encoding)


MEMBERS = Request("members", _members, mark=CLASS)  # names after a dereference
COMPLETIONS = Request("completions", _completions)  # whatever may be written, keywords and ``name=`` included
RESOLVED = Request("resolved", _resolved)  # the same, said to be incomplete where headers are missing
SIGNATURES = Request("signatures", _signatures)  # overloads of the call that the offset is in
HOVER = Request("hover", _hover)  # what is known of the name at the offset
DIAGNOSTICS = Request("diagnostics", _diagnostics, placed=False)  # what is wrong with the file
REFERENCES = Request("references", _references)  # where the name at the offset is written
OVERRIDES = Request("overrides", _overrides)  # the declarations of a method in subclasses, and itself
