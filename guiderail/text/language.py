"""Which language a file is written in, by its name or first line, and how that language writes a comment.

Identifiers are those of the language server protocol ("python", "typescriptreact", "shellscript", …).
"""

import difflib
from pathlib import PurePath

from guiderail.errors import UsageError
from guiderail.text.languages.known import LANGUAGES

LONGEST = 60  # characters of a name that nothing has, which are compared with others and repeated
_BY_NAME = {name: language for language in LANGUAGES for name in (language.name, *language.aliases)}
_BY_ENDING = {ending: language for language in LANGUAGES for ending in language.endings}
_BY_FILE = {file: language for language in LANGUAGES for file in language.files}
_BY_INTERPRETER = {program: language for language in LANGUAGES for program in language.interpreters}


def language_of(path: PurePath | str | None, first_line: str = "") -> str | None:
    """The language of a file by its name, else by its ``#!`` line; None if neither says."""
    if path is not None:
        path = PurePath(path)
        known = _BY_FILE.get(path.name) or _BY_ENDING.get(path.suffix.lower())
        if known:
            return known.name
    known = _BY_INTERPRETER.get(_interpreter(first_line))
    return known.name if known else None


def _interpreter(first_line: str) -> str:
    """The program of a ``#!`` line, without its folder, version digits and ``env``."""
    if not first_line.startswith("#!"):
        return ""
    words = (PurePath(word).name for word in first_line[2:].split() if not word.startswith("-"))
    return next((word.rstrip("0123456789.") for word in words if word != "env"), "")


def language_named(name: str) -> str:
    """The identifier of the language that a person names ("ts", "c++", "Python").

    Raises
    ------
    UsageError
        If nothing is known by that name; the remedy names the nearest ones.
    """
    known = _BY_NAME.get(name.strip().lower())
    if known is None:
        near = difflib.get_close_matches(name[:LONGEST].strip().lower(), _BY_NAME, n=3)
        raise UsageError(
            f"unknown language {name[:LONGEST]!r}",
            f"Did you mean {' or '.join(near)}?" if near else "Use a name such as python, typescript or cpp.",
        )
    return known.name


def ending_of(language: str) -> str:
    """The file name ending of a language, with its dot; empty for an unknown language."""
    known = _BY_NAME.get(language)
    return known.endings[0] if known and known.endings else ""


def family_of(language: str | None) -> str | None:
    """The group of languages that share declarations: C with C++, JavaScript with TypeScript."""
    known = _BY_NAME.get(language or "")
    return (known.family or known.name) if known else language


def is_code(language: str | None) -> bool:
    """Whether a language is a programming language known to us."""
    known = _BY_NAME.get(language or "")
    return known is not None and known.is_code


def comment_prefix(language: str | None) -> str:
    """What begins a comment, a line comment where the language has one; ``#`` for an unknown language."""
    known = _BY_NAME.get(language or "")
    return known.comment[0] if known else "#"


def commented(text: str, language: str | None) -> str:
    """The text as comment lines, each ended by a line feed."""
    known = _BY_NAME.get(language or "")
    prefix, suffix = known.comment if known else ("#", "")
    lines = (f"{prefix} {line}".rstrip() for line in text.rstrip("\r\n").split("\n"))
    return "".join(f"{line} {suffix}".rstrip() + "\n" for line in lines)
