"""What monitors are worth: the same model at the same dereferences, with monitors and without.

After the evaluation of "Guiding Language Models of Code with Global Context using Monitors" (NeurIPS 2023), section 4,
on Python: a cursor comes after a dot, the rest of its line is hidden, what follows the line is kept, and the answer is
a line. Greedy decoding answers once; sampling draws with the same seeds on both sides. Every package is laid out as a
project with its dependencies installed, and the analyser is waited for, as in the paper: this is quality, not speed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as LateError
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from guiderail.decoding.sampling import Sampling
from guiderail.engine.completer import Completer
from guiderail.engine.suggestion import Suggestion
from guiderail.evaluation import projects
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.scoring import (
    identifier_sequence_match,
    new_errors,
    next_identifier_match,
    prefix_match,
    score_at,
)
from guiderail.evaluation.studies.soundness import ANSWER_S
from guiderail.evaluation.study import AnswerPlan
from guiderail.evaluation.tables import Measure, Parts, columns, differences, parts
from guiderail.evaluation.task import Task
from guiderail.evaluation.tasks import draw_dereferences
from guiderail.monitors.analysis.analyser import Analyser
from guiderail.monitors.analysis.answers import Diagnostic, NoAnswer
from guiderail.monitors.analysis.pool import ServerPool
from guiderail.monitors.analysis.requests import DIAGNOSTICS, Question
from guiderail.monitors.analysis.server import Server
from guiderail.monitors.monitors import Monitors
from guiderail.monitors.verdict import errors_in

if TYPE_CHECKING:
    from guiderail.model.model import Model

Method = Literal["greedy", "sampled"]
Key = tuple[str, str, int]  # package, path, offset
MEASURES = ("nim", "ism", "pm", "clean")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(AnswerPlan):
    """How much is measured.

    Parameters
    ----------
    positions
        Dereferences of each package.
    samples
        Draws at each, beside the greedy answer; 0 for that alone.
    temperature, top_p
        Of the draws.
    """

    counted = ("positions",)

    positions: int = 24
    samples: int = 6
    temperature: float = 0.8
    top_p: float = 0.95
    prompt_tokens: int = 768
    max_tokens: int = 48


FULL = Plan()
QUICK = Plan(packages=6, positions=5)


@dataclass(frozen=True, slots=True)
class Draw:
    """One answer at one position.

    Parameters
    ----------
    package, path, start
        The position: the file, and the offset after the dot.
    monitors
        Whether monitors were on.
    index
        Which draw, from 0; the greedy answer is 0.
    clean
        Whether the file with the answer has no errors that the author's has not; None if the analyser did not say.
    constrained
        Dereferences that a monitor constrained in this answer.
    forbidden
        Tokens that it prevented.
    tokens, decode_s
        Tokens written, and the seconds after the encoded prompt: a share of them where several were drawn together.
    """

    package: str
    path: str
    start: int
    monitors: bool
    method: Method
    index: int
    text: str
    nim: float
    ism: float
    pm: float
    clean: bool | None
    constrained: int
    forbidden: int
    tokens: int
    decode_s: float


class Judge:
    """Says of answers whether they bring errors that the author's text has not.

    Parameters
    ----------
    analyser
        Who finds the errors: another one than the monitors ask.
    """

    def __init__(self, analyser: Analyser) -> None:
        self._analyser = analyser

    def ask(self, task: Task, text: str) -> Future[tuple[Diagnostic, ...]]:
        """What is wrong with the file that has `text` in place of the truth."""
        path = (task.root or Path()) / task.path
        return self._analyser.ask(DIAGNOSTICS, Question(path, task.language, task.completed(text), 0))

    @staticmethod
    def is_clean(having: Future[tuple[Diagnostic, ...]], wanted: Future[tuple[Diagnostic, ...]]) -> bool | None:
        """Whether a file has no errors that the author's has not; None if the analyser does not say."""
        try:
            found, before = (
                [(one.code, one.message) for one in errors_in(answer.result(ANSWER_S))] for answer in (having, wanted)
            )
        except (NoAnswer, LateError):
            return None
        return not new_errors(found, before)


def evaluate(
    model: Model,
    files: Mapping[str, Sequence[SourceFile]],
    plan: Plan,
    servers: tuple[Server, Server],
    names: str,
    *,
    done: Iterable[Draw],
    keep: Callable[[list[Draw]], None],
    advance: Callable[[int], None],
    note: Callable[[str], None],
) -> list[Draw]:
    """The answers at all positions of all packages.

    Parameters
    ----------
    servers
        The monitors' analyser, and the judge's.
    names
        Which monitors.
    done
        Draws of an earlier run: what they answer is not asked again.
    keep
        Told the draws of each position that was asked now.
    advance
        Told how many positions are done.
    note
        Told which packages are left out, and why.
    """
    completer = Completer(model, prompt_tokens=plan.prompt_tokens)
    known = whole_places(done, plan)
    draws: list[Draw] = []
    for name, own in files.items():
        tasks = {(name, task.path, task.start): task for task in draw_dereferences(own, plan.positions, plan.seed)}
        draws += [draw for key in tasks for draw in known.get(key, ())]
        todo = [task for key, task in tasks.items() if key not in known]
        advance(plan.positions - len(todo))
        try:
            root = projects.prepare(projects.pinned(name), own) if todo else None
        except projects.ProjectError as error:
            note(f"{name} is left out: {error}")
            continue
        for found in _answers(completer, servers, names, plan, [replace(task, root=root) for task in todo]):
            draws += found
            keep(found)
            advance(1)
    return draws


