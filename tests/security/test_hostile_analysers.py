"""Whatever an analyser sends, guiderail goes on: in bounded time and memory, with answers of the promised types."""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guiderail.monitors.analysis import analyser as analyser_module
from guiderail.monitors.analysis import client as client_module
from guiderail.monitors.analysis import inbox as inbox_module
from guiderail.monitors.analysis import wire as wire_module
from guiderail.monitors.analysis.analyser import ServerAnalyser
from guiderail.monitors.analysis.answers import (
    LONGEST_NAME,
    MOST_NAMES,
    Diagnostic,
    Members,
    NoAnswer,
    Signatures,
)
from guiderail.monitors.analysis.loop import shared
from guiderail.monitors.analysis.requests import (
    COMPLETIONS,
    DIAGNOSTICS,
    HOVER,
    MEMBERS,
    SIGNATURES,
    Question,
    Request,
)
from guiderail.monitors.analysis.server import Server
from guiderail.monitors.arguments import Arguments
from guiderail.monitors.cursor_context import CursorContext
from guiderail.monitors.dereference import Dereference
from guiderail.text.document import Document

HERE = Path(__file__).parent
pytestmark = [pytest.mark.e2e, pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")]
REQUESTS: tuple[Request[Any], ...] = (COMPLETIONS, MEMBERS, SIGNATURES, HOVER, DIAGNOSTICS)
# Many times what it takes, on a busy machine too; what these analysers do would go on for ever.
PATIENCE_S = 120
LAG_S = 30
# Of what only waiting ends: an answer that never comes, or that is none.
SILENT, SILENT_S = frozenset({"number-5", "nested", "bytes", "offers", "ignores"}), 2.0
# Who is ended, and what a person is told of it.
REASONS = {
    "huge": "a message of more than 32 MB", "promise": "a message of more than 32 MB",
    "length": "a message of more than 32 MB", "registers": "sends without end", "logs": "sends without end",
    "diagnostics": "sends without end", "garbage": "talks nonsense", "empty": "talks nonsense",
    "endless": "cannot be understood", "headers": "cannot be understood", "starts": "ended with code 1",
    "null": "cannot be started", "introduction": "cannot be started",
}  # fmt: skip
# The names that an answer still tells, beside what is no name or what was not asked for.
TOLD = {"commands": ["n0", "n1", "n2"], "twice": ["n0", "n1", "n2"], "ids": ["n0", "n1", "n2"], "surrogate": ["left"]}
RULED_ON = frozenset({"surrogate", "number-1", "types", "many", "long", "edits"})
MOST_MB = 1_500
WAYS = (
    "surrogate", *(f"number-{index}" for index in range(11)), "types", "nested", "tree", "huge", "promise", "negative",
    "length", "endless", "headers", "ids", "twice", "errors", "commands", "registers", "logs", "diagnostics", "garbage",
    "empty", "bytes", "objects", "many", "long", "edits", "exits", "starts", "introduction", "null", "offers",
    "children", "ignores",
)  # fmt: skip


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Make an analyser that misbehaves in a way; what it told a person is in `notices`, its processes in `pids`."""
    for limit in ("ANSWER_S", "FIRST_ANSWER_S"):
        monkeypatch.setattr(analyser_module, limit, PATIENCE_S)
    monkeypatch.setattr(client_module, "START_S", PATIENCE_S)
    monkeypatch.setattr(inbox_module, "WAIT_S", 1.0)
    monkeypatch.setattr(client_module, "STOP_S", 0.5)
    # Reached soon, however slowly this machine lets an analyser send.
    monkeypatch.setattr(wire_module, "MOST_GARBAGE", 200)
    monkeypatch.setattr(wire_module, "MOST_UNASKED", 2_000)
    monkeypatch.setattr(wire_module, "PERIOD_S", 10.0 * PATIENCE_S)
    (tmp_path / "pids").mkdir()
    made: list[ServerAnalyser] = []

    def make(way: str) -> ServerAnalyser:
        if way in SILENT:
            monkeypatch.setattr(analyser_module, "ANSWER_S", SILENT_S)
            monkeypatch.setattr(analyser_module, "FIRST_ANSWER_S", SILENT_S)
        command = (sys.executable, str(HERE / "hostile_analyser.py"), way, str(tmp_path / "pids"))
        server = Server(name="hostile", languages=("python",), command=command, obtain="")
        notices: list[str] = []
        made.append(ServerAnalyser(server, tmp_path, notices.append))
        made[-1].notices = notices  # pyright: ignore[reportAttributeAccessIssue]
        return made[-1]

    yield make
    for one in made:
        one.stop()


def is_alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def is_read(answer: Any) -> bool:
    """Whether an answer has the types that are promised of it, down to its parts, and only text that is text."""
    match answer:
        case str():
            return not any("\ud800" <= one <= "\udfff" for one in answer)
        case Members():
            assert len(answer.items) <= MOST_NAMES
            return all(
                is_read(one.name)
                and 0 < len(one.name) <= LONGEST_NAME
                and type(one.kind) is int
                and is_read(one.detail)
                for one in answer.items
            )
        case Signatures():
            return all(isinstance(text, str) for one in answer.items for text in (one.label, *one.parameters))
        case Diagnostic():
            return type(answer.start) is int and is_read(answer.code) and is_read(answer.message)
        case tuple():
            return all(map(is_read, answer))
    return False


def ask_all(analyser: ServerAnalyser) -> dict[str, Any]:
    """The answers to all kinds of questions, or why there is none; none takes long."""
    text, found = "value = 1\nvalue.", {}
    question = Question(analyser.root / "a.py", "python", text, len(text))
    for request in REQUESTS:
        try:
            found[request.name] = analyser.ask(request, question).result(PATIENCE_S)
        except NoAnswer as error:
            found[request.name] = str(error)
    return found


@pytest.mark.parametrize("way", WAYS)
def test_guiderail_goes_on(hostile: Any, tmp_path: Path, way: str) -> None:
    """Every question is answered, or refused with a reason; the loop of the others lives, and nothing is left.

    Who is ended, is ended for something that a person can read, and only once. Nobody can end us, or change or open
    anything, and the answer to what we asked still counts.
    """
    analyser = hostile(way)
    found = ask_all(analyser)
    assert all(is_read(answer) for answer in found.values()), found
    if way in TOLD:
        assert [member.name for member in found["members"].items] == TOLD[way]
    if way == "surrogate":  # a name that no text can hold is no name, and the list without it is not all that there is
        assert not found["members"].complete
        assert found["hover"].encode()
    if way in RULED_ON:
        monitors_rule(analyser)
    if way in REASONS:
        ask_all(analyser)
        assert len(analyser.notices) == 1
        assert REASONS[way] in analyser.notices[0]
    shared().submit(nothing()).result(LAG_S)
    analyser.stop()
    until = time.monotonic() + LAG_S
    while left := [path.name for path in (tmp_path / "pids").iterdir() if is_alive(path.name)]:
        assert time.monotonic() < until, left
        time.sleep(0.02)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 < MOST_MB
    assert len(analyser.notices) <= 1
    assert not (tmp_path / "pids" / "evil").exists()


def monitors_rule(analyser: ServerAnalyser) -> None:
    """What is read of such answers is fit for the monitors: they rule or abstain, and raise nothing."""
    for monitor, text in ((Dereference(), "value = 1\nvalue."), (Arguments(), "def f(a): ...\n\n\nf(")):
        snapshot = CursorContext(
            Document(text, language="python"), len(text), analyser.root / "a.py", root=analyser.root
        ).snapshot()
        trigger = monitor.trigger(snapshot)
        assert trigger is not None
        assert trigger.request is not None
        try:
            answer = analyser.ask(trigger.request, trigger.question).result(PATIENCE_S)
        except NoAnswer:
            continue
        restriction = trigger.interpret(answer)
        assert restriction.reason is not None or restriction.allows is not None


async def nothing() -> None:
    """What any other analyser might want of the loop."""


def test_who_does_not_read_is_ended(hostile: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a server does not read is not kept without end."""
    monkeypatch.setattr("guiderail.monitors.analysis.wire.MOST_UNREAD", 1 << 20)
    analyser = hostile("blind")
    analyser.warm_up().result(PATIENCE_S)
    client = analyser._client

    async def tell() -> None:
        client.show(analyser.root / "a.py", "python", "")
        waiting = asyncio.ensure_future(client.completion(0))  # from now on it does not read
        await asyncio.sleep(0.5)
        for number in range(40):
            client.show(analyser.root / "a.py", "python", str(number) * 200_000)
        with pytest.raises(ConnectionError):
            await waiting

    shared().submit(tell()).result(PATIENCE_S)
    assert client.ending == "does not read what it is told"
    assert not client.alive


def test_answers_kept_are_bounded(hostile: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large answers are forgotten sooner."""
    monkeypatch.setattr(analyser_module, "KEPT_BYTES", 1 << 20)
    analyser = hostile("long")
    for number in range(4):
        text = f"v{number}."
        analyser.ask(MEMBERS, Question(analyser.root / "a.py", "python", text, len(text))).result(PATIENCE_S)
    assert len(analyser._answers) <= 2


def test_restarts_take_their_time(hostile: Any, tmp_path: Path) -> None:
    """An analyser that ends at once is not started over and over again."""
    analyser = hostile("starts")
    end = time.monotonic() + 3
    while time.monotonic() < end:
        ask_all(analyser)
        time.sleep(0.01)
    assert 1 <= len(list((tmp_path / "pids").iterdir())) <= 4
