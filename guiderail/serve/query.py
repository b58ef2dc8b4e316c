"""What a client asks: a hole in a text, and how to fill it. The same whichever endpoint it came to."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from guiderail.prompt.snippet import Snippet, shown
from guiderail.serve.faults import RequestFault
from guiderail.serve.fields import Fields
from guiderail.settings import Settings

MOST_TEXTS = 16  # that one request may ask for
LONGEST_NAME = 200  # characters of the name of another file
_LEAST = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A hole in a text, and how to fill it.

    Parameters
    ----------
    before, after
        The text around the cursor, as much of it as the client sends.
    is_open
        Whether the client sends no text for after the cursor, not even an empty one: then the file's goes on there.
    file
        The file that it belongs to, if the client names it.
    is_file_sure
        Whether the client named the file for guiderail; else a name that leads nowhere is passed over.
    language
        The language of a text that belongs to no file.
    snippets
        Pieces of other files that the client sends.
    n
        Suggestions.
    max_tokens
        Tokens of one suggestion; None for as many as the settings say. 0 only reads the prompt.
    stops
        Texts before which a suggestion ends.
    sampling
        Settings of sampling that the client chooses.
    """

    before: str
    after: str = ""
    is_open: bool = False
    file: str = ""
    is_file_sure: bool = False
    language: str = ""
    snippets: tuple[Snippet, ...] = ()
    n: int = 1
    max_tokens: int | None = None
    stops: tuple[str, ...] = ()
    sampling: Mapping[str, Any] = field(default_factory=dict)

    def settings(self, base: Settings) -> Settings:
        """The settings to answer with: a client gets no more tokens than the person allows."""
        wanted = base.max_tokens if self.max_tokens is None else max(1, self.max_tokens)
        line = any(stop.startswith("\n") for stop in self.stops)
        return replace(
            base, max_tokens=min(wanted, base.max_tokens), until="line" if line else base.until, **self.sampling
        )

    def named(self, fields: Fields) -> Query:
        """The query with what the body's own object for guiderail says."""
        own = fields.object("guiderail")
        file, language = own.text("file"), own.text("language")
        return replace(
            self,
            file=file or self.file,
            is_file_sure=bool(file) or self.is_file_sure,
            language=language or self.language,
        )


def sampling_of(fields: Fields) -> dict[str, Any]:
    """What a client says about sampling; without a temperature the person's settings hold.

    Top-k and the like are of no use in greedy decoding, and clients send them always.
    """
    temperature = fields.number("temperature")
    bounds = {"top_k": (0, 1_000_000), "top_p": (_LEAST, 1.0), "min_p": (0.0, 1.0)}
    given = {name: fields.number(name) for name in bounds}
    seed = fields.whole("seed")
    if temperature is None:
        return {}
    if not 0 <= temperature <= 10:
        raise RequestFault(400, "the field 'temperature' must be from 0 to 10", field="temperature")
    if temperature < _LEAST:
        return {"temperature": 0.0}
    found: dict[str, Any] = {"temperature": temperature}
    for name, (least, most) in bounds.items():
        value = given[name]
        if value is not None:
            found[name] = type(most)(min(most, max(least, value)))
    found["seed"] = secrets.randbelow(1 << 32) if seed is None or seed < 0 else seed % (1 << 32)
    return found


def count_of(fields: Fields, name: str) -> int:
    """How many suggestions a client wants."""
    count = fields.whole(name)
    count = 1 if count is None else count
    if not 1 <= count <= MOST_TEXTS:
        raise RequestFault(400, f"the field {name!r} must be from 1 to {MOST_TEXTS}", field=name)
    return count


def tokens_of(fields: Fields, *names: str) -> int | None:
    """How many tokens a client wants at most; None for any number, as negative numbers say."""
    found = next((value for name in names if (value := fields.whole(name)) is not None), -1)
    return None if found < 0 else found


def snippets_of(pieces: Iterable[tuple[str, str]]) -> tuple[Snippet, ...]:
    """Pieces of other files, by name and text, as context for the model."""
    return tuple(
        Snippet(shown(name)[:LONGEST_NAME], text if text.endswith("\n") else f"{text}\n", "similar", 1.0)
        for name, text in pieces
        if text.strip()
    )


def within(snippets: Sequence[Snippet], characters: int) -> tuple[Snippet, ...]:
    """As many of the last snippets, which are the latest, as there is room for; the first may be cut."""
    kept: list[Snippet] = []
    for snippet in reversed(snippets):
        text = snippet.text
        if len(text) > characters:
            text = text[: text.rfind("\n", 0, max(0, characters)) + 1]
        characters -= len(snippet.text)
        if text:
            kept.append(replace(snippet, text=text))
        if characters <= 0:
            break
    return tuple(reversed(kept))
