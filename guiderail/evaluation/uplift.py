"""What monitors are worth: the same model at the same dereferences, with monitors and without.

After the evaluation of "Guiding Language Models of Code with Global Context using Monitors" (NeurIPS 2023), section 4,
on Python: a cursor stands after a dot, the rest of its line is hidden, what stands below is kept, and the answer is a
line. Greedy decoding answers once; sampling draws with the same seeds on both sides. Every package stands in a project
with its dependencies installed, and the analyser is waited for, as in the paper: this is quality, not speed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as LateError
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from guiderail.decoding.sampling import Sampling
from guiderail.engine.completer import Completer
from guiderail.engine.plan import CompletionPlan
from guiderail.engine.suggestion import Suggestion
from guiderail.evaluation.dereferences import Dereference
from guiderail.evaluation.lexical import identifier_sequence_match, next_identifier_match, prefix_match
from guiderail.evaluation.metrics import interval, paired_interval, ratio, score_at
from guiderail.evaluation.soundness import ANSWER_S
from guiderail.monitors.analysis.analyser import Analyser
from guiderail.monitors.analysis.answers import Diagnostic, NoAnswer
from guiderail.monitors.analysis.requests import DIAGNOSTICS, Question
from guiderail.monitors.monitors import Monitors
from guiderail.monitors.verdict import errors_in, new_errors
from guiderail.text.document import Document

Method = Literal["greedy", "sampled"]
Key = tuple[str, str, int]  # package, path, offset
MEASURES = ("nim", "ism", "pm", "clean")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured.

    Parameters
    ----------
    packages
        Packages of the manifest, from its beginning; None is all.
    positions
        Dereferences of each package.
    samples
        Draws at each, beside the greedy answer; 0 for that alone.
    temperature, top_p
        Of the draws.
    prompt_tokens, max_tokens
        Tokens of a prompt and of an answer at most.
    seed
        Of the positions, the draws and the bootstrap.
    """

    packages: int | None = None
    positions: int = 24
    samples: int = 6
    temperature: float = 0.8
    top_p: float = 0.95
    prompt_tokens: int = 768
    max_tokens: int = 48
    seed: int = 0


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
        Who finds the errors: not the one that the monitors ask, so that nobody is judge of his own case.
    """

    def __init__(self, analyser: Analyser) -> None:
        self._analyser = analyser

    def ask(self, document: Document, offset: int, text: str) -> Future[tuple[Diagnostic, ...]]:
        """What is wrong with the file that has `text` at `offset`."""
        assert document.path is not None
        whole = document.text[:offset] + text + document.text[offset:]
        return self._analyser.ask(DIAGNOSTICS, Question(document.path, document.language or "", whole, 0))

    @staticmethod
    def is_clean(having: Future[tuple[Diagnostic, ...]], wanted: Future[tuple[Diagnostic, ...]]) -> bool | None:
        """Whether a file has no errors that the author's has not; None if the analyser does not say."""
        try:
            return not new_errors(errors_in(having.result(ANSWER_S)), errors_in(wanted.result(ANSWER_S)))
        except (NoAnswer, LateError):
            return None


def ask(
    completer: Completer, monitors: Monitors, judge: Judge, position: Dereference, root: Path, plan: Plan
) -> list[Draw]:
    """All answers at one position; they are judged while the next ones are written."""
    document, truth = Document(position.hidden, root / position.file.path, "python"), position.truth
    plain = CompletionPlan(document=document, offset=position.start, root=root, max_tokens=plan.max_tokens)
    wanted = judge.ask(document, position.start, truth)
    written = []
    for watched in (None, monitors):
        for method, n, sampling in _ways(plan):
            asked = replace(plain, sampling=sampling, n=n, distinct=False, monitors=watched)
            for index, found in enumerate(completer.complete(asked)):
                having = judge.ask(document, position.start, found.text)
                written.append((found, watched is not None, method, index, having))
    return [
        _draw(position, found, truth, on, method, index, judge.is_clean(having, wanted))
        for found, on, method, index, having in written
    ]


def _ways(plan: Plan) -> Iterator[tuple[Method, int, Sampling]]:
    """Each method with how many answers it gives."""
    yield "greedy", 1, Sampling()
    if plan.samples:
        yield "sampled", plan.samples, Sampling(temperature=plan.temperature, top_p=plan.top_p, seed=plan.seed)


def _draw(
    position: Dereference,
    found: Suggestion,
    truth: str,
    monitors: bool,
    method: Method,
    index: int,
    clean: bool | None,
) -> Draw:
    watches = found.monitored.watches if found.monitored else []
    return Draw(
        position.file.package,
        position.file.path,
        position.start,
        monitors,
        method,
        index,
        found.text,
        float(next_identifier_match(found.text, truth, "python")),
        identifier_sequence_match(found.text, truth, "python"),
        prefix_match(found.text, truth, "python"),
        clean,
        sum(watch.abstained is None for watch in watches),
        sum(len(watch.forbidden) for watch in watches),
        len(found.token_ids),
        found.timings.decode_s / found.shared_by,
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
    found = []
    drawn = sorted({1, plan.samples}) if plan.samples else []
    ways: list[tuple[Method, int]] = [("greedy", 1), *(("sampled", k) for k in drawn)]
    for method, k in ways:
        parts = {on: {name: _parts(places, on, method, k, name) for name in MEASURES} for on in (False, True)}
        off, on = (_row(places, parts[on], method, k, on, plan.seed) for on in (False, True))
        found += [off, on | {"against_off": _differences(parts[True], parts[False], plan.seed)}]
    return found


def _row(
    places: Sequence[Sequence[Draw]], parts: Mapping[str, Any], method: Method, k: int, on: bool, seed: int
) -> dict[str, Any]:
    draws = [draw for place in places for draw in place if draw.monitors == on and draw.method == method]
    steps, seconds = sum(max(draw.tokens - 1, 0) for draw in draws), sum(draw.decode_s for draw in draws)
    return {
        "monitors": "on" if on else "off",
        "method": method,
        "k": k,
        **{name: ratio(values) if values else None for name, values in parts.items()},
        "n": len(places),
        "n_clean": int(sum(below for _, below in parts["clean"].values())),
        "packages": len({place[0].package for place in places}),
        "intervals": {name: interval(values, seed=seed) for name, values in parts.items() if values},
        "constrained": sum(draw.constrained > 0 for draw in draws),
        "forbidden_tokens": sum(draw.forbidden for draw in draws),
        "answers": len(draws),
        "tokens_per_s": steps / seconds if seconds else None,
    }


def _differences(on: Mapping[str, Any], off: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """What monitors add, with the interval over packages; `relative` to what there was without."""
    found = {}
    for name in MEASURES:
        if on[name]:
            before, after = ratio(off[name]), ratio(on[name])
            found[name] = {
                "difference": after - before,
                "interval": paired_interval(on[name], off[name], seed=seed),
                "relative": after / before - 1 if before else None,
            }
    return found


def _parts(
    places: Iterable[Sequence[Draw]], on: bool, method: Method, k: int, name: str
) -> dict[str, tuple[float, float]]:
    """Sum of score@k, and how many positions, by package."""
    parts: dict[str, tuple[float, float]] = {}
    for place in places:
        both = [draw for draw in place if draw.method == method]
        if any(getattr(draw, name) is None for draw in both):
            continue
        values = [float(getattr(draw, name)) for draw in both if draw.monitors == on]
        above, below = parts.get(place[0].package, (0.0, 0.0))
        parts[place[0].package] = (above + score_at(k, values), below + 1)
    return parts
