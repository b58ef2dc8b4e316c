"""The answers of analysers, read from LSP's plain JSON: missing fields are tolerated, invalid ones are not.

Offsets are code points of the text that the question showed. Whatever the server sent, monitors get the types that are
declared here, of bounded size; an invalid answer counts as none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit
from urllib.request import url2pathname

from guiderail.text.languages.kinds import KEYWORD, SNIPPET, TEXT
from guiderail.text.positions import Encoding

SEVERITIES = ("error", "warning", "information", "hint")

MOST_NAMES = 50_000  # of one answer
LONGEST_NAME = 1_000  # characters, as of all of these
LONGEST_DETAIL = 10_000
LONGEST_SIGNATURE = 50_000
LONGEST_EDIT = 1_000  # what a completion replaces
MOST_OVERLOADS = 1_000
MOST_PLACES = 20
MOST_REFERENCES = 5_000
HALVED = "\N{REPLACEMENT CHARACTER}"  # replaces half of a character (`wire.parsed`)

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
        What would be written, without what a snippet adds after it.
    kind
        LSP's CompletionItemKind; 0 where the server does not say.
    detail
        Its type or signature as the analyser words it.
    """

    name: str
    kind: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class TypePlace:
    """Where a type is defined.

    Parameters
    ----------
    path, line
        The file, and the line (from 0) of its name.
    name
        The text there, if it is the file that is shown.
    of_receiver
        Whether it was said of the receiver itself (a module, or the function that is called), not of its class.
    """

    path: Path
    line: int
    name: str = ""
    of_receiver: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a name is written: a line (from 0), and a column in code units of the encoding."""

    path: Path
    line: int
    units: int
    encoding: Encoding


@dataclass(frozen=True, slots=True)
class References:
    """The uses of a name, and the places that declare it.

    Parameters
    ----------
    is_declaration
        Whether the place that was asked about is where the name is defined.
    places
        All of them, that place too.
    """

    is_declaration: bool
    places: tuple[Reference, ...]


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
    types
        Where the types of the receiver are defined, as far as that was asked and is known.
    """

    items: tuple[Member, ...]
    complete: bool
    takes_any: bool = False
    types: tuple[TypePlace, ...] = ()


