"""Every way to decode that `guiderail methods` lists works from `guiderail complete`, with any model."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from guiderail.decoding.drafting.growth import SHAPES
from guiderail.decoding.registry import BUILT_IN
from tests.cli.conftest import Result

Run = Callable[..., Result]
WARM = ("--temperature", "1")
WORDS = ("--set", "grammar.source=[a-z ]+", "--set", "grammar.format=regex", "--no-monitors")
# What some need beside their name; `MODEL` stands for a model.
NEEDS: dict[str, tuple[str, ...]] = {
    "adadec": ("--set", "adadec.threshold=1"),
    "asap": (*WARM, *WORDS),
    "cars": (*WARM, *WORDS),
    "ead": ("--set", "ead.small=MODEL"),
    "grammar": WORDS,
    "mirostat1": WARM,
    "mirostat2": WARM,
    "superposed": ("-n", "2"),
    "draft-model": ("--draft-model", "MODEL"),
}
SAMPLERS = ("asap", "cars")  # of a grammar, which must be named too
METHODS = [name for kind in ("method", "stage", "constraint") for name in BUILT_IN[kind]]


def complete(run: Run, source: Path, model: Path, *options: str) -> list[str]:
    """The suggestions at the end of a line."""
    given = [option.replace("MODEL", str(model)) for option in options]
    result = run("complete", source, "--line", 2, "--column", 15, "--max-tokens", 6, "--json", *given)
    if "no sandbox" in result.err:
        pytest.skip(result.err)
    assert result.code == 0, result.err
    return [one["text"] for one in json.loads(result.out)["suggestions"]]


@pytest.mark.parametrize("name", METHODS)
def test_methods_stages_and_constraints_complete(guiderail: Run, source: Path, small: Path, name: str) -> None:
    method = f"{name}+grammar" if name in SAMPLERS else name
    if name == "pg-td":
        source.write_text(source.read_text("utf-8") + '\n\ndef one():\n    """\n    >>> 1\n    1\n    """\n', "utf-8")
    complete(guiderail, source, small, "--method", method, "--verdict", "off", *NEEDS.get(name, ()))


@pytest.mark.parametrize("name", BUILT_IN["drafter"])
def test_drafters_leave_the_text_as_it_is(guiderail: Run, source: Path, small: Path, name: str) -> None:
    plain = complete(guiderail, source, small, "--drafter", "off", "--verdict", "off")
    assert complete(guiderail, source, small, "--drafter", name, "--verdict", "off", *NEEDS.get(name, ())) == plain
    complete(guiderail, source, small, "--drafter", name, "--verdict", "off", *WARM, *NEEDS.get(name, ()))


@pytest.mark.parametrize("shape", SHAPES)
def test_so_do_all_shapes_of_a_draft(guiderail: Run, source: Path, small: Path, shape: str) -> None:
    plain = complete(guiderail, source, small, "--drafter", "off", "--verdict", "off")
    options = ("--drafter", "draft-model", "--draft-model", "MODEL", "--set", f"draft-model.tree={shape}")
    assert complete(guiderail, source, small, "--verdict", "off", *options) == plain
