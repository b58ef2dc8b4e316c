"""How well models write code of packages that nobody trained on.

Every system answers the same tasks and reads the same texts:

* the model; the model with the lines of its context shuffled (what word order is worth to it); the model with the
  project's n-grams mixed in (`guiderail.decoding.stages.ngram`);
* an n-gram model with copy from the context, over the file alone and over the project's other files too.

A prompt names the file by its path in the package, as the product's prompts do, and shows the file alone. The context
that the product takes from other files is left out on purpose: only the n-grams of the project see those, so that what
the model knows, what the file says and what the project lends are measured apart. No system is shown text of another
package.

Lines are completed by the engine. Texts are read by a part below it, `guiderail.evaluation.likelihood`: nothing is
completed there.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guiderail.decoding.stages.ngram import WEIGHTS
from guiderail.decoding.stages.ngram_counts import NgramCounts
from guiderail.evaluation import ngram_model
from guiderail.evaluation.config import GREEDY, Config, System
from guiderail.evaluation.likelihood import Scorer
from guiderail.evaluation.ngram_mixing import PROJECT_CHARACTERS, Trace, mixed_bits, project_counts
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.row_file import RowFile
from guiderail.evaluation.scoring import score
from guiderail.evaluation.study import AnswerPlan, answered, laid_out, once
from guiderail.evaluation.tables import Measure, Parts, columns, differences, figures, grouped, mean, tokens_per_s
from guiderail.evaluation.task import Task
from guiderail.evaluation.tasks import KINDS, draw_lines, draw_texts, spread
from guiderail.evaluation.worker import Row, Worker

if TYPE_CHECKING:
    from guiderail.model.tokenizer import Tokenizer

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


def materials(files: Mapping[str, Sequence[SourceFile]], plan: Plan, folder: Path) -> list[Material]:
    """Draw every package's texts and tasks; its files are laid out in a folder, for the n-grams of the project."""
    roots = laid_out(files, folder)
    shares = {kind: spread(plan.lines, list(files)) for kind in KINDS}
    return [
        Material(
            package,
            list(own),
            draw_texts(own, plan.texts, plan.text_characters, plan.seed),
            [
                replace(task, root=roots[package])
                for kind in KINDS
                for task in draw_lines(own, kind, shares[kind][package], plan.seed)
            ],
        )
        for package, own in files.items()
    ]


def units(material: Sequence[Material], models: int) -> int:
    """How many samples `evaluate` will give."""
    return sum(len(m.texts) + len(m.tasks) for m in material) * (3 * models + 2)


def evaluate(
    worker: Worker,
    config: Config,
    material: Sequence[Material],
    plan: Plan,
    log: RowFile | None = None,
    advance: Callable[[], None] = lambda: None,
) -> Iterator[Row]:
    """Every row of every system; the n-gram models use the first model's tokenizer."""
    for index, name in enumerate(config.models):
        model = _Model(name, worker, config, plan, log, baselines=index == 0)
        for own in material:
            for row in model.rows(own):
                advance()
                yield row


