"""Edits made from files, with a truth after them."""

import pytest

from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.revisions import TASKS, draw
from tests.helpers.tiny import training_text

VALUES = "".join(
    f"def wait_{n}(port):\n    limit = {1000 + n // 9}\n    return poll(port, limit, {1000 + n // 9})\n\n\n"
    for n in range(150)
)
FILES = [SourceFile("stdlib", f"{number}.py", training_text() + VALUES) for number in range(4)]


@pytest.mark.parametrize("task", TASKS)
def test_an_edit_is_in_front_of_the_cursor_and_leaves_the_truth(task: str) -> None:
    """The text after the edit is the file's own, the truth follows it there, and something else stood before."""
    drawn = draw(FILES, task, 4, 3000, 1, len)
    assert drawn
    for revision in drawn:
        assert revision.before != revision.after
        assert revision.after + revision.truth in FILES[0].text
        assert "\n" not in revision.truth


@pytest.mark.parametrize("task", ["rename", "definition"])
def test_a_renamed_name_is_used_in_the_truth(task: str) -> None:
    """What a rename changes is a name of the line to complete: the answer depends on the edit."""
    for revision in draw(FILES, task, 4, 3000, 2, len):
        old, new = revision.before.split(), revision.after.split()
        changed = {b for a, b in zip(old, new, strict=True) if a != b}
        assert any(word.strip("()[]{}:,.=") and any(p in revision.truth for p in _names(word)) for word in changed)


def _names(word: str) -> list[str]:
    return [p for p in "".join(c if c.isalnum() or c == "_" else " " for c in word).split() if len(p) > 2]


def test_a_window_holds_as_many_tokens_as_fit() -> None:
    """The window is whole lines, no longer than asked for and no shorter than by one line."""
    for revision in draw(FILES, "deletion", 4, 3000, 1, len):
        assert 3000 - 200 < len(revision.after) - len(revision.after.rpartition("\n")[2]) <= 3000


def test_draws_are_repeatable() -> None:
    """The same seed gives the same revisions, another seed others."""
    one, same, other = (draw(FILES, "edition", 3, 3000, seed, len) for seed in (1, 1, 2))
    assert one == same
    assert one != other
