"""Ways to decode, beside each other: the same model at the same cursors, in packages that nobody trained on.

Two kinds of cursor: inside a line, whose rest is wanted, and where a function's body begins, which is wanted whole. The
rest of the file stands after both.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from guiderail.decoding import registry
from guiderail.decoding.methods.calibration import NotCalibratedError
from guiderail.decoding.pipeline import build_pipeline
from guiderail.decoding.sampling import Sampling
from guiderail.decoding.session import Session
from guiderail.engine.completer import Completer
from guiderail.engine.request import CompletionRequest
from guiderail.evaluation.metrics import interval, levenshtein, paired_interval, ratio
from guiderail.evaluation.packages import SourceFile, parses
from guiderail.evaluation.repetition import function_bodies
from guiderail.evaluation.tasks import draw_lines, spread
from guiderail.text.document import Document

if TYPE_CHECKING:
    from guiderail.model.model import Model

_log = logging.getLogger(__name__)

Kind = Literal["line", "block"]
GREEDY = "greedy"
BODY_LINES = 12  # of the functions whose body is asked for, at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One way to decode, as a person would choose it."""

    name: str
    method: str
    parameters: str = ""
    temperature: float = 0.0


CASES = (
    Case(name=GREEDY, method="plain"),
    Case(name="beam 3", method="beam", parameters="beam.width=3"),
    Case(name="adadec", method="adadec"),
    Case(name="adadec, threshold 1", method="adadec", parameters="adadec.threshold=1"),
    Case(name="uscd, docstring", method="uscd", parameters="uscd.lame=docstring"),
    Case(name="superposed", method="superposed"),
    Case(name="rpg", method="rpg"),
    Case(name="momentum", method="momentum"),
    Case(name="repetition penalty", method="repetition-penalty"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured.

    Parameters
    ----------
    packages
        The first so many of the manifest; None for all.
    lines, blocks
        Cursors of each kind, spread evenly over the packages.
    prompt_tokens, max_tokens
        Tokens of a prompt and of an answer at most.
    seed
        Of the cursors, the draws and the bootstrap.
    """

    packages: int | None = None
    lines: int = 160
    blocks: int = 64
    prompt_tokens: int = 1024
    max_tokens: int = 96
    seed: int = 0


FULL = Plan()
QUICK = Plan(packages=8, lines=16, blocks=8, prompt_tokens=512, max_tokens=64)


@dataclass(frozen=True, slots=True)
class Task:
    """A cursor, `file.text[start:end]` being what belongs there."""

    kind: Kind
    file: SourceFile
    start: int
    end: int

    @property
    def truth(self) -> str:
        """What stands there."""
        return self.file.text[self.start : self.end]

    def completed(self, text: str) -> str:
        """The whole file with `text` in its place."""
        return self.file.text[: self.start] + text + self.file.text[self.end :]


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer; `logprob` is the mean of its tokens' under the model, `passes` are those after the prompt's."""

    method: str
    kind: Kind
    package: str
    path: str
    start: int
    end: int
    answer: str
    exact: bool
    similarity: float
    parses: bool
    logprob: float
    tokens: int
    passes: int
    pauses: int

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What tells it from the others of a run."""
        return self.method, self.kind, self.path, self.start


def available() -> list[Case]:
    """The cases whose parts are registered."""
    return [case for case in CASES if all(name in registry.known() for name in case.method.split("+"))]


def tasks(files: Mapping[str, Sequence[SourceFile]], plan: Plan) -> list[Task]:
    """All cursors; those of a package depend on the seed and the package alone."""
    found = []
    lines, blocks = (spread(count, list(files)) for count in (plan.lines, plan.blocks))
    for package, own in files.items():
        rng = random.Random(f"{plan.seed}:blocks:{package}")
        found += [Task("line", t.file, t.start, t.end) for t in draw_lines(own, "fim_line", lines[package], plan.seed)]
        bodies = [(file, *body) for file in own for body in function_bodies(file.text)]
        short = [body for body in bodies if body[0].text.count("\n", body[1], body[2]) <= BODY_LINES]
        found += [Task("block", *_body(*body)) for body in rng.sample(short, min(len(short), blocks[package]))]
    return found


def _body(file: SourceFile, start: int, end: int) -> tuple[SourceFile, int, int]:
    """The body without the indentation before it, which the cursor stands after, and its last line end."""
    text = file.text[start:end]
    return file, start + len(text) - len(text.lstrip()), start + len(text.rstrip())


def evaluate(
    model: Model, drawn: Sequence[Task], plan: Plan, *, done: Collection[Sample] = (), advance: Callable[[], None]
) -> Iterator[Sample]:
    """Every answer that is not `done` yet, all of one way to decode before the next.

    What needs a calibration that the model does not have is left out, with a warning.
    """
    known = {sample.key for sample in done}
    for case in available():
        completer = Completer(model, prompt_tokens=plan.prompt_tokens)
        try:
            for task in drawn:
                if (case.name, task.kind, task.file.path, task.start) not in known:
                    yield answer(completer, case, task, plan)
                advance()
        except NotCalibratedError as error:
            _log.warning("%s is left out: %s", case.name, error)


def answer(completer: Completer, case: Case, task: Task, plan: Plan) -> Sample:
    """What one way to decode writes at a cursor."""
    text, greedy = task.file.text, case.temperature == 0
    request = CompletionRequest(
        document=Document(text[: task.start] + text[task.end :], Path(task.file.path), "python"),
        offset=task.start,
        until=task.kind,
        max_tokens=64 if task.kind == "line" else plan.max_tokens,
        sampling=Sampling(temperature=case.temperature, seed=plan.seed),
        pipeline=build_pipeline(case.method, case.parameters, greedy=greedy),
    )
    before = _other_passes(completer)
    found, *_ = completer.complete(request)
    return Sample(
        case.name, task.kind, task.file.package, task.file.path, task.start, task.end, found.text,
        lines_of(found.text) == lines_of(task.truth), similarity(found.text, task.truth),
        parses(task.completed(found.text)), found.score, len(found.token_ids),
        found.passes + _other_passes(completer) - before, found.pauses,
    )  # fmt: skip


def _other_passes(completer: Completer) -> int:
    """Forward passes of the sessions that methods keep beside the completer's own, prompts included."""
    return sum(kept.passes for kept in completer.store.values() if isinstance(kept, Session))


def lines_of(text: str) -> list[str]:
    """The lines that count: without blank ones, and without blanks at their ends."""
    return [line.rstrip() for line in text.strip().splitlines() if line.strip()]


def similarity(answer: str, truth: str) -> float:
    """1 - Levenshtein distance / longer length, of the lines that count; 1 for two empty texts."""
    a, b = "\n".join(lines_of(answer)), "\n".join(lines_of(truth))
    longer = max(len(a), len(b))
    return 1 - levenshtein(a, b) / longer if longer else 1.0


Measure = Callable[[Sample], tuple[float, float] | None]


def _share(field: str, kind: Kind | None = None) -> Measure:
    def measure(sample: Sample) -> tuple[float, float] | None:
        return (float(getattr(sample, field)), 1.0) if kind in {None, sample.kind} else None

    return measure


MEASURES: Mapping[str, Measure] = {
    "line_em": _share("exact", "line"),
    "block_em": _share("exact", "block"),
    "es": _share("similarity", "line"),
    "block_es": _share("similarity", "block"),
    "parses": _share("parses"),
    "logprob": lambda s: (s.logprob * s.tokens, float(s.tokens)),
    "forward_passes": lambda s: (float(s.passes), float(max(s.tokens, 1))),
    "pause_rate": lambda s: (float(s.pauses), float(max(s.tokens, 1))),
}


def rows(
    samples: Sequence[Sample], clean: Mapping[tuple[str, str, str, int], bool], *, seed: int
) -> list[dict[str, Any]]:
    """One row for each way to decode, with intervals over packages and paired differences to greedy.

    Parameters
    ----------
    samples
        Of all ways over the same cursors.
    clean
        Of each sample that was judged, by its key, whether it brings no new error.
    seed
        Of the bootstrap.
    """
    measures = dict(MEASURES)
    measures["clean"] = lambda s: (float(clean[s.key]), 1.0) if s.key in clean else None
    parts = {
        method: {
            name: _parts([s for s in samples if s.method == method], measure) for name, measure in measures.items()
        }
        for method in dict.fromkeys(s.method for s in samples)
    }
    return [_row(method, own, parts[GREEDY], samples, seed) for method, own in parts.items()]


def _row(
    method: str, own: Mapping[str, Any], base: Mapping[str, Any], samples: Sequence[Sample], seed: int
) -> dict[str, Any]:
    row: dict[str, Any] = {"method": method}
    row |= {name: ratio(parts) if parts else None for name, parts in own.items()}
    row["n"] = sum(s.method == method for s in samples)
    row["intervals"] = {name: interval(parts, seed=seed) for name, parts in own.items() if parts}
    if method != GREEDY:
        row["against_greedy"] = {
            name: {
                "difference": ratio(parts) - ratio(base[name]),
                "interval": paired_interval(parts, base[name], seed=seed),
            }
            for name, parts in own.items()
            if parts and parts.keys() == base[name].keys()
        }
    return row


def _parts(samples: Sequence[Sample], measure: Measure) -> dict[str, tuple[float, float]]:
    parts: dict[str, tuple[float, float]] = {}
    for sample in samples:
        value = measure(sample)
        if value is not None:
            above, below = parts.get(sample.package, (0.0, 0.0))
            parts[sample.package] = (above + value[0], below + value[1])
    return parts


def sized(plan: Plan, count: int | None) -> Plan:
    """The plan with another number of cursors of each kind."""
    return replace(plan, lines=count, blocks=count) if count else plan
