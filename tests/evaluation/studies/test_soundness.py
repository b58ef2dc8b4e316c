"""True code replayed through the monitors."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.studies.soundness import Run, Verdict, folder_files, positions, replay, row, trust_rows
from guiderail.monitors.analysis.server import Server
from guiderail.monitors.dereference import Dereference

FAKE = Path(__file__).parents[2] / "monitors" / "analysis" / "fake_server.py"
TEXT = "import os\n\n\nclass A:\n    def f(self, größe):\n"
TEXT += "        self.new = größe.half\n        return f(os.path.join(x))  # a. b\n"


def test_positions_are_triggers(tmp_path: Path) -> None:
    """Every position triggers the monitor in the file as it stands, comments do not; the draw depends on the seed."""
    files = [SourceFile("p", "p/a.py", TEXT)]
    found = positions(files, tmp_path, Dereference(), 10, 0)
    assert [one.truth[:4] for one in found] == ["new ", "half", "path", "join"]
    draws = [[one.offset for one in positions(files, tmp_path, Dereference(), 2, 1)] for _ in range(2)]
    assert draws[0] == draws[1]


def test_the_rest_of_the_line_is_hidden(tmp_path: Path) -> None:
    """The analyser sees the text up to the trigger and what stands below its line."""
    (found,) = positions([SourceFile("p", "a.py", "x.y = 1\nz = 2\n")], tmp_path, Dereference(), 10, 0)
    assert found.trigger.question.text == "x.\nz = 2\n"


def test_a_replay_counts_what_is_forbidden(tmp_path: Path) -> None:
    """A list without the true name forbids it, but where a chain of targets may go on, or the name is being defined."""
    server = Server(name="fake", languages=("python",), command=(sys.executable, str(FAKE), "good"), obtain="")
    files = [SourceFile("p", "a.py", TEXT)]
    (tmp_path / "a.py").write_text(TEXT)
    run = replay(positions(files, tmp_path, Dereference(), 10, 0), tmp_path, server)
    assert [v.right for v in run.verdicts] == [True, True, False, False]
    figures = row("python", "dereference", "fake", [run], 0)
    assert (figures["triggers"], figures["constrained"], figures["truth_forbidden"]) == (4, 4, 2)
    assert figures["forbidden"][0].startswith("a.py:")


def test_abstentions_are_counted_by_reason() -> None:
    """What abstained is neither allowed nor forbidden, but whether it would have been right is counted."""
    about: dict[str, Any] = {"package": "p", "path": "a.py", "offset": 0, "monitor": "m", "truth": "n"}
    verdicts = [
        Verdict(**about, abstained="no answer: died"),
        Verdict(**about, abstained="dynamic", right=False, causes=frozenset({"metaclass"})),
        Verdict(**about, right=True, size=4),
        replace(Verdict(**about), monitor="other", right=False),
    ]
    figures = row("python", "m", "ty", [Run(verdicts, 0.1, 10.0)], 0)
    assert (figures["triggers"], figures["constrained"], figures["truth_allowed"]) == (3, 1, 1)
    assert figures["abstained"] == {"no answer: died": 1, "dynamic": 1}
    assert figures["causes"] == {"metaclass": (0, 1)}
    assert figures["set_size"] == 4
    assert figures["forbidden_share"]["share"] == 0
    assert trust_rows([json.loads(json.dumps(figures))]) == [
        {"language": "python", "monitor": "m", "analyser": "ty", "situation": "dynamic", "right": 0, "of": 1},
        {"language": "python", "monitor": "m", "analyser": "ty", "situation": "known", "right": 1, "of": 1},
    ]


def test_a_folder_is_read_by_its_language(tmp_path: Path) -> None:
    """Files of the language are found, those that tools installed are not."""
    for name in ("a.ts", "b.py", "node_modules/c.ts", "src/d.ts"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x\n")
    assert [file.path for file in folder_files(tmp_path, "typescript")] == ["a.ts", "src/d.ts"]
