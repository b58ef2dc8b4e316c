"""Names after dots in true code."""

from guiderail.evaluation.dereferences import Dereference, draw_dereferences
from guiderail.evaluation.packages import SourceFile

TEXT = "import os\n\n\nclass A:\n    def f(self, größe):\n"
TEXT += "        self.new = größe.half\n        return f(os.path.join(x))\n"


def test_dereferences_are_names_behind_dots() -> None:
    """Every one is an attribute's name, found by code points; the draw depends on seed and package alone."""
    files = [SourceFile("p", "p/a.py", TEXT)]
    found = draw_dereferences(files, 10, 0)
    assert [TEXT[one.start : one.end] for one in found] == ["new", "half", "path", "join"]
    assert draw_dereferences(files, 2, 1) == draw_dereferences(files, 2, 1)
    assert set(draw_dereferences(files, 2, 1)) < set(draw_dereferences(files, 3, 1))


def test_the_rest_of_the_line_is_hidden() -> None:
    """What stands below is kept; the last line may have no end."""
    assert Dereference(SourceFile("p", "a.py", "x.y + 1\nz\n"), 2, 3).hidden == "x.\nz\n"
    assert Dereference(SourceFile("p", "a.py", "x.y + 1\nz\n"), 2, 3).truth == "y + 1"
    assert Dereference(SourceFile("p", "a.py", "x.y"), 2, 3).hidden == "x."
