"""Whether decoding loops, and what stopping it costs: in the style of CodeRepetEval (arXiv 2505.10402, section 4).

Three scenarios, all on held-out packages, all with the rest of the file after the cursor, so that a model can end:

* artificial: true code whose last statements stand there five to ten times over; built, not chosen.
* real: bodies of functions that greedy decoding does not end but fills with repetition; chosen for that, so greedy's
  own figures are what they are by construction.
* ordinary: lines as they come; nothing repeats more than code does. Here a method must not cost anything.
"""

from __future__ import annotations

import ast
import io
import keyword
import random
import time
import tokenize
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guiderail.decoding.sampling import Sampling
from guiderail.decoding.stages.grammar_repetition import VERBATIM, GrammarRepetition
from guiderail.decoding.stages.ngram import FimMarks
from guiderail.decoding.stages.repetition_penalty import RepetitionPenalty
from guiderail.engine.completer import Completer
from guiderail.engine.request import CompletionRequest
from guiderail.evaluation.metrics import edit_similarity, exact_match, interval, paired_interval, ratio
from guiderail.evaluation.packages import SourceFile, parses
from guiderail.evaluation.tasks import draw_lines, spread
from guiderail.text.document import Document

if TYPE_CHECKING:
    import torch

    from guiderail.decoding.stages.stage import LogitsStage, StepState
    from guiderail.model.model import Model

GREEDY, SAMPLED, PENALTY = "greedy", "temperature 0.8", "repetition penalty 1.2"
RPG, RULES = "rpg", "rpg, rules alone"
METHODS = (GREEDY, SAMPLED, PENALTY, RULES, RPG)
SCENARIOS = ("artificial", "real", "ordinary")
COPIES = (5, 10)  # how often the last pattern stands there, at least and at most
PATTERN = 3  # statements of a pattern at most
LOOPING = 0.5  # TR-S from which a text that did not end counts as a loop
ORDER = 4  # of the n-grams of TR-N


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured.

    Parameters
    ----------
    packages
        The first so many of the manifest; None for all.
    artificial, scanned, ordinary
        Cursors of each scenario, spread evenly over the packages; of those scanned the ones where greedy loops stay.
    prompt_tokens, max_tokens
        Tokens of a prompt and of an answer at most; an ordinary line's answer ends with the line.
    seed
        Of the cursors, the sampling and the bootstrap.
    """

    packages: int | None = None
    artificial: int = 32
    scanned: int = 40
    ordinary: int = 160
    prompt_tokens: int = 1024
    max_tokens: int = 128
    seed: int = 0


FULL = Plan()
QUICK = Plan(packages=8, artificial=8, scanned=12, ordinary=24, prompt_tokens=512, max_tokens=96)


@dataclass(frozen=True, slots=True)
class Task:
    """A cursor: what stands before it, what after it, and, of an ordinary line, what belongs there."""

    scenario: str
    package: str
    path: str
    start: int
    prefix: str
    suffix: str
    truth: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer. `ended` tells whether the model ended it; `tr_n` and `tr_s` are the shares of what repeats.

    `time_s` is the decoding's, wall clock; `stage_ms` the processor time of the stage in a step.
    """

    scenario: str
    method: str
    package: str
    path: str
    start: int
    answer: str
    ended: bool
    tr_n: float
    tr_s: float
    parses: bool
    length: int
    time_s: float
    stage_ms: float
    exact: bool
    similarity: float

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
            Task("real", package, file.path, start, file.text[:start], file.text[end:])
            for file, start, end in rng.sample(bodies, min(len(bodies), shares[1][package]))
        ]
        found += [
            Task("ordinary", package, line.file.path, line.start, line.prefix, line.suffix, line.truth)
            for line in draw_lines(own, "fim_line", shares[2][package], plan.seed)
        ]
    return found


