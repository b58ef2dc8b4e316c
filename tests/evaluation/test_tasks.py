"""Where models are asked."""

from __future__ import annotations

import pytest

from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.tasks import (
    cut_at_line,
    draw_dereferences,
    draw_lines,
    draw_texts,
    spread,
)

TEXT = '''\
import os


class Shape:
    """A shape."""

    sides = 4

    def area(self, scale):
        """Area.

        Of the shape.
        """
        # a comment
        total = scale * self.sides

        if total > (
            3
        ):
            note = """one
            two"""
        return total


async def other():
    await call(1, 2)
'''


def source(text: str = TEXT, path: str = "p/a.py") -> SourceFile:
    return SourceFile("p", path, text)


def many(count: int) -> list[SourceFile]:
    body = "".join(f"    value_{i} = compute({i})\n" for i in range(20))
    return [source(f"def f{i}():\n{body}    return {i}\n", f"p/{i}.py") for i in range(count)]


def test_a_next_line_task_starts_where_the_content_starts_and_hides_what_follows() -> None:
    for task in draw_lines([source()], "next_line", 10, seed=0):
        line = task.prefix.rpartition("\n")[2]
        assert line.strip() == "" and task.truth == task.truth.strip() and task.suffix == ""
        assert task.completed(task.truth) == TEXT


def test_a_fim_task_cuts_inside_a_line_and_shows_the_rest_of_the_file() -> None:
    for task in draw_lines([source()], "fim_line", 10, seed=0):
        assert task.prefix.rpartition("\n")[2].strip() and task.truth
        assert task.suffix.startswith("\n")
        assert task.prefix + task.truth + task.suffix == TEXT


@pytest.mark.parametrize("kind", ["next_line", "fim_line"])
def test_draws_repeat_by_seed_differ_between_seeds_and_hold_no_truth_twice(kind) -> None:
    files = many(6)
    drawn = draw_lines(files, kind, 15, seed=1)
    assert drawn == draw_lines(files, kind, 15, seed=1) != draw_lines(files, kind, 15, seed=2)
    assert len({task.truth for task in drawn}) == len(drawn) == 15


def test_a_package_with_few_lines_gives_what_it_has() -> None:
    assert len(draw_lines([source()], "next_line", 100, seed=0)) == 5


def test_texts_are_cut_at_line_ends() -> None:
    [text] = draw_texts([source()], 3, 30, seed=0)
    assert TEXT.startswith(text.text) and text.text.endswith("\n") and len(text.text) >= 30
    assert cut_at_line("abc", 10) == "abc"
    assert cut_at_line("ab\ncd\n", 2) == "ab\n"


def test_tasks_are_spread_evenly() -> None:
    assert spread(7, ["a", "b", "c"]) == {"a": 3, "b": 2, "c": 2}
    assert spread(1, ["a", "b"]) == {"a": 1, "b": 0}


def test_nothing_is_drawn_where_nothing_is_wanted() -> None:
    assert draw_lines([source()], "fim_line", 0, 1) == []


def test_dereferences_are_names_after_dots() -> None:
    """Each is an attribute's name in a function, found by code points; the draw depends on seed and package alone."""
    text = "import os\n\n\nclass A:\n    sep = os.sep\n\n    def f(self, größe):\n"
    text += "        self.new = größe.half\n        return f(os.path.join(x))\n"
    files = [source(text)]
    found = draw_dereferences(files, 10, 0)
    assert [one.truth.split("(")[0].split(".")[0] for one in found] == ["new = größe", "half", "path", "join"]
    assert draw_dereferences(files, 2, 1) == draw_dereferences(files, 2, 1)
    assert set(draw_dereferences(files, 2, 1)) < set(draw_dereferences(files, 3, 1))
