"""Monitors under beam search: each beam has a monitors' state of its own."""

import re
from pathlib import Path

import pytest

from guiderail.decoding.pipeline import build_pipeline
from guiderail.engine.completer import Completer
from guiderail.engine.plan import CompletionPlan
from guiderail.engine.suggestion import Suggestion
from guiderail.monitors.monitors import Monitors
from guiderail.text.document import Document
from guiderail.text.languages.table import MEMBERS as MEMBER_SYNTAX
from tests.helpers.models import tiny_model
from tests.monitors.snapshots import Told, listing

SOURCE = "import os\n\n\ndef size(path):\n    return os."
NAMES = ("path", "parent", "join", "sep")


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text without a file lies in an empty project: names that another sets would be legal too."""
    monkeypatch.chdir(tmp_path)


def complete(method: str, parameters: str, n: int = 1) -> list[Suggestion]:
    completer = Completer(tiny_model("qwen3"))
    told = Told(lambda _: listing(*NAMES))
    request = CompletionPlan(
        document=Document(SOURCE + "\n", language="python"),
        offset=len(SOURCE),
        until="tokens",
        max_tokens=10,
        n=n,
        monitors=Monitors(completer.vocabulary, told, deadline_s=5.0, names="dereference"),
        pipeline=build_pipeline(method, parameters, "off", greedy=True, monitored=True),
    )
    return completer.complete(request)


def test_a_beam_of_one_is_greedy_under_monitors_too() -> None:
    """Tokens and text are those of plain decoding with the same monitors."""
    (plain,), (beam,) = complete("plain", ""), complete("beam", "beam.width=1")
    assert (beam.token_ids, beam.text) == (plain.token_ids, plain.text)


@pytest.mark.parametrize("width", [2, 4])
def test_every_beam_is_held_to_what_exists(width: int) -> None:
    """Whatever beams were followed before: no text of a beam has a name after a dot that is none."""
    found = complete("beam", f"beam.width={width}", n=width)
    assert len({one.text for one in found}) == len(found) > 1
    legal = {*NAMES, *MEMBER_SYNTAX["python"].universal}
    for one in found:
        written = (SOURCE + one.text)[SOURCE.rindex(".") + 1 :]
        word = re.match(r"\w*", written)
        assert word is not None
        assert word[0] in legal or (word[0] == written and any(name.startswith(written) for name in legal))
