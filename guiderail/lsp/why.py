"""Why there was a suggestion at the last request, or none: in plain sentences, for a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from guiderail.lsp.scheduler import Counts
from guiderail.lsp.status import Status
from guiderail.lsp.suggestion_log import ShownItem

if TYPE_CHECKING:
    from guiderail.engine.completion import Completion
    from guiderail.engine.suggestion import Suggestion
    from guiderail.monitors.report import TriggerOutcome

LONG = 80  # characters of a text that a sentence quotes
MOST = 8  # sentences about one thing
FILES = 3  # of context that are named


@dataclass
class Inquiry:
    """A request for suggestions, and what became of it.

    Parameters
    ----------
    place
        The file or document, and the line from 1.
    language
        Of the document.
    by_hand
        Whether a person asked for it.
    at
        When it came.

    Attributes
    ----------
    reason
        Why the model was not asked, if so.
    failure
        Why the model could not answer, if so.
    answer
        What the model answered; None while it has not, and of a request that a newer one replaced.
    made
        What was sent to the editor.
    is_over
        Whether it was answered, or ended without an answer.
    """

    place: str
    language: str
    by_hand: bool
    at: datetime = field(default_factory=datetime.now)
    reason: str = ""
    failure: str = ""
    answer: Completion | None = None
    made: Sequence[ShownItem] = ()
    is_over: bool = False


def place_of(path: Path | None, uri: str, line: int) -> str:
    """A place in a document, from 0, as a sentence names it."""
    return f"line {line + 1} of {path.name if path else uri}"


def sentences_of(inquiry: Inquiry | None, status: Status, counts: Counts) -> list[str]:
    """All there is to say, one sentence a line.

    Parameters
    ----------
    inquiry
        The last request; None if there was none.
    status
        Of the server now.
    counts
        How this session's requests were answered.
    """
    return [_visible(line) for line in _sentences(inquiry, status, counts)]


def _sentences(inquiry: Inquiry | None, status: Status, counts: Counts) -> list[str]:
    lines = [_model_of(status), ""]
    if inquiry is None:
        return [*lines, "The editor has asked for no suggestion yet."]
    how = "You asked for a suggestion" if inquiry.by_hand else "The editor asked for a suggestion while you typed"
    lines.append(f"{how}, at {inquiry.at:%H:%M:%S}, {inquiry.place}, {inquiry.language or 'no known language'}.")
    lines += _outcome(inquiry)
    return [*lines, "", _session(counts)]


def _model_of(status: Status) -> str:
    model = f" The model is {status.model}{f' on {status.device}' if status.device else ''}." if status.model else ""
    words = {"loading": "is still loading", "working": "is working", "ready": "is ready", "error": "has failed"}
    state = f"guiderail {words.get(status.state, 'is off')}"
    reason = status.message if status.state in {"disabled", "error", "loading"} else ""
    remedy = f" {status.remedy.rstrip('.')}." if status.remedy else ""
    return f"{state}{f': {reason}' if reason else ''}.{remedy}{model}"


def _outcome(inquiry: Inquiry) -> list[str]:
    if inquiry.reason:
        return [f"The model was not asked: {inquiry.reason}."]
    if inquiry.failure:
        return [f"The model could not answer: {inquiry.failure.rstrip('.')}."]
    answer = inquiry.answer
    if not inquiry.is_over:
        return ["It is still being answered."]
    if answer is None:
        return ["It was not answered: a newer request, an edit or the editor ended it.", *_sent(inquiry)]
    written = [*answer.suggestions, *answer.dropped]
    return [*_prompt(answer, written), *_fate(inquiry, answer), *_forbidden(written)]


def _prompt(answer: Completion, written: Sequence[Suggestion]) -> Iterator[str]:
    """What the model was shown."""
    if written:
        timings = written[0].timings
        yield (
            f"The model read {timings.prompt_tokens} tokens around the cursor, "
            f"{timings.reused_tokens} of them known from the last request."
        )
    paths = [one.path for one in answer.snippets]
    if paths:
        more = f" and {len(paths) - FILES} more" if len(paths) > FILES else ""
        yield f"It saw parts of other files: {', '.join(map(str, paths[:FILES]))}{more}."


def _fate(inquiry: Inquiry, answer: Completion) -> Iterator[str]:
    """What was shown of what the model wrote, and why the rest was not."""
    yield from _sent(inquiry)
    for one in answer.dropped[:MOST]:
        yield f"Left out: {_quoted(one.text)}, {one.verdict or 'without a verdict'}."
    if answer.withheld:
        texts = "1 text was" if answer.withheld == 1 else f"{answer.withheld} texts were"
        yield f"{texts} kept back, for holding what looks like a token or key."
    texts = [one.text for one in answer.suggestions if one.text]
    if texts and not inquiry.made:
        yield f"The model wrote {_quoted(texts[0])}, which adds nothing to what stands there already."
    elif not texts and not answer.dropped and not answer.withheld:
        yield "The model had nothing to write here: it ended at once."


def _sent(inquiry: Inquiry) -> list[str]:
    return [f"Sent to the editor: {_quoted(shown.shaped.text)}." for shown in inquiry.made[:MOST]]


def _forbidden(written: Iterable[Suggestion]) -> list[str]:
    """What static analysis did while the model wrote; each thing once."""
    reports = [one.monitored for one in written if one.monitored]
    if not reports:
        return ["No static analyser watched."]
    found = dict.fromkeys(_watched(watch, report.analyser) for report in reports for watch in report.watches)
    return [*found][:MOST] or [f"Static analysis ({reports[0].analyser}) had nothing to watch here."]


def _watched(watch: TriggerOutcome, analyser: str) -> str:
    where = f"{_quoted(watch.receiver)} ({watch.monitor}, {analyser})"
    if watch.abstained:
        return f"At {where} nothing was forbidden: {watch.abstained}."
    if watch.legal is None:
        return f"At {where} the text ended before the analyser's answer mattered."
    kept = ", ".join(dict.fromkeys(map(_quoted, watch.forbidden)))
    what = f"{'made unlikely' if watch.soft else 'forbidden'} was {kept}" if kept else "nothing was forbidden"
    return f"At {where} {watch.legal} names or values are possible; {what}."


def _session(counts: Counts) -> str:
    requests = "1 request" if counts.asked == 1 else f"{counts.asked} requests"
    return (
        f"In this session: {requests}, {counts.decoded} written by the model, {counts.remembered} "
        f"answered from memory, {counts.replaced + counts.cancelled} overtaken by typing."
    )


def _quoted(text: str) -> str:
    """A text as one line of bounded length, with nothing in it that is not visible."""
    cut = text if len(text) <= LONG else f"{text[:LONG]}…"
    return f"`{_visible(cut)}`"


def _visible(text: str) -> str:
    """A text as one line: names of files and URIs too may hold line ends and other characters that are not visible."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
