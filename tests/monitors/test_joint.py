"""Monitors at work in decoding, with an analyser whose answers are given."""

import math
import re
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.decoding.constraints.choice import apply, choose
from guiderail.decoding.constraints.masks import allowed, full_mask
from guiderail.decoding.constraints.vocabulary import Vocabulary
from guiderail.decoding.method import DecodeRequest, TokenEvent
from guiderail.decoding.methods.plain import Plain
from guiderail.decoding.sampling import Sampling
from guiderail.decoding.stops import stop_rule
from guiderail.engine.completer import Completer
from guiderail.engine.plan import ALTERNATIVES, CompletionPlan
from guiderail.engine.suggestion import Suggestion
from guiderail.monitors.analysis.answers import Member, Members, NoAnswer
from guiderail.monitors.analysis.requests import MEMBERS, Question, Request
from guiderail.monitors.cursor_context import Snapshot
from guiderail.monitors.joint import JointMonitors
from guiderail.monitors.masks import Masks
from guiderail.monitors.monitor import Restriction, Trigger
from guiderail.monitors.monitors import Monitors
from guiderail.monitors.pending_query import PendingQuery
from guiderail.monitors.trust import Trust, trust
from guiderail.text.document import Document
from guiderail.text.languages.table import MEMBERS as MEMBER_SYNTAX
from tests.helpers.models import tiny_model
from tests.monitors.snapshots import Told, listing, snapshot

