"""The plan of a request: every choice made, and every part that takes part."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from guiderail.choices import Layout, Until
from guiderail.decoding.pipeline import PLAIN, Pipeline
from guiderail.decoding.sampling import Sampling
from guiderail.decoding.stages.ngram_counts import NgramCounts
from guiderail.decoding.stages.stage import LogitsStage
from guiderail.monitors.monitors import Monitors
from guiderail.prompt.snippet import Snippet
from guiderail.settings import Settings
from guiderail.text.document import Document

# Further suggestions of a greedy request are drawn like this: the spread that Tabby and MGD's evaluation use.
ALTERNATIVES = Sampling(temperature=0.8, top_p=0.95)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionPlan:
    """Everything that decides how a request is completed; made by `Engine.plan`, or by measurements themselves.

    Parameters
    ----------
    document, offset
        The text and the cursor in it, in code points.
    snippets
        Text from other files (`guiderail.prompt.context.gather`).
    root
        The project's root; it names the repository and the file in the prompt.
    until
        Where a suggestion ends: with the line, the block, or the token budget.
    max_tokens
        Tokens of one suggestion at most, the half-typed word included.
    n
        Suggestions at most; fewer come when the model writes the same twice and they must be `distinct`. With greedy
        sampling the first is greedy and the others are drawn (`ALTERNATIVES`).
    spare
        Whether further ones that were written on the way are given too, after these.
    sampling
        How tokens are chosen.
    layout
        Order of the prompt; "auto" takes the model's best.
    heal
        Whether a half-typed word is completed as one.
    end_loops
        Whether a suggestion that goes round in circles ends after the first.
    fit
        Whether what would stand twice with what follows the cursor is left out, or replaced (`text.fitting`), and a
        text ends where that begins (`decoding.following`); for who shows suggestions to a person.
    distinct
        Whether suggestions must differ from each other; if not, draws are independent.
    stages
        Changes of the scores that come before the pipeline's.
    monitors
        What forbids names that do not exist; none by default.
    file
        Names the file whose cache is to be used; by default its path.
    pipeline
        The method, and the stages, constraints and drafters that were chosen with it; plain decoding by default.
    project
        The ids and counts of the project's other files, for drafters and methods that read them.
    """

    document: Document
    offset: int
    snippets: Sequence[Snippet] = ()
    root: Path | None = None
    until: Until = "line"
    max_tokens: int = 64
    n: int = 1
    spare: bool = False
    sampling: Sampling = field(default_factory=Sampling)
    layout: Layout = "auto"
    heal: bool = True
    end_loops: bool = False
    fit: bool = False
    distinct: bool = True
    stages: Sequence[LogitsStage] = ()
    monitors: Monitors | None = None
    file: Hashable = None
    pipeline: Pipeline = PLAIN
    project: NgramCounts | None = None


def sampling_of(settings: Settings) -> Sampling:
    """The sampling parameters of the settings."""
    return Sampling(
        temperature=settings.temperature,
        top_k=settings.top_k,
        top_p=settings.top_p,
        min_p=settings.min_p,
        seed=settings.seed,
    )
