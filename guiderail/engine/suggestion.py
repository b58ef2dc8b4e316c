"""A suggestion: text for the editor, and what is known about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from guiderail.decoding.method import Finish
from guiderail.monitors.report import MonitorReport
from guiderail.monitors.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Timings:
    """How long a suggestion took; seconds.

    `prompt_tokens` is the prompt's length, `reused_tokens` how many of them were encoded before; `ttft_s` is from the
    request to the first token of this suggestion, `decode_s` all that came after the prompt's encoding: tokens may
    come together, at the end of a pass or of a wait for an analyser. `tokens_per_s` counts those after the first,
    whose scores come with the prompt.
    """

    prompt_tokens: int
    reused_tokens: int
    prompt_s: float
    ttft_s: float
    decode_s: float
    tokens_per_s: float


class Step(NamedTuple):
    """A decoded token: the length of the text with it, in characters, and its log-probability under the model."""

    end: int
    logprob: float


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Text for the editor.

    Parameters
    ----------
    text
        What to insert in place of [start, end) of the document (code points).
    score
        Mean log-probability of its tokens under the model.
    token_ids
        The tokens decoded, the half-typed word's included.
    finish
        Why it ends: "line", "block", "length", "eos" or "cancelled".
    layout
        Order of the prompt it was decoded from.
    cache_exact
        Whether the prompt's keys and values were those of a full encoding; else some were patched (`LiveCache`).
    monitored
        What the monitors did; None where nobody could be asked.
    passes
        Forward passes that decoding took after the prompt's; of texts that were written in one go, all of them.
    shared_by
        Texts that were written in these passes and in this time, this one included.
    pauses
        How often decoding paused to compare candidates (`PausedEvent`).
    verdict
        Whether the file with it has errors that it has not without; None where nobody was asked.
    written
        What the model wrote, before it was fitted into the line.
    steps
        Of each token how far `written` reaches with it, and its log-probability.
    chance
        The probability that the person writes exactly this; None where nothing was learned about it.
    """

    text: str
    start: int
    end: int
    score: float
    token_ids: tuple[int, ...]
    finish: Finish
    layout: str
    timings: Timings
    cache_exact: bool = True
    monitored: MonitorReport | None = None
    passes: int = 0
    shared_by: int = 1
    pauses: int = 0
    verdict: Verdict | None = None
    written: str = ""
    steps: tuple[Step, ...] = ()
    chance: float | None = None


# In place of a suggestion that was kept back.
NOTHING = Suggestion("", 0, 0, 0.0, (), "eos", "", Timings(0, 0, 0.0, 0.0, 0.0, 0.0))
