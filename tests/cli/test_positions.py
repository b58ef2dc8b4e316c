"""The laws of many positions: every row once, whatever happens in between."""

import json
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.cli.positions import ResumeError, finished, read_tasks
from tests.cli.conftest import SCRIPT, Result
from tests.cli.test_complete import schema, wait_for  # noqa: F401 (schema is a fixture)

Run = Callable[..., Result]
IDENTITY = {"version": "1", "seed": 0}
KEY = "0123456789abcdef"


def write_positions(positions: list[Any], name: str = "in.jsonl") -> Path:
    lines = (position if isinstance(position, str) else json.dumps(position) for position in positions)
    Path(name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return Path(name)


def rows(path: Path | str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def essence(row: dict[str, Any]) -> Any:
    """A row without what differs between two runs: times, and what the cache held."""
    texts = [(s["text"], s["finish_reason"], s["tokens"]) for s in row.get("suggestions", ())]
    return row["key"], row.get("id"), row["file"], texts, row.get("error")


@pytest.mark.usefixtures("small")
class TestRuns:
    """Whole runs with the tiny model."""

    def test_each_position_gets_a_row(
        self,
        guiderail: Run,
        source: Path,
        schema: dict[str, Any],  # noqa: F811
    ) -> None:
        """Rows come in the input's order, with its ids, and are valid under the schema of --json."""
        source_name = source.name
        positions = [
            {"file": source_name, "line": 5, "column": 2, "id": "a", "max_tokens": 3},
            {"file": source_name, "line": 2, "column": 17, "id": 7, "until": "tokens", "max_tokens": 2},
        ]
        given = "--positions", write_positions(positions), "--output", "out.jsonl"
        result = guiderail("complete", *given, "--verdict", "off")  # all is shown that was written
        assert result == Result(0, "", "2 positions: 2 answered now\n")
        found = rows("out.jsonl")
        assert [row["id"] for row in found] == ["a", 7]
        assert all(row["suggestions"][0]["tokens"] <= limit for row, limit in zip(found, (3, 2), strict=True))
        for row in found:
            jsonschema.validate({key: row[key] for key in row.keys() - {"id", "key", "settings"}}, schema)

    def test_a_bad_position_is_a_row_and_stops_nobody(self, guiderail: Run, source: Path) -> None:
        """Each kind of bad line has an error row, the good one is answered, and the exit code is 1."""
        good = {"file": source.name, "line": 1, "column": 0, "max_tokens": 1}
        bad = [
            '{"file": "app.py", "line"',
            "[1, 2]",
            {"line": 1, "column": 0},
            {"file": source.name, "line": "1", "column": 0},
            {"file": source.name, "line": True, "column": 0},
            {"file": "none.py", "line": 1, "column": 0},
            {"file": source.name, "line": 99, "column": 0},
            {**good, "until": "page"},
            {**good, "max_tokens": 0},
            {**good, "colour": 1},
            {**good, "language": "pyton"},
        ]
        result = guiderail("complete", "--positions", write_positions([*bad, good]), "--output", "out.jsonl")
        assert (result.code, result.err) == (1, "12 positions: 12 answered now, 11 with an error\n")
        found = rows("out.jsonl")
        assert ["error" in row for row in found] == [True] * 11 + [False]
        assert all(row["error"]["message"] and row["error"]["remedy"] for row in found[:-1])

    def test_equal_positions_are_each_answered(self, guiderail: Run, source: Path) -> None:
        """A position that stands twice in the input has two rows, and a second run adds none."""
        position = {"file": source.name, "line": 1, "column": 0, "max_tokens": 1}
        command = ("complete", "--positions", write_positions([position, position]), "--output", "out.jsonl")
        guiderail(*command)
        before = Path("out.jsonl").read_bytes()
        assert len({row["key"] for row in rows("out.jsonl")}) == 2
        assert guiderail(*command) == Result(0, "", "2 positions: 0 answered now, 2 were done before\n")
        assert Path("out.jsonl").read_bytes() == before

    def test_standard_input_to_standard_output(self, guiderail: Run, source: Path) -> None:
        """Positions can come from a pipe and rows go to one."""
        line = json.dumps({"file": source.name, "line": 1, "column": 0, "max_tokens": 1})
        result = guiderail("complete", "--positions", "-", stdin=line.encode())
        assert result.code == 0
        assert json.loads(result.out)["position"] == {"line": 1, "column": 0}

    def test_other_settings_are_refused(self, guiderail: Run, source: Path) -> None:
        """A file is only continued with the settings that began it; the number of threads is free."""
        position = {"file": source.name, "line": 1, "column": 0, "max_tokens": 1}
        command = ("complete", "--positions", write_positions([position]), "--output", "out.jsonl")
        assert guiderail(*command).code == 0
        assert guiderail(*command, "--threads", 2).code == 0
        result = guiderail(*command, "--temperature", 0.5)
        assert result.code == 2
        assert "out.jsonl was made with temperature = 0.0, not 0.5" in result.err

    def test_other_weights_in_the_same_folder_are_refused(
        self, guiderail: Run, source: Path, small: Path, tmp_path: Path
    ) -> None:
        """Two checkpoints of one name and shape do not answer into one file."""
        folder = Path(shutil.copytree(small, tmp_path / "checkpoint"))
        position = {"file": source.name, "line": 1, "column": 0, "max_tokens": 1}
        command = ("complete", "--model", folder, "--positions", write_positions([position]), "--output", "out.jsonl")
        assert guiderail(*command).code == 0
        assert guiderail(*command).code == 0
        before = Path("out.jsonl").read_bytes()
        weights = bytearray((folder / "model.safetensors").read_bytes())
        weights[-1] ^= 1
        (folder / "model.safetensors").write_bytes(weights)
        result = guiderail(*command)
        assert result.code == 2
        assert "out.jsonl was made with weights = " in result.err
        assert Path("out.jsonl").read_bytes() == before

    @pytest.mark.e2e
    def test_a_killed_run_resumes_to_the_same_rows(self, guiderail: Run, process: Run, source: Path) -> None:
        """After kill -9 and a torn line the same command ends with the rows of an undisturbed run."""
        places = [(line, column, limit) for limit in range(1, 16) for line in (1, 2, 5) for column in (0, 3, 4)]
        positions = [
            {"file": source.name, "line": line, "column": column, "max_tokens": limit, "id": number}
            for number, (line, column, limit) in enumerate(places)
        ]
        command = ["complete", "--positions", str(write_positions(positions)), "--output"]
        with subprocess.Popen([*SCRIPT, *command, "out.jsonl"], stderr=subprocess.PIPE) as running:
            wait_for(lambda: Path("out.jsonl").exists() and len(rows_so_far("out.jsonl")) >= 5, running)
            running.send_signal(signal.SIGKILL)
        torn = rows_so_far("out.jsonl")
        assert 5 <= len(torn) < len(positions)
        with Path("out.jsonl").open("ab") as file:
            file.write(b'{"key": "torn')
        resumed = process(*command, "out.jsonl")
        assert resumed.code == 0
        assert f"{len(torn)} were done before" in resumed.err
        assert Path("out.jsonl").read_bytes().splitlines()[: len(torn)] == torn
        assert guiderail(*command, "whole.jsonl").code == 0
        assert [essence(row) for row in rows("out.jsonl")] == [essence(row) for row in rows("whole.jsonl")]


def rows_so_far(path: str) -> list[bytes]:
    """The whole lines of a file that is being written."""
    return Path(path).read_bytes().split(b"\n")[:-1]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--positions", "none.jsonl"], "cannot read none.jsonl"),
        (["--positions", "binary.jsonl"], "binary.jsonl is not UTF-8"),
        (["--positions", "in.jsonl", "--output", "foreign.txt"], "line 1 of foreign.txt was not written by guiderail"),
        (["--positions", "in.jsonl", "--output", "/dev/null"], "/dev/null is not a file that can be continued"),
        (["--positions", "in.jsonl", "--output", "none/out.jsonl"], "cannot write none/out.jsonl"),
        (["--positions", "in.jsonl", "--output", "."], ". is not a file that can be continued"),
        (["--positions", "in.jsonl", "--output", "link.jsonl"], "link.jsonl holds the positions themselves"),
    ],
)
def test_files_that_do_not_serve(guiderail: Run, args: list[str], says: str) -> None:
    """Unreadable input and somebody else's output are refused before a model is loaded, and left as they are."""
    write_positions([{"file": "a.py", "line": 1, "column": 0}])
    Path("binary.jsonl").write_bytes(b"\xff\xfe\0")
    Path("foreign.txt").write_text("mine\n", encoding="utf-8")
    Path("link.jsonl").symlink_to("in.jsonl")
    result = guiderail("complete", *args)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert says in result.err
    assert Path("foreign.txt").read_text(encoding="utf-8") == "mine\n"


