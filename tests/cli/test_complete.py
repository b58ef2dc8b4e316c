"""The laws of `guiderail complete`: what it prints, and how it refuses."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from guiderail import __version__
from tests.cli.conftest import SCRIPT, Result

Run = Callable[..., Result]


@pytest.fixture(scope="session")
def schema() -> dict[str, Any]:
    """The schema that is shipped."""
    return json.loads(resources.files("guiderail.cli").joinpath("schema/complete.json").read_text("utf-8"))


def complete(run: Run, *args: object, **more: Any) -> dict[str, Any]:
    result = run("complete", *args, "--json", **more)
    assert (result.code, result.err) == (0, "")
    return json.loads(result.out)


@pytest.mark.usefixtures("small")
class TestResults:
    """What comes out when all is well."""

    def test_json_follows_its_schema(self, guiderail: Run, source: Path, schema: dict[str, Any]) -> None:
        """Real output is valid under the shipped schema, which is itself valid."""
        jsonschema.Draft202012Validator.check_schema(schema)
        answer = complete(guiderail, source, "--line", 2, "--column", 17, "-n", 3, "--max-tokens", 8)
        jsonschema.validate(answer, schema)
        assert answer["suggestions"]

    def test_json_says_where_and_with_what(self, guiderail: Run, source: Path, small: Path) -> None:
        """Position, range and model are those asked for."""
        answer = complete(guiderail, source, "--line", 2, "--column", 15, "--max-tokens", 4)
        place = {"line": 2, "column": 15}
        assert answer["position"] == place
        assert answer["suggestions"][0]["range"] == {"start": place, "end": place}
        assert (answer["version"], answer["file"], answer["language"]) == (__version__, str(source), "python")
        assert answer["model"]["name"] == str(small)
        assert answer["model"]["parameters"] > 0
        assert 0 < answer["suggestions"][0]["tokens"] <= 4

    def test_plain_output_is_the_suggestion_alone(self, guiderail: Run, source: Path) -> None:
        """Without --json standard output holds the text of the first suggestion and nothing else."""
        args = (source, "--line", 5, "--max-tokens", 6)
        text = complete(guiderail, *args)["suggestions"][0]["text"]
        assert text
        assert guiderail("complete", *args) == Result(0, text.removesuffix("\n") + "\n", "")

    def test_several_suggestions_have_headings(self, guiderail: Run, source: Path) -> None:
        """With -n each suggestion stands under its number."""
        args = (source, "--line", 5, "-n", 3, "--max-tokens", 6)
        texts = [suggestion["text"] for suggestion in complete(guiderail, *args)["suggestions"]]
        assert len(set(texts)) == len(texts) == 3
        out = guiderail("complete", *args).out
        assert [f"--- {number} of 3" in out for number in (1, 2, 3)] == [True] * 3

    def test_without_a_position_the_cursor_is_at_the_end(self, guiderail: Run, source: Path) -> None:
        """No --line is the end of the text, no --column the end of the line."""
        assert complete(guiderail, source, "--max-tokens", 1)["position"] == {"line": 6, "column": 0}
        assert complete(guiderail, source, "--line", 2, "--max-tokens", 1)["position"]["column"] == 17

    def test_columns_are_code_points(self, guiderail: Run) -> None:
        """A character outside the basic plane is one column."""
        answer = complete(
            guiderail,
            "-",
            "--line",
            1,
            "--column",
            4,
            "--max-tokens",
            1,
            "--language",
            "python",
            stdin="🙂🙂🙂🙂".encode(),
        )
        assert answer["position"] == {"line": 1, "column": 4}

    @pytest.mark.parametrize("name", [["-"], []])
    def test_standard_input(self, guiderail: Run, name: list[str]) -> None:
        """Text from a pipe is completed at its end, in the language that is named."""
        args = (*name, "--language", "py", "--max-tokens", 3)
        answer = complete(guiderail, *args, stdin=b"def f(x):\n    return ")
        assert (answer["file"], answer["language"]) == (None, "python")
        assert answer["position"] == {"line": 2, "column": 11}

    def test_greedy_repeats_itself_and_a_seed_does_too(self, guiderail: Run, source: Path) -> None:
        """The same command gives the same text, greedy or sampled with a seed; another seed another text."""
        args = (source, "--line", 5, "--max-tokens", 12, "--until", "tokens", "--temperature", 2)

        def text(*more: object) -> str:
            return complete(guiderail, *args, *more)["suggestions"][0]["text"]

        assert text("--seed", 1) == text("--seed", 1) != text("--seed", 2)

    def test_context_of_the_project_and_none_without_it(self, guiderail: Run, source: Path) -> None:
        """Inside a project other files are read, unless --no-context."""
        Path("pyproject.toml").touch()
        text = "def größe(items):\n    return len(items)\n\n\nclass Menge:\n    size = property(größe)\n"
        Path("helpers.py").write_text(text, encoding="utf-8")
        source.write_text(f"from helpers import Menge, größe\n\n{source.read_text(encoding='utf-8')}", encoding="utf-8")
        files = complete(guiderail, source, "--line", 4, "--max-tokens", 2)["context_files"]
        assert "helpers.py" in {file["path"] for file in files}
        assert complete(guiderail, source, "--line", 4, "--max-tokens", 2, "--no-context")["context_files"] == []

    def test_the_project_s_settings_are_those_of_the_file(self, guiderail: Run, source: Path) -> None:
        """[tool.guiderail] of the completed file's project counts, wherever the command is run."""
        folder = Path("elsewhere")
        folder.mkdir()
        (folder / "pyproject.toml").write_text("[tool.guiderail]\nmax_tokens = 2\n", encoding="utf-8")
        path = folder / source.name
        path.write_bytes(source.read_bytes())
        assert complete(guiderail, path, "--until", "tokens", "--line", 5)["suggestions"][0]["tokens"] == 2

    def test_the_log_goes_to_standard_error(self, guiderail: Run, source: Path) -> None:
        """--log-level says what happens, beside the data and not in it."""
        args = ("complete", source, "--line", 5, "--max-tokens", 2)
        quiet, loud = guiderail(*args), guiderail(*args, "--log-level", "debug")
        assert (loud.out, quiet.err) == (quiet.out, "")
        assert "guiderail: INFO: " in loud.err
        assert "guiderail: DEBUG: context from no other file" in loud.err

    def test_a_terminal_gets_colour_unless_it_objects(
        self, guiderail: Run, source: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Colour is there when wanted, and NO_COLOR wins."""
        args = ("complete", source, "--line", 5, "--max-tokens", 6)
        plain = guiderail(*args).out
        monkeypatch.setenv("FORCE_COLOR", "1")
        assert "\x1b[32m" in guiderail(*args).out
        monkeypatch.setenv("NO_COLOR", "1")
        assert guiderail(*args).out == plain


def _missing(folder: Path) -> list[object]:
    return [folder / "none.py"]


def _directory(folder: Path) -> list[object]:
    return [folder]


def _binary(folder: Path) -> list[object]:
    (folder / "a.py").write_bytes(b"\x7fELF\0\0")
    return [folder / "a.py"]


def _undecodable(folder: Path) -> list[object]:
    (folder / "a.py").write_bytes(b"name = '\xff\xfe\xfa'\n")
    return [folder / "a.py"]


def _large(folder: Path) -> list[object]:
    (folder / "a.py").write_bytes(b"x = 1\n" * 1_700_000)
    return [folder / "a.py"]


def _line_outside(folder: Path) -> list[object]:
    (folder / "a.py").write_text("x = 1\n", encoding="utf-8")
    return [folder / "a.py", "--line", "9"]


def _line_zero(folder: Path) -> list[object]:
    return [*_line_outside(folder)[:1], "--line", "0", "--column", "0"]


def _column_outside(folder: Path) -> list[object]:
    return [*_line_outside(folder)[:1], "--line", "1", "--column", "6"]


BAD_INPUT = {
    _missing: "no such file",
    _directory: "is a directory",
    _binary: "is a binary file",
    _undecodable: "is not valid UTF-8",
    _large: "is larger than 10 MB",
    _line_outside: "line 9 does not exist",
    _line_zero: "line 0 does not exist",
    _column_outside: "column 6 does not exist",
    lambda folder: ["-"]: "standard input is empty",
    lambda folder: [*_line_outside(folder)[:1], "--column", "1"]: "--column needs --line",
    lambda folder: [*_line_outside(folder)[:1], "--language", "pyton"]: "unknown language 'pyton'",
    lambda folder: [*_line_outside(folder)[:1], "--output", "x"]: "--output needs --positions",
    lambda folder: ["a.py", "--positions", "x"]: "FILE stands in each line of --positions already",
    lambda folder: [*_line_outside(folder)[:1], "--max-tokens", "0"]: "max_tokens must be an integer from 1 to 4096",
}


@pytest.mark.parametrize(("make", "says"), BAD_INPUT.items(), ids=BAD_INPUT.values())
def test_bad_input_is_one_line_and_exit_code_2(guiderail: Run, make: Callable[[Path], list[object]], says: str) -> None:
    """Whatever the person got wrong is said in one line, before any model is loaded."""
    result = guiderail("complete", *make(Path.cwd()))
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert says in result.err
    assert result.err.startswith("guiderail: ")


@pytest.mark.e2e
@pytest.mark.parametrize("make", [_missing, _binary, _line_outside])
def test_bad_input_of_a_real_process_has_no_traceback(process: Run, make: Callable[[Path], list[object]]) -> None:
    """The same from outside: one line, code 2."""
    result = process("complete", *make(Path.cwd()))
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert "Traceback" not in result.err


@pytest.mark.e2e
def test_an_unknown_model_is_one_line(process: Run, source: Path) -> None:
    """A model that is nowhere fails in one line that names it."""
    result = process("complete", source, "--model", "nobody/nothing-of-this-name")
    assert (result.code in {1, 2}, result.out, result.err.count("\n")) == (True, "", 1), result.err
    assert "nobody/nothing-of-this-name" in result.err


@pytest.mark.e2e
@pytest.mark.usefixtures("small")
def test_a_real_process_completes_and_its_standard_error_is_empty(process: Run, source: Path) -> None:
    """The whole way from a shell: only the suggestion, no warnings, code 0."""
    result = process("complete", source, "--line", "5", "--max-tokens", "4")
    assert (result.code, result.err) == (0, "")
    assert result.out.strip()


@pytest.mark.e2e
@pytest.mark.usefixtures("small")
def test_a_closed_pipe_is_quiet(source: Path) -> None:
    """`guiderail complete … | head -c 0` says nothing."""
    command = [*SCRIPT, "complete", str(source), "--line", "5", "--max-tokens", "4"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(60) == 141


@pytest.mark.e2e
@pytest.mark.usefixtures("small")
def test_ctrl_c_ends_a_long_decode(source: Path) -> None:
    """SIGINT during the work gives one line and code 130."""
    many = "\n".join(json.dumps({"file": str(source), "line": 5, "column": 3, "id": n}) for n in range(3000))
    Path("many.jsonl").write_text(many, encoding="utf-8")
    command = [*SCRIPT, "complete", "--positions", "many.jsonl", "--output", "out.jsonl"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        wait_for(lambda: Path("out.jsonl").exists() and Path("out.jsonl").stat().st_size > 0, running)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert (running.returncode, out, err) == (130, b"", b"guiderail: interrupted\n")
    rows = Path("out.jsonl").read_text(encoding="utf-8")
    assert rows.endswith("\n")
    assert all(json.loads(row) for row in rows.splitlines())


def wait_for(condition: Callable[[], bool], process: "subprocess.Popen[bytes]", timeout: float = 60) -> None:
    """Poll until ``condition`` holds; fail when the process ends first."""
    deadline = time.monotonic() + timeout
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"ended with {process.poll()}: {process.stderr and process.stderr.read()!r}")
        time.sleep(0.02)


@pytest.mark.e2e
@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs pseudo terminals")
def test_a_terminal_as_standard_input_is_not_waited_for() -> None:
    """Without FILE and with nothing piped in, the command fails instead of waiting."""
    master, slave = os.openpty()
    try:
        done = subprocess.run([*SCRIPT, "complete"], stdin=slave, capture_output=True, timeout=30, check=False)
    finally:
        os.close(master)
        os.close(slave)
    assert done.returncode == 2
    assert done.stderr.startswith(b"guiderail: nothing to complete")
