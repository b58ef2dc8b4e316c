"""True code replayed through the monitor."""

import sys
from pathlib import Path

from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.soundness import Position, Run, Verdict, positions, replay, row
from guiderail.monitors.analysis.server import Server, server_named

FAKE = Path(__file__).parents[1] / "monitors" / "analysis" / "fake_server.py"
TEXT = "import os\n\n\nclass A:\n    def f(self, größe):\n"
TEXT += "        self.new = größe.half\n        return f(os.path.join(x))\n"


def test_positions_are_names_behind_dots() -> None:
    """Every position is an attribute's name, found by code points; the draw depends on the seed alone."""
    files = [SourceFile("p", "p/a.py", TEXT)]
    found = positions(files, 10, 0)
    assert [TEXT[one.start : one.end] for one in found] == ["new", "half", "path", "join"]
    assert positions(files, 2, 1) == positions(files, 2, 1)


def test_a_replay_counts_what_is_forbidden(tmp_path: Path) -> None:
    """A list without the true name forbids it, except where the name is being defined; one with it allows it."""
    server = Server(name="fake", languages=("python",), command=(sys.executable, str(FAKE), "good"), obtain="")
    files = [SourceFile("p", "a.py", TEXT)]
    (tmp_path / "a.py").write_text(TEXT)
    run = replay(positions(files, 10, 0), tmp_path, server)
    assert {v.name: v.allowed for v in run.verdicts} == {"new": True, "half": False, "path": False, "join": False}
    figures = row(server, [run], 0)
    assert (figures["triggers"], figures["constrained"], figures["truth_forbidden"]) == (4, 4, 3)


def test_abstentions_are_counted_by_reason() -> None:
    """What did not trigger is no trigger, what abstained is neither allowed nor forbidden."""
    about = {"package": "p", "path": "a.py", "start": 0, "name": "n"}
    verdicts = [
        Verdict(**about, triggered=False),
        Verdict(**about, triggered=True, abstained="dynamic"),
        Verdict(**about, triggered=True, allowed=True, size=4),
    ]
    figures = row(server_named("ty"), [Run(verdicts, 0.1, 10.0)], 0)
    assert (figures["positions"], figures["triggers"], figures["constrained"]) == (3, 2, 1)
    assert figures["abstained"] == {"dynamic": 1}
    assert figures["set_size"] == 4
    assert figures["forbidden_share"]["share"] == 0


def test_a_position_is_where_the_name_stands() -> None:
    """A position names its file and the offsets of the name."""
    file = SourceFile("p", "a.py", "x.y")
    assert Position(file, 2, 3) in positions([SourceFile("p", "a.py", "x.y")], 1, 0)
