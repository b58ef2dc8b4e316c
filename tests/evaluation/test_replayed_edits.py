"""Cursors in what a release added."""

from __future__ import annotations

from guiderail.evaluation.replayed_edits import draw, hunks

OLD = {
    "a.py": "def one(x):\n    return x + 1\n\n\ndef two(x):\n    return x + 2\n",
    "b.py": "A = 1\nB = 2\n",
    "gone.py": "C = 3\n",
    "same.py": "D = 4\n",
}
NEW = {
    "a.py": "def one(x):\n    total = x + 1\n    return total\n\n\ndef two(x):\n    return x + 2\n",
    "b.py": "A = 1\nTOTAL = 3\nB = 2\n",
    "new.py": "E = 5\n",
    "same.py": "D = 4\n",
}


def test_hunks_are_the_lines_that_were_added_to_files_of_both_releases() -> None:
    found = {path: [(one.first, one.text) for one in own] for path, own in hunks(OLD, NEW).items()}
    assert found == {"a.py": [(1, "    total = x + 1\n    return total\n")], "b.py": [(1, "TOTAL = 3\n")]}


def test_cursors_are_in_added_lines_of_functions_with_the_edits_of_other_files() -> None:
    """The file is whole around the rest of the line."""
    cursors = draw("package", OLD, NEW, 10, 0)
    assert len(cursors) == 2
    for cursor in cursors:
        assert cursor.prefix + cursor.truth + cursor.suffix == NEW["a.py"]
        line = cursor.prefix.rpartition("\n")[2] + cursor.truth
        assert line in ("    total = x + 1", "    return total")
        assert [one.text for one in cursor.edits] == ["TOTAL = 3\n"]


def test_a_draw_is_the_same_on_every_machine_and_a_longer_one_goes_on() -> None:
    assert draw("package", OLD, NEW, 2, 0)[:1] == draw("package", OLD, NEW, 1, 0)
    assert draw("package", OLD, OLD, 5, 0) == []
