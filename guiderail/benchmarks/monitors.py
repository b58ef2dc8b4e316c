"""What a mask over identifiers costs, by the size of the vocabulary and the number of names.

The vocabulary is made of the standard library's own text, so that it has the shape of a code model's: all bytes, words
and their beginnings, words with a space or a dot before and a bracket after.
"""

from __future__ import annotations

import random
import re
import statistics
import sysconfig
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guiderail.benchmarks.python_list_mask import PythonListMask
from guiderail.decoding.constraints.identifier_trie import IdentifierTrie
from guiderail.decoding.constraints.name_sets import Names
from guiderail.decoding.constraints.vocabulary import Vocabulary

PIECE = re.compile(rb"[ .]?\w+\(?|[^\w\s]+|\s+")
NAME = re.compile(rb"[A-Za-z_]\w{3,}")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured.

    Parameters
    ----------
    vocabularies, identifiers
        Sizes.
    rounds, rival_rounds
        Sets of names drawn for each pair of sizes, for our masks and for the rival's.
    files
        Files of the standard library that are read.
    """

    vocabularies: tuple[int, ...] = (16_000, 50_000)
    identifiers: tuple[int, ...] = (1, 10, 100, 1000, 5000)
    rounds: int = 40
    rival_rounds: int = 3
    files: int = 600
    seed: int = 0


QUICK = Plan(rounds=10, rival_rounds=1, files=300)


def rows(plan: Plan, advance: Callable[[], None] = lambda: None) -> Iterator[dict[str, Any]]:
    """One row for each pair of sizes; times in microseconds.

    ``first_us`` is the mask directly after the dot, made when the answer comes, while the model runs, of names that
    are all new, and ``again_us`` that of another list of names that are all known. ``sort_us`` is what the later steps
    need beside. ``mask_us`` are the masks of all later steps while a name is spelt, each made anew. ``rival_list_us``
    and ``rival_apply_us`` are the reference implementation's way (`PythonListMask`) after the dot, which it repeats
    at every step.
    """
    pieces = _pieces(plan.files)
    names = sorted({found[0].decode() for piece in pieces if (found := NAME.fullmatch(piece))})
    for size in plan.vocabularies:
        table = _vocabulary(pieces, size)
        began = time.perf_counter()
        trie = IdentifierTrie(Vocabulary(table)).warm()
        build_ms = 1000 * (time.perf_counter() - began)
        rival = PythonListMask(table)
        for count in plan.identifiers:
            rng = random.Random(f"{plan.seed}:{size}:{count}")
            first, again, sort, steps = _times(trie, names, count, plan.rounds, rng)
            theirs = [rival.times(rng.sample(names, count)) for _ in range(plan.rival_rounds)]
            yield {
                "vocabulary": size,
                "identifiers": count,
                "mask_us_p50": statistics.median(steps),
                "mask_us_p99": statistics.quantiles(steps, n=100)[-1],
                "first_us_p50": statistics.median(first),
                "again_us_p50": statistics.median(again),
                "sort_us_p50": statistics.median(sort),
                "rival_list_us": statistics.median(made for made, _ in theirs),
                "rival_apply_us": statistics.median(asked for _, asked in theirs),
                "build_ms": build_ms,
                "masks": len(steps),
            }
            advance()


def _times(
    trie: IdentifierTrie, names: Sequence[str], count: int, rounds: int, rng: random.Random
) -> tuple[list[float], list[float], list[float], list[float]]:
    first, again, sort, steps = [], [], [], []
    for _ in range(rounds):
        chosen = rng.sample(names, count)
        trie.forget()
        legal = Names(trie, chosen)
        first.append(_us(lambda legal=legal: (legal.place(b""), legal.mask(b""))))
        legal = Names(trie, rng.sample(chosen, count))
        again.append(_us(lambda legal=legal: (legal.place(b""), legal.mask(b""))))
        sort.append(_us(lambda legal=legal: legal.place(b"a")))
        word = rng.choice(chosen).encode()
        steps += [_us(lambda n=n, legal=legal, word=word: legal.mask(word[:n])) for n in range(1, len(word) + 1)]
    return first, again, sort, steps


def _us(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return 1e6 * (time.perf_counter() - began)


def _pieces(files: int) -> list[bytes]:
    """Pieces of the standard library's text, the commonest first."""
    counted: Counter[bytes] = Counter()
    for path in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py"))[:files]:
        counted.update(PIECE.findall(path.read_bytes()))
    return [piece for piece, _ in counted.most_common()]


def _vocabulary(pieces: Sequence[bytes], size: int) -> list[bytes]:
    table = dict.fromkeys(bytes([byte]) for byte in range(256))
    for piece in pieces:
        table.update(dict.fromkeys(piece[:length] for length in range(2, len(piece) + 1)))
        if len(table) >= size - 1:
            break
    return [*list(table)[: size - 1], b""]
