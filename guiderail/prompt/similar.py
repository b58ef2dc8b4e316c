"""Windows of other files that look like the lines before the cursor.

The measure is Jaccard's over the sets of identifiers, each identifier weighted by how rare it is among the files
(Zhang et al., "RepoCoder", 2023, section 3.2, uses the plain form with the same windows).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

WINDOW = 20  # lines
STRIDE = 10  # lines

_WORD = re.compile(r"[^\W\d]\w+")


@dataclass(frozen=True, eq=False, slots=True)
class Windows:
    """The identifiers of a file's windows.

    Parameters
    ----------
    starts
        First line of each window that has an identifier.
    sizes
        int32 [windows]: how many different identifiers each has.
    words
        int32 [sum of sizes]: the identifiers' numbers, window after window.
    unique
        int32: the numbers of all identifiers of the file, each once.
    """

    starts: tuple[int, ...]
    sizes: NDArray[np.int32]
    words: NDArray[np.int32]
    unique: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Match:
    """A window like the query: number of its file in the list given, its first line, similarity from 0 to 1."""

    file: int
    start: int
    score: float


class Vocabulary:
    """Numbers for identifiers, shared by all files of a project."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def windows(self, lines: Sequence[str]) -> Windows:
        """Cut a file into windows of `WINDOW` lines, one every `STRIDE` lines."""
        blocks = [
            self._learn(_WORD.findall("\n".join(lines[start : start + STRIDE])))
            for start in range(0, len(lines), STRIDE)
        ]
        count = max(1, len(blocks) - WINDOW // STRIDE + 1)
        sets = [set().union(*blocks[first : first + WINDOW // STRIDE]) for first in range(count)]
        kept = [(first * STRIDE, sorted(words)) for first, words in enumerate(sets) if words]
        return Windows(
            tuple(start for start, _ in kept),
            np.fromiter((len(words) for _, words in kept), np.int32),
            np.fromiter(chain.from_iterable(words for _, words in kept), np.int32),
            np.fromiter(sorted(set().union(*blocks)), np.int32),
        )

    def known(self, text: str) -> NDArray[np.int32]:
        """Numbers of those identifiers of a text that some file has."""
        numbers = {self._numbers[word] for word in _WORD.findall(text) if word in self._numbers}
        return np.fromiter(sorted(numbers), np.int32)

    def _learn(self, words: Iterable[str]) -> set[int]:
        return {self._numbers.setdefault(word, len(self._numbers)) for word in words}


@dataclass(frozen=True, eq=False, slots=True)
class _Joined:
    """All files' windows one after the other, with the weight of every identifier."""

    windows: list[Windows]
    words: NDArray[np.int32]
    begins: NDArray[np.int64]  # where each window begins in `words`
    totals: NDArray[np.float64]  # weight of each window
    weights: NDArray[np.float64]  # by identifier
    files: NDArray[np.int64]  # number of each window's file


class Ranking:
    """Compares a text with the windows of many files; the files' arrays are joined once for the same files."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._joined: _Joined | None = None
        self.joins = 0  # how often the arrays were joined, the measure of work done

    def best(self, query: str, windows: list[Windows], least: float) -> list[Match]:
        """The windows at least so similar, best first; ties in the order of the files given, then by line."""
        joined = self._join(windows)
        known = self._vocabulary.known(query)
        if not len(joined.words) or not len(known):
            return []
        asked = np.zeros(len(self._vocabulary))
        asked[known] = joined.weights[known]
        common = np.add.reduceat(asked[joined.words], joined.begins)
        scores = np.round(common / (joined.totals + asked.sum() - common), 6)
        chosen = np.flatnonzero(scores >= least)
        chosen = chosen[np.argsort(-scores[chosen], kind="stable")]
        starts = [start for each in windows for start in each.starts]
        return [Match(int(joined.files[at]), starts[at], float(scores[at])) for at in chosen]

    def _join(self, windows: list[Windows]) -> _Joined:
        last = self._joined
        if last and len(last.windows) == len(windows):
            same = all(a is b for a, b in zip(last.windows, windows, strict=True))
            if same and len(last.weights) == len(self._vocabulary):
                return last
        self.joins += 1
        self._joined = _join(windows, len(self._vocabulary))
        return self._joined


def _join(windows: list[Windows], vocabulary: int) -> _Joined:
    empty = np.empty(0, np.int32)
    words = np.concatenate([empty, *(each.words for each in windows)])
    sizes = np.concatenate([empty, *(each.sizes for each in windows)])
    unique = np.concatenate([empty, *(each.unique for each in windows)])
    in_files = np.bincount(unique, minlength=vocabulary)
    weights = np.log1p(len(windows) / np.maximum(in_files, 1))  # inverse document frequency
    begins = np.cumsum(sizes, dtype=np.int64) - sizes
    totals = np.add.reduceat(weights[words], begins) if len(words) else np.empty(0)
    files = np.repeat(np.arange(len(windows)), [len(each.starts) for each in windows])
    return _Joined(windows, words, begins, totals, weights, files)
