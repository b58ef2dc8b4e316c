"""Explains how the last suggestion came about, for `guiderail.explain`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from guiderail.engine.completion import Completion
from guiderail.engine.request import CompletionRequest
from guiderail.lsp.scheduler import Counts
from guiderail.lsp.suggestion_log import ShownItem, SuggestionLog

if TYPE_CHECKING:
    from guiderail.engine.suggestion import Suggestion


def explanation(
    suggestions: SuggestionLog,
    last: ShownItem | None,
    counts: Counts,
    python: dict[str, Any] | None,
    answer: Completion | None = None,
) -> dict[str, Any]:
    """What is known of the last suggestion and of the session, as an object for a person to read.

    Parameters
    ----------
    suggestions, last
        The last suggestions, and the one to explain.
    counts
        How requests were answered.
    python
        As `python_of` says it of the last suggestion's request.
    answer
        What the last request got; where that is nothing, the object says why.
    """
    kept = list(suggestions)
    session = {
        "requests": asdict(counts),
        "sent": len(kept),
        "displayed": sum(one.displayed for one in kept),
        "accepted": sum(one.accepted > 0 for one in kept),
    }
    nothing = _why_nothing(answer)
    if last is None:
        return {"message": "there was no suggestion yet", "nothing": nothing, "session": session}
    return {"nothing": nothing, **_described(last, python), "session": session}


def _described(last: ShownItem, python: dict[str, Any] | None) -> dict[str, Any]:
    """How a suggestion came about."""
    suggestion, timings = last.candidate.suggestion, last.candidate.suggestion.timings
    return {
        "text": last.shaped.text,
        "written": suggestion.text,
        "typed": last.candidate.typed,
        "replaced": last.shaped.covers,
        "layout": suggestion.layout,
        "promptTokens": timings.prompt_tokens,
        "reusedTokens": timings.reused_tokens,
        "tokens": len(suggestion.token_ids),
        "method": last.request.settings.method,
        "passes": suggestion.passes,
        "pauses": suggestion.pauses,
        "contextFiles": [
            {"path": one.path, "reason": one.reason, "score": one.score} for one in last.candidate.answer.snippets
        ],
        "timings": _timings(suggestion, last.waited_s),
        "monitors": asdict(suggestion.monitored) if suggestion.monitored else None,
        "python": python,
        "verdict": asdict(suggestion.verdict) if suggestion.verdict else None,
        "cacheExact": suggestion.cache_exact,
        "dropped": [_dropped(one) for one in last.candidate.answer.dropped],
        "withheld": last.candidate.answer.withheld,
        "score": suggestion.score,
        "finish": suggestion.finish,
    }


def _why_nothing(answer: Completion | None) -> list[str] | None:
    """Why an answer holds no suggestion, a sentence for each reason; None if it holds one."""
    if answer is None or any(one.text for one in answer.suggestions):
        return None
    return [f"dropped: {reason}" for reason in answer.why_less] or ["the model has nothing to suggest here"]


def _dropped(one: Suggestion) -> dict[str, Any]:
    return {"text": one.text, "verdict": str(one.verdict) if one.verdict else None}


def _timings(suggestion: Suggestion, waited_s: float) -> dict[str, float]:
    timings = suggestion.timings
    return {
        "prompt_s": timings.prompt_s,
        "ttft_s": timings.ttft_s,
        "decode_s": timings.decode_s,
        "tokens_per_s": timings.tokens_per_s,
        "waited_s": waited_s,
    }


def python_of(request: CompletionRequest) -> dict[str, Any] | None:
    """Where the modules of a Python file come from; None for other files."""
    from guiderail.monitors.python.description import surroundings
    from guiderail.text.languages.table import PYTHON_STATEMENTS

    document = request.document
    if document.language not in PYTHON_STATEMENTS or document.path is None:
        return None
    folder = document.path.absolute().parent
    settings = request.settings
    found = surroundings(request.root or folder, folder, settings.python, settings.trust)
    return asdict(found) | {"remedy": found.remedy}