def _answers(
    completer: Completer, servers: tuple[Server, Server], names: str, plan: Plan, todo: Sequence[Task]
) -> Iterator[list[Draw]]:
    """The answers at each position of one package, with an analyser for the monitors and a judge of its own."""
    pool, judges = (ServerPool(server.name, trust="always") for server in servers)
    try:
        monitors = Monitors(completer.vocabulary, pool, deadline_s=ANSWER_S, names=names)
        for task in todo:
            analyser = judges.get("python", task.root or Path())
            assert analyser is not None, "the server was found before"
            yield ask(completer, monitors, Judge(analyser), task, plan)
    finally:
        pool.stop()
        judges.stop()


def ask(completer: Completer, monitors: Monitors, judge: Judge, task: Task, plan: Plan) -> list[Draw]:
    """All answers at one position; they are judged while the next ones are written."""
    plain = task.request(max_tokens=plan.max_tokens, distinct=False)
    wanted = judge.ask(task, task.truth)
    written = []
    for watched in (None, monitors):
        for method, n, sampling in _ways(plan):
            for index, found in enumerate(completer.complete(replace(plain, sampling=sampling, n=n, monitors=watched))):
                written.append((found, watched is not None, method, index, judge.ask(task, found.text)))
    return [
        _draw(task, found, on, method, index, judge.is_clean(having, wanted))
        for found, on, method, index, having in written
    ]


def _ways(plan: Plan) -> Iterator[tuple[Method, int, Sampling]]:
    """Each method with how many answers it gives."""
    yield "greedy", 1, Sampling()
    if plan.samples:
        yield "sampled", plan.samples, Sampling(temperature=plan.temperature, top_p=plan.top_p, seed=plan.seed)


def _draw(task: Task, found: Suggestion, monitors: bool, method: Method, index: int, clean: bool | None) -> Draw:
    watches = found.monitored.watches if found.monitored else []
    return Draw(
        package=task.package,
        path=task.path,
        start=task.start,
        monitors=monitors,
        method=method,
        index=index,
        text=found.text,
        nim=float(next_identifier_match(found.text, task.truth, "python")),
        ism=identifier_sequence_match(found.text, task.truth, "python"),
        pm=prefix_match(found.text, task.truth, "python"),
        clean=clean,
        constrained=sum(watch.abstained is None for watch in watches),
        forbidden=sum(len(watch.forbidden) for watch in watches),
        tokens=len(found.token_ids),
        decode_s=found.timings.decode_s / found.shared_by,
    )


def whole_places(draws: Iterable[Draw], plan: Plan) -> dict[Key, list[Draw]]:
    """The draws of each position that has all of them: a run may have been ended in the midst of one."""
    places: dict[Key, dict[tuple[bool, Method, int], Draw]] = {}
    for draw in draws:
        own = places.setdefault((draw.package, draw.path, draw.start), {})
        own[draw.monitors, draw.method, draw.index] = draw
    return {key: list(own.values()) for key, own in places.items() if len(own) == 2 * (1 + plan.samples)}


def rows(draws: Iterable[Draw], plan: Plan) -> list[dict[str, Any]]:
    """One row for monitors off and on, each method and each k; on has its paired differences to off.

    A position counts for `clean` only where the analyser judged every answer on both sides.
    """
    places = list(whole_places(draws, plan).values())
    table = []
    drawn = sorted({1, plan.samples}) if plan.samples else []
    ways: list[tuple[Method, int]] = [("greedy", 1), *(("sampled", k) for k in drawn)]
    for method, k in ways:
        own = [[draw for draw in place if draw.method == method] for place in places]
        off, on = (
            {name: parts(own, _score(name, k, monitors), lambda place: place[0].package) for name in MEASURES}
            for monitors in (False, True)
        )
        table.append(_row(own, off, method, k, monitors=False, seed=plan.seed))
        against = {"against_off": differences(on, off, plan.seed)}
        table.append(_row(own, on, method, k, monitors=True, seed=plan.seed) | against)
    return table


def _score(name: str, k: int, monitors: bool) -> Measure[Sequence[Draw]]:
    """score@k of a position, which counts where all its answers have been judged."""

    def measure(place: Sequence[Draw]) -> tuple[float, float] | None:
        if any(getattr(draw, name) is None for draw in place):
            return None
        return score_at(k, [float(getattr(draw, name)) for draw in place if draw.monitors == monitors]), 1.0

    return measure


def _row(
    places: Sequence[Sequence[Draw]], found: Mapping[str, Parts], method: Method, k: int, *, monitors: bool, seed: int
) -> dict[str, Any]:
    draws = [draw for place in places for draw in place if draw.monitors == monitors]
    steps, seconds = sum(max(draw.tokens - 1, 0) for draw in draws), sum(draw.decode_s for draw in draws)
    return {
        "monitors": "on" if monitors else "off",
        "method": method,
        "k": k,
        **columns(found, seed),
        "n": len(places),
        "n_clean": int(sum(below for _, below in found["clean"].values())),
        "packages": len({place[0].package for place in places}),
        "constrained": sum(draw.constrained > 0 for draw in draws),
        "forbidden_tokens": sum(draw.forbidden for draw in draws),
        "answers": len(draws),
        "tokens_per_s": steps / seconds if seconds else None,
    }