@dataclass(frozen=True, slots=True)
class Signature:
    """One way to call a function.

    Parameters
    ----------
    label
        The whole signature as the analyser words it.
    parameters
        The text of each parameter, with its type and default where the analyser shows them.
    """

    label: str
    parameters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Signatures:
    """The overloads of the call around an offset."""

    items: tuple[Signature, ...]


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
    replaced_text: Callable[[dict[str, Any]], str | None] = lambda _: "",
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
    replaced_text
        The text before the cursor that is replaced by an edit of a range; None where that is no such range.

    Raises
    ------
    NoAnswer
        It is neither.
    """
    reply = reply if isinstance(reply, dict) else {"items": reply or []}
    items = reply.get("items")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise NoAnswer("garbage")
    read = [
        Member(text, _whole(item.get("kind")) or 0, _text(item.get("detail"))[:LONGEST_DETAIL])
        for item in items[:MOST_NAMES]
        if isinstance(item.get("label"), str) and (text := _written(item, replaced_text))
    ]
    found = tuple(member for member in read if len(member.name) <= LONGEST_NAME and HALVED not in member.name)
    truncated = len(items) >= min(limit or MOST_NAMES, MOST_NAMES) or len(found) < len(read)
    return Members(found, complete=not (truncated or (flag_counts and bool(reply.get("isIncomplete")))))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _whole(value: Any) -> int | None:
    """A number from 0 on that an index can be."""
    return value if type(value) is int and 0 <= value < 1 << 31 else None


def members_of(answer: Members) -> Members:
    """The names among completions: without keywords, words of the file and snippets, and what a call adds."""
    names = tuple(
        Member(name, item.kind, item.detail)
        for item in answer.items
        if item.kind not in (KEYWORD, TEXT, SNIPPET) and (name := _bare(item.name))
    )
    return Members(names, answer.complete)


def _bare(text: str) -> str:
    """A name without brackets, type arguments and macro marks after it: ``f()``, ``Map<>``, ``println!()``."""
    for mark in "(<!{[ ":
        text = text.partition(mark)[0] or text
    return text


def _written(item: dict[str, Any], replaced_text: Callable[[dict[str, Any]], str | None]) -> str:
    """What would be written: the edit, the inserted text, or the label; a snippet up to its first hole.

    An edit may repeat the text before the name; one that changes it (``.`` to ``->``) offers nothing here.
    """
    edit = item.get("textEdit")
    text = _text(edit.get("newText")) if isinstance(edit, dict) else ""
    text = text or _text(item.get("insertText")) or item["label"]
    if item.get("insertTextFormat") == 2:
        text = text.partition("$")[0].replace("\\", "")
    lead = ""
    if isinstance(edit, dict) and (span := edit.get("range") or edit.get("replace")):
        replaced = replaced_text(span)
        if replaced is None:
            return ""
        lead = _without_word(replaced)
    return text.strip().removeprefix(lead) if text.strip().startswith(lead) else ""


def _without_word(text: str) -> str:
    """A text without the word that it ends in."""
    end = len(text)
    while end and (text[end - 1].isalnum() or text[end - 1] in "_$#"):
        end -= 1
    return text[:end]


def read_signatures(reply: Any) -> Signatures:
    """LSP's SignatureHelp.

    Raises
    ------
    NoAnswer
        It is something else.
    """
    reply = reply or {}
    found = reply.get("signatures") or [] if isinstance(reply, dict) else None
    if not isinstance(found, list) or len(found) > MOST_OVERLOADS or not all(map(_is_signature, found)):
        raise NoAnswer("garbage")
    return Signatures(
        tuple(Signature(s["label"], tuple(_parameter(p, s["label"]) for p in s.get("parameters") or ())) for s in found)
    )


def _is_signature(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    label, parameters = value.get("label"), value.get("parameters") or []
    is_text = isinstance(label, str) and len(label) <= LONGEST_SIGNATURE
    is_list = isinstance(parameters, list) and len(parameters) <= MOST_OVERLOADS
    return is_text and is_list and all(isinstance(one, dict) for one in parameters)


def _parameter(parameter: dict[str, Any], signature: str) -> str:
    label = parameter.get("label", "")
    if isinstance(label, str):
        return label[:LONGEST_SIGNATURE]
    if not isinstance(label, list) or len(label) != 2 or any(_whole(end) is None for end in label):
        raise NoAnswer("garbage")
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


def read_places(reply: Any, most: int = MOST_PLACES) -> tuple[tuple[Path, dict[str, Any]], ...]:
    """LSP's Location, LocationLink, or a list of them: files and ranges; what is no file is left out."""
    found = []
    for one in reply if isinstance(reply, list) else [reply]:
        if not isinstance(one, dict):
            continue
        uri, span = one.get("uri") or one.get("targetUri"), one.get("range") or one.get("targetSelectionRange")
        start = span.get("start") if isinstance(span, dict) else None
        line = start.get("line") if isinstance(start, dict) else None
        if isinstance(uri, str) and uri.startswith("file:") and _whole(line) is not None and len(found) < most:
            found.append((Path(url2pathname(urlsplit(uri).path)), span))
    return tuple(found)


def read_references(reply: Any, encoding: Encoding) -> tuple[Reference, ...]:
    """LSP's locations of a name.

    Raises
    ------
    NoAnswer
        There are too many to be all of them.
    """
    found = []
    for path, span in read_places(reply, MOST_REFERENCES + 1):
        start = span["start"]
        if (units := _whole(start.get("character"))) is not None:
            found.append(Reference(path, start["line"], units, encoding))
    if len(found) > MOST_REFERENCES:
        raise NoAnswer("too many")
    return tuple(dict.fromkeys(found))


def read_diagnostics(found: Any, offset: Offset) -> tuple[Diagnostic, ...]:
    """LSP's diagnostics, by place.

    Raises
    ------
    NoAnswer
        They are something else.
    """
    try:
        read = [
            Diagnostic(
                offset(one["range"]["start"]),
                offset(one["range"]["end"]),
                SEVERITIES[(_whole(one.get("severity")) or 1) - 1],
                str(one.get("code") or "")[:LONGEST_NAME],
                _text(one.get("message"))[:LONGEST_DETAIL],
            )
            for one in found
        ]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise NoAnswer("garbage") from error
    return tuple(sorted(read, key=lambda one: (one.start, one.end)))
