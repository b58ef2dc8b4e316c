"""Whether decoding loops, and what stopping it costs: in the style of CodeRepetEval (arXiv 2505.10402, section 4).

Three scenarios, all on held-out packages, all with the rest of the file after the cursor, so that a model can end:

* artificial: true code whose last statements are repeated five to ten times; built, not chosen.
* real: bodies of functions that greedy decoding does not end but fills with repetition; chosen for that, so greedy's
  own figures are what they are by construction.
* ordinary: lines as they come; nothing repeats more than code does. Here a method must not cost anything.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from guiderail.decoding.sampling import Sampling
from guiderail.decoding.stages.grammar_repetition import VERBATIM, GrammarRepetition
from guiderail.decoding.stages.ngram import FimMarks
from guiderail.decoding.stages.repetition_penalty import RepetitionPenalty
from guiderail.engine.completer import Completer
from guiderail.evaluation.packages import SourceFile, parses
from guiderail.evaluation.scoring import repeated
from guiderail.evaluation.study import Answer, AnswerPlan, scored
from guiderail.evaluation.tables import Measure, columns, differences, figures, mean
from guiderail.evaluation.task import Task, cut_out
from guiderail.evaluation.tasks import draw_lines, function_bodies, spread

if TYPE_CHECKING:
    import torch

    from guiderail.decoding.stages.stage import LogitsStage, StepState
    from guiderail.model.model import Model

GREEDY, SAMPLED, PENALTY = "greedy", "temperature 0.8", "repetition penalty 1.2"
RPG, RULES = "rpg", "rpg, rules alone"
METHODS = (GREEDY, SAMPLED, PENALTY, RULES, RPG)
SCENARIOS = ("artificial", "real", "ordinary")
COPIES = (5, 10)  # of the last pattern, at least and at most
PATTERN = 3  # statements of a pattern at most
LOOPING = 0.5  # TR-S from which a text that did not end counts as a loop


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(AnswerPlan):
    """How much is measured.

    Parameters
    ----------
    artificial, scanned, ordinary
        Cursors of each scenario, spread evenly over the packages; of those scanned the ones where greedy loops stay.
    """

    counted = ("artificial", "scanned", "ordinary")

    artificial: int = 32
    scanned: int = 40
    ordinary: int = 160
    max_tokens: int = 128


FULL = Plan()
QUICK = Plan(packages=8, artificial=8, scanned=12, ordinary=24, prompt_tokens=512, max_tokens=96)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample(Answer):
    """One answer. `ended` tells whether the model ended it; `tr_n` and `tr_s` are the shares of what repeats.

    `time_s` is the decoding's, wall clock; `stage_ms` the processor time of the stage in a step. `exact` and
    `similarity` are of ordinary lines alone.
    """

    scenario: str
    method: str
    ended: bool
    tr_n: float
    tr_s: float
    length: int
    time_s: float
    stage_ms: float

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What tells it from the others of a run."""
        return self.scenario, self.method, self.path, self.start


def tasks(files: Mapping[str, Sequence[SourceFile]], plan: Plan) -> list[Task]:
    """All cursors; the real scenario's are those to be scanned. A draw depends on the seed and its package alone."""
    found = []
    shares = [spread(count, list(files)) for count in (plan.artificial, plan.scanned, plan.ordinary)]
    for package, own in files.items():
        rng = random.Random(f"{plan.seed}:repetition:{package}")
        bodies = [(file, *body) for file in own for body in function_bodies(file.text)]
        rng.shuffle(bodies)
        built = (task for file, start, end in bodies if (task := _artificial(file, start, end, rng)))
        found += [task for task, _ in zip(built, range(shares[0][package]), strict=False)]
        found += [
            cut_out(file, "real", start, end, until="tokens")
            for file, start, end in rng.sample(bodies, min(len(bodies), shares[1][package]))
        ]
        lines = draw_lines(own, "fim_line", shares[2][package], plan.seed)
        found += [replace(line, kind="ordinary") for line in lines]
    return found


