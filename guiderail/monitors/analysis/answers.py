"""What analysers answer, and how it is read from LSP's plain JSON: tolerant of what is left out, not of nonsense.

Offsets are code points of the text that the question showed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

KEYWORD = 14  # CompletionItemKind
TEXT = 1  # CompletionItemKind: a word of the file, not something that the server knows
SNIPPET = 15  # CompletionItemKind
SEVERITIES = ("error", "warning", "information", "hint")

_WORD_END = re.compile(r"[\w$#]*$")

Severity = Literal["error", "warning", "information", "hint"]
Offset = Callable[[dict[str, Any]], int]  # from an LSP position to an offset


class NoAnswer(Exception):
    """An analyser cannot answer; the message says why in one word or two, for the count."""


@dataclass(frozen=True, slots=True)
class Member:
    """A name that an analyser offers.

    Parameters
    ----------
    name
        What would be written, without what a snippet adds behind it.
    kind
        LSP's CompletionItemKind; 0 where the server does not say.
    detail
        Its type or signature as the analyser words it.
    """

    name: str
    kind: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Members:
    """The names that an analyser offers, in its order.

    Parameters
    ----------
    items
        The names.
    complete
        Whether they are all there are.
    takes_any
        Whether any other name is accepted there too.
    """

    items: tuple[Member, ...]
    complete: bool
    takes_any: bool = False


@dataclass(frozen=True, slots=True)
class Signature:
    """One way to call a function.

    Parameters
    ----------
    label
        The whole signature as the analyser words it.
    parameters
        The text of each parameter, with its type and default where the analyser shows them.
    active
        The parameter that is being written, by its index; None if the analyser does not say.
    documentation
        What it says about the function.
    """

    label: str
    parameters: tuple[str, ...]
    active: int | None = None
    documentation: str = ""


@dataclass(frozen=True, slots=True)
class Signatures:
    """The overloads of the call around an offset, and which of them the analyser takes to be meant."""

    items: tuple[Signature, ...]
    active: int = 0


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a file, by line (from 0) and column in the server's units; `path` is None outside the file system."""

    path: Path | None
    uri: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Symbol:
    """A declaration: `kind` is LSP's SymbolKind, `container` the names around it, `start` to `end` all of it."""

    name: str
    kind: int
    container: tuple[str, ...]
    detail: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """What an analyser finds wrong with `text[start:end]`; `code` is its name for that kind of mistake."""

    start: int
    end: int
    severity: Severity
    code: str
    message: str


def read_completions(
    reply: Any,
    limit: int | None = None,
    *,
    flag_counts: bool = True,
    in_front: Callable[[dict[str, Any]], str] = lambda _: "",
) -> Members:
    """All that may be written: LSP's CompletionList, or its items alone.

    Parameters
    ----------
    reply
        The plain answer.
    limit
        As many items mean that some are missing.
    flag_counts
        Whether ``isIncomplete`` means that some are missing.
    in_front
        The text in front of the cursor that is replaced by an edit of a range.

    Raises
    ------
    NoAnswer
        It is neither.
    """
    reply = reply if isinstance(reply, dict) else {"items": reply or []}
    items = reply.get("items")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise NoAnswer("garbage")
    found = tuple(
        Member(text, item.get("kind") or 0, item.get("detail") or "")
        for item in items
        if isinstance(item.get("label"), str) and (text := _written(item, in_front))
    )
    truncated = limit is not None and len(items) >= limit
    return Members(found, complete=not (truncated or (flag_counts and bool(reply.get("isIncomplete")))))


def members_of(answer: Members) -> Members:
    """The names among completions: without keywords, words of the file and snippets, and what a call adds."""
    names = tuple(
        Member(name, item.kind, item.detail)
        for item in answer.items
        if item.kind not in (KEYWORD, TEXT, SNIPPET) and (name := _bare(item.name))
    )
    return Members(names, answer.complete)


def _bare(text: str) -> str:
    """A name without brackets, type arguments and macro marks behind it: ``f()``, ``Map<>``, ``println!()``."""
    for mark in "(<!{[ ":
        text = text.partition(mark)[0] or text
    return text


