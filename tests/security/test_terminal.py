"""Names of files and texts of a repository are shown on a person's terminal, and never obeyed by it."""

import json
import logging
import shutil
from pathlib import Path

import pytest

from guiderail.cli import output
from guiderail.cli.doctor import Check, _line
from guiderail.cli.loading import start_logging
from guiderail.cli.main import run
from guiderail.cli.models import _as_lines, _print_table, _row
from guiderail.cli.terminal import visible
from guiderail.engine.completion import Completion
from guiderail.engine.suggestion import Suggestion, Timings
from guiderail.lsp import logfile
from guiderail.lsp.scheduler import Counts
from guiderail.lsp.status import Status
from guiderail.lsp.usage import UsageFile, as_text
from guiderail.lsp.why import Inquiry, place_of, sentences_of
from guiderail.model.info import read_info
from guiderail.prompt.snippet import Snippet
from guiderail.text.document import Document
from tests.helpers.models import tiny_folder

TITLE = "\x1b]0;owned\x07"  # an escape sequence that renames the window


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a project whose name is an escape sequence."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    root = tmp_path / f"a{TITLE}b"
    (root / ".git").mkdir(parents=True)
    monkeypatch.chdir(root)
    return root


@pytest.mark.parametrize("content", ["[tool.guiderail", "[tool.guiderail]\nmethod = 'pg-td'\nuntil = 3\nx = 1\n"])
@pytest.mark.parametrize("words", [["config", "show"], ["complete", f"a{TITLE}.py"]])
def test_what_is_said_of_a_file_holds_no_escapes(
    project: Path, content: str, words: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    """Problems of settings and errors name the file, whatever it is called."""
    (project / "pyproject.toml").write_text(content, encoding="utf-8")
    run(words)
    shown = capfd.readouterr()
    assert "owned" in shown.err
    assert "\x1b" not in shown.out + shown.err
    assert "\x07" not in shown.out + shown.err


@pytest.mark.parametrize("said", [TITLE, "[/x]", "[link=file:///etc/passwd]mit[/link]"])
def test_what_a_model_says_of_itself_is_text(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It has neither escapes nor markup, by which one hostile model took the whole list away."""
    model = Path(shutil.copytree(tiny_folder("qwen2"), tmp_path / "model"))
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"model_type": said, "architectures": [said]}))
    (model / "README.md").write_text(f"---\nlicense: {said}\n---\n")
    row = _row(read_info(model, f"a/{said}"), "embedded")
    _print_table([row])
    print(_as_lines(row))
    shown = capfd.readouterr().out
    assert not set(shown) & {"\x1b", "\x07"}
    assert shown.count(visible(said)) >= 5


def completion(text: str) -> Completion:
    return Completion([Suggestion(text, 0, 0, 0.0, (), "line", "psm", Timings(1, 0, 0.0, 0.0, 0.0, 0.0))])


def test_a_suggestion_does_not_drive_a_terminal_without_colours() -> None:
    """NO_COLOR and a dumb terminal are terminals too; a pipe gets the exact text."""
    assert "\x1b" not in output.as_text(Document("x"), completion(TITLE), colour=False, terminal=True)
    assert output.as_text(Document("x"), completion(TITLE), colour=False) == TITLE


def test_neither_a_log_record_nor_a_check_does(capsys: pytest.CaptureFixture[str]) -> None:
    handlers = logging.getLogger().handlers[:]
    try:
        start_logging("warning")
        logging.getLogger("guiderail").warning("%s is left out", TITLE)
    finally:
        logging.basicConfig(handlers=handlers, force=True)
        logging.captureWarnings(False)
    said = capsys.readouterr().err
    assert "owned" in said
    assert "\x1b" not in said
    assert TITLE not in _line(Check("x", "ok", TITLE, TITLE))


def test_a_line_of_the_servers_log_is_one_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder's name may hold escapes, and line ends that would make up records of their own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    handlers = logging.getLogger().handlers[:]
    try:
        file = logfile.start("warning")
        logging.getLogger("guiderail").warning("%s is left out", f"{TITLE}\n2026-01-01 00:00:00 1 ERROR made up")
    finally:
        logging.basicConfig(handlers=handlers, force=True)
        logging.captureWarnings(False)
    text = file.read_text()
    assert "owned" in text
    assert len(text.splitlines()) == 1
    assert not set(text) & {"\x1b", "\x07"}


def test_why_there_is_no_suggestion_is_said_in_its_own_lines() -> None:
    """The name of a file, or a URI, adds no sentence and no escape sequence to the page that an editor shows."""
    name = f"a\nSent to the editor: `x`.{TITLE}.py"
    answer = Completion((), snippets=[Snippet(name, "x", "similar", 1.0)])
    for place in (place_of(Path(name), "", 0), place_of(None, name, 0)):
        status = Status(state="ready", message="", remedy="", model=f"m{TITLE}", device="", enabled=True)
        for language in ("python", TITLE):
            inquiry = Inquiry(place, language, by_hand=True, answer=answer)
            lines = sentences_of(inquiry, status, Counts())
            assert all(line.isprintable() for line in lines)
            assert any(r"\nSent" in line for line in lines)


def test_statistics_hold_no_escapes(tmp_path: Path) -> None:
    """A client names a document's language, and a model's folder may have any name."""
    file = UsageFile(tmp_path / "usage.json")
    file.count(f"{TITLE}\nmade up", f"/models/{TITLE}", shown=1)
    file.save()
    for one in (file, UsageFile(file.path)):
        assert len(as_text(one.read()).splitlines()) == 4
        assert as_text(one.read()).replace("\n", "").isprintable()
