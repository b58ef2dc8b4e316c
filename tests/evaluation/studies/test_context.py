"""What context from other files is worth."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from guiderail.engine.engine import Engine
from guiderail.engine.time_limits import BATCH
from guiderail.evaluation.context_kinds import BEFORE, KINDS, NONE, NOW, Scene
from guiderail.evaluation.replayed_edits import EditCursor, Hunk
from guiderail.evaluation.studies import context as study
from guiderail.evaluation.studies.context import CUTOFF, Gauge, Plan, evaluate, rows
from guiderail.monitors.analysis.pool import ServerPool
from guiderail.prompt.index import ProjectIndex
from guiderail.prompt.snippet import Snippet
from guiderail.settings import Settings
from tests.helpers.models import tiny_folder

PLAN = Plan(prompt_tokens=512, context_tokens=200)
FILES = {
    "app/main.py": "from .shapes import area_of\n\n\ndef show(square):\n    total = area_of(square)\n    return 1\n",
    "app/shapes.py": 'def area_of(square):\n    """The area."""\n    return square.side * square.side\n',
    "app/other.py": "def show_all(square):\n    total = area_of(square)\n    print(total)\n    return total, square\n",
    "tests/test_main.py": "def test_total(square):\n    total = show(square)\n    assert total == 4\n",
}
CUT = FILES["app/main.py"].index("area_of(square)\n")
EDIT = Hunk("app/volume.py", 0, "def volume_of(square):\n    return square\n")
CURSOR = EditCursor(
    "app", "app/main.py", FILES["app/main.py"][:CUT], "area_of(square)", FILES["app/main.py"][CUT + 15 :], [EDIT]
)


@pytest.fixture(scope="module")
def gauge() -> Iterator[Gauge]:
    engine, settings = Engine(BATCH), Settings(model=str(tiny_folder("guiderail")), device="cpu", threads=1)
    engine.load(settings)
    yield Gauge(engine, settings, PLAN)
    engine.unload()


@pytest.fixture
def scene(tmp_path: Path, gauge: Gauge) -> Scene:
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    return Scene(CURSOR, tmp_path, ProjectIndex(tmp_path), ServerPool(), PLAN.context_tokens, gauge.count)


@pytest.mark.parametrize(
    ("kind", "paths", "has", "lacks"),
    [
        (NONE, [], "", "x"),
        ("similar code", ["app/other.py"], "show_all", "volume_of"),
        ("imported signatures", ["app/shapes.py"], "def area_of(square):", '"""'),
        ("imported signatures, docstrings", ["app/shapes.py"], '"""The area."""', "side"),
        ("recent edits", ["app/volume.py"], "volume_of", "area_of"),
        ("the file's tests", ["tests/test_main.py"], "show(square)", "area_of"),
    ],
)
def test_each_kind_is_alone(scene: Scene, kind: str, paths: list[str], has: str, lacks: str) -> None:
    found = KINDS[kind](scene)
    text = "".join(one.text for one in found)
    assert set(paths) <= {one.path for one in found}
    assert has in text and lacks not in text


def test_no_kind_takes_more_than_its_budget(scene: Scene, gauge: Gauge) -> None:
    scene.budget = 20
    for kind in KINDS.keys() - {"errors near the cursor"}:
        assert sum(gauge.count(f"{one.path}\n{one.text}") for one in KINDS[kind](scene)) <= 20, kind


def test_the_bits_are_those_of_the_truth_token_by_token(scene: Scene, gauge: Gauge) -> None:
    """A sum over the rest of the line; whatever was measured before makes no difference."""
    alone = gauge.bits(scene, ())
    shown = gauge.bits(scene, [Snippet("a.py", "area_of(square)\n", "similar", 1.0)])
    assert 0 < alone < 20 * len(CURSOR.truth)
    assert not math.isclose(shown, alone, rel_tol=1e-4)
    assert math.isclose(gauge.bits(scene, ()), alone, rel_tol=1e-4)


def test_a_kind_is_compared_where_it_finds_something(scene: Scene, gauge: Gauge) -> None:
    kinds = ["recent edits", "the file's tests", BEFORE, NOW]
    found = list(evaluate(gauge, [CURSOR], scene.root, scene.pool, PLAN, kinds))
    assert [row["system"] for row in found] == [NONE, *kinds]
    table = {row["kind"]: row for row in rows(found, "tiny", PLAN)}
    assert list(table) == [*kinds, CUTOFF]
    assert all(row["n"] == row["cursors"] == 1 for row in table.values())
    edits = table["recent edits"]
    by_kind = {row["system"]: row for row in found}
    size = len(CURSOR.truth.encode())
    assert math.isclose(edits["bits_gain"], (by_kind["recent edits"]["bits"] - by_kind[NONE]["bits"]) / size)
    bare = [{**row, "has": False} if row["system"] == "recent edits" else row for row in found]
    assert rows(bare, "tiny", PLAN)[0] == {"model": "tiny", "kind": "recent edits", "cursors": 1, "n": 0}


def test_the_same_context_is_measured_once(scene: Scene, gauge: Gauge, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []
    real = gauge.bits

    def bits(scene: Scene, snippets: list[Snippet]) -> float:
        asked.append(tuple(one.text for one in snippets))
        return real(scene, snippets)

    monkeypatch.setattr(gauge, "bits", bits)
    monkeypatch.setattr(study, "KINDS", {**KINDS, "again": KINDS[BEFORE]})
    list(study.evaluate(gauge, [CURSOR], scene.root, scene.pool, PLAN, [BEFORE, "again"]))
    assert len(asked) == len(set(asked)) == 2
