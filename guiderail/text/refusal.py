"""Where a text stops being the beginning of any right program: the first token that its grammar allows no longer.

A parser of the LR family refuses a token as soon as no text could follow the tokens before it, and not earlier. So what
is still being written is told from what is wrong: of `x := f(a` nothing is refused, of `x := f(a b` the `b` is.
tree-sitter goes on after an error, and its tree says only roughly where that was; its log says exactly.
"""

from __future__ import annotations

import re
import time
from functools import lru_cache
from pathlib import Path
from threading import Lock

from tree_sitter import LogType, Parser, Tree

from guiderail.text.edit import common_prefix
from guiderail.text.syntax import FILES, PARSE_S, SlowTextError, byte_point, grammar, parse_in_time

_CHUNK = 4096  # bytes that the parser is given at once
_PLACE = re.compile(r"process version:\d+.* row:(\d+), col:(\d+)")


class Beginnings:
    """Beginnings of one file that differ little: what they share is not read again.

    It may be used by several threads.

    Parameters
    ----------
    language
        One that has a grammar (`guiderail.text.syntax.has_grammar`).
    """

    def __init__(self, language: str) -> None:
        self._parser = Parser(grammar(language))
        self._head, self._tree = b"", self._parser.parse(b"")
        self._lock = Lock()

    def refused(self, source: bytes, since: int) -> int | None:
        """The byte up to which a text may be a right beginning; None where nothing of it is refused.

        Parameters
        ----------
        source
            UTF-8 text that ends where a token does.
        since
            The byte from which on it is read closely; what is wrong before it is told too.

        Raises
        ------
        SlowTextError
            It takes longer than `PARSE_S`.
        """
        with self._lock:
            self._read(source[: source.rfind(b"\n", 0, since) + 1])
            tree = self._tree.copy()
            _append(tree, self._head, source)
            found = _first_refusal(self._parser, source, tree)
            return found if found is not None and source[found:].strip() else None

    def _read(self, head: bytes) -> None:
        """Make the tree of a beginning from that of the last one."""
        if head == self._head:
            return
        try:
            _append(self._tree, self._head, head)
            self._head, self._tree = head, parse_in_time(self._parser, head, self._tree, PARSE_S)
        except SlowTextError:
            self._head, self._tree = b"", self._parser.parse(b"")
            raise


def _append(tree: Tree, old: bytes, new: bytes) -> None:
    """Tell a tree that its text ends otherwise after what both texts begin with."""
    same = common_prefix(old, new)
    points = byte_point(old, same), byte_point(old, len(old)), byte_point(new, len(new))
    tree.edit(same, len(old), len(new), *points)


def _first_refusal(parser: Parser, source: bytes, tree: Tree) -> int | None:
    """Where the parser gives up its last way to read a text; None if it never does."""
    log, until = _Log(), time.thread_time() + PARSE_S
    parser.logger = log
    try:
        parser.parse(
            lambda at, _: source[at : at + _CHUNK],
            tree,
            progress_callback=lambda *_: log.found or time.thread_time() > until,
        )
    except ValueError:
        parser.reset()
        if not log.found:
            raise SlowTextError from None
    finally:
        del parser.logger
    if not log.found:
        return None
    row, column = log.refused
    lines = source.split(b"\n", row)
    return sum(len(line) + 1 for line in lines[:row]) + column


class _Log:
    """Listens to a parser: how far the ways to read a text have come that were given up, and whether all were."""

    def __init__(self) -> None:
        self.found = False
        self.refused = self._place = (0, 0)

    def __call__(self, kind: LogType, message: str) -> None:
        if self.found or kind is not LogType.PARSE:
            return
        if message.startswith("process"):
            place = _PLACE.match(message)
            self._place = (int(place[1]), int(place[2])) if place else self._place
        elif message.startswith("detect_error"):
            self.refused = max(self.refused, self._place)
        elif message.startswith("resume"):
            self.found = True


@lru_cache(FILES)
def beginnings(file: Path | None, language: str) -> Beginnings:
    """The beginnings that are kept of a file; of texts without one, of the last."""
    return Beginnings(language)
