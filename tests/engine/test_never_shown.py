"""What is known to be wrong is not shown: the engine with a real analyser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from lsprotocol import types

from guiderail.engine.completion import Completion
from guiderail.engine.engine import Engine
from guiderail.engine.faults import INVENTED
from guiderail.engine.request import CompletionRequest
from guiderail.engine.time_limits import BATCH, TimeLimits
from guiderail.lsp.buffer import Buffer
from guiderail.lsp.cursor import cursor_at
from guiderail.monitors.analysis.servers import PYREFLY
from guiderail.settings import Settings
from guiderail.text.document import Document
from tests.helpers.models import tiny_folder

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(PYREFLY.find() is None, reason="pyrefly is not installed")]
PATIENT: TimeLimits = replace(BATCH, analyser_s=60.0)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    made = Engine(PATIENT)
    made.load(Settings(model=str(tiny_folder("guiderail")), device="cpu", threads=1))
    yield made
    made.unload()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shown")


def completed(engine: Engine, document: Document, offset: int, root: Path) -> Completion:
    settings = Settings(max_tokens=8, analyser="pyrefly", project_ngrams="off", context=False)
    return engine.complete(CompletionRequest(document=document, offset=offset, root=root, settings=settings))


def answered(engine: Engine, root: Path, before: str, after: str = "\n") -> Completion:
    return completed(engine, Document(before + after, root / "app.py", "python"), len(before), root)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import os\nos.bog", "\n"),
        ("import os\nprint(f'in {os.bog", "}')\n"),
        ('import os\nx = f"""\n{os.path.bog', '}\n"""\n'),
        ("class A:\n    size = 1\n\nA().bog", "\n"),
    ],
)
def test_after_a_known_type_that_has_no_such_member_nothing_is_shown(
    engine: Engine, root: Path, before: str, after: str
) -> None:
    """In an f-string as elsewhere."""
    found = answered(engine, root, before, after)
    assert found.suggestions == []
    assert [one.verdict for one in found.dropped] == [INVENTED]


@pytest.mark.parametrize(("entry", "is_legal"), [("bogus", False), ("getcwd", True)])
def test_where_an_illegal_entry_of_the_menu_is_selected_nothing_is_shown(
    engine: Engine, root: Path, entry: str, is_legal: bool
) -> None:
    buffer = Buffer((root / "app.py").as_uri(), "python", "import os\nos.\n", 1, "utf-16")
    place = types.Position(1, 3)
    cursor = cursor_at(buffer, place, types.SelectedCompletionInfo(types.Range(place, place), entry))
    assert cursor is not None
    found = completed(engine, cursor.document, cursor.offset, root)
    assert (INVENTED not in [one.verdict for one in found.dropped]) is is_legal
    assert is_legal or found.suggestions == []


@pytest.mark.parametrize(
    "before",
    [
        "import os\nos.getcwd(",
        "abs(1, ",
        "x = dict().copy(",
    ],
)
def test_after_a_call_that_takes_nothing_more_it_is_closed(engine: Engine, root: Path, before: str) -> None:
    """Whatever else the model writes."""
    found = answered(engine, root, before)
    assert [one.text[:1] for one in found.suggestions] == [")"]
