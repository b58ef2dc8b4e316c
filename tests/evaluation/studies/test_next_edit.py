"""Changes of authors, made alone in the earlier release and followed by guiderail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from guiderail.evaluation.proposed_edits import FileEdit, score
from guiderail.evaluation.release import Release
from guiderail.evaluation.release_changes import Miner
from guiderail.evaluation.studies.next_edit import FULL, GUIDERAIL, RENAME, REPLACE, drawn, rows, samples
from guiderail.monitors.analysis.servers import server_named
from guiderail.text.edit import Edit

SHOP = "def price(net, tax):\n    return net * tax\n\n\ndef other(a, b): ...\n"
APP = "from shop import other, price\n\nprint(price(1, 2))\nprice = None\nprint(price)\nother(1, 2)\n"
NEW_SHOP = SHOP.replace("price", "cost").replace("a, b", "b, a")
NEW_APP = APP.replace("other, price", "other, cost").replace("price(1", "cost(1").replace("other(1, 2)", "other(2, 1)")


@pytest.mark.e2e
def test_two_changes_with_their_figures(tmp_path: Path) -> None:
    """Guiderail leaves a variable alone that has the old name; search and replace does not."""
    if server_named("ty").find() is None:
        pytest.skip("ty is not installed: pip install ty")
    mined = Miner(Release({"shop.py": SHOP, "app.py": APP}), Release({"shop.py": NEW_SHOP, "app.py": NEW_APP}))
    changes = mined.changes()
    assert [one.kind for one in changes] == ["function renamed", "parameters moved"]
    found = {(row["kind"], row["system"]): row for row in samples("p", mined, changes, "python", tmp_path)}
    assert [key[1] for key in found] == [GUIDERAIL, RENAME, REPLACE, GUIDERAIL]
    moved = found["parameters moved", GUIDERAIL]
    assert [moved[name] for name in ("sites", "found", "exact", "wrong", "told")] == [1, 1, 1, 0, 1]
    assert found["function renamed", REPLACE]["wrong"] > 0
    assert found["function renamed", GUIDERAIL]["errors_before"] > found["function renamed", GUIDERAIL]["errors_true"]
    assert {path.name: path.read_text() for path in tmp_path.glob("*.py")} == {"shop.py": SHOP, "app.py": APP}


def row(system: str, kind: str, **more: Any) -> dict[str, Any]:
    own = {"package": "p", "sites": 4, "excluded": 0, "found": 3, "exact": 3, "wrong": 1, "unknown": 1, "proposed": 5}
    if system == GUIDERAIL:
        own |= {"told": 4, "seconds": 1.0, "errors_before": 3, "errors_after": 2, "errors_true": 1}
    return {"system": system, "kind": kind, **own, **more}


def test_rows_add_up() -> None:
    """Shares are of the sites, of those found, and of the edits of which something is said."""
    found = rows(
        [row(GUIDERAIL, "class renamed"), row(GUIDERAIL, "made keyword-only", wrong=0, found=1, exact=0)], FULL
    )
    every = found[0]
    assert (every["kind"], every["changes"], every["sites"], every["told"]) == ("all", 2, 8, 8)
    assert (every["recall"], every["exactness"], every["wrong_share"]) == (0.5, 0.75, 0.125)
    assert (every["errors_before"], every["errors_after"], every["worse_than_truth"]) == (6, 4, 2)
    assert [one["kind"] for one in found[1:]] == [
        "all that need no new value", "all renames", "class renamed", "made keyword-only"
    ]  # fmt: skip


def test_baselines_are_of_renames() -> None:
    found = rows([row(GUIDERAIL, "class renamed"), row(RENAME, "class renamed")], FULL)
    assert [one["kind"] for one in found if one["system"] == RENAME] == ["all renames"]
    assert next(one for one in found if one["system"] == RENAME)["told"] is None


def test_a_draw_is_of_the_changes_alone() -> None:
    """It is the same each time, and keeps their order."""
    mined = Miner(Release({"shop.py": SHOP, "app.py": APP}), Release({"shop.py": NEW_SHOP, "app.py": NEW_APP}))
    changes = mined.changes()
    assert drawn(changes, 5) == changes
    assert drawn(changes, 1) == drawn(list(reversed(changes)), 1)


def test_a_name_that_an_import_keeps_is_renamed_too() -> None:
    """Its uses in that file may follow or stay: of edits there nothing is said, of those elsewhere it is."""
    shop, use = "def _price(): ...\n\n\n_price()\n", "from shop import _price\n\n_price()\n"
    kept = use.replace("import _price", "import price as _price")
    before = {"shop.py": shop, "a.py": use, "b.py": use}
    mined = Miner(Release(before), Release({"shop.py": shop.replace("_price", "price"), "a.py": kept, "b.py": use}))
    (change,) = mined.changes()
    edits = [FileEdit(path, Edit(use.rindex("_price"), use.rindex("_price") + 6, "price")) for path in ("a.py", "b.py")]
    found = score(mined, change, edits)
    assert (found.unknown, len(found.wrong)) == (1, 1)
    assert found.wrong[0].startswith("b.py")
