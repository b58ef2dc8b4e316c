"""Why the last suggestion is what it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from guiderail.lsp.engine import Wish
from guiderail.lsp.memory import Offer
from guiderail.lsp.scheduler import Counts
from guiderail.lsp.shape import Shaped


@dataclass
class Shown:
    """A suggestion that was sent to the client.

    Parameters
    ----------
    name
        By which its command reports it.
    offer, shaped
        What the model wrote, and what was made of it.
    wish
        The question it answers.
    waited_s
        Seconds from the request to the answer.

    Attributes
    ----------
    displayed
        Whether the client says that it was displayed.
    accepted
        How much of it was accepted, as the client counts.
    """

    name: str
    offer: Offer
    shaped: Shaped
    wish: Wish
    waited_s: float
    displayed: bool = False
    accepted: int = 0


def explanation(last: Shown | None, shown: Iterable[Shown], counts: Counts) -> dict[str, Any]:
    """An object for a person to read.

    Parameters
    ----------
    last
        The last suggestion, if there was one.
    shown
        Those of late.
    counts
        How requests were answered.
    """
    kept = list(shown)
    session = {
        "requests": asdict(counts),
        "sent": len(kept),
        "displayed": sum(one.displayed for one in kept),
        "accepted": sum(one.accepted > 0 for one in kept),
    }
    if last is None:
        return {"message": "there was no suggestion yet", "session": session}
    suggestion, timings = last.offer.suggestion, last.offer.suggestion.timings
    return {
        "text": last.shaped.text,
        "written": suggestion.text,
        "typed": last.offer.typed,
        "replaced": last.shaped.covers,
        "layout": suggestion.layout,
        "promptTokens": timings.prompt_tokens,
        "reusedTokens": timings.reused_tokens,
        "tokens": len(suggestion.token_ids),
        "method": last.wish.settings.method,
        "passes": suggestion.passes,
        "pauses": suggestion.pauses,
        "contextFiles": [
            {"path": one.path, "reason": one.reason, "score": one.score} for one in last.offer.answer.snippets
        ],
        "timings": {
            "prompt_s": timings.prompt_s,
            "ttft_s": timings.ttft_s,
            "decode_s": timings.decode_s,
            "tokens_per_s": timings.tokens_per_s,
            "waited_s": last.waited_s,
        },
        "monitors": asdict(suggestion.monitored) if suggestion.monitored else None,
        "verdict": asdict(suggestion.verdict) if suggestion.verdict else None,
        "cacheExact": suggestion.cache_exact,
        "score": suggestion.score,
        "finish": suggestion.finish,
        "session": session,
    }
