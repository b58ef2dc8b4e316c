"""What a person wants of suggestions beside their text: a pause, silence in prose, reasons, counts."""

import asyncio
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guiderail.engine.completion import Completion
from guiderail.engine.engine import Cancelled
from guiderail.engine.request import CompletionRequest
from guiderail.engine.stream import TextStream
from guiderail.errors import GuiderailError
from guiderail.lsp import snooze
from guiderail.lsp.handlers import commands
from guiderail.lsp.usage import UsageFile
from guiderail.lsp.worker import Health
from guiderail.monitors.report import MonitorReport, TriggerOutcome
from guiderail.monitors.verdict import Verdict
from guiderail.settings import Settings
from tests.lsp.client import Client, Failure, at, connected
from tests.lsp.fakes import BLANK, FakeEngine

pytestmark = pytest.mark.asyncio

DOCSTRING = 'def f():\n    """Return the width.\n    """\n    return 1  # as it is\n'


@pytest.mark.parametrize("minutes", [5, 30, 60])
async def test_a_snooze_ends_by_itself(minutes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is suggested, by typing or by hand, and the status says until when; the model stays loaded."""
    monkeypatch.setattr(commands, "ALARM_S", 0.01)
    async with connected() as client:
        uri = client.open("x = ")
        reply = await client.command("snooze", {"minutes": minutes})
        assert reply["status"]["state"] == "disabled"
        assert reply["until"] in reply["status"]["message"]
        assert reply["status"]["snoozed"] == reply["until"] != ""
        assert await client.ghost(uri, 0, 4) == await client.ghost(uri, 0, 4, 1) == []
        assert client.engine.name == "embedded"
        now = time.time()
        monkeypatch.setattr(snooze.time, "time", lambda: now + 60 * minutes - 2)
        assert await client.ghost(uri, 0, 4) == []
        monkeypatch.setattr(snooze.time, "time", lambda: now + 60 * minutes + 1)
        assert await client.ghost(uri, 0, 4)
        async with asyncio.timeout(60):  # told without being asked
            while client.last("guiderail/didChangeStatus")["state"] != "ready":
                await asyncio.sleep(0.01)


async def test_the_alarm_of_a_snooze_ends_with_its_client() -> None:
    """Also of one that leaves without a word: the loop would hold it, and its documents, until the snooze ends."""
    alarms = []
    async with connected() as client:
        for _ in range(2):
            await client.command("snooze", {"minutes": 60})
            alarms.append(client.server._commands._alarm)
        assert [one.cancelled() for one in alarms] == [True, False]
    assert alarms[1].cancelled()


async def test_a_snooze_is_ended_by_another_one_of_no_minutes_and_by_the_toggle() -> None:
    async with connected() as client:
        uri = client.open("x = ")
        for ends in (("snooze", {"minutes": 0}), ("toggle", {"scope": "global"})):
            await client.command("snooze", {"minutes": 60})
            assert await client.ghost(uri, 0, 4) == []
            reply = await client.command(*ends)
            assert "snoozed" not in reply["status"]
            assert reply["status"]["state"] == "ready"
            assert await client.ghost(uri, 0, 4)


@pytest.mark.parametrize("minutes", [None, "5", -1, True, 10**9, 1.5])
async def test_a_snooze_of_anything_else_is_refused(minutes: Any) -> None:
    given = {} if minutes is None else {"minutes": minutes}
    async with connected() as client:
        with pytest.raises(Failure):
            await client.command("snooze", given)
        assert await client.ghost(client.open("x = "), 0, 4)


@pytest.mark.parametrize(
    ("settings", "silent"),
    [
        ({}, {"prose"}),
        ({"comments": False}, {"comment", "prose"}),
        ({"strings": "all"}, set()),
        ({"strings": "none"}, {"string", "prose"}),
        ({"strings": "none", "comments": False}, {"string", "prose", "comment"}),
        ({"strings": "all", "comments": False}, {"comment"}),
    ],
)
async def test_comments_and_strings_are_switched_by_settings(settings: dict[str, Any], silent: set[str]) -> None:
    """While typing; who asks by hand is answered everywhere. The menu is as silent as the ghost text."""
    places = {"prose": (1, 20), "comment": (3, 18), "code": (3, 11), "string": (4, 8)}
    async with connected(settings=settings, capabilities={"workspace": {"configuration": True}}) as client:
        uri = client.open(DOCSTRING + 'x = d["na"]\n')
        for place, (line, column) in places.items():
            menu = (
                await client.ask(
                    "textDocument/completion",
                    {"textDocument": {"uri": uri}, "position": {"line": line, "character": column}},
                )
                if place == "prose"
                else None
            )
            assert bool(await client.ghost(uri, line, column)) is (place not in silent), place
            if menu is not None:
                assert bool(menu["items"]) is (place not in silent)
        await client.ghost(uri, 3, 11, 2)
        assert await client.ghost(uri, *places["prose"], kind=1)
        assert client.messages() == []


async def test_a_wrong_value_of_strings_is_named() -> None:
    async with connected(settings={"strings": "some"}, capabilities={"workspace": {"configuration": True}}) as client:
        assert "strings must be one of code, all, none" in client.messages()[0]


class Judged(FakeEngine):
    """An engine of which every suggestion is left out, or that says what the test sets."""

    answer = Completion([])

    def complete(
        self, request: CompletionRequest, cancelled: Cancelled, stream: TextStream | None = None
    ) -> Completion:
        return self.answer


async def why(client: Client) -> str:
    return (await client.command("why"))["text"]


async def test_why_says_what_was_dropped_kept_back_and_forbidden() -> None:
    """In sentences, with the model and the place; nothing in them that is not visible."""
    watch = TriggerOutcome("dereference", "self.", legal=51, forbidden=["left", "left"])
    late = TriggerOutcome("arguments", "f(", abstained="the analyser answered too late")
    report, verdict = MonitorReport("ty", [watch, late]), Verdict("errors", ("syntax error",))
    wrong = replace(BLANK, text="foo(\x1b[1m", verdict=verdict, monitored=report)
    engine = Judged()
    engine.answer = Completion([], dropped=[wrong], withheld=2)
    async with connected(engine) as client:
        assert "has asked for no suggestion yet" in await why(client)
        uri = client.open("x = 1\ny = ")
        assert await client.ghost(uri, 1, 4) == []
        text = await why(client)
    for words in (
        "guiderail is ready. The model is embedded on cpu.",
        "The editor asked for a suggestion while you typed",
        "line 2 of untitled:1, python",
        "Left out: `foo(\\x1b[1m`, new errors: syntax error.",
        "2 texts were kept back",
        "At `self.` (dereference, ty) 51 names or values are possible; forbidden was `left`.",
        "At `f(` (arguments, ty) nothing was forbidden: the analyser answered too late.",
        "In this session: 1 request, 1 written",
    ):
        assert words in text, words
    assert "\x1b" not in text


async def test_why_names_the_reason_for_silence() -> None:
    """Refusals, places, an empty answer, a text that adds nothing, and a suggestion that was sent."""
    engine = Judged()
    async with connected(engine) as client:
        uri = client.open("x = ")
        await client.ghost(uri, 0, 4)
        assert "it ended at once" in await why(client)
        engine.answer = Completion([replace(BLANK, text="width")])
        await client.ghost(client.open("y = ", "untitled:2"), 0, 4, 1)
        text = await why(client)
        assert "You asked for a suggestion" in text
        assert "Sent to the editor: `width`." in text
        engine.answer = Completion([replace(BLANK, text="  ")])
        await client.ghost(client.open("f()", "untitled:4"), 0, 2, 1)
        assert "The model wrote `  `, which adds nothing to what stands there already." in await why(client)
        await client.ghost("untitled:5", 0, 0)
        assert "The model was not asked: the document is not open." in await why(client)
        item = {"range": {"start": {"line": 0, "character": 1}, "end": {"line": 0, "character": 2}}, "text": "é"}
        await client.ghost("untitled:4", 0, 0, selectedCompletionInfo=item)
        assert "The model was not asked: the menu's selected item" in await why(client)
        await client.ghost(client.open(DOCSTRING, "untitled:3"), 1, 20)
        assert "The model was not asked: suggestions are off in strings of prose." in await why(client)
        await client.command("snooze", {"minutes": 5})
        await client.ghost(uri, 0, 4)
        assert "The model was not asked: suggestions are snoozed until " in await why(client)


async def test_why_tells_an_answer_from_none_yet_and_from_none_at_all() -> None:
    """While a request runs, once a newer one took its place, and when answers were forgotten meanwhile."""
    engine = FakeEngine()
    async with connected(engine) as client:
        uri = client.open("x = ")
        engine.gate.clear()
        params = at(uri, 0, 4) | {"context": {"triggerKind": 2}}
        _, asked = client.begin("textDocument/inlineCompletion", params)
        await client.settle()
        assert "It is still being answered." in await why(client)
        client.state.scheduler.forget_answers()
        engine.gate.set()
        assert (await asked)["items"]
        text = await why(client)
        assert "Sent to the editor: `hello()`." in text
        assert "not answered" not in text
        engine.gate.clear()
        _, asked = client.begin("textDocument/inlineCompletion", params)
        await client.settle()
        last = client.state.inquiry
        client.tell("textDocument/didClose", {"textDocument": {"uri": uri}})
        assert (await asked)["items"] == []
        assert client.state.inquiry is last
        assert "It was not answered: a newer request, an edit or the editor ended it." in await why(client)


async def test_why_tells_a_failure() -> None:
    engine = FakeEngine()
    async with connected(engine) as client:
        engine.failure = GuiderailError("the model fell over", "Start it again")
        assert await client.ghost(client.open("x = "), 0, 4) == []
        assert "The model could not answer: the model fell over. Start it again." in await why(client)


async def test_why_tells_that_a_menu_does_not_wait_for_the_model() -> None:
    async with connected() as client:
        client.state.worker.health = Health("loading")
        menu = await client.ask("textDocument/completion", at(client.open("x = "), 0, 4))
        assert menu["items"] == []
        assert "The model was not asked: the model is not loaded yet" in await why(client)


async def test_why_tells_of_a_model_that_cannot_be_loaded() -> None:
    engine = FakeEngine()
    engine.load_failure = failure = GuiderailError("there is no model 'nowhere'", "Pull it")
    async with connected(engine) as client:
        text = await why(client)
    assert f"guiderail has failed: {failure.message}. Pull it." in text


async def test_explain_shows_what_was_dropped_and_withheld() -> None:
    engine = Judged()
    wrong = replace(BLANK, text="foo(", verdict=Verdict("errors", ("syntax error",)))
    engine.answer = Completion([replace(BLANK, text="width")], dropped=[wrong], withheld=1)
    async with connected(engine) as client:
        await client.ghost(client.open("x = "), 0, 4)
        found = await client.command("explain")
    assert found["dropped"] == [{"text": "foo(", "verdict": "new errors: syntax error"}]
    assert found["withheld"] == 1


async def counts(client: Client) -> dict[str, int]:
    rows = (await client.command("stats"))["rows"]
    assert all((row["language"], row["model"]) == ("python", "embedded") for row in rows)
    return {key: rows[0][key] for key in ("shown", "accepted", "partly")} if rows else {}


async def test_a_suggestion_counts_once_however_often_it_is_sent() -> None:
    """Typed along it stays the same one; accepted in part and then whole it counts as whole."""
    async with connected() as client:
        assert await counts(client) == {}
        uri = client.open("x = ")
        (item,) = await client.ghost(uri, 0, 4)
        assert await counts(client) == {"shown": 1, "accepted": 0, "partly": 0}
        client.change(uri, 0, 4, 4, "h")
        (item,) = await client.ghost(uri, 0, 5)
        assert await counts(client) == {"shown": 1, "accepted": 0, "partly": 0}
        for _ in range(2):
            client.tell("textDocument/didPartiallyAcceptCompletion", {"item": item, "acceptedLength": 2})
            assert await counts(client) == {"shown": 1, "accepted": 0, "partly": 1}
        for _ in range(2):
            await client.command("accept", *item["command"]["arguments"])
            assert await counts(client) == {"shown": 1, "accepted": 1, "partly": 0}


async def test_a_client_that_tells_what_it_shows_is_believed() -> None:
    """From its first notification on nothing counts that it does not say."""
    async with connected() as client:
        uri = client.open("x = ")
        (item,) = await client.ghost(uri, 0, 4)
        client.tell("textDocument/didShowCompletion", {"item": item})
        other = client.open("y = ", "untitled:2")
        (item,) = await client.ghost(other, 0, 4)
        assert (await counts(client))["shown"] == 1
        client.tell("textDocument/didShowCompletion", {"item": item})
        assert (await counts(client))["shown"] == 2


@pytest.mark.parametrize(
    ("typed", "partly"), [("hello", 1), ("he", 1), ("h", 0), ("hello()", 0), ("held", 0), ("()", 0)]
)
async def test_a_beginning_that_comes_at_once_is_accepted_in_part(typed: str, partly: int) -> None:
    """No protocol tells when a word was accepted in VS Code; a key, a bracket's pair and other text are none."""
    async with connected(FakeEngine("() + 1" if typed == "()" else "hello()")) as client:
        uri = client.open("x = ")
        await client.ghost(uri, 0, 4)
        client.change(uri, 0, 4, 4, typed)
        assert (await counts(client))["partly"] == partly


@pytest.mark.parametrize(("typed", "partly"), [("\n    ", 0), ("\r\n    ", 0), ("\n    return", 1)])
async def test_a_new_line_that_the_editor_indents_is_no_acceptance(typed: str, partly: int) -> None:
    async with connected(FakeEngine("\n    return self.x")) as client:
        uri = client.open("def f(self):")
        await client.ghost(uri, 0, 12)
        client.change(uri, 0, 12, 12, typed)
        assert (await counts(client))["partly"] == partly


async def test_counts_are_kept_in_a_file_of_ones_own_and_forgotten_on_demand(tmp_path: Path) -> None:
    """Saved when the client leaves; a second server adds to them; no text of the person's is in the file."""
    for _ in range(2):
        async with connected(FakeEngine("secret_name()")) as client:
            (item,) = await client.ghost(client.open("x = "), 0, 4)
            await client.command("accept", *item["command"]["arguments"])
    (file,) = (tmp_path / "state").rglob("usage.json")
    assert file.stat().st_mode & 0o077 == 0
    held = json.loads(file.read_text())
    assert held["rows"] == [{"language": "python", "model": "embedded", "shown": 2, "accepted": 2, "partly": 0}]
    async with connected() as client:
        assert (await client.command("stats", {"reset": True}))["rows"] == []
    assert not file.exists()


async def test_a_client_of_a_shared_server_cannot_reset_what_others_count() -> None:
    async with connected(shared=Settings()) as client:
        await client.ghost(client.open("x = "), 0, 4)
        with pytest.raises(Failure, match="stats reset"):
            await client.command("stats", {"reset": True})
        assert UsageFile().read().rows == {}


async def test_the_editor_hears_whether_a_file_is_on() -> None:
    """What a menu's entry for the file should say."""
    async with connected() as client:
        uri = client.open("x = ")
        for is_on in (True, False):
            assert (await client.ask("guiderail/language", {"uri": uri, "language": "python"}))["file"] is is_on
            await client.command("toggle", {"scope": "file", "uri": uri})


async def test_what_keeps_texts_from_being_checked_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chosen analyser that is not installed, and a text whose language nobody knows; not for each document."""
    monkeypatch.setenv("PATH", "/nowhere")
    async with connected(settings={"analyser": "gopls"}, capabilities={"workspace": {"configuration": True}}) as client:
        for number, language in enumerate(("python", "cobol", "python", "abap")):
            client.open("x = ", f"untitled:{number}", language)
        await client.settle()
        said = sorted(client.messages())
    assert len(said) == 2
    assert said[0].startswith("guiderail: a text has no language")
    assert said[1].startswith("guiderail: the analyser gopls is not installed")


async def test_texts_that_are_checked_bring_no_message() -> None:
    async with connected() as client:
        for number, language in enumerate(("python", "ruby", "markdown", "plaintext", "jsonc", "ignore", "log")):
            client.open("x = ", f"untitled:{number}", language)
        await client.settle()
        assert client.messages() == []


async def test_a_text_without_suggestions_brings_no_message() -> None:
    settings = {"disableLanguages": ["cobol"]}
    async with connected(settings=settings, capabilities={"workspace": {"configuration": True}}) as client:
        client.open("x = ", "untitled:1", "cobol")
        await client.settle()
        assert client.messages() == []
        client.open("x = ", "untitled:2", "abap")
        await client.settle()
        assert len(client.messages()) == 1
