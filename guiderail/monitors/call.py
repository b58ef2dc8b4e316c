"""Reads the arguments of a call byte by byte while they are written, and finds the overloads that still fit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from guiderail.decoding.constraints.masks import pack
from guiderail.monitors.masks import Masks
from guiderail.monitors.parameters import GivenArguments, Parameters
from guiderail.text.languages.record import CallStyle

_HALF_KEYWORD = re.compile(rb"\s*\w+\s*=\Z")
_LAMBDA = re.compile(rb"\blambda\b")
_PLAIN = re.compile(rb"[^()\[\]{},#'\"`/\n=]*")
_UNDECIDED = re.compile(rb"(?:\"\"?|''?|=|/)\Z")  # may be the beginning of three quotes, a comparison, a comment
_OPEN, _CLOSE = b"([{", b")]}"
STRUCTURE = frozenset(b"()[]{},#'\"\\\n=`/")  # without these a token is more of an argument


State = Literal["inside", "past", "lost"]


@dataclass(frozen=True, slots=True)
class _Reading:
    """The state of reading arguments.

    Parameters
    ----------
    given
        Those that a comma ended.
    argument
        The one being written, without what brackets and strings hold.
    brackets
        Brackets that are open inside it.
    quote
        What began the string or comment that is open; empty in code.
    undecided
        Bytes at the end that may be the beginning of something longer.
    state
        Inside the call, after it, or at arguments that no overload takes.
    """

    given: GivenArguments = field(default_factory=GivenArguments)
    argument: bytes = b""
    brackets: int = 0
    quote: bytes = b""
    undecided: bytes = b""
    state: State = "inside"


class ArgumentReader:
    """Reads the arguments of a call, from after the opening bracket up to the closing one.

    Parameters
    ----------
    overloads
        What the overloads take; the arguments need to fit one of them.
    style
        How the language writes them.
    """

    def __init__(self, overloads: Sequence[Parameters], style: CallStyle) -> None:
        self._overloads = overloads
        self._style = style

    def on(self, reading: _Reading, data: bytes) -> _Reading:
        """The reading when `data` has been written too, however it is cut into tokens."""
        data, at = reading.undecided + data, 0
        reading = replace(reading, undecided=b"")
        while at < len(data) and reading.state == "inside":
            if reading.quote:
                reading, at = _in_quotes(reading, self._style.quotes[reading.quote], data, at)
                continue
            plain = _PLAIN.match(data, at)
            end = plain.end() if plain else at
            if end > at:
                reading, at = self._more(reading, data[at:end]), end
            elif (found := _UNDECIDED.match(data, at)) is not None and (found[0] != b"/" or not self._style.keywords):
                begun = self._more(reading, b'"') if found[0][:1] in b"\"'" else reading  # a string, of whatever kind
                return begun if begun.state == "lost" else replace(reading, undecided=found[0])
            else:
                reading, at = self._mark(reading, data, at)
        return reading

    def _more(self, reading: _Reading, data: bytes) -> _Reading:
        """The reading with more of the argument; when it begins, there must be room for one."""
        if reading.brackets:
            return reading
        begins = data.strip() and not reading.argument.strip()
        longer = replace(reading, argument=reading.argument + data)
        spread = b"*" if self._style.keywords else (b"*", b".")  # in Python a dot begins a value: ``...``, ``.5``
        if begins and not data.lstrip().startswith(spread) and not self._has_room(reading.given):
            return replace(longer, state="lost")
        return longer

    def _mark(self, reading: _Reading, data: bytes, at: int) -> tuple[_Reading, int]:
        """The reading after a bracket, comma, quote, line end, comment or equals sign."""
        byte = data[at : at + 1]
        if quote := next((quote for quote in self._style.quotes if data.startswith(quote, at)), None):
            more = reading if quote in self._style.comments else self._more(reading, b'"')
            return replace(more, quote=quote), at + len(quote)
        if byte in _OPEN:
            longer = self._more(reading, byte)
            return replace(longer, brackets=reading.brackets + 1), at + 1
        if byte in _CLOSE:
            inner = replace(reading, brackets=reading.brackets - 1)
            return inner if reading.brackets else self._closed(reading, byte), at + 1
        if byte == b"," and not reading.brackets and not _in_lambda(reading.argument):
            return self._next(reading), at + 1
        if byte == b"=" and not reading.brackets and self._style.keywords:
            return self._equals(reading, data[at + 1 : at + 2]), at + 1
        begins_pattern = byte == b"/" and not self._style.keywords  # a regular expression is not read
        longer = self._more(reading, b" " if byte == b"\n" else byte)
        return replace(longer, state="past") if begins_pattern and longer.state != "lost" else longer, at + 1

    def _equals(self, reading: _Reading, following: bytes) -> _Reading:
        """The reading after an equals sign, which may make the argument one by keyword."""
        longer = self._more(reading, b"=")
        if not _HALF_KEYWORD.match(longer.argument) or following == b"=":
            return longer
        fits = self._fit(reading.given.with_argument(longer.argument), done=False)
        return longer if fits else replace(longer, state="lost")

    def _next(self, reading: _Reading) -> _Reading:
        given = self._with_argument(reading)
        fits = reading.argument.strip() and self._fit(given, done=False)
        return _Reading(given, state="inside" if fits else "lost")

    def _closed(self, reading: _Reading, byte: bytes) -> _Reading:
        given = self._with_argument(reading) if reading.argument.strip() else reading.given
        return replace(reading, state="past" if byte == b")" and self._fit(given, done=True) else "lost")

    def _with_argument(self, reading: _Reading) -> GivenArguments:
        return reading.given.with_argument(reading.argument, keywords=self._style.keywords)

    def _has_room(self, given: GivenArguments) -> bool:
        return any(overload.has_room(given) for overload in self._overloads)

    def _fit(self, given: GivenArguments, *, done: bool) -> bool:
        return any(overload.takes(given, done=done) for overload in self._overloads)


def _in_lambda(argument: bytes) -> bool:
    """Whether an argument ends among the parameters of a function without a name."""
    return _LAMBDA.search(argument, argument.rfind(b":") + 1) is not None


def _in_quotes(reading: _Reading, closing: bytes, data: bytes, at: int) -> tuple[_Reading, int]:
    """The reading after a string or comment, or at the end of what is known of it."""
    escapes = b"\\" if closing not in (b"\n", b"*/") else None
    while at < len(data):
        byte = data[at : at + 1]
        if byte == escapes and at + 1 < len(data):
            at += 2
        elif data.startswith(closing, at):
            return replace(reading, quote=b""), at + (len(closing) if closing != b"\n" else 0)
        elif byte == escapes or (len(data) - at < len(closing) and closing.startswith(data[at:])):
            return replace(reading, undecided=data[at:]), len(data)
        else:
            at += 1
    return reading, len(data)


class CallArguments:
    """The legal arguments of a call, as token masks; where there are none, the bracket is closed at once.

    Masks are exact, and expensive: one is made only once a token that does not fit was about to be chosen.

    Parameters
    ----------
    masks
        Of the vocabulary.
    overloads, style
        What the overloads take, and how the language writes it.
    """

    def __init__(self, masks: Masks, overloads: Sequence[Parameters], style: CallStyle) -> None:
        self._masks = masks
        self._reader = ArgumentReader(overloads, style)
        self._read: dict[bytes, _Reading] = {b"": _Reading()}
        self._made: dict[bytes, np.ndarray] = {}
        self._takes_nothing = not self._fits(_Reading(), b"x")

    def place(self, written: bytes) -> State:
        """Inside the call, after it, or at arguments that no overload takes."""
        return "lost" if self._dawdles(written) else self._reading(written).state

    def mask(self, written: bytes) -> np.ndarray:
        """The tokens after which some overload still fits; packed int32 [ceil(vocabulary / 32)]."""
        if written not in self._made:
            reading, table = self._reading(written), self._masks.token_bytes
            more_fits = self._fits(reading, b"x")
            lost = [
                i
                for i, data in enumerate(table)
                if not (more_fits and STRUCTURE.isdisjoint(data)) and not self._fits(reading, data)
            ]
            lost += [i for i, data in enumerate(table) if data and self._dawdles(written + data)]
            self._made[written] = ~pack(lost, len(table))
        return self._made[written]

    def _dawdles(self, written: bytes) -> bool:
        """Whether blanks are written in a call that takes nothing: nobody does, and a text might end with them."""
        return self._takes_nothing and bool(written) and not written.strip()

    def _reading(self, written: bytes) -> _Reading:
        if written not in self._read:
            known = max((text for text in self._read if written.startswith(text)), key=len)
            self._read[written] = self._reader.on(self._read[known], written[len(known) :])
        return self._read[written]

    def _fits(self, reading: _Reading, data: bytes) -> bool:
        return self._reader.on(reading, data).state != "lost"


def only_closes(overloads: Sequence[Parameters], arguments: str, style: CallStyle) -> bool:
    """Whether after these arguments only the bracket that closes the call is legal."""
    reader = ArgumentReader(overloads, style)
    here = reader.on(_Reading(), arguments.encode())
    is_between = here.state == "inside" and not (here.brackets or here.quote or here.argument.strip())
    ends = {data: reader.on(here, data).state for data in (b"x", b")")} if is_between else {}
    return ends == {b"x": "lost", b")": "past"}


def fits(overloads: Sequence[Parameters], arguments: str, style: CallStyle) -> bool:
    """Whether some overload takes the arguments that a text begins with, up to the bracket that closes the call."""
    return ArgumentReader(overloads, style).on(_Reading(), arguments.encode()).state != "lost"
