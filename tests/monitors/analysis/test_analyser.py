"""An analyser answers, or says that it cannot, whatever its server does."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from guiderail.monitors.analysis import analyser as module
from guiderail.monitors.analysis import client, inbox
from guiderail.monitors.analysis.analyser import ServerAnalyser
from guiderail.monitors.analysis.answers import NoAnswer
from guiderail.monitors.analysis.pool import ServerPool, analyser_of
from guiderail.monitors.analysis.requests import DIAGNOSTICS, MEMBERS, Question
from guiderail.monitors.analysis.server import Server, Told, Workspace
from guiderail.monitors.analysis.servers import BASEDPYRIGHT, JEDI, PYREFLY, TY
from guiderail.monitors.analysis.unsaved import UnsavedDocuments
from guiderail.text.document import Document

FAKE = Path(__file__).parent / "fake_server.py"
pytestmark = pytest.mark.e2e


def fake(mode: str) -> Server:
    return Server(name="fake", languages=("python",), command=(sys.executable, str(FAKE), mode), obtain="")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., ServerAnalyser]]:
    """Start analysers that are ended with the test; what they tell is in `notices`."""
    started: list[ServerAnalyser] = []

    def make(server: Server | str) -> ServerAnalyser:
        notices: list[str] = []
        chosen = fake(server) if isinstance(server, str) else server
        started.append(ServerAnalyser(chosen, tmp_path, notices.append))
        started[-1].notices = notices  # pyright: ignore[reportAttributeAccessIssue]
        return started[-1]

    yield make
    for one in started:
        one.stop()


def ask(analyser: ServerAnalyser, text: str = "item = 1\nitem.", seconds: float = 20) -> list[str]:
    path = analyser.root / "a.py"
    answer = analyser.ask(MEMBERS, Question(path, "python", text, len(text))).result(seconds)
    return [member.name for member in answer.items]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition: Callable[[], bool], seconds: float = 5) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end and not condition():
        time.sleep(0.02)
    return condition()


def test_the_server_sees_every_edit(start) -> None:
    """Through insertions, deletions, line ends and characters of every width the server sees our text."""
    analyser = start("good")
    texts = ["ab.", "ab.cd\n\r\nef.", "é𝒳 = ab\r\nef.", "é𝒳y = ab\n", "é𝒳.\nab", "", "x\r\n\r\ny.", "x\r\ny."]
    for text in texts:
        line = text.replace("\r\n", "\n").split("\n")[-1]
        assert ask(analyser, text)[-1] == "at_" + "".join(c if c.isalnum() or c == "_" else "_" for c in line)


def test_a_server_that_nothing_can_be_told_works_without_it(start) -> None:
    """What it is told comes from the project's files, and no file may cost the analyser."""

    def told(workspace: Workspace) -> Told:
        raise TypeError(f"odd files in {workspace.root}")

    assert ask(start(replace(fake("good"), told=told)), "ab.")[-1] == "at_ab_"


def test_the_same_question_is_asked_once(start) -> None:
    """An answer is kept: asked again after the server died, it comes from memory."""
    analyser = start("good")
    first = ask(analyser)
    os.kill(analyser.pid, signal.SIGKILL)
    assert ask(analyser) == first


def test_a_question_on_its_way_is_not_sent_again(start) -> None:
    """Who asks while the answer is on its way gets the same one, also if the first one gives up."""
    analyser = start("late")
    analyser.warm_up().result(20)
    question = Question(analyser.root / "a.py", "python", "ab.", 3)
    first, second = analyser.ask(MEMBERS, question), analyser.ask(MEMBERS, question)
    first.cancel()
    assert len(second.result(20).items) == 2
    assert len(analyser._answers) == 1


def test_written_files_void_what_was_answered(start) -> None:
    """When another file is written the next question is sent again."""
    analyser = start("good")
    ask(analyser)
    analyser.files_changed([analyser.root / "b.py"]).result(20)
    assert not analyser._answers


def test_a_server_is_told_which_files_were_written_and_which_are_gone(start) -> None:
    """Of a file that is there it hears that it was created and changed, of another that it was deleted."""
    analyser = start("good")
    ask(analyser)
    (analyser.root / "b.py").touch()
    analyser.files_changed([analyser.root / "b.py", analyser.root / "c.py"]).result(20)
    assert ask(analyser)[:3] == ["b1", "b2", "c3"]


