"""What becomes of suggestions when their verdicts are known."""

from guiderail.decoding.sampling import Sampling
from guiderail.engine.completer import Completer
from guiderail.engine.plan import CompletionPlan
from guiderail.engine.suggestion import Suggestion
from guiderail.monitors.verdict import Inspector
from guiderail.text.document import Document
from tests.helpers.diagnostics import Told, diagnostic, finds
from tests.helpers.models import tiny_model

SOURCE = "import os\n\n\ndef size(path):\n    return os."


def complete(inspector: Inspector | None, **changes) -> list[Suggestion]:
    request = {"n": 3, "max_tokens": 6, "sampling": Sampling(temperature=1.0, seed=1)} | changes
    document = Document(SOURCE + "\n", language="text")  # which has no syntax of its own
    return Completer(tiny_model("qwen3")).complete(
        CompletionPlan(document=document, offset=len(SOURCE), until="tokens", inspector=inspector, **request)
    )


def finished(found: list[Suggestion]) -> Inspector:
    """Calls the first of some texts wrong, in whatever file it stands."""
    return Inspector(finds(SOURCE + found[0].text), 5.0)


def cut_nowhere(monkeypatch) -> None:
    """Texts that were cut have no verdict: take the random model's for whole ones."""
    monkeypatch.setattr("guiderail.engine.completer.UNFINISHED", frozenset())


def test_what_brings_errors_comes_last(monkeypatch) -> None:
    """The others keep their order, no text changes, and each carries its verdict."""
    cut_nowhere(monkeypatch)
    plain = complete(None)
    judged = complete(finished(plain))
    assert [one.text for one in judged] == [one.text for one in [*plain[1:], plain[0]]]
    assert [one.verdict.state for one in judged if one.verdict] == ["clean", "clean", "errors"]


def test_what_brings_errors_can_be_dropped(monkeypatch) -> None:
    """If all are wrong, only the one that changes nothing is left."""
    cut_nowhere(monkeypatch)
    plain = complete(None)
    inspector = finished(plain)
    inspector.drops = True
    assert [one.text for one in complete(inspector)] == [one.text for one in plain[1:]]
    wrong = Told(lambda text: [diagnostic(text)])
    assert [one.text for one in complete(Inspector(wrong, 5.0, drops=True)) if one.text] == []


def test_what_is_unknown_stays_where_it_is(monkeypatch) -> None:
    """A text that was cut, or an analyser that does not answer, changes nothing but the verdict."""
    monkeypatch.setattr("guiderail.engine.completer.UNFINISHED", frozenset({"length", "eos"}))
    plain = complete(None)
    for inspector in (finished(plain), Inspector(Told(lambda _: None), 0.01, drops=True)):
        judged = complete(inspector)
        assert [(one.text, one.score) for one in judged] == [(one.text, one.score) for one in plain]
        assert {one.verdict.state for one in judged if one.verdict} == {"unknown"}


def test_a_cancelled_request_asks_nobody() -> None:
    """What was written so far comes without a verdict."""
    told = finds("")
    document = Document(SOURCE, language="text")
    request = CompletionPlan(document=document, offset=len(SOURCE), inspector=Inspector(told, 5.0), max_tokens=4)
    seen: list[bytes] = []
    Completer(tiny_model("qwen3")).complete(request, cancelled=lambda: bool(seen), on_token=seen.append)
    assert told.shown == []
