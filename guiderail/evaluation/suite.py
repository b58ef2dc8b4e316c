"""The one suite after `guiderail eval model`: how well models write code of packages that nobody trained on.

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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from guiderail.decoding.stages.ngram import WEIGHTS, FimMarks, NgramMix
from guiderail.decoding.stages.ngram_counts import NgramCounts
from guiderail.engine.completer import Completer
from guiderail.engine.plan import CompletionPlan
from guiderail.evaluation import baseline
from guiderail.evaluation.likelihood import Scorer
from guiderail.evaluation.metrics import edit_similarity, exact_match, truncate
from guiderail.evaluation.mixing import PROJECT_CHARACTERS, Trace, mixed_bits, project_counts
from guiderail.evaluation.packages import SourceFile, parses
from guiderail.evaluation.tasks import KINDS, LineTask, draw_lines, draw_texts, spread
from guiderail.text.document import Document

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
class Plan:
    """How much is measured.

    Parameters
    ----------
    packages
        The first so many of the manifest; None for all.
    lines
        Tasks of each kind, spread evenly over the packages.
    texts
        Files of each package whose bits per byte are measured.
    text_characters
        How much of each, to the end of the line.
    window
        Tokens of a window of bits per byte (half of it is context, but for the first).
    prompt_tokens, max_tokens
        Tokens of a task's prompt and of its answer at most.
    project_characters
        How much of a package the n-grams see at most; whole files, in the order of their paths.
    seed
        Of the tasks, the shuffling and the bootstrap.
    """

    packages: int | None = None
    lines: int = 180
    texts: int = 2
    text_characters: int = 12_000
    window: int = 2048
    prompt_tokens: int = 1024
    max_tokens: int = 64
    project_characters: int = PROJECT_CHARACTERS
    seed: int = 0


FULL = Plan()
QUICK = Plan(packages=16, lines=48, texts=1, text_characters=6_000, window=1024, prompt_tokens=512)


@dataclass(frozen=True, slots=True)
class Material:
    """What one package is measured on."""

    package: str
    files: list[SourceFile]
    texts: list[SourceFile]
    tasks: list[LineTask]


@dataclass(frozen=True, slots=True)
class TextSample:
    """One text read by one system."""

    system: str
    package: str
    path: str
    bits: float
    bytes: int


@dataclass(frozen=True, slots=True)
class LineSample:
    """One task answered by one system; `parses` tells whether the file with the answer in it can be parsed."""

    system: str
    package: str
    path: str
    kind: str
    start: int
    truth: str
    answer: str
    exact: bool
    similarity: float
    parses: bool
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
        self.nothing = NgramCounts(baseline.ORDERS)
        self.mixed, self.shuffled = variants(self.name)

    def samples(self, own: Material) -> Iterator[Sample]:
        project = project_counts(own.files, self.tokenizer, self.plan.project_characters)
        for text in own.texts:
            with project.without(text.path):
                yield from self._text(text, project)
        for task in own.tasks:
            with project.without(task.file.path):
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
                found[system] = baseline.NgramModel(counts, self.tokenizer.token_bytes).bits(ids)
        for system, bits in found.items():
            yield TextSample(system, text.package, text.path, bits, size)

    def _line(self, task: LineTask, project: NgramCounts) -> Iterator[LineSample]:
        mix = NgramMix(project, WEIGHTS, self.marks)
        request = self._request(task.prefix, task.suffix, task)
        yield self._complete(self.name, task, request)
        yield self._complete(self.mixed, task, replace(request, stages=(mix,)))
        rng = self._rng(task.file.package, task.file.path, task.kind, task.start)
        mixed_up = self._request(*_shuffled(task.prefix, task.suffix, rng), task)
        yield self._complete(self.shuffled, task, mixed_up)
        if self.baselines:
            for system, counts in ((FILE_NGRAMS, self.nothing), (PROJECT_NGRAMS, project)):
                yield self._copy(system, task, counts)

    def _request(self, prefix: str, suffix: str, task: LineTask) -> CompletionPlan:
        return CompletionPlan(
            document=Document(prefix + suffix, Path(task.file.path), "python"),
            offset=len(prefix),
            until="line",
            max_tokens=self.plan.max_tokens,
            layout="prefix" if task.kind == "next_line" else "auto",
        )

    def _complete(self, system: str, task: LineTask, request: CompletionPlan) -> LineSample:
        [answer] = self.completer.complete(request)
        return _judged(system, task, answer.text, len(answer.token_ids), answer.timings.decode_s)

    def _copy(self, system: str, task: LineTask, counts: NgramCounts) -> LineSample:
        typed = baseline.half_typed(task.prefix)
        prefix = self.tokenizer.encode(task.prefix[: len(task.prefix) - len(typed)])
        ngrams = baseline.NgramModel(counts, self.tokenizer.token_bytes)
        began = time.perf_counter()
        answer, tokens = ngrams.complete(
            prefix, self.tokenizer.encode(task.suffix), typed.encode(), max_tokens=self.plan.max_tokens
        )
        return _judged(system, task, answer.decode(errors="ignore"), tokens, time.perf_counter() - began)


def _shuffled(prefix: str, suffix: str, rng: random.Random) -> tuple[str, str]:
    """Permute the lines around the cursor's own, on each side apart."""
    *before, line = prefix.split("\n")
    rest, *behind = suffix.split("\n")
    rng.shuffle(before)
    rng.shuffle(behind)
    return "\n".join([*before, line]), "\n".join([rest, *behind])


def _judged(system: str, task: LineTask, answer: str, tokens: int, seconds: float) -> LineSample:
    return LineSample(
        system=system,
        package=task.file.package,
        path=task.file.path,
        kind=task.kind,
        start=task.start,
        truth=task.truth,
        answer=truncate(answer),
        exact=exact_match(answer, task.truth),
        similarity=edit_similarity(answer, task.truth),
        parses=parses(task.completed(truncate(answer))),
        tokens=tokens,
        decode_s=seconds,
    )