def test_an_answer_right_behind_a_change_is_not_kept_for_long(start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server may still answer from the old file for a while: its answer is asked for again."""
    monkeypatch.setattr(module, "SETTLE_S", 0.05)
    analyser = start("good")
    ask(analyser)
    analyser.files_changed([analyser.root / "b.py"]).result(20)
    ask(analyser)
    assert wait_until(lambda: not analyser._answers)


@pytest.mark.parametrize("server", (PYREFLY, TY, BASEDPYRIGHT, JEDI), ids=lambda server: server.name)
def test_real_servers_follow_a_change_of_branch(start, server: Server) -> None:
    """What other tools do to the other files of a project is in the answers, at the latest after a while."""
    if server.find() is None:
        pytest.skip(f"{server.name} is not installed: {server.obtain}")
    analyser = start(server)
    other = analyser.root / "other.py"

    def offers(*names: str) -> bool:
        found = {name for name in ask(analyser, "import other\n\nother.", 60) if name.startswith("branch_")}
        return found == set(names)

    other.write_text("branch_one = 1\n")
    assert offers("branch_one")
    other.write_text("branch_two = 1\nbranch_three = 1\n")
    analyser.files_changed([other]).result(20)
    assert wait_until(lambda: offers("branch_two", "branch_three"), 30)
    other.unlink()
    analyser.files_changed([other]).result(20)
    assert wait_until(offers, 30)


def test_diagnostics_are_those_of_the_text_shown(start) -> None:
    """What a server sends unasked is taken for the version it is about, or after it; offsets are code points."""
    for mode in ("good", "unnumbered"):
        analyser = start(mode)
        for text, found in (("é𝒳 wrong", [(3, 8)]), ("fine", []), ("wrong\r\n𝒳 wrong", [(0, 5), (9, 14)])):
            answer = analyser.ask(DIAGNOSTICS, Question(analyser.root / "a.py", "python", text, 0)).result(20)
            assert [(one.start, one.end) for one in answer] == found
            assert all(one.severity == "error" and one.message == "it is wrong" for one in answer)


def test_a_server_without_diagnostics_is_no_hung_server(start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence about a file is no answer, and no reason to end the server."""
    monkeypatch.setattr(inbox, "WAIT_S", 0.2)
    analyser = start("late")
    with pytest.raises(NoAnswer, match="no diagnostics"):
        analyser.ask(DIAGNOSTICS, Question(analyser.root / "a.py", "python", "wrong", 0)).result(20)
    assert analyser.state == "ready"


@pytest.mark.parametrize(
    ("mode", "reason"), [("dies", "died"), ("garbage", "died"), ("nonsense", "garbage"), ("error", "error")]
)
def test_misbehaviour_is_no_answer(start, mode: str, reason: str) -> None:
    """A server that dies, talks nonsense or fails gives no answer, soon, and the reason is named."""
    with pytest.raises(NoAnswer, match=reason):
        ask(start(mode))


def test_a_dead_server_is_started_anew_and_told_once(start) -> None:
    """After a crash questions fail until the pause is over, then are answered again; a person hears of it once."""
    analyser = start("good")
    ask(analyser)
    for _ in range(2):
        os.kill(analyser.pid, signal.SIGKILL)
        assert wait_until(lambda: not analyser._client or not analyser._client.alive)
        with pytest.raises(NoAnswer, match=r"died|restarting"):
            ask(analyser, f"new = {time.monotonic()}\nnew.")
        analyser._retry_at = 0.0
        assert "item" in ask(analyser, f"item = {time.monotonic()}\nitem.")
    assert len(analyser.notices) == 1


def test_pauses_grow(start) -> None:
    """A server that dies at every question is started less and less often."""
    analyser = start("dies")
    pauses = []
    for n in range(3):
        analyser._retry_at = 0.0
        with pytest.raises(NoAnswer):
            ask(analyser, f"x{n}.")
        pauses.append(analyser._retry_at - time.monotonic())
    assert pauses[0] < pauses[1] < pauses[2]


@pytest.mark.parametrize("mode", ["deaf", "good"])
def test_a_hung_server_is_ended(start, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    """A server that never answers, or is stopped, is killed after a while and replaced."""
    monkeypatch.setattr(module, "FIRST_ANSWER_S", 0.5)
    analyser = start(mode)
    assert analyser.warm_up().result(20) is None
    pid = analyser.pid
    if mode == "good":
        os.kill(pid, signal.SIGSTOP)
    with pytest.raises(NoAnswer, match="hung"):
        ask(analyser)
    assert wait_until(lambda: not is_alive(pid))


def test_questions_do_not_queue_behind_a_hung_server(start) -> None:
    """While a server hangs only a few questions wait for it, the others fail at once."""
    analyser = start("deaf")
    analyser.warm_up().result(20)
    waiting = [analyser.ask(MEMBERS, Question(analyser.root / "a.py", "python", f"{n}.", 2)) for n in range(40)]
    assert wait_until(lambda: sum(one.done() for one in waiting) >= 20)


def test_a_program_that_is_no_server(start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that is missing, ends at once, or never shakes hands cannot be started."""
    monkeypatch.setattr(client, "START_S", 0.5)
    for command in (("no-such-program",), (sys.executable, "-c", ""), (sys.executable, str(FAKE), "mute")):
        with pytest.raises(NoAnswer, match="cannot start"):
            ask(start(Server(name="none", languages=("python",), command=command, obtain="")))


def test_a_leaking_server_is_replaced(start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that holds more memory than it may is ended, told of once, and started anew."""
    monkeypatch.setattr(client, "MEMORY_EVERY_S", 0.05)
    analyser = start(replace(fake("good"), memory_mb=1))
    with pytest.raises(NoAnswer):
        for n in range(1000):
            ask(analyser, f"x{n}.")
    assert "held more than 1 MB" in analyser.notices[0]
    analyser.server = fake("good")
    analyser._retry_at = 0.0
    assert ask(analyser, "item = 2\nitem.")


def test_an_empty_answer_of_a_cold_server_is_asked_for_again(start) -> None:
    """A server that still reads the project answers with nothing at first: that is not believed."""
    assert "item" in ask(start(replace(fake("cold"), retries=True)))
    assert not ask(start("cold"))


def test_stop_leaves_nothing(start) -> None:
    """A stopped analyser has no process, and answers no more."""
    analyser = start("good")
    ask(analyser)
    pid = analyser.pid
    analyser.stop()
    assert wait_until(lambda: not is_alive(pid))
    with pytest.raises(NoAnswer, match="stopped"):
        ask(analyser, "new.")


def test_stopped_while_it_is_being_told_is_no_news(start, caplog: pytest.LogCaptureFixture) -> None:
    """An analyser that is stopped before its process runs, as a short command does, fails without a word."""
    begun, stopped = threading.Event(), threading.Event()

    def told(workspace: Workspace) -> Told:
        begun.set()
        stopped.wait(20)
        (workspace.scratch / "settings.toml").write_text("", encoding="utf-8")  # the folder is gone
        return Told()

    analyser = start(replace(fake("good"), told=told))
    answer = analyser.warm_up()
    assert begun.wait(20)
    analyser.stop()
    stopped.set()
    with contextlib.suppress(NoAnswer):
        answer.result(20)
    assert (analyser.notices, caplog.messages, analyser.pid) == ([], [], None)


def test_an_end_is_no_news(start, caplog: pytest.LogCaptureFixture) -> None:
    """Ending analysers, well or by force, is not told on standard error, not by asyncio either."""
    for number in range(6):
        analyser = start("good")
        ask(analyser)
        if number % 2:
            os.kill(analyser.pid, signal.SIGKILL)
            assert wait_until(lambda analyser=analyser: analyser._client is None or not analyser._client.alive)
        analyser.stop()
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []


CHILD = """
import sys, time
from pathlib import Path
from guiderail.monitors.analysis.analyser import ServerAnalyser
from guiderail.monitors.analysis.requests import MEMBERS, Question
from guiderail.monitors.analysis.servers import server_named
analyser = ServerAnalyser(server_named({name!r}), Path({root!r}))
path, text = Path({root!r}) / {file!r}, "int a; a."
analyser.ask(MEMBERS, Question(path, {language!r}, text, len(text))).result(60)
print(analyser.pid, flush=True)
{then}
"""


def group(leader: int) -> set[int]:
    """The processes of a group that are alive."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == leader and fields[0] != "Z":
            found.add(int(folder.name))
    return found


@pytest.mark.parametrize(
    ("name", "language", "end"),
    [
        ("pyrefly", "python", "exit"),
        ("pyrefly", "python", "error"),
        ("pyrefly", "python", "kill"),
        ("pyrefly", "python", "terminate"),
        ("tsc", "typescript", "kill"),
        ("javac", "java", "kill"),
        ("jedi", "python", "kill"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help against orphans is Linux's")
def test_no_orphans(tmp_path: Path, installed, name: str, language: str, end: str) -> None:
    """However the parent ends, SIGKILL included, nothing of a real server outlives it, its own children neither."""
    installed(name)
    then = {"exit": "", "error": "1 / 0"}.get(end, "time.sleep(60)")
    file = {"python": "a.py", "typescript": "a.ts", "java": "A.java"}[language]
    code = CHILD.format(name=name, language=language, file=file, root=str(tmp_path), then=then)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        if end in {"kill", "terminate"}:
            assert group(pid)
            parent.send_signal(signal.SIGKILL if end == "kill" else signal.SIGTERM)
        parent.wait(20)
    assert wait_until(lambda: not group(pid), 15)


@pytest.mark.parametrize("server", (PYREFLY, TY, BASEDPYRIGHT, JEDI), ids=lambda server: server.name)
def test_real_servers_know_members(start, server: Server) -> None:
    """Every Python analyser that is installed lists a class's own members, and none for an unknown type."""
    if server.find() is None:
        pytest.skip(f"{server.name} is not installed: {server.obtain}")
    analyser = start(server)
    source = "class Point:\n    def __init__(self):\n        self.left = 1\n\n    def area(self):\n        return self."
    assert {"left", "area"} <= set(ask(analyser, source, 60))
    unknown = ask(analyser, "def f(x):\n    return x.", 60)
    assert all(name.startswith("__") for name in unknown)


def test_the_server_sees_unsaved_texts_of_other_documents(tmp_path: Path) -> None:
    """As long as they are unsaved, as they are now, and the file that is asked about as the question says."""
    (tmp_path / "b.py").write_text("on_disk = 1\n")
    (tmp_path / "c.py").write_text("")
    unsaved = UnsavedDocuments()
    analyser = ServerAnalyser(TY, tmp_path, unsaved=unsaved)

    def members(path: str = "a.py", text: str = "import b\nb.") -> set[str]:
        question = Question(tmp_path / path, "python", text, len(text))
        found = analyser.ask(MEMBERS, question).result(60)
        return {one.name for one in found.items} & {"on_disk", "unsaved", "again"}

    try:
        assert members() == {"on_disk"}
        unsaved.take("b", Document("unsaved = 1\n", tmp_path / "b.py", "python"))
        assert members() == {"unsaved"}
        unsaved.take("b", Document("again = 1\n", tmp_path / "b.py", "python"))
        assert members() == {"again"}
        assert members("b.py", "on_disk = 1\nimport b\nb.") == {"on_disk"}
        assert members() == {"again"}
        unsaved.take("c", Document("{", tmp_path / "c.py", "json"))  # of another language
        unsaved.forget("b")
        assert members() == {"on_disk"}
    finally:
        analyser.stop()


def test_where_files_are_unsaved_one_is_asked_that_sees_them(tmp_path: Path) -> None:
    """Though another one is wanted; what neither sees, nobody judges."""
    if TY.find() is None or PYREFLY.find() is None:
        pytest.skip("ty and pyrefly are not installed")
    pool = ServerPool("pyrefly")
    try:
        found = partial(analyser_of, pool, "python", tmp_path)
        a, b = tmp_path / "a.py", tmp_path / "b.py"
        assert [one.name for path in (a, b) if (one := found(path))] == ["pyrefly", "pyrefly"]
        pool.unsaved.take("b", Document("def new(): ...\n", b, "python"))
        assert [one.name for path in (a, b) if (one := found(path))] == ["ty", "pyrefly"]
        pool.unsaved.forget("b")
        assert [one.name for path in (a, b) if (one := found(path))] == ["pyrefly", "pyrefly"]
    finally:
        pool.stop()


def test_a_server_that_sees_files_alone_says_that_it_overlooks_what_is_unsaved(tmp_path: Path) -> None:
    """Pyrefly; of another language, or of the file itself, nothing is overlooked."""
    unsaved = UnsavedDocuments()
    pyrefly, ty = (ServerAnalyser(server, tmp_path, unsaved=unsaved) for server in (PYREFLY, TY))
    unsaved.take("b", Document("x", tmp_path / "b.py", "python"))
    unsaved.take("c", Document("x", tmp_path / "c.go", "go"))
    assert pyrefly.overlooks(tmp_path / "a.py")
    assert not pyrefly.overlooks(tmp_path / "b.py")
    assert not ty.overlooks(tmp_path / "a.py")
    unsaved.forget("b")
    assert not pyrefly.overlooks(tmp_path / "a.py")
