"""Laws of gathering context from other files."""

import math
import os
from pathlib import Path

import pytest

from guiderail.prompt.context import gather
from guiderail.prompt.index import ProjectIndex
from guiderail.prompt.similar import WINDOW
from guiderail.prompt.snippet import Reason
from guiderail.text.document import Document
from tests.prompt.projects import ALL, context_of, words, write

TWIN = """def load_settings(path):
    with open(path) as stream:
        settings = parse_settings(stream)
    validate_settings(settings)
    return settings


def save_settings(path, settings):
    validate_settings(settings)
    with open(path, "w") as stream:
        write_settings(stream, settings)
"""
TYPED = "def load_profile(path):\n    with open(path) as stream:\n        settings = parse_settings(stream)\n    ‸\n"
FILES = {
    "app/config.py": TWIN,
    "app/unrelated.py": "class Zebra:\n    stripes = 12\n",
    "app/models.py": "class Profile:\n    name: str\n",
}


def paths(snippets) -> list[str]:
    return [snippet.path for snippet in snippets]


def test_definitions_stand_behind_similar_code_and_unrelated_files_stay_out(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    found = context_of(tmp_path, "app/main.py", "from .models import Profile\n\n" + TYPED.replace("‸", "Profile(‸"))
    assert [(each.path, each.reason) for each in found] == [
        ("app/config.py", "similar"),
        ("app/models.py", "definition"),
    ]
    assert all(0 < each.score <= 1 for each in found)
    assert all(each.text.endswith("\n") for each in found)


@pytest.mark.parametrize("budget", [0, 5, 10, 20, 40, 80, 1000])
def test_snippets_with_their_paths_and_separators_fit_the_budget(tmp_path: Path, budget: int) -> None:
    members = "".join(f"    def method_{number}(self): ...\n" for number in range(30))
    write(tmp_path, FILES | {"app/models.py": f"class Profile:\n{members}"})
    text = "from .models import Profile\n" + TYPED.replace("‸", "Profile(‸")
    found = context_of(tmp_path, "app/main.py", text, budget=budget)
    assert sum(words(f"{each.path}\n{each.text}") + 1 for each in found) <= budget
    assert found or budget < 20


def test_a_definition_too_long_is_cut_rather_than_dropped(tmp_path: Path) -> None:
    members = "".join(f"    def method_{number}(self): ...\n" for number in range(30))
    write(tmp_path, {"models.py": f"class Profile:\n{members}"})
    [found] = context_of(tmp_path, "main.py", "from models import Profile\nProfile(‸", budget=60)
    assert found.text.startswith("class Profile:\n    def method_0(self): ...\n")
    assert 2 <= found.text.count("\n") < 30


def test_the_file_itself_is_never_shown_by_whatever_path(tmp_path: Path) -> None:
    write(tmp_path, {"app/main.py": TWIN})
    (tmp_path / "link.py").symlink_to(tmp_path / "app/main.py")
    for name in ("app/main.py", "link.py", "app/../app/main.py"):
        assert context_of(tmp_path, name, TYPED) == [], name


def test_a_copy_of_what_stands_around_the_cursor_is_not_shown(tmp_path: Path) -> None:
    write(tmp_path, {"copy.py": TWIN})
    assert context_of(tmp_path, "main.py", TWIN + "\n‸") == []


def test_the_same_window_of_two_files_is_shown_once(tmp_path: Path) -> None:
    write(tmp_path, {"b.py": TWIN, "a.py": TWIN})
    for name in ("a.py", "b.py"):
        os.utime(tmp_path / name, (1_000, 1_000))
    assert paths(context_of(tmp_path, "main.py", TYPED)) == ["a.py"]


def test_windows_of_one_file_are_one_snippet_and_do_not_overlap(tmp_path: Path) -> None:
    """In the order of the file, however like the cursor's lines each is."""
    body = "".join(f"    settings_{number} = parse_settings(stream, path, {number})\n" for number in range(60))
    write(tmp_path, {"a.py": "def load():\n" + body})
    found = context_of(tmp_path, "main.py", TYPED)
    assert paths(found) == ["a.py"]
    lines = [line for line in found[0].text.splitlines() if line]
    assert len(lines) > WINDOW
    assert lines == [line for line in ("def load():\n" + body).splitlines() if line in lines]


def test_a_file_that_is_imported_and_similar_is_shown_once(tmp_path: Path) -> None:
    """What it declares comes before its code."""
    write(tmp_path, {"app/config.py": TWIN, "app/models.py": FILES["app/models.py"]})
    imports = "from .config import load_settings\nfrom .models import Profile\n"
    found = context_of(tmp_path, "app/main.py", imports + TYPED.replace("‸", "load_settings(Profile(‸"))
    assert sorted(paths(found)) == ["app/config.py", "app/models.py"]
    (config,) = (one.text for one in found if one.path == "app/config.py")
    assert config.startswith("def load_settings(path):\n")
    assert "write_settings(stream, settings)" in config


def test_what_promises_less_than_was_learned_to_help_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    text = "from .models import Profile\n\n" + TYPED.replace("‸", "Profile(‸")
    every = context_of(tmp_path, "app/main.py", text)
    for one in every:
        least: dict[Reason, float] = {**ALL, one.reason: one.score + 0.01}
        assert one.path not in paths(context_of(tmp_path, "app/main.py", text, least=least))
        assert one in context_of(tmp_path, "app/main.py", text, least={**ALL, one.reason: one.score})


def test_the_same_language_comes_before_others(tmp_path: Path) -> None:
    write(tmp_path, {"a.go": TWIN, "deep/er/b.py": TWIN.replace("return settings", "return settings, other, words")})
    assert paths(context_of(tmp_path, "main.py", TYPED))[-1] == "deep/er/b.py"


def test_nothing_secret_ignored_foreign_or_outside_is_shown(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", {"leak.py": TWIN})
    hidden = [
        "secrets.py",
        "credentials.py",
        "ignored.py",
        "sub/local.py",
        "node_modules/m.py",
        ".venv/lib/v.py",
        ".aws/a.py",
    ]
    root = write(
        tmp_path / "root",
        dict.fromkeys(hidden, TWIN)
        | {".gitignore": "ignored.py\n", "sub/.gitignore": "local.py\n", "big.py": TWIN * 3000},
    )
    (root / "link.py").symlink_to(outside / "leak.py")
    (root / "folder").symlink_to(outside)
    names = ["secrets", "credentials", "ignored", "link", "node_modules.m", "sub.local", "folder.leak"]
    imports = "".join(f"from {name} import load_settings as {name.replace('.', '_')}\n" for name in names)
    uses = "".join(f"{name.replace('.', '_')}()\n" for name in names)
    assert context_of(root, "main.py", imports + uses + TYPED) == []
    write(root, {"open.py": TWIN})
    assert paths(context_of(root, "main.py", imports + uses + TYPED)) == ["open.py"]


def test_a_text_without_a_path_gets_context_of_the_root(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    document = Document(TYPED.replace("‸", "") + "from app.models import Profile\n", None, "python")
    found = gather(document, len(TYPED) - 2, tmp_path, budget=500, count=words, seconds=math.inf)
    assert paths(found) == ["app/models.py", "app/config.py"]


def test_the_same_project_gives_the_same_context_cold_and_warm(tmp_path: Path) -> None:
    write(tmp_path, FILES | {f"pkg/m{number}.py": TWIN.replace("path", f"path{number}") for number in range(20)})
    index = ProjectIndex(tmp_path)
    text = "from app.models import Profile\n" + TYPED
    cold = context_of(tmp_path, "app/main.py", text)
    assert cold == context_of(tmp_path, "app/main.py", text, index=index)
    assert cold == context_of(tmp_path, "app/main.py", text, index=index)
    assert len(cold) > 3


def test_without_time_the_search_ends_and_later_calls_reach_further(tmp_path: Path) -> None:
    write(tmp_path, {f"m{number}.py": TWIN for number in range(50)})
    index = ProjectIndex(tmp_path)
    document = Document(TYPED.replace("‸", ""), tmp_path / "main.py", "python")
    options = {"budget": 500, "count": words, "index": index}
    assert gather(document, len(TYPED) - 2, tmp_path, seconds=0.0, **options) == []
    assert index.reads == 0
    assert gather(document, len(TYPED) - 2, tmp_path, seconds=math.inf, **options)
    assert index.reads == 50


def test_half_a_surrogate_pair_from_an_editor_does_no_harm(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    text = "from .models import Profile\nx = '\ud83d'\nProfile(‸"
    assert paths(context_of(tmp_path, "app/main.py", text)) == ["app/models.py"]
