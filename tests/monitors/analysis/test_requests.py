"""Every kind of question, asked of a real analyser."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from guiderail.monitors.analysis.analyser import ServerAnalyser
from guiderail.monitors.analysis.requests import (
    COMPLETIONS,
    DIAGNOSTICS,
    HOVER,
    MEMBERS,
    SIGNATURES,
    Question,
    Request,
)
from guiderail.monitors.analysis.servers import server_named

pytestmark = pytest.mark.e2e
SOURCE = '''class Point:
    def move(self, by: int, *, fast: bool = False) -> "Point":
        """Moves."""
        return self


point = Point()
point.move(
'''


@pytest.fixture(scope="module")
def pyrefly(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerAnalyser]:
    """The analyser that comes with guiderail."""
    analyser = ServerAnalyser(server_named("pyrefly"), tmp_path_factory.mktemp("project"))
    yield analyser
    analyser.stop()


def ask(analyser: ServerAnalyser, request: Request, behind: str, source: str = SOURCE):
    path: Path = analyser.root / "a.py"
    return analyser.ask(request, Question(path, "python", source, source.index(behind) + len(behind))).result(60)


def errors(analyser: ServerAnalyser, source: str) -> list[tuple[int, int]]:
    found = ask(analyser, DIAGNOSTICS, "", source)
    return [(one.start, one.end) for one in found if one.severity == "error"]


def test_every_request(pyrefly: ServerAnalyser) -> None:
    """Members, completions, signatures and hovers all have answers."""
    assert "move" in {item.name for item in ask(pyrefly, MEMBERS, "point.").items}
    assert {"by=", "fast="} <= {item.name for item in ask(pyrefly, COMPLETIONS, "point.move(").items}
    assert {"point", "Point"} <= {item.name for item in ask(pyrefly, COMPLETIONS, "\n\n\np").items}
    (signature,) = ask(pyrefly, SIGNATURES, "point.move(").items
    assert signature.parameters[-2:] == ("by: int", "fast: bool = False")
    assert "Point" in ask(pyrefly, HOVER, "poin")


def test_diagnostics(pyrefly: ServerAnalyser) -> None:
    """A wrong argument is an error at its place; without it there is none."""
    wrong = SOURCE.replace("point.move(\n", "point.move('x')\n")
    assert [wrong[start:end] for start, end in errors(pyrefly, wrong)] == ["'x'"]
    assert not errors(pyrefly, wrong.replace("'x'", "1"))
