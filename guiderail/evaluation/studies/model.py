"""How well models write code of packages that nobody trained on.

Every system answers the same tasks and reads the same texts:

* the model; the model with the lines of its context shuffled (what word order is worth to it); the model with the
  project's n-grams mixed in (`guiderail.decoding.stages.ngram`);
* an n-gram model with copy from the context, over the file alone and over the project's other files too.

A prompt names the file by its path in the package, as the product's prompts do, and shows the file alone. The context
that the product takes from other files is left out on purpose: only the n-grams of the project see those, so that what
the model knows, what the file says and what the project lends are measured apart. No system is shown text of another
package.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from guiderail.decoding.stages.ngram import WEIGHTS, FimMarks, NgramMix
from guiderail.decoding.stages.ngram_counts import NgramCounts
from guiderail.engine.completer import Completer
from guiderail.engine.plan import CompletionPlan
from guiderail.evaluation import ngram_model
from guiderail.evaluation.likelihood import Scorer
from guiderail.evaluation.ngram_mixing import PROJECT_CHARACTERS, Trace, mixed_bits, project_counts
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.scoring import first_line
from guiderail.evaluation.study import Answer, AnswerPlan, scored
from guiderail.evaluation.tables import Measure, Parts, columns, differences, figures, mean
from guiderail.evaluation.task import Task
from guiderail.evaluation.tasks import KINDS, draw_lines, draw_texts, spread

if TYPE_CHECKING:
    from guiderail.model.model import Model

SHUFFLED = "context shuffled"
MIXED = "+ project n-grams"
FILE_NGRAMS = "n-grams of the file"
PROJECT_NGRAMS = "n-grams of the file and the project"


def variants(model: str) -> tuple[str, str]:
    """The systems that are compared with the plain model of this name."""
    return f"{model} {MIXED}", f"{model}, {SHUFFLED}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(AnswerPlan):
    """How much is measured.

    Parameters
    ----------
    lines
        Tasks of each kind, spread evenly over the packages.
    texts
        Files of each package whose bits per byte are measured.
    text_characters
        How much of each, to the end of the line.
    window
        Tokens of a window of bits per byte (half of it is context, but for the first).
    project_characters
        How much of a package the n-grams see at most; whole files, in the order of their paths.
    """

    counted = ("lines",)

    lines: int = 180
    texts: int = 2
    text_characters: int = 12_000
    window: int = 2048
    project_characters: int = PROJECT_CHARACTERS


FULL = Plan()
QUICK = Plan(packages=16, lines=48, texts=1, text_characters=6_000, window=1024, prompt_tokens=512)


@dataclass(frozen=True, slots=True)
class Material:
    """What one package is measured on."""

    package: str
    files: list[SourceFile]
    texts: list[SourceFile]
    tasks: list[Task]


@dataclass(frozen=True, slots=True)
class TextSample:
    """One text read by one system."""

    system: str
    package: str
    path: str
    bits: float
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSample(Answer):
    """One task answered by one system."""

    system: str
    kind: str
    truth: str
    tokens: int
    decode_s: float


Sample = TextSample | LineSample


def materials(files: Mapping[str, Sequence[SourceFile]], plan: Plan) -> list[Material]:
    """Draw every package's texts and tasks."""
    shares = {kind: spread(plan.lines, list(files)) for kind in KINDS}
    return [
        Material(
            package,
            list(own),
            draw_texts(own, plan.texts, plan.text_characters, plan.seed),
            [task for kind in KINDS for task in draw_lines(own, kind, shares[kind][package], plan.seed)],
        )
        for package, own in files.items()
    ]


def units(material: Sequence[Material], models: int) -> int:
    """How many samples `evaluate` will give."""
    return sum(len(m.texts) + len(m.tasks) for m in material) * (3 * models + 2)


def evaluate(
    models: Mapping[str, Model], material: Sequence[Material], plan: Plan, *, advance: Callable[[], None] = lambda: None
) -> Iterator[Sample]:
    """Every sample of every system; the n-gram models use the first model's tokenizer."""
    for index, (name, model) in enumerate(models.items()):
        runner = _Runner(name, model, plan, baselines=index == 0)
        for own in material:
            for sample in runner.samples(own):
                advance()
                yield sample