def function_bodies(text: str) -> list[tuple[int, int]]:
    """Where the bodies of functions begin, after their docstrings, and end: offsets of whole lines."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(text)
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first, last = node.body[0], node.body[-1]
            above = first.end_lineno if ast.get_docstring(node, clean=False) is not None else first.lineno - 1
            if above and last.end_lineno and node.lineno <= above < last.end_lineno:
                found.append((starts[above], min(starts[last.end_lineno], len(text))))
    return sorted(set(found))


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
    return Task("artificial", file.package, file.path, start, prefix, file.text[end:])


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
        sample = known.get((task.scenario, GREEDY, task.path, task.start))
        if sample is None:
            yield (sample := runner.answer(task, GREEDY))
        advance()
        if task.scenario != "real" or loops(sample):
            kept.append(task)
    for task in kept:
        for method in METHODS[1:]:
            if (task.scenario, method, task.path, task.start) not in known:
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
        line, stages = task.scenario == "ordinary", [_Timed(stage) for stage in self._stages(method)]
        request = CompletionRequest(
            document=Document(task.prefix + task.suffix, Path(task.path), "python"),
            offset=len(task.prefix),
            until="line" if line else "tokens",
            max_tokens=64 if line else self.plan.max_tokens,
            sampling=Sampling(temperature=0.8, seed=self.plan.seed) if method == SAMPLED else Sampling(),
            stages=stages,
        )
        [found] = self.completer.complete(request)
        ended = found.finish == "eos"
        whole = found.text if ended or line else found.text[: found.text.rfind("\n") + 1]
        # The last line of an answer that was cut short is half written: what is judged ends before it.
        return Sample(
            task.scenario, method, task.package, task.path, task.start, found.text, ended,
            *repeated(whole), parses(task.prefix + whole + task.suffix), len(found.token_ids), found.timings.decode_s,
            sum(stage.mean_ms for stage in stages), line and exact_match(found.text, task.truth),
            edit_similarity(found.text, task.truth) if line else 0.0,
        )  # fmt: skip

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


def repeated(text: str) -> tuple[float, float]:
    """TR-N and TR-S: the shares of the 4-grams of rules, and of the statements, that stand there already.

    The rules are read off the tokens: keywords and punctuation as they are, names, numbers and strings by their kind. A
    statement is a line's rules. Nothing of what RPG itself looks at goes into this.
    """
    lines = [rules for line in text.splitlines() if (rules := line_rules(line))]
    flat = [rule for line in lines for rule in line]
    grams = [tuple(flat[i : i + ORDER]) for i in range(len(flat) - ORDER + 1)]
    return _repeats(grams), _repeats([tuple(line) for line in lines])


def _repeats(items: Sequence[object]) -> float:
    return 1 - len(set(items)) / len(items) if items else 0.0


def line_rules(line: str) -> list[str]:
    """The kinds of one line's tokens, as far as they can be read."""
    found = []
    kinds = {tokenize.NAME: "name", tokenize.NUMBER: "number", tokenize.STRING: "string", tokenize.OP: ""}
    try:
        for token in tokenize.generate_tokens(io.StringIO(line.strip()).readline):
            if token.type in kinds:
                plain = token.type == tokenize.OP or keyword.iskeyword(token.string)
                found.append(token.string if plain else kinds[token.type])
            elif token.type == tokenize.COMMENT:
                found.append("comment")
            elif token.type == tokenize.ERRORTOKEN and token.string.strip():
                found.append(token.string)
    except (tokenize.TokenError, IndentationError, SyntaxError):
        pass  # an open bracket or string: what came before it counts
    return found


MEASURES: Mapping[str, Callable[[Sample], float]] = {
    "egp": lambda s: float(s.ended),
    "tr_n": lambda s: s.tr_n,
    "tr_s": lambda s: s.tr_s,
    "parses": lambda s: float(s.parses),
    "length": lambda s: float(s.length),
    "time_s": lambda s: s.time_s,
    "stage_ms": lambda s: s.stage_ms,
}
LINE_MEASURES: Mapping[str, Callable[[Sample], float]] = {
    "line_em": lambda s: float(s.exact),
    "es": lambda s: s.similarity,
}


def rows(samples: Sequence[Sample], *, seed: int) -> list[dict[str, Any]]:
    """One row for each scenario and method, with intervals over packages and paired differences to greedy.

    A line ends with its line, so `egp` says nothing of the ordinary scenario and is left out there.
    """
    looping = {(s.path, s.start) for s in samples if s.scenario == "real" and s.method == GREEDY and loops(s)}
    kept = [s for s in samples if s.scenario != "real" or (s.path, s.start) in looping]
    found = []
    for scenario in SCENARIOS:
        for method in METHODS:
            own = [s for s in kept if (s.scenario, s.method) == (scenario, method)]
            base = [s for s in kept if (s.scenario, s.method) == (scenario, GREEDY)]
            if own:
                found.append(_row(scenario, method, own, base, seed))
    return found


def _row(scenario: str, method: str, own: list[Sample], base: list[Sample], seed: int) -> dict[str, Any]:
    measures = dict(MEASURES)
    if scenario == "ordinary":
        del measures["egp"]
        measures |= LINE_MEASURES
    row: dict[str, Any] = {"scenario": scenario, "method": method, "egp": None, "n": len(own)}
    row |= {"intervals": {}, "against_greedy": {}}
    for name, measure in measures.items():
        mine, theirs = _parts(own, measure), _parts(base, measure)
        row[name] = ratio(mine)
        row["intervals"][name] = interval(mine, seed=seed)
        if method != GREEDY:
            row["against_greedy"][name] = paired_interval(mine, theirs, seed=seed)
    return row


def _parts(samples: Sequence[Sample], measure: Callable[[Sample], float]) -> dict[str, tuple[float, float]]:
    parts: dict[str, tuple[float, float]] = {}
    for sample in samples:
        above, below = parts.get(sample.package, (0.0, 0.0))
        parts[sample.package] = (above + measure(sample), below + 1)
    return parts


def quick(plan: Plan, count: int | None) -> Plan:
    """The plan with another number of cursors in each scenario."""
    return replace(plan, artificial=count, scanned=count, ordinary=count) if count else plan
