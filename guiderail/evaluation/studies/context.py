"""What context from other files is worth, each kind alone: how likely the truth becomes, and how often it is written.

The cursors are in lines that a release added, so that what else it changed stands for the edits of a person.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from guiderail.cache.tree import TokenTree
from guiderail.decoding.session import Session
from guiderail.engine.prompt_builder import PromptBuilder
from guiderail.engine.request import CompletionRequest
from guiderail.evaluation import study
from guiderail.evaluation.context_kinds import BEFORE, KINDS, NONE, NOW, Scene
from guiderail.evaluation.replayed_edits import EditCursor
from guiderail.evaluation.row_file import RowFile
from guiderail.evaluation.scoring import exact_match, first_line
from guiderail.evaluation.tables import Parts, grouped, interval, paired_interval, parts, ratio
from guiderail.evaluation.worker import Row
from guiderail.monitors.analysis.pool import ServerPool
from guiderail.prompt.index import ProjectIndex
from guiderail.prompt.snippet import Snippet
from guiderail.settings import Settings

if TYPE_CHECKING:
    from guiderail.engine.engine import Engine

CUTOFF = f"{NOW} against {BEFORE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(study.Plan):
    """How much is measured: `cursors` in all, spread over the packages."""

    counted = ("cursors",)

    cursors: int = 1000
    prompt_tokens: int = 1024
    context_tokens: int = 384


FULL, QUICK = Plan(), Plan(packages=4, cursors=12)


class Gauge:
    """Measures what snippets are worth at a cursor, to the model alone: nothing is mixed in, forbidden or judged."""

    def __init__(self, engine: Engine, settings: Settings, plan: Plan) -> None:
        alone = {key: value for key, value in study.ALONE.items() if key != "context_tokens"}
        self._engine = engine
        self._settings = replace(settings, until="line", prompt_tokens=plan.prompt_tokens, **alone)
        self._session = Session(engine.model)
        self._prompts = PromptBuilder(engine.model, plan.prompt_tokens)
        self.count = self._prompts.count

    def bits(self, scene: Scene, snippets: Sequence[Snippet]) -> float:
        """What the rest of the line costs with these snippets."""
        plan = replace(self._engine.plan(self._request(scene, snippets)), heal=False)
        tokenizer = self._engine.model.tokenizer
        ids = tokenizer.encode(scene.cursor.truth)
        first = self._session.fit(tokenizer.encode_prompt(self._prompts.build(plan)))
        assert first is not None, "nobody cancels"
        rows = [first[None]]
        if len(ids) > 1:
            rows.append(self._session.feed_tree(TokenTree.chain(ids[:-1])))
        scores = torch.cat(rows).log_softmax(-1).cpu()
        return float(-scores.gather(1, torch.tensor(ids)[:, None]).double().sum() / math.log(2))

    def is_exact(self, scene: Scene, snippets: Sequence[Snippet]) -> bool:
        """Whether the rest of the line is written with them."""
        found = next(iter(self._engine.complete(self._request(scene, snippets)).suggestions), None)
        return exact_match(first_line(found.text) if found else "", scene.cursor.truth)

    def _request(self, scene: Scene, snippets: Sequence[Snippet]) -> CompletionRequest:
        return CompletionRequest(
            document=scene.document, offset=scene.offset, root=scene.root, settings=self._settings, snippets=snippets
        )


def evaluate(
    gauge: Gauge,
    cursors: Iterable[EditCursor],
    root: Path,
    pool: ServerPool,
    plan: Plan,
    kinds: Sequence[str] = tuple(KINDS),
    log: RowFile | None = None,
    advance: Callable[[], None] = lambda: None,
) -> Iterator[Row]:
    """A row for each cursor of one project with each kind."""
    index = ProjectIndex(root)
    for cursor in cursors:
        scene = Scene(cursor, root, index, pool, plan.context_tokens, gauge.count)
        known: dict[tuple[str, ...], Row] = {}
        for kind in dict.fromkeys((NONE, *kinds)):
            make = partial(_row, gauge, scene, kind, known)
            yield from study.once(log, (study.digest_of([cursor]), kind), make)
        advance()


def _row(gauge: Gauge, scene: Scene, kind: str, known: dict[tuple[str, ...], Row]) -> list[Row]:
    snippets = KINDS[kind](scene)
    key = tuple(one.path + one.text for one in snippets)
    if key not in known:  # several kinds may find the same
        known[key] = {
            "package": scene.cursor.package,
            "has": bool(snippets),
            "bits": gauge.bits(scene, snippets),
            "size": len(scene.cursor.truth.encode()),
            "exact": gauge.is_exact(scene, snippets),
        }
    return [known[key]]


def rows(found: Iterable[Row], model: str, plan: Plan) -> list[dict[str, Any]]:
    """A row for each kind: at the cursors at which it finds something, with it and without."""
    by_kind = {kind: {row["task"]: row for row in own} for kind, own in grouped(found, itemgetter("system")).items()}
    table = []
    for kind, own in by_kind.items():
        if kind != NONE:
            table.append(_compared(kind, own, by_kind[NONE], model, plan.seed))
    if {NOW, BEFORE} <= by_kind.keys():
        table.append(_compared(CUTOFF, by_kind[NOW], by_kind[BEFORE], model, plan.seed, all_cursors=True))
    return table


def _compared(
    kind: str,
    own: Mapping[str, Row],
    base: Mapping[str, Row],
    model: str,
    seed: int,
    *,
    all_cursors: bool = False,
) -> dict[str, Any]:
    tasks = [task for task in own if all_cursors or own[task]["has"]]
    about = {"model": model, "kind": kind, "cursors": len(own), "n": len(tasks)}
    if not tasks:
        return about
    sides = [[side[task] for task in tasks] for side in (base, own)]
    bits = [parts(side, lambda row: (row["bits"], row["size"])) for side in sides]
    exact = [parts(side, lambda row: (float(row["exact"]), 1.0)) for side in sides]
    return about | _figures("bits", bits, seed) | _figures("exact", exact, seed)


def _figures(name: str, sides: Sequence[Parts], seed: int) -> dict[str, Any]:
    without, having = sides
    return {
        f"{name}_without": ratio(without),
        f"{name}_with": ratio(having),
        f"{name}_interval": interval(having, seed=seed),
        f"{name}_gain": ratio(having) - ratio(without),
        f"{name}_gain_interval": paired_interval(having, without, seed=seed),
    }
