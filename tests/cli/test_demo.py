"""The laws of the demo: real code, held out from training, found by name."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from guiderail.cli import demo
from guiderail.cli.demo import PACKAGE, SPOTS, Spot, find_cases
from guiderail.errors import GuiderailError
from guiderail.prompt.fim import FORMATS
from guiderail.prompt.prompt import Segment, build_prompt
from guiderail.prompt.snippet import Snippet
from guiderail.settings import Settings
from tests.cli.conftest import Result


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A project with a made-up release of the package."""
    folder = tmp_path / PACKAGE
    folder.mkdir()
    code = (
        "def read():\n    return len(ours)\n\n\nclass Cache:\n    def __len__(self):\n        return len(self.kept)\n"
    )
    (folder / "cache.py").write_text(code, encoding="utf-8")
    return tmp_path


def test_the_package_was_never_trained_on() -> None:
    """Its name is held out by rule, and not kept for blind tests."""
    assert hashlib.sha256(PACKAGE.encode()).hexdigest()[0] in "012"


def test_every_spot_is_in_the_installed_release(tmp_path: Path) -> None:
    """All of the demo's functions and markers exist."""
    cases = list(find_cases(demo._copy_package(tmp_path), Settings()))
    assert [case.spot for case in cases] == list(SPOTS)
    assert all(case.truth.strip() for case in cases)


def test_the_prompt_does_not_depend_on_where_the_copy_lies(tmp_path: Path) -> None:
    """Two runs copy to two random folders, and name repository and files alike."""
    snippet = Snippet(f"{PACKAGE}/spec.py", "x = 1\n", "similar", 1.0)
    prompts = []
    for name in ("tmp1", "tmp2"):
        case = next(find_cases(demo._copy_package(tmp_path / name), Settings()))
        document, offset, root = case.request.document, case.request.offset, case.request.root
        (fim,) = (form for form in FORMATS if form.name == "guiderail")
        prompts.append(
            build_prompt(document, offset, [snippet], fim, layout="psm", budget=500, count=len, root=root).segments
        )
    assert prompts[0] == prompts[1]
    assert Segment("context", f"{PACKAGE}\n") in prompts[0]


def test_the_marker_is_sought_in_its_function(package: Path) -> None:
    """The same text in another function is not the spot, and the rest of the line is taken away."""
    (case,) = find_cases(package, Settings(), (Spot("cache.py", "Cache.__len__", "return len("),))
    text, offset = case.request.document.text, case.request.offset
    assert case.truth == "self.kept)"
    assert text[:offset].endswith("def __len__(self):\n        return len(")
    assert text[offset:] == "\n"


def test_a_release_without_a_spot_is_shown_without_it(package: Path) -> None:
    """Functions, markers and files that went are left out."""
    present = Spot("cache.py", "read", "return ")
    gone = (Spot("cache.py", "write", "x"), Spot("cache.py", "read", "yield"), Spot("none.py", "read", "return "))
    assert [case.spot for case in find_cases(package, Settings(), (*gone, present))] == [present]
    with pytest.raises(GuiderailError, match="none of the demo's functions"):
        list(find_cases(package, Settings(), gone))


@pytest.mark.usefixtures("small")
def test_the_demo_shows_suggestion_truth_and_speed(guiderail: Callable[..., Result]) -> None:
    """Each spot is shown with its file, the truth and the time to the first token."""
    result = guiderail("demo")
    assert (result.code, result.err) == (0, "")
    for spot in SPOTS:
        assert f"{PACKAGE}/{spot.file}:" in result.out
    assert result.out.count("in the file: ") == len(SPOTS)
    assert result.out.count("  first token ") == len(SPOTS)
    assert f"of {len(SPOTS)} as in the file" in result.out
    assert "\x1b[" not in result.out
