"""The typing of a person that is made up: true edits, in order, and the same again from the same seed."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.benchmarks import replay, trace
from guiderail.benchmarks.trace import Trace, make_trace

SOURCES = {path.name: path.read_text(encoding="utf-8") for path in map(Path, (trace.__file__, replay.__file__))}
FOREVER = 1e6


def typed(made: Trace) -> dict[str, str]:
    """The files after the last key."""
    texts = dict(made.files)
    for key in made.keys:
        if key.edit:
            texts[key.file] = key.edit.apply(texts[key.file])
        assert 0 <= key.cursor <= len(texts[key.file])
    return texts


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1 << 32))
def test_typed_to_the_end_the_files_are_whole(seed: int) -> None:
    """Errors, undone words and moves or not: after the last key the files are what they were before."""
    made = make_trace(SOURCES, seed, FOREVER)
    assert made.files != SOURCES
    assert typed(made) == SOURCES


def test_one_seed_is_one_trace() -> None:
    """The same seed gives the same keys, another one others; times grow."""
    made = make_trace(SOURCES, 1, 60)
    assert made == make_trace(SOURCES, 1, 60) != make_trace(SOURCES, 2, 60)
    times = [key.at for key in made.keys]
    assert times == sorted(times)
    assert 60 <= made.seconds < 90


def test_people_do_everything() -> None:
    """In a long trace there is each kind of key, and only after what was typed or erased does an editor ask."""
    made = make_trace(SOURCES, 3, FOREVER)
    assert {key.kind for key in made.keys} == {"type", "erase", "undo", "move", "switch"}
    assert {key.kind for key in made.keys if key.asks} == {"type", "erase"}
    assert {key.file for key in made.keys} == SOURCES.keys()


@pytest.mark.parametrize(
    "text", ["", "x = 1\n", "def f(): return 1\n", "class A:\n    pass\n", 'def f():\n    """µ🙂"""\n    return 1\n']
)
def test_files_without_bodies_stay(text: str) -> None:
    """A file in which nothing can be typed is left alone."""
    assert make_trace({"a.py": text}, 0, FOREVER) == Trace({"a.py": text}, [])


def test_columns_of_the_syntax_tree_are_bytes() -> None:
    """Text before a body that is more bytes than characters does not shift it."""
    body = "total = 0\n    for number in numbers:\n        total += number\n    return total, 'Ω'"
    text = f"s = 'ΩΩ'; t = 1\n\n\ndef f(numbers):\n    {body}\n"
    assert [text[start:end] for start, end in trace._bodies(text)] == [body]
