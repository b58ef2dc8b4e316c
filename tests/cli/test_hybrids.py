"""A model with recurrent layers works wherever a model's folder works."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Result
from tests.helpers.models import tiny_folder

Run = Callable[..., Result]
KINDS = ("qwen3.5", "granite-4")


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUIDERAIL_THREADS", "1")
    monkeypatch.setenv("GUIDERAIL_MONITORS", "off")


@pytest.mark.parametrize("name", KINDS)
def test_drafts_change_nothing_and_several_suggestions_come(guiderail: Run, name: str) -> None:
    """In the middle of a file, with the model's own format of it, through the same command."""
    Path("code.py").write_text("def size(path):\n    return os.\n\n\ndef size(path):\n    return os.\n")
    position = ("complete", "code.py", "--line", "2", "--max-tokens", "12", "--until", "tokens", "--json")
    model = ("--model", str(tiny_folder(name)))
    plain, drafted, three = (
        guiderail(*position, *model, *more) for more in (("--drafter", "off"), ("--drafter", "suffix"), ("-n", "3"))
    )
    assert (plain.code, plain.err) == (0, "")
    texts = [[one["text"] for one in json.loads(done.out)["suggestions"]] for done in (plain, drafted, three)]
    assert texts[0] == texts[1]
    assert len(texts[2]) > 1 and texts[2][0] == texts[0][0]  # equal ones are offered once
    assert json.loads(plain.out)["model"]["fim"]


def test_the_doctor_says_what_an_edit_costs(guiderail: Run) -> None:
    done = guiderail("doctor", "--json", "--model", str(tiny_folder("granite-4")))
    assert done.code == 0
    checks = {check["name"]: check for check in json.loads(done.out)["checks"]}
    assert checks["forward pass"]["status"] == "ok"
    assert "checkpoint" in checks["live cache"]["detail"]