ROW = json.dumps({"key": KEY, "settings": IDENTITY}).encode() + b"\n"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"one line and no end", 1),
        (b"line one\nprecious tail", 1),
        (b"\n", 1),
        (b'{"key": "value", "settings": {}}', 1),
        (b'{"key": "value", "settings": {}}\n', 1),
        (b"\x89PNG\r\n\x1a\n\0\xff", 1),
        (b'{"key": "0123456789abcdef", "\xff\xfe"}\nrest', 1),
        (ROW + b"\xff\xfe\0\n", 2),
        (ROW + b"[" * 100_000 + b"\nrest", 2),
        (ROW + b"a note of mine\nand another", 2),
    ],
)
def test_a_file_of_somebody_else_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes, line: int) -> None:
    """Text, JSON or bytes that we did not write, wherever they stand, are never cut, with or without a line end."""
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(ResumeError, match=f"line {line} of .* was not written by guiderail"):
        finished(path, IDENTITY)
    assert path.read_bytes() == content


def test_a_torn_line_stays_where_the_run_cannot_go_on(tmp_path: Path) -> None:
    """A file that is refused for its settings is not even repaired."""
    path = tmp_path / "out.jsonl"
    path.write_bytes(ROW + b'{"key": "torn')
    with pytest.raises(ResumeError):
        finished(path, {**IDENTITY, "seed": 1})
    assert path.read_bytes() == ROW + b'{"key": "torn'


