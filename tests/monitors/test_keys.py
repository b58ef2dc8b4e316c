"""Keys of dictionaries and object literals."""

from collections.abc import Iterator

import pytest

from guiderail.monitors.analysis.analyser import ServerAnalyser
from guiderail.monitors.keys import Keys
from tests.monitors.snapshots import PYREFLY, project, restriction_of, snapshot

SOURCE = """from typing import Any, Mapping, TypedDict

class Person(TypedDict):
    name: str
    age: int

sizes = {"wide": 1, "tall": 2}

def show(person: Person, other: dict[str, int], unknown, anything: Any, mapping: Mapping[str, int]):
    """


@pytest.fixture(scope="module")
def analyser(tmp_path_factory) -> Iterator[ServerAnalyser]:
    """pyrefly on an empty project."""
    with project(tmp_path_factory.mktemp("keys"), {}, PYREFLY) as started:
        yield started


@pytest.mark.parametrize(
    ("text", "legal", "illegal"),
    [
        ("return person['", ["name']", "age']"], ["wide']", "nam']", "names']"]),
        ('return person["n', ['ame"]'], ['"]', 'ames"]']),
        ("x = sizes['", ["wide']", "tall']"], ["name']"]),
    ],
)
def test_keys_exist(analyser, text: str, legal: list[str], illegal: list[str]) -> None:
    """Only the keys of a typed or literal dictionary are legal, up to the closing quote."""
    restriction = restriction_of(Keys(), analyser, SOURCE + text)
    assert restriction.reason is None
    assert [truth for truth in legal + illegal if restriction.allows(truth)] == legal


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("return other['", "unknown keys"),
        ("sizes['", "may be defined"),
        ("return person['x", "no such key"),
        ("sizes.update(other)\n    return sizes['", "may have more"),
        ("mine = sizes\n    return mine['", "may have more"),
        ("if unknown['wide'] == 1: return unknown['", "unknown keys"),
        ("if anything['wide'] == 1: return anything['", "unknown keys"),
        ("if mapping['wide'] == 1: return mapping['", "may have more"),
    ],
)
def test_reasons_to_abstain(analyser, text: str, reason: str) -> None:
    """Other dictionaries have any keys, and an assignment may add one, here or before."""
    assert restriction_of(Keys(), analyser, SOURCE + text).reason == reason


@pytest.mark.parametrize("text", ["x = 'a", "['", "f('", '"""\nd[\'', "# d['", "d[x"])
def test_other_strings(text: str) -> None:
    """Strings that are no subscripts, and subscripts inside strings and comments, trigger nothing."""
    assert Keys().trigger(snapshot(text)) is None


@pytest.mark.parametrize(
    ("use", "reason"),
    [("fill(sizes)", "may have more"), ("again = sizes", "may have more"), ("given = [sizes]", "may have more"),
     ("print(len(sizes))", None), ("for size in sizes: ...", None), ("if 'wide' in sizes: ...", None)],
)  # fmt: skip
def test_a_dictionary_that_others_may_fill(analyser, use: str, reason: str | None) -> None:
    """One that is an argument, or gets another name; not one that is only read."""
    restriction = restriction_of(Keys(), analyser, f"sizes = {{'wide': 1}}\n{use}\nx = sizes['")
    assert restriction.reason == reason