def _written(item: dict[str, Any], in_front: Callable[[dict[str, Any]], str]) -> str:
    """What would be written: the edit, the inserted text, or the label; a snippet up to its first hole.

    An edit may repeat what stands in front of the name; one that changes it (``.`` to ``->``) offers nothing here.
    """
    edit = item.get("textEdit")
    text = edit.get("newText") if isinstance(edit, dict) else None
    text = text or item.get("insertText") or item["label"]
    if item.get("insertTextFormat") == 2:
        text = text.partition("$")[0].replace("\\", "")
    lead = ""
    if isinstance(edit, dict) and (span := edit.get("range") or edit.get("replace")):
        replaced = in_front(span)
        lead = replaced[: len(replaced) - len(_WORD_END.search(replaced)[0])]  # pyright: ignore[reportOptionalSubscript]
    return text.strip().removeprefix(lead) if text.strip().startswith(lead) else ""


def read_signatures(reply: Any) -> Signatures:
    """LSP's SignatureHelp.

    Raises
    ------
    NoAnswer
        It is something else.
    """
    reply = reply or {}
    found = reply.get("signatures") or [] if isinstance(reply, dict) else None
    if not isinstance(found, list) or not all(isinstance(s, dict) and isinstance(s.get("label"), str) for s in found):
        raise NoAnswer("garbage")
    common = reply.get("activeParameter")
    items = (
        Signature(
            s["label"],
            tuple(_parameter(p, s["label"]) for p in s.get("parameters") or ()),
            s.get("activeParameter", common),
            _plain(s.get("documentation")),
        )
        for s in found
    )
    return Signatures(tuple(items), reply.get("activeSignature") or 0)


def _parameter(parameter: dict[str, Any], signature: str) -> str:
    label = parameter.get("label", "")
    if isinstance(label, str):
        return label
    units = signature.encode("utf-16-le")  # these offsets are always UTF-16
    return units[2 * label[0] : 2 * label[1]].decode("utf-16-le", errors="replace")


def read_hover(reply: Any) -> str:
    """The text of LSP's Hover; empty if there is nothing to say."""
    return _plain(reply.get("contents")) if isinstance(reply, dict) else ""


def _plain(content: Any) -> str:
    """The text of MarkupContent, a MarkedString, or a list of them."""
    if isinstance(content, list):
        return "\n".join(filter(None, map(_plain, content)))
    if isinstance(content, dict):
        content = content.get("value")
    return content if isinstance(content, str) else ""


def read_locations(reply: Any) -> tuple[Location, ...]:
    """The places of LSP's Location, LocationLink, or lists of them."""
    found = reply if isinstance(reply, list) else [reply] if reply else []
    return tuple(map(_location, found))


def _location(place: dict[str, Any]) -> Location:
    uri = place.get("uri") or place.get("targetUri") or ""
    start = (place.get("range") or place.get("targetSelectionRange") or {}).get("start", {})
    parts = urlsplit(uri)
    path = Path(url2pathname(unquote(parts.path))) if parts.scheme == "file" else None
    return Location(path, uri, start.get("line", 0), start.get("character", 0))


def read_symbols(reply: Any, offset: Offset) -> tuple[Symbol, ...]:
    """The declarations of LSP's DocumentSymbol or SymbolInformation, outer ones before inner ones."""
    return tuple(_symbols(reply or [], offset, ()))


def _symbols(found: list[dict[str, Any]], offset: Offset, container: tuple[str, ...]) -> Iterator[Symbol]:
    for one in found:
        span = one.get("range") or one["location"]["range"]
        around = container or tuple(filter(None, [one.get("containerName")]))
        yield Symbol(
            one["name"], one["kind"], around, one.get("detail") or "", offset(span["start"]), offset(span["end"])
        )
        yield from _symbols(one.get("children") or [], offset, (*around, one["name"]))


def read_diagnostics(found: list[dict[str, Any]], offset: Offset) -> tuple[Diagnostic, ...]:
    """LSP's diagnostics, by place."""
    read = (
        Diagnostic(
            offset(one["range"]["start"]),
            offset(one["range"]["end"]),
            SEVERITIES[(one.get("severity") or 1) - 1],
            str(one.get("code") or ""),
            one.get("message") or "",
        )
        for one in found
    )
    return tuple(sorted(read, key=lambda one: (one.start, one.end)))