SOURCE = "import os\n\n\ndef size(path):\n    return os."


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text without a file lies in an empty project: names that another sets would be legal too."""
    monkeypatch.chdir(tmp_path)


def monitors(told: Told, deadline_s: float = 5.0) -> Monitors:
    table = tiny_model("qwen3").tokenizer.token_bytes
    return Monitors(Vocabulary(table), told, deadline_s=deadline_s, names="dereference")


def complete(watching: Monitors | None, source: str = SOURCE, behind: str = "\n", **changes) -> list[Suggestion]:
    request = {"until": "tokens", "max_tokens": 16} | changes
    document = Document(source + behind, language="python")
    return Completer(tiny_model("qwen3")).complete(
        CompletionPlan(document=document, offset=len(source), monitors=watching, **request)
    )


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("source", [SOURCE, SOURCE + "pa", SOURCE + "path.jo"])
def test_only_legal_names_are_written(source: str, seed: int) -> None:
    """After the dot stands one of the names, whatever a random model would like, half-typed ones included."""
    names = ["path", "parent", "join"]
    legal = [*names, *MEMBER_SYNTAX["python"].universal]
    sampling = Sampling(temperature=2.0, seed=seed)
    (found,) = complete(monitors(Told(lambda _: listing(*names))), source, sampling=sampling)
    written = (source + found.text)[source.rindex(".") + 1 :]
    word = re.match(r"\w*", written)
    assert word is not None
    assert word[0] in legal or (word[0] == written and any(name.startswith(written) for name in legal))
    assert found.monitored is not None
    assert found.monitored.watches[0].legal == 3


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda _: listing(), "unknown type"),
        (lambda _: Members((Member("path"),), complete=False), "incomplete"),
        (lambda _: NoAnswer("died"), "no answer: died"),
        (lambda _: None, "late"),
    ],
)
@pytest.mark.parametrize("sampling", [Sampling(), Sampling(temperature=1.0, seed=3)])
def test_a_monitor_that_abstains_changes_nothing(answer, reason: str, sampling: Sampling) -> None:
    """Tokens and scores are those of a request without monitors, bit for bit, and the reason is named."""
    (plain,) = complete(None, sampling=sampling)
    deadline_s = 0.01 if reason == "late" else 5.0
    (watched,) = complete(monitors(Told(answer), deadline_s=deadline_s), sampling=sampling)
    assert (watched.token_ids, watched.score, watched.text) == (plain.token_ids, plain.score, plain.text)
    assert watched.monitored is not None
    assert watched.monitored.watches[0].abstained == reason


def test_a_monitor_that_allows_what_comes_changes_nothing() -> None:
    """If all that the model writes is legal, tokens and scores are those of a request without monitors."""
    (plain,) = complete(None, "x = 1\n", max_tokens=24)
    (watched,) = complete(monitors(Told(lambda _: listing("a"))), "x = 1\n", max_tokens=24)
    assert (watched.token_ids, watched.score) == (plain.token_ids, plain.score)


def test_several_suggestions_are_each_constrained() -> None:
    """Every suggestion of a request is what a request of its own would give."""
    told = Told(lambda _: listing("path", "getcwd", "sep"))
    several = complete(monitors(told), n=3)
    (single,) = complete(monitors(told))
    assert several[0].token_ids == single.token_ids
    assert all(one.monitored and one.monitored.watches[0].legal == 3 for one in several)


def test_a_late_answer_does_not_block() -> None:
    """An answer that never comes is late at each dereference, and decoding goes on without it."""
    (found,) = complete(monitors(Told(lambda _: None), deadline_s=0.1))
    assert found.monitored is not None
    assert {watch.abstained for watch in found.monitored.watches} == {"late"}


def test_the_question_shows_the_text_being_decoded() -> None:
    """The analyser sees the text up to the dot, what stands after the cursor, and no half-typed name."""
    told = Told(lambda _: listing("path"))
    complete(monitors(told), "f(os.pa", "\nend = 1\n")
    assert told.questions[0].text == "f(os.)\nend = 1\n"
    assert told.questions[0].text[: told.questions[0].offset] == "f(os."


def test_nobody_is_asked_about_another_language() -> None:
    """A language without a syntax of ours, or without an analyser, decodes freely and reports nothing."""
    told = Told(lambda _: listing("path"))
    document = Document("os.", language="cobol")
    assert monitors(told).watch(document, 3) is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 400), max_size=12), st.data())
def test_going_back_restores_the_mask(tokens: list[int], data: st.DataObject) -> None:
    """After any tokens, further ones and a rollback of them leave the masks as they were."""
    table = tiny_model("qwen3").tokenizer.token_bytes
    told = Told(lambda question: listing("path", f"at{question.offset}"))
    watch = monitors(told).watch(Document("os.\n", language="python"), 3)
    assert watch is not None
    monitor = watch()
    dots = [i for i, piece in enumerate(table) if b"." in piece]
    for token in tokens:
        before = full_mask(len(table))
        monitor.fill_mask(before)
        more = data.draw(st.lists(st.sampled_from([*dots, token]), max_size=3))
        for one in more:
            monitor.accept(one)
        monitor.rollback(len(more))
        after = full_mask(len(table))
        monitor.fill_mask(after)
        assert (before == after).all()
        monitor.accept(token)


class Wordy:
    """A monitor of one place: after a mark one of some words comes."""

    languages = frozenset({"python"})

    def __init__(self, mark: str, words: Sequence[str], *, name: str = "wordy", soft: bool = False) -> None:
        self.name, self.soft, self.endings = name, soft, mark[-1].encode()
        self._mark, self._words = mark, frozenset(words)

    def trigger(self, snapshot: Snapshot) -> Trigger | None:
        if not snapshot.text.endswith(self._mark):
            return None
        restriction = Restriction(lambda masks: masks.names(self._words), len(self._words))
        return Trigger(self._mark, MEMBERS, snapshot.question(len(snapshot.text)), lambda _: restriction)


class Free:
    """A monitor that constrains everything to anything."""

    name, soft, languages, endings = "free", False, frozenset({"python"}), bytes(range(128))

    def trigger(self, snapshot: Snapshot) -> Trigger | None:
        restriction = Restriction(lambda masks: self, 1)
        return Trigger("", MEMBERS, snapshot.question(len(snapshot.text)), lambda _: restriction, word=False)

    def place(self, written: bytes) -> Literal["inside"]:
        return "inside"

    def mask(self, written: bytes) -> np.ndarray:
        return full_mask(len(TABLE))


TABLE = [bytes([byte]) for byte in range(256)] + [b".ab", b".abc(", b".x", b".ax.y", b" .ab", b"ab", b"abc", b""]
ID = {data: index for index, data in enumerate(TABLE)}


def joint(*watching, text: str = "", trusted: Trust | None = None) -> JointMonitors:
    """The monitors at the end of a text, over `TABLE`."""
    weigh = lambda monitor, restriction: trusted or trust(("python", monitor.name, "told", "known"), soft=monitor.soft)  # noqa: E731
    context = snapshot(text).cursor
    return JointMonitors(context, watching, Told(lambda _: listing("a")), Masks(Vocabulary(TABLE)), weigh, 5.0)


def tokens_of(constraint: JointMonitors) -> set[bytes]:
    """The tokens that may come next."""
    mask = full_mask(len(TABLE))
    constraint.fill_mask(mask)
    return {TABLE[i] for i in allowed(mask, len(TABLE)).nonzero().flatten().tolist()}


def test_a_trigger_inside_a_token_is_seen_before_the_token_is_written() -> None:
    """Once a token that holds a dot and goes on is about to be chosen, those that lead to no name cannot be."""
    watching = joint(Wordy(".", ["ab"]))
    assert tokens_of(watching) == set(TABLE)
    assert watching.admits(ID[b".ab"])
    assert tokens_of(watching) == set(TABLE)
    assert not watching.admits(ID[b".x"])
    assert set(TABLE) - tokens_of(watching) == {b".abc(", b".x", b".ax.y"}
    watching.accept(ID[b".ab"])
    assert b"c" not in tokens_of(watching)
    assert b"(" in tokens_of(watching)
    watching.rollback(1)
    assert set(TABLE) - tokens_of(watching) == {b".abc(", b".x", b".ax.y"}


def test_a_choice_is_made_again_until_it_stands() -> None:
    """The best token that does not cross a trigger illegally is taken, and what it displaced is reported."""
    watching = joint(Wordy(".", ["ab"]))
    scores = torch.zeros(len(TABLE))
    for rank, data in enumerate([b".x", b".ax.y", b".ab", b"q"]):
        scores[ID[data]] = 10.0 - rank
    token = choose([watching], scores, lambda left: int(left.argmax()))
    assert TABLE[token] == b".ab"
    watching.accept(token)
    assert [watch.forbidden for watch in watching.report.watches if watch.forbidden] == [[".x"]]


def test_a_choice_that_is_made_again_forbids_once() -> None:
    """However often a step is chosen anew, what would have been written there counts once, where it was."""
    watching = joint(Wordy(".", ["ab"]))
    watching.accept(ID[b"."])
    for _ in range(3):
        watching.forbade(ID[b"x"])
        watching.accept(ID[b"a"])
        watching.forbade(ID[b"x"])
        watching.rollback(1)
    assert [(watch.forbidden, watch.at) for watch in watching.report.watches] == [(["x"], [1])]


def test_what_is_decoded_again_is_asked_about_ahead() -> None:
    """A trigger in what was typed is no trigger at the start, but its question leaves at once."""
    told = Told(lambda _: listing("a"))
    context = snapshot("x", upcoming=" .").cursor
    watching = JointMonitors(
        context, [Wordy(" .", ["ab"])], told, Masks(Vocabulary(TABLE)), lambda *_: Trust(-9.0), 5.0
    )
    assert [question.offset for question in told.questions] == [3]
    assert watching.report.watches == []
    watching.accept(ID[b" .ab"])
    assert [watch.receiver for watch in watching.report.watches] == [" ."]


def test_a_name_that_is_seldom_meant_is_less_likely() -> None:
    """It stays legal, and once it is begun it is as likely as any."""

    class Preferring(Wordy):
        """Would rather have ``ab``."""

        def trigger(self, snapshot: Snapshot) -> Trigger | None:
            found = super().trigger(snapshot)
            names, preferred = frozenset({"ab", "b"}), frozenset({"ab"})
            restriction = Restriction(lambda m: m.names(names, ""), 2, preferred=lambda m: m.names(preferred, ""))
            return replace(found, interpret=lambda _: restriction) if found else None

    watching = joint(Preferring(".", ["ab", "b"]), text="x.")
    assert tokens_of(watching) >= {b"a", b"ab", b"b"}
    scores = watching.weigh(torch.zeros(len(TABLE)))
    assert scores[ID[b"ab"]] == 0 > scores[ID[b"b"]] > -math.inf
    watching.accept(ID[b"b"])
    assert not watching.weigh(torch.zeros(len(TABLE))).any()


def test_an_answer_that_takes_long_to_interpret_is_late() -> None:
    """Reading the files that it names holds up neither who gives the answer nor decoding."""
    read, answer = Event(), Future[Members]()

    def interpret(members: Members) -> Restriction:
        read.wait(60)
        return Restriction(None)

    began = time.perf_counter()
    trigger = Trigger("x.", MEMBERS, snapshot("x.").question(2), interpret)
    until = began + 0.05
    query = PendingQuery(Wordy(".", []), trigger, answer, until, lambda *_: Trust(0.0), Masks(Vocabulary(TABLE)))
    answer.set_result(listing("a"))
    assert query.legal() is None
    read.set()
    assert time.perf_counter() - began < 20
    assert query.watch.abstained == "late"


class Broken(Wordy):
    """A monitor with a mistake in it: where it looks ahead, looks for its trigger, or reads the answer."""

    def __init__(self, where: Literal["prefetch", "trigger", "interpret"]) -> None:
        super().__init__(".", ["ab"], name="broken")
        self._where = where

    def trigger(self, snapshot: Snapshot) -> Trigger | None:
        trigger = super().trigger(snapshot)
        if self._where == "trigger":
            raise KeyError(snapshot.text)
        return (
            replace(trigger, interpret=lambda answer: answer.no_such_field)
            if trigger and self._where == "interpret"
            else None
        )

    def prefetch(self, snapshot: Snapshot) -> Sequence[tuple[Request[Any], Question]]:
        if self._where == "prefetch":
            raise KeyError(snapshot.text)
        return []


@pytest.mark.parametrize("where", ["prefetch", "trigger", "interpret"])
def test_a_monitor_that_fails_abstains(
    where: Literal["prefetch", "trigger", "interpret"], caplog: pytest.LogCaptureFixture
) -> None:
    """The others go on, nothing is raised, and the log names it without showing the text."""
    watching = joint(Broken(where), Wordy(".", ["ab"]), text="secret.")
    assert tokens_of(watching) == {b"a", b"ab"}
    assert [w.abstained for w in watching.report.watches] == (["failed", None] if where == "interpret" else [None])
    assert "the monitor broken failed" in caplog.text
    assert "secret" not in caplog.text


def test_masks_of_several_monitors_intersect() -> None:
    """What one monitor forbids stays forbidden, whatever the others say."""
    both = joint(Wordy(".", ["ab", "xy"]), Wordy("f.", ["ab", "q"], name="other"), text="f.")
    assert tokens_of(both) == {b"a", b"ab"}
    assert [watch.monitor for watch in both.report.watches] == ["wordy", "other"]


def test_the_newest_question_gives_way() -> None:
    """Where nothing is legal for all, the newest question yields, and says so."""
    both = joint(Wordy(".", ["ab"]), Wordy("f.", ["q"], name="other"), text="f.")
    assert tokens_of(both) == {b"a", b"ab"}
    assert [watch.abstained for watch in both.report.watches] == [None, "dropped"]


def test_a_soft_monitor_makes_the_rest_less_likely() -> None:
    """Scores of what is not legal fall by the bias; nothing is forbidden."""
    watching = joint(Wordy(".", ["ab"], soft=True), text="x.", trusted=Trust(-2.0))
    assert watching.is_satisfied
    scores = apply([watching], torch.zeros(len(TABLE)))
    assert {TABLE[i] for i in scores.nonzero().flatten().tolist()} == set(TABLE) - {b"a", b"ab"}
    assert scores.min() == -2.0
    assert watching.report.watches[0].soft


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from(range(len(TABLE) - 1)), max_size=6), st.lists(st.sampled_from(range(256, 263)), max_size=4)
)
def test_going_back_restores_all_that_the_monitors_say(first: list[int], more: list[int]) -> None:
    """A branch that was decoded and left behind, with all that was forbidden in it, changes neither masks, scores nor
    report."""
    watching = joint(Wordy(".", ["ab", "ax"]), Wordy(" .", ["ab"], soft=True, name="soft"))
    for token in first:
        watching.accept(token)
    before = tokens_of(watching), watching.weigh(torch.zeros(len(TABLE))), str(watching.report)
    for token in more:
        watching.accept(token)
        tokens_of(watching)
        for best in range(len(TABLE)):
            watching.forbade(best)
    watching.rollback(len(more))
    after = tokens_of(watching), watching.weigh(torch.zeros(len(TABLE))), str(watching.report)
    assert before[0] == after[0]
    assert torch.equal(before[1], after[1])


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(temperature=1.0, seed=3)])
def test_a_monitor_that_allows_everything_changes_nothing(monkeypatch, sampling: Sampling) -> None:
    """Tokens and scores are those of a request without monitors, bit for bit."""
    table = tiny_model("qwen3").tokenizer.token_bytes
    monkeypatch.setattr("tests.monitors.test_joint.TABLE", table)
    watching = monitors(Told(lambda _: listing("a")))
    watching.monitors = (Free(),)
    (plain,) = complete(None, sampling=sampling)
    (watched,) = complete(watching, sampling=sampling)
    assert (watched.token_ids, watched.score, watched.text) == (plain.token_ids, plain.score, plain.text)
    assert watched.monitored is not None
    assert len(watched.monitored.watches) > len(watched.token_ids) // 2


def test_several_suggestions_equal_separate_runs() -> None:
    """Each of several suggestions is what decoding it alone gives, with monitors and a session of its own."""
    told = Told(lambda _: listing("path", "getcwd", "sep"))
    several = complete(monitors(told), n=3)
    model = tiny_model("qwen3")
    document = Document(SOURCE + "\n", language="python")
    for suggestion in several:
        alone = Completer(model)
        request = CompletionPlan(document=document, offset=len(SOURCE), until="tokens", max_tokens=16)
        logits = alone.session.fit(model.tokenizer.encode_prompt(alone.prompts.build(request)))
        assert logits is not None
        found = set()
        for index in range(6):
            watch = monitors(told).watch(document, len(SOURCE))
            assert watch is not None
            sampling = replace(ALTERNATIVES, seed=0) if index else Sampling()
            plan = DecodeRequest(token_bytes=model.tokenizer.token_bytes, stop=stop_rule("tokens", ""), max_tokens=16)
            length = alone.session.length
            events = Plain(sampling, index).decode(alone.session, logits, plan, [watch()])
            found.add(tuple(event.id for event in events if isinstance(event, TokenEvent)))
            alone.session.rollback(alone.session.length - length)
        assert suggestion.token_ids in found
