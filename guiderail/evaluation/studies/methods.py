"""Ways to decode, beside each other: the same model at the same cursors, in packages that nobody trained on.

Two kinds of cursor: inside a line, whose rest is wanted, and where a function's body begins, which is wanted whole. The
rest of the file follows both.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from guiderail.decoding import registry
from guiderail.decoding.methods.calibration import NotCalibratedError
from guiderail.decoding.pipeline import build_pipeline
from guiderail.decoding.sampling import Sampling
from guiderail.decoding.session import Session
from guiderail.engine.completer import Completer
from guiderail.evaluation.checkers.batch import errors_of_variants
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.study import Answer, AnswerPlan, scored
from guiderail.evaluation.tables import Measure, columns, differences, figures, mean
from guiderail.evaluation.task import Task, cut_out
from guiderail.evaluation.tasks import draw_lines, function_bodies, spread

if TYPE_CHECKING:
    from guiderail.model.model import Model

_log = logging.getLogger(__name__)

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
class Plan(AnswerPlan):
    """How much is measured; `lines` and `blocks` are cursors of each kind, spread evenly over the packages."""

    counted = ("lines", "blocks")

    lines: int = 160
    blocks: int = 64
    max_tokens: int = 96


FULL = Plan()
QUICK = Plan(packages=8, lines=16, blocks=8, prompt_tokens=512, max_tokens=64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample(Answer):
    """One answer; `logprob` is the mean of its tokens' under the model, `passes` are those after the prompt's."""

    method: str
    kind: str
    end: int
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
        found += [replace(task, kind="line") for task in draw_lines(own, "fim_line", lines[package], plan.seed)]
        bodies = [(file, *body) for file in own for body in function_bodies(file.text)]
        short = [body for body in bodies if body[0].text.count("\n", body[1], body[2]) <= BODY_LINES]
        found += [_block(*body) for body in rng.sample(short, min(len(short), blocks[package]))]
    return found


def _block(file: SourceFile, start: int, end: int) -> Task:
    """A body without the indentation before it, which the cursor comes after, and its last line end."""
    text = file.text[start:end]
    first, last = start + len(text) - len(text.lstrip()), start + len(text.rstrip())
    return cut_out(file, "block", first, last, until="block")


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
                if (case.name, task.kind, task.path, task.start) not in known:
                    yield answer(completer, case, task, plan)
                advance()
        except NotCalibratedError as error:
            _log.warning("%s is left out: %s", case.name, error)


def answer(completer: Completer, case: Case, task: Task, plan: Plan) -> Sample:
    """What one way to decode writes at a cursor."""
    request = task.request(
        max_tokens=64 if task.kind == "line" else plan.max_tokens,
        sampling=Sampling(temperature=case.temperature, seed=plan.seed),
        pipeline=build_pipeline(case.method, case.parameters, greedy=case.temperature == 0),
    )
    before = _other_passes(completer)
    found, *_ = completer.complete(request)
    return Sample(
        **scored(task, found.text),
        method=case.name,
        kind=task.kind,
        end=task.end,
        logprob=found.score,
        tokens=len(found.token_ids),
        passes=found.passes + _other_passes(completer) - before,
        pauses=found.pauses,
    )


def _other_passes(completer: Completer) -> int:
    """Forward passes of the sessions that methods keep beside the completer's own, prompts included."""
    return sum(kept.passes for kept in completer.store.values() if isinstance(kept, Session))


MEASURES: Mapping[str, Measure[Sample]] = {
    "line_em": mean("exact", kind="line"),
    "block_em": mean("exact", kind="block"),
    "es": mean("similarity", kind="line"),
    "block_es": mean("similarity", kind="block"),
    "parses": mean("parses"),
    "logprob": lambda s: (s.logprob * s.tokens, float(s.tokens)),
    "forward_passes": lambda s: (float(s.passes), float(max(s.tokens, 1))),
    "pause_rate": lambda s: (float(s.pauses), float(max(s.tokens, 1))),
}


def clean(
    files: Mapping[str, Sequence[SourceFile]], samples: Sequence[Sample], *, advance: Callable[[], None]
) -> dict[tuple[str, str, str, int], bool]:
    """Of every sample, by its key, whether it brings no new error; package by package."""
    found = {}
    for package, own in files.items():
        texts = {file.path: file.text for file in own}
        whole = {s.key: (s.path, _whole(texts[s.path], s)) for s in samples if s.package == package}
        variants: dict[str, list[str]] = {}
        for path, text in whole.values():
            variants.setdefault(path, []).append(text)
        errors = errors_of_variants(own, variants) if variants else {}
        found |= {key: not errors[variant] for key, variant in whole.items()}
        advance()
    return found


def _whole(text: str, sample: Sample) -> str:
    return text[: sample.start] + sample.answer + text[sample.end :]


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
    judged: Measure[Sample] = lambda s: (float(clean[s.key]), 1.0) if s.key in clean else None  # noqa: E731
    measures = {**MEASURES, "clean": judged}
    names = dict.fromkeys(s.method for s in samples)
    by_method = {name: [s for s in samples if s.method == name] for name in names}
    found = {method: figures(own, measures) for method, own in by_method.items()}
    table = []
    for method, own in by_method.items():
        row = {"method": method, **columns(found[method], seed), "n": len(own)}
        if method != GREEDY:
            row["against_greedy"] = differences(found[method], found[GREEDY], seed)
        table.append(row)
    return table
