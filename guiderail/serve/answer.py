"""The answer to a query: texts to insert at the cursor, and what is known about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from guiderail.engine.completion import Completion
from guiderail.engine.suggestion import NOTHING, Suggestion
from guiderail.monitors.report import MonitorReport
from guiderail.serve.project_files import Hole

Ending = Literal["eos", "limit", "word"]


@dataclass(frozen=True, slots=True)
class Text:
    """One text to insert.

    Parameters
    ----------
    text
        What to insert at the cursor; nothing after it is replaced.
    ending
        Why it ends: by itself, by the limit of tokens, or before a stop of the client's.
    stop
        That stop.
    suggestion
        Where it comes from.
    """

    text: str
    ending: Ending
    stop: str
    suggestion: Suggestion


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a query.

    Parameters
    ----------
    texts
        As many as were asked for.
    hole
        The text that was completed in.
    completion
        What the engine said; None where it was not asked.
    model
        The model's name.
    """

    texts: Sequence[Text]
    hole: Hole
    completion: Completion | None
    model: str

    def about(self, text: Text) -> dict[str, Any]:
        """What guiderail adds to a response: the file, and what was forbidden and left out."""
        completion = self.completion
        dropped = completion.dropped if completion else ()
        return {
            "file": self.hole.file,
            "why": self.hole.refusal or "; ".join(completion.why_less if completion else ()) or None,
            "monitors": _monitors(text.suggestion.monitored),
            "verdict": str(text.suggestion.verdict) if text.suggestion.verdict else None,
            "dropped": [
                {"text": one.text, "why": str(one.verdict), "monitors": _monitors(one.monitored)} for one in dropped
            ],
            "withheld": completion.withheld if completion else 0,
        }


def texts_of(hole: Hole, found: Sequence[Suggestion], n: int, stops: Sequence[str], first: int = 0) -> list[Text]:
    """The texts for one request: its share of what was written, the first one again where there are too few."""
    if not found:
        return [Text("", "eos", "", NOTHING)] * n
    return [_text(hole, found[index] if index < len(found) else found[0], stops) for index in range(first, first + n)]


def _text(hole: Hole, suggestion: Suggestion, stops: Sequence[str]) -> Text:
    text = _inserted(hole, suggestion)
    at, stop = min(((place, stop) for stop in stops if stop and (place := text.find(stop)) >= 0), default=(-1, ""))
    if at >= 0:
        return Text(text[:at], "word", stop, suggestion)
    return Text(text, "limit" if suggestion.finish == "length" else "eos", "", suggestion)


def _inserted(hole: Hole, suggestion: Suggestion) -> str:
    """The text as it can be inserted: what it would replace after the cursor is left there, and the text ends there."""
    covered = hole.document.text[hole.offset : suggestion.end]
    at = suggestion.text.rfind(covered) if covered else -1
    return suggestion.text[:at] if at >= 0 else suggestion.text


def _monitors(report: MonitorReport | None) -> dict[str, Any] | None:
    if report is None:
        return None
    triggers = [
        {
            "monitor": one.monitor,
            "receiver": one.receiver,
            "legal": one.legal,
            "forbidden": list(one.forbidden),
            "abstained": one.abstained,
        }
        for one in report.watches
    ]
    return {"analyser": report.analyser, "triggers": triggers}