@dataclass
class _Runner:
    """One model, all its variants, and the n-gram models beside the first one."""

    name: str
    model: Model
    plan: Plan
    baselines: bool
    scorer: Scorer = field(init=False)
    completer: Completer = field(init=False)

    def __post_init__(self) -> None:
        self.scorer = Scorer(self.model, self.plan.window)
        self.completer = Completer(self.model, prompt_tokens=self.plan.prompt_tokens)
        self.tokenizer = self.model.tokenizer
        self.marks = FimMarks.of(self.model)
        self.nothing = NgramCounts(ngram_model.ORDERS)
        self.mixed, self.shuffled = variants(self.name)

    def samples(self, own: Material) -> Iterator[Sample]:
        project = project_counts(own.files, self.tokenizer, self.plan.project_characters)
        for text in own.texts:
            with project.without(text.path):
                yield from self._text(text, project)
        for task in own.tasks:
            with project.without(task.path):
                yield from self._line(task, project)

    def _rng(self, *words: object) -> random.Random:
        return random.Random(f"{self.plan.seed}:shuffle:{words}")

    def _text(self, text: SourceFile, project: NgramCounts) -> Iterator[TextSample]:
        ids = self.tokenizer.encode(text.text)
        size = len(text.text.encode())
        trace = Trace.read(ids, project)
        scores = self.scorer.score(ids)
        shuffled = self.scorer.score(ids, shuffle=self._rng(text.package, text.path))
        found = {
            self.name: scores.bits,
            self.shuffled: shuffled.bits,
            self.mixed: mixed_bits(trace, scores, WEIGHTS),
        }
        if self.baselines:
            for system, counts in ((FILE_NGRAMS, self.nothing), (PROJECT_NGRAMS, project)):
                found[system] = ngram_model.NgramModel(counts, self.tokenizer.token_bytes).bits(ids)
        for system, bits in found.items():
            yield TextSample(system, text.package, text.path, bits, size)

    def _line(self, task: Task, project: NgramCounts) -> Iterator[LineSample]:
        mix = NgramMix(project, WEIGHTS, self.marks)
        request = self._request(task)
        yield self._complete(self.name, task, request)
        yield self._complete(self.mixed, task, replace(request, stages=(mix,)))
        rng = self._rng(task.package, task.path, task.kind, task.start)
        yield self._complete(self.shuffled, task, self._request(_shuffled(task, rng)))
        if self.baselines:
            for system, counts in ((FILE_NGRAMS, self.nothing), (PROJECT_NGRAMS, project)):
                yield self._copy(system, task, counts)

    def _request(self, task: Task) -> CompletionPlan:
        layout = "prefix" if task.kind == "next_line" else "auto"
        return task.request(max_tokens=self.plan.max_tokens, layout=layout)

    def _complete(self, system: str, task: Task, request: CompletionPlan) -> LineSample:
        [answer] = self.completer.complete(request)
        return _sample(system, task, answer.text, len(answer.token_ids), answer.timings.decode_s)

    def _copy(self, system: str, task: Task, counts: NgramCounts) -> LineSample:
        typed = ngram_model.half_typed(task.prefix)
        prefix = self.tokenizer.encode(task.prefix[: len(task.prefix) - len(typed)])
        ngrams = ngram_model.NgramModel(counts, self.tokenizer.token_bytes)
        began = time.perf_counter()
        answer, tokens = ngrams.complete(
            prefix, self.tokenizer.encode(task.suffix), typed.encode(), max_tokens=self.plan.max_tokens
        )
        return _sample(system, task, answer.decode(errors="ignore"), tokens, time.perf_counter() - began)


def _shuffled(task: Task, rng: random.Random) -> Task:
    """Permute the lines around the cursor's own, on each side apart."""
    *before, line = task.prefix.split("\n")
    rest, *after = task.suffix.split("\n")
    rng.shuffle(before)
    rng.shuffle(after)
    return replace(task, prefix="\n".join([*before, line]), suffix="\n".join([rest, *after]))


def _sample(system: str, task: Task, answer: str, tokens: int, seconds: float) -> LineSample:
    own = scored(task, first_line(answer))
    return LineSample(system=system, kind=task.kind, truth=task.truth, tokens=tokens, decode_s=seconds, **own)


MEASURES: Mapping[str, Measure[Sample]] = {
    "bits_per_byte": lambda s: (s.bits, s.bytes) if isinstance(s, TextSample) else None,
    "next_line_em": mean("exact", kind="next_line"),
    "next_line_es": mean("similarity", kind="next_line"),
    "fim_line_em": mean("exact", kind="fim_line"),
    "parse_rate": mean("parses", kind="fim_line"),
}


def rows(samples: Iterable[Sample], *, seed: int, bases: Mapping[str, str]) -> list[dict[str, Any]]:
    """One row for each system, in the order of its first sample.

    Parameters
    ----------
    samples
        Of all systems over the same texts and tasks.
    seed
        Of the bootstrap.
    bases
        By system, the one whose paired differences its row states.
    """
    grouped: dict[str, list[Sample]] = {}
    for sample in samples:
        grouped.setdefault(sample.system, []).append(sample)
    found = {system: figures(own, MEASURES) for system, own in grouped.items()}
    table = [_row(system, own, found[system], seed) for system, own in grouped.items()]
    for row in table:
        base = bases.get(row["model"])
        if base in found:
            row["against"] = {"model": base, **differences(found[row["model"]], found[base], seed)}
    return table


def _row(system: str, own: Sequence[Sample], found: Mapping[str, Parts], seed: int) -> dict[str, Any]:
    lines = [s for s in own if isinstance(s, LineSample)]
    # A first token needs no decode step: its scores come with the prompt.
    steps, seconds = sum(max(s.tokens - 1, 0) for s in lines), sum(s.decode_s for s in lines)
    return {
        "model": system,
        **columns(found, seed),
        "n": len(lines),
        "n_text_bytes": sum(s.bytes for s in own if isinstance(s, TextSample)),
        "packages": len({s.package for s in own}),
        "tokens_per_s": steps / seconds if seconds else None,
    }