def _artificial(file: SourceFile, start: int, end: int, rng: random.Random) -> Task | None:
    """A body up to some statement, with the last one to three statements of that level repeated."""
    lines = file.text[start:end].splitlines(keepends=True)
    level = min((_indent(line) for line in lines if line.strip()), default=0)
    heads = [n for n, line in enumerate(lines) if line.strip() and _indent(line) == level]
    size = rng.randint(1, PATTERN)
    if len(heads) <= size:
        return None
    last = rng.randrange(size, len(heads))
    pattern = "".join(lines[heads[last - size] : heads[last]])
    if not parses("if 1:\n" + pattern if level else pattern):  # a clause, or a bracket's content, is no statement
        return None
    prefix = file.text[:start] + "".join(lines[: heads[last]]) + pattern * (rng.randint(*COPIES) - 1)
    return replace(cut_out(file, "artificial", start, end, until="tokens"), prefix=prefix)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def evaluate(
    model: Model, drawn: Sequence[Task], plan: Plan, *, done: Collection[Sample] = (), advance: Callable[[], None]
) -> Iterator[Sample]:
    """Every answer that is not `done` yet: all tasks with greedy decoding first, then the others with the rest."""
    runner = _Runner(model, plan)
    known = {sample.key: sample for sample in done}
    kept = []
    for task in drawn:
        sample = known.get((task.kind, GREEDY, task.path, task.start))
        if sample is None:
            yield (sample := runner.answer(task, GREEDY))
        advance()
        if task.kind != "real" or loops(sample):
            kept.append(task)
    for task in kept:
        for method in METHODS[1:]:
            if (task.kind, method, task.path, task.start) not in known:
                yield runner.answer(task, method)
            advance()


def loops(sample: Sample) -> bool:
    """Whether an answer fills its room with repetition."""
    return not sample.ended and sample.tr_s >= LOOPING


class _Runner:
    def __init__(self, model: Model, plan: Plan) -> None:
        self.plan = plan
        self.model = model
        self.completer = Completer(model, prompt_tokens=plan.prompt_tokens)
        self.marks = FimMarks.of(model)

    def answer(self, task: Task, method: str) -> Sample:
        line, stages = task.kind == "ordinary", [_Timed(stage) for stage in self._stages(method)]
        request = task.request(
            max_tokens=64 if line else self.plan.max_tokens,
            sampling=Sampling(temperature=0.8, seed=self.plan.seed) if method == SAMPLED else Sampling(),
            stages=stages,
        )
        [found] = self.completer.complete(request)
        ended = found.finish == "eos"
        # The last line of an answer that was cut short is half written: what is judged ends before it.
        whole = found.text if ended or line else found.text[: found.text.rfind("\n") + 1]
        tr_n, tr_s = repeated(whole)
        own: dict[str, Any] = scored(task, found.text) | {"parses": parses(task.completed(whole))}
        return Sample(
            **own if line else own | {"exact": False, "similarity": 0.0},
            scenario=task.kind,
            method=method,
            ended=ended,
            tr_n=tr_n,
            tr_s=tr_s,
            length=len(found.token_ids),
            time_s=found.timings.decode_s,
            stage_ms=sum(stage.mean_ms for stage in stages),
        )

    def _stages(self, method: str) -> tuple[LogitsStage, ...]:
        if method == PENALTY:
            return (RepetitionPenalty(),)
        if method in {RPG, RULES}:
            table, weight = self.model.tokenizer.token_bytes, VERBATIM if method == RPG else 0.0
            return (GrammarRepetition("python", table, self.marks, verbatim=weight),)
        return ()


class _Timed:
    """A stage, and the processor time that it takes."""

    def __init__(self, stage: LogitsStage) -> None:
        self._stage = stage
        self._seconds, self._steps = 0.0, 0

    def __call__(self, logits: torch.Tensor, state: StepState) -> torch.Tensor:
        began = time.thread_time()
        changed = self._stage(logits, state)
        self._seconds += time.thread_time() - began
        self._steps += 1
        return changed

    @property
    def mean_ms(self) -> float:
        return 1000 * self._seconds / max(1, self._steps)


MEASURES: Mapping[str, Measure[Sample]] = {
    "egp": mean("ended"),
    **{name: mean(name) for name in ("tr_n", "tr_s", "parses", "length", "time_s", "stage_ms")},
}
# A line ends with its line, so that `egp` says nothing of it.
LINE_MEASURES = {name: measure for name, measure in MEASURES.items() if name != "egp"}
LINE_MEASURES |= {"line_em": mean("exact"), "es": mean("similarity")}


def rows(samples: Sequence[Sample], *, seed: int) -> list[dict[str, Any]]:
    """One row for each scenario and method, with intervals over packages and paired differences to greedy."""
    looping = {(s.path, s.start) for s in samples if s.scenario == "real" and s.method == GREEDY and loops(s)}
    kept = [s for s in samples if s.scenario != "real" or (s.path, s.start) in looping]
    table = []
    for scenario in SCENARIOS:
        measures = LINE_MEASURES if scenario == "ordinary" else MEASURES
        own = {method: [s for s in kept if (s.scenario, s.method) == (scenario, method)] for method in METHODS}
        found = {method: figures(answers, measures) for method, answers in own.items() if answers}
        for method, parts in found.items():
            against = differences(parts, found[GREEDY], seed) if method != GREEDY else {}
            row = {"scenario": scenario, "method": method, "egp": None, "n": len(own[method])}
            row |= {"against_greedy": {name: difference["interval"] for name, difference in against.items()}}
            table.append(row | columns(parts, seed))
    return table
