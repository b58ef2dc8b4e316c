"""Following a file that is saved again and again."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from guiderail.cli.loading import load_engine
from guiderail.cli.watch import Versions, as_text, follow
from guiderail.settings import Settings
from guiderail.text.document import Document
from tests.cli.conftest import Result

BODY = "".join(f"def step_{n}(value):\n    return value + {n}\n\n\n" for n in range(20))
TEXTS = [BODY, "import os\n" + BODY, "import os\n" + BODY.replace("value + 7", "value + 7000"), BODY]


@pytest.mark.usefixtures("small")
def test_each_version_is_followed_from_the_one_before(tiny_model: Path) -> None:
    """An edit keeps what it can and turns what moved; healing then makes the cache exact; the numbers add up."""
    settings = Settings(model=str(tiny_model), threads=1, cache_policy="patch", layout="prefix", monitors=False)
    documents = [Document(text, Path("app.py"), "python") for text in TEXTS]
    changes = list(follow(load_engine(settings), settings, documents, lambda: False))
    first, inserted, replaced, back = changes
    assert first.encoded == first.tokens and first.inserted == len(BODY)
    assert (inserted.line, inserted.column) == (2, 0)
    assert (inserted.inserted, inserted.deleted) == (len("import os\n"), 0)
    assert (replaced.inserted, replaced.deleted) == (len("000"), 0)
    assert back.deleted - back.inserted == len("import os\n") + len("000")
    for change in changes:
        assert change.kept + change.encoded == change.tokens
        assert change.exact and change.healed == change.stale
        assert str(change.encoded) in as_text(change)


def test_an_interrupted_healing_leaves_the_rest(tiny_model: Path) -> None:
    """A save during healing ends it; the cache says that it is not exact."""
    settings = Settings(model=str(tiny_model), threads=1, cache_policy="patch", layout="spm", monitors=False)
    documents = [Document(text, Path("app.py"), "python") for text in (BODY, BODY[:1000] + "x = 1\n" + BODY[1000:])]
    *_, change = follow(load_engine(settings), settings, documents, lambda: True)
    assert change.exact is (change.stale == 0)
    assert change.healed == 0


def test_versions_are_what_was_saved(tmp_path: Path) -> None:
    """A save gives a version; saving the same text again, or removing the file for a moment, gives none."""
    file = tmp_path / "app.py"
    file.write_text("a = 1\n")
    versions = Versions(file)
    stream = iter(versions)
    assert next(stream).text == "a = 1\n"
    assert not versions.is_outdated()
    file.unlink()
    assert versions.is_outdated()
    file.write_text("a = 12\n")
    assert next(stream).text == "a = 12\n"


@pytest.mark.e2e
@pytest.mark.usefixtures("small")
def test_the_command_prints_a_line_for_each_save(source: Path) -> None:
    """A real process prints what it did with the file as it is, then with a save, and ends at Ctrl-C with 130."""
    command = [
        sys.executable,
        "-m",
        "guiderail",
        "complete",
        "--watch",
        "--json",
        str(source),
        "--cache-policy",
        "patch",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        first = json.loads(process.stdout.readline())
        source.write_text(source.read_text(encoding="utf-8").replace("len(it", "len(items)"), encoding="utf-8")
        second = json.loads(process.stdout.readline())
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(timeout=60) == 130
    assert first["encoded"] == first["tokens"]
    assert (second["line"], second["inserted"], second["exact"]) == (2, 4, True)


def test_watching_needs_a_file(guiderail, source: Path) -> None:
    """Standard input cannot be watched, and the cursor is not asked for: one clear line each."""
    for arguments, words in (((), "needs a FILE"), ((str(source), "--line", "1"), "--line is not for --watch")):
        done: Result = guiderail("complete", "--watch", *arguments)
        assert done.code == 2
        assert words in done.err