def test_the_keys_survive_a_reordered_input() -> None:
    """A position keeps its key when lines move or its fields change their order."""
    first = read_tasks(str(write_positions(['{"file": "a", "line": 1}', "{}", "no", "{}"])))
    second = read_tasks(str(write_positions(["no", "{}", '{ "line": 1, "file": "a"}', "", "{}"])))
    assert {task.key for task in first} == {task.key for task in second}
    assert len({task.key for task in first}) == 4


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_file_cut_anywhere_keeps_exactly_its_whole_rows(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    """Whatever byte a kill or a full disk stops at, whole rows stay, the torn one goes."""
    lines = [json.dumps({"key": f"{n:016x}", "settings": IDENTITY, "x": "ü" * n}) + "\n" for n in range(6)]
    whole = "".join(lines).encode()
    cut = data.draw(st.integers(0, len(whole)))
    path = tmp_path_factory.mktemp("cut") / "out.jsonl"
    path.write_bytes(whole[:cut])
    done = finished(path, IDENTITY)
    kept = path.read_bytes()
    assert whole.startswith(kept)
    assert kept == b"" or kept.endswith(b"\n")
    assert len(done) == kept.count(b"\n") == whole[:cut].count(b"\n")


def test_a_long_torn_line_is_cut(tmp_path: Path) -> None:
    """However long the torn line is, the rows before it stay."""
    path = tmp_path / "out.jsonl"
    row = json.dumps({"key": KEY, "settings": IDENTITY}) + "\n"
    path.write_text(row + "x" * 200_000, encoding="utf-8")
    assert finished(path, IDENTITY) == {KEY: False}
    assert path.read_text(encoding="utf-8") == row


def test_an_older_version_s_rows_are_not_mixed(tmp_path: Path) -> None:
    """The version that made a row is one of its settings."""
    path = tmp_path / "out.jsonl"
    path.write_text(json.dumps({"key": KEY, "settings": IDENTITY}) + "\n", encoding="utf-8")
    with pytest.raises(ResumeError, match="was made with version = '1', not '2'"):
        finished(path, {**IDENTITY, "version": "2"})
