"""Hand-made cursors, to be looked at: what is suggested at places where people write code.

There is no truth and no score: whether a suggestion would be taken is for a person to say. What a program can see (the
file with it parses; it repeats what follows; it is blank or cut) is noted beside it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from guiderail.choices import Until
from guiderail.errors import UsageError
from guiderail.evaluation.keystrokes import is_right, right_steps
from guiderail.evaluation.manifest import datasets_folder
from guiderail.evaluation.scoring import is_valid
from guiderail.text.document import Document
from guiderail.text.language import language_of

if TYPE_CHECKING:
    from guiderail.engine.suggestion import Suggestion

DEFAULT = "cursors.toml"
MARK = "\N{CARET}"
FENCE = "```"


@dataclass(frozen=True, slots=True)
class HandMade:
    """A cursor in a file.

    Parameters
    ----------
    name
        What is peculiar about the place.
    document, offset
        The file without the mark, and the mark's place, in code points.
    until
        Where a suggestion ends.
    wants
        What a person would want there, if anybody has said so: each a whole rest of the line.
    """

    name: str
    document: Document
    offset: int
    until: Until = "line"
    wants: tuple[str, ...] = ()


# A suggestion at a cursor.
Answer = Callable[[HandMade], "Suggestion | None"]


def read_cursors(file: Path | None = None) -> list[HandMade]:
    """The cursors of a file, by default those that come with guiderail.

    It holds texts with a mark each, or whole files and of some of their lines what of them is typed.

    Raises
    ------
    UsageError
        The file cannot be read, or is no list of cursors.
    """
    file = file or datasets_folder() / DEFAULT
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
        files = {entry["path"]: entry["text"] for entry in table.get("file", ())}
        lines = [_line(entry, files[entry["path"]]) for entry in table.get("line", ())]
        return lines or [_cursor(entry) for entry in table["cursor"]]
    except (OSError, KeyError, TypeError, ValueError) as error:
        remedy = f'Write [[cursor]] with name, path, and a text that holds one "{MARK}"'
        raise UsageError(f"{file} is no list of cursors: {error}", remedy) from error


def _cursor(entry: dict[str, Any]) -> HandMade:
    text, path, until = entry["text"], Path(entry["path"]), entry.get("until", "line")
    if text.count(MARK) != 1 or until not in {"line", "block", "tokens"}:
        raise ValueError(f"{entry['name']} has no cursor, several, or an unknown end")
    return HandMade(entry["name"], Document(text.replace(MARK, ""), path, language_of(path)), text.index(MARK), until)


def _line(entry: dict[str, Any], text: str) -> HandMade:
    whole, typed, path = entry["whole"], entry["typed"], Path(entry["path"])
    before, found, after = f"\n{text}".partition(f"\n{whole}\n")
    if not found or not whole.startswith(typed):
        raise ValueError(f"{path} has no line {whole!r} that begins with {typed!r}")
    head = f"{before}\n{typed}".removeprefix("\n")
    wants = (whole[len(typed) :], *entry.get("also", ()))
    return HandMade(typed.strip(), Document(f"{head}\n{after}", path, language_of(path)), len(head), wants=wants)


def rows(cursors: Sequence[HandMade], answer: Answer) -> Iterator[dict[str, Any]]:
    """A row for each cursor: what is suggested, whether the file with it parses, and what is odd about it."""
    for cursor in cursors:
        found = answer(cursor)
        text = found.text if found else ""
        document, at, end = cursor.document, cursor.offset, found.end if found else cursor.offset
        yield {
            "cursor": cursor.name,
            "language": document.language,
            "until": cursor.until,
            "suggestion": text,
            "replaced": end - at,
            "finish": found.finish if found else None,
            "parses": is_valid(document.text[:at] + text + document.text[end:], document.language or ""),
            "wanted": wanted(text, cursor.wants),
            "notes": notes(document, at, text, cut=found is not None and found.finish == "length"),
        }


def wanted(text: str, wants: Sequence[str]) -> Literal["whole", "part", "word", "no", "nothing"] | None:
    """How much of a text is what somebody wants: all, and all that is wanted; a part of that; its first word; or none.

    None where nobody has said what is wanted.
    """
    if not wants:
        return None
    if not text.strip():
        return "nothing"
    if text.rstrip() in [want.rstrip() for want in wants]:
        return "whole"
    if any(is_right(text, want) for want in wants):
        return "part"
    return "word" if any(right_steps(text, want) for want in wants) else "no"


def notes(document: Document, offset: int, text: str, *, cut: bool = False) -> list[str]:
    """What a program can see to be odd about a suggestion at a cursor."""
    line, _ = document.position_at(offset)
    before = document.text[document.line_start(line) : offset]
    after = document.text[offset : document.line_end(line)]
    below = document.text[document.line_end(line) :].lstrip().split("\n")[0].strip()
    last = text.rstrip().split("\n")[-1].strip()
    seen = {
        "nothing": not text.strip(),
        "begins with blanks": not before.strip() and text[:1] in {" ", "\t"},
        "repeats what follows in the line": bool(after.strip()) and text.rstrip().endswith(after.strip()),
        "repeats the next line": len(below) > 1 and last == below,
        "fence": FENCE in text,
        "cut": cut,
    }
    return [name for name, holds in seen.items() if holds]