@dataclass
class _Model:
    """One model, all its variants, and the n-gram models beside the first one."""

    name: str
    worker: Worker
    config: Config
    plan: Plan
    log: RowFile | None
    baselines: bool
    scorer: Scorer = field(init=False)
    tokenizer: Tokenizer = field(init=False)

    def __post_init__(self) -> None:
        model = self.worker.engine(replace(self.config.settings, model=self.name)).model
        self.scorer, self.tokenizer = Scorer(model, self.plan.window), model.tokenizer
        self.nothing = NgramCounts(ngram_model.ORDERS)

    def rows(self, own: Material) -> Iterator[Row]:
        project = project_counts(own.files, self.tokenizer, self.plan.project_characters)
        for text in own.texts:
            unit = f"text:{text.package}:{text.path}", self.name
            yield from once(self.log, unit, partial(self._text, text, project))
        for task in own.tasks:
            yield from answered(self.worker, [task], self._systems(task.kind), self.log)
            for system, counts in self._baselines(project):
                yield from once(self.log, (task.id, system), partial(self._copy, task, counts, project))

    def _systems(self, kind: str) -> list[System]:
        """The model and its variants; what comes next of a file is asked without what follows."""
        mixed, shuffled = variants(self.name)
        layout = {"layout": "prefix"} if kind == "next_line" else {}
        lent = layout | {"project_ngrams": "on", "context": True}
        shown = partial(_shuffled, seed=self.plan.seed)
        return [
            System(self.name, GREEDY, name=self.name, overrides=layout),
            System(self.name, GREEDY, name=mixed, overrides=lent),
            System(self.name, GREEDY, name=shuffled, overrides=layout, shown=shown),
        ]

    def _baselines(self, project: NgramCounts) -> list[tuple[str, NgramCounts]]:
        return [(FILE_NGRAMS, self.nothing), (PROJECT_NGRAMS, project)] if self.baselines else []

    def _text(self, text: SourceFile, project: NgramCounts) -> list[Row]:
        mixed, shuffled = variants(self.name)
        rng = random.Random(f"{self.plan.seed}:shuffle:{(text.package, text.path)}")
        ids = self.tokenizer.encode(text.text)
        with project.without(text.path):
            scores = self.scorer.score(ids)
            found = {self.name: scores.bits, shuffled: self.scorer.score(ids, shuffle=rng).bits}
            found[mixed] = mixed_bits(Trace.read(ids, project), scores, WEIGHTS)
            for system, counts in self._baselines(project):
                found[system] = ngram_model.NgramModel(counts, self.tokenizer.token_bytes).bits(ids)
        about = {"package": text.package, "path": text.path, "bytes": len(text.text.encode())}
        return [{"variant": system, "bits": bits, **about} for system, bits in found.items()]

    def _copy(self, task: Task, counts: NgramCounts, project: NgramCounts) -> list[Row]:
        typed = ngram_model.half_typed(task.prefix)
        prefix = self.tokenizer.encode(task.prefix[: len(task.prefix) - len(typed)])
        suffix = self.tokenizer.encode(task.suffix)
        ngrams, most = ngram_model.NgramModel(counts, self.tokenizer.token_bytes), self.plan.max_tokens
        with project.without(task.path):
            began = time.perf_counter()
            written, tokens = ngrams.complete(prefix, suffix, typed.encode(), max_tokens=most)
            decode_s = time.perf_counter() - began
        answer = task.truncated(written.decode(errors="ignore"))
        about = {"kind": task.kind, "package": task.package, "path": task.path, "start": task.start}
        return [{**about, "answer": answer, **score(task, answer), "tokens": tokens, "decode_s": decode_s}]


def _shuffled(task: Task, seed: int) -> Task:
    """Permute the lines around the cursor's own, on each side apart."""
    rng = random.Random(f"{seed}:shuffle:{(task.package, task.path, task.kind, task.start)}")
    *before, line = task.prefix.split("\n")
    rest, *after = task.suffix.split("\n")
    rng.shuffle(before)
    rng.shuffle(after)
    return replace(task, prefix="\n".join([*before, line]), suffix="\n".join([rest, *after]))


def named(row: Row) -> str:
    """The system that a row is of: texts are read by all variants of a model at once."""
    return row["variant"] if "variant" in row else row["system"]


MEASURES: Mapping[str, Measure[Row]] = {
    "bits_per_byte": lambda row: (row["bits"], row["bytes"]) if "bits" in row else None,
    "next_line_em": mean("exact", kind="next_line"),
    "next_line_es": mean("similarity", kind="next_line"),
    "fim_line_em": mean("exact", kind="fim_line"),
    "parse_rate": mean("parses", kind="fim_line"),
}


def rows(samples: Iterable[Row], *, seed: int, bases: Mapping[str, str]) -> list[dict[str, Any]]:
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
    by_name = grouped(samples, named)
    found = {system: figures(own, MEASURES) for system, own in by_name.items()}
    table = [_row(system, own, found[system], seed) for system, own in by_name.items()]
    for row in table:
        base = bases.get(row["model"])
        if base in found:
            row["against"] = {"model": base, **differences(found[row["model"]], found[base], seed)}
    return table


def _row(system: str, own: Sequence[Row], found: Mapping[str, Parts], seed: int) -> dict[str, Any]:
    lines = [row for row in own if "bits" not in row]
    return {
        "model": system,
        **columns(found, seed),
        "n": len(lines),
        "n_text_bytes": sum(row["bytes"] for row in own if "bits" in row),
        "packages": len({row["package"] for row in own}),
        "tokens_per_s": tokens_per_s(lines),
    }
