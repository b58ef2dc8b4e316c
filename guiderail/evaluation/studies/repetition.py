"""Whether decoding loops, and what stopping it costs: in the style of CodeRepetEval (arXiv 2505.10402, section 4).

Three scenarios, all on held-out packages, all with the rest of the file after the cursor, so that a model can end:

* artificial: true code whose last statements are repeated five to ten times; built, not chosen.
* real: bodies of functions that greedy decoding does not end but fills with repetition; chosen for that, so greedy's
  own figures are what they are by construction.
* ordinary: lines as they come; nothing repeats more than code does. Here a method must not cost anything.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from guiderail.decoding.stages.grammar_repetition import VERBATIM, GrammarRepetition
from guiderail.decoding.stages.ngram import FimMarks
from guiderail.decoding.stages.repetition_penalty import RepetitionPenalty
from guiderail.evaluation.config import Method, Stages, System
from guiderail.evaluation.function_bodies import function_bodies
from guiderail.evaluation.packages import SourceFile, parses
from guiderail.evaluation.row_file import RowFile
from guiderail.evaluation.scoring import repeated
from guiderail.evaluation.study import AnswerPlan, answered
from guiderail.evaluation.tables import Measure, columns, differences, figures, mean
from guiderail.evaluation.task import Task, cut_out
from guiderail.evaluation.tasks import draw_lines, generator, spread
from guiderail.evaluation.worker import Row, Worker

if TYPE_CHECKING:
    from guiderail.decoding.stages.stage import LogitsStage
    from guiderail.engine.engine import Engine
    from guiderail.engine.request import CompletionRequest

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


def tasks(files: Mapping[str, Sequence[SourceFile]], plan: Plan) -> list[Task]:
    """All cursors; the real scenario's are those to be scanned. A draw depends on the seed and its package alone."""
    found = []
    shares = [spread(count, list(files)) for count in (plan.artificial, plan.scanned, plan.ordinary)]
    for package, own in files.items():
        rng = generator(plan.seed, "repetition", package)
        bodies = [(file, *body) for file in own for body in function_bodies(file.text, file.language)]
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


def _penalty(engine: Engine, request: CompletionRequest) -> Sequence[LogitsStage]:
    return (RepetitionPenalty(),)


def _rpg(engine: Engine, request: CompletionRequest, verbatim: float = VERBATIM) -> Sequence[LogitsStage]:
    table, marks = engine.model.tokenizer.token_bytes, FimMarks.of(engine.model)
    return (GrammarRepetition("python", table, marks, verbatim=verbatim),)


# They are given to the engine as stages, and not by name, so that the worker takes their time.
STAGES: Mapping[str, Stages] = {PENALTY: _penalty, RULES: partial(_rpg, verbatim=0.0), RPG: _rpg}


def systems(model: str) -> list[System]:
    """Every method, greedy decoding first."""
    return [
        System(model, Method(label=name, temperature=0.8 if name == SAMPLED else 0.0), stages=STAGES.get(name))
        for name in METHODS
    ]


def evaluate(
    worker: Worker, model: str, drawn: Sequence[Task], log: RowFile | None, advance: Callable[[], None]
) -> Iterator[Row]:
    """All tasks with greedy decoding first, then with the rest those of them that count."""
    greedy, *others = systems(model)
    kept = []
    for task in drawn:
        for row in answered(worker, [task], [greedy], log, advance):
            yield (own := judged(task, row))
            if task.kind != "real" or loops(own):
                kept.append(task)
    for task in kept:
        yield from (judged(task, row) for row in answered(worker, [task], others, log, advance))


def judged(task: Task, row: Row) -> Row:
    """A row with what repeats; the last line of an answer that was cut short is half written, and does not count."""
    cut = task.until == "tokens" and not row["ended"]
    whole = row["answer"][: row["answer"].rfind("\n") + 1] if cut else row["answer"]
    tr_n, tr_s = repeated(whole)
    return row | {"tr_n": tr_n, "tr_s": tr_s, "parses": float(parses(task.completed(whole)))}


def loops(row: Row) -> bool:
    """Whether an answer fills its room with repetition."""
    return not row["ended"] and row["tr_s"] >= LOOPING


MEASURES: Mapping[str, Measure[Mapping[str, Any]]] = {
    "egp": mean("ended"),
    **{name: mean(name) for name in ("tr_n", "tr_s", "parses")},
    "length": mean("tokens"),
    "time_s": mean("decode_s"),
    "stage_ms": mean("stage_ms"),
}
# A line ends with its line, so that `egp` says nothing of it.
LINE_MEASURES = {name: measure for name, measure in MEASURES.items() if name != "egp"}
LINE_MEASURES |= {"line_em": mean("exact"), "es": mean("similarity")}


def rows(samples: Iterable[Row], *, seed: int) -> list[dict[str, Any]]:
    """One row for each scenario and method, with intervals over packages and paired differences to greedy."""
    samples = list(samples)
    looping = {s["task"] for s in samples if s["kind"] == "real" and s["method"] == GREEDY and loops(s)}
    kept = [s for s in samples if s["kind"] != "real" or s["task"] in looping]
    table = []
    for scenario in SCENARIOS:
        measures = LINE_MEASURES if scenario == "ordinary" else MEASURES
        own = {method: [s for s in kept if (s["kind"], s["method"]) == (scenario, method)] for method in METHODS}
        found = {method: figures(answers, measures) for method, answers in own.items() if answers}
        for method, parts in found.items():
            against = differences(parts, found[GREEDY], seed) if method != GREEDY else {}
            row = {"scenario": scenario, "method": method, "egp": None, "n": len(own[method])}
            row |= {"against_greedy": {name: difference["interval"] for name, difference in against.items()}}
            table.append(row | columns(parts, seed))
    return table
