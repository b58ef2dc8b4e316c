"""What a person is shown while typing, and whether it is worth a look: true typing, replayed through the product.

At every fifth key the product is asked as an editor asks it. What it shows is compared with what was typed next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from guiderail.engine.request import CompletionRequest
from guiderail.evaluation import study
from guiderail.evaluation.keystrokes import Cursor, draw, is_right, right_steps, steps
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.row_file import RowFile
from guiderail.evaluation.tables import Parts, columns, grouped, mean, parts
from guiderail.evaluation.worker import Row
from guiderail.monitors.change import Change
from guiderail.monitors.verdict import syntax_of
from guiderail.text.document import Document

if TYPE_CHECKING:
    from guiderail.engine.suggestion import Suggestion
    from guiderail.settings import Settings

ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(study.Plan):
    """How much is measured: `cursors` of each package."""

    counted = ("cursors",)

    cursors: int = 60


FULL, QUICK = Plan(), Plan(packages=3, cursors=10)

# What is shown for a request, the best first.
Answer = Callable[[CompletionRequest], "Sequence[Suggestion]"]


def drawn(files: Mapping[str, Sequence[SourceFile]], plan: Plan) -> list[Cursor]:
    """The cursors of all packages."""
    return [cursor for own in files.values() for cursor in draw(own, plan.cursors, plan.seed)]


def evaluate(
    answer: Answer,
    cursors: Iterable[Cursor],
    roots: Mapping[str, Path],
    chosen: Mapping[str, Settings],
    log: RowFile | None = None,
    advance: Callable[[], None] = lambda: None,
) -> Iterator[Row]:
    """A row for each cursor and each of the chosen settings, by the name that the table calls it."""
    for cursor in cursors:
        root = roots[cursor.package]
        document = Document(cursor.text, root / cursor.path, cursor.language)
        request = CompletionRequest(document=document, offset=cursor.offset, root=root)
        for name, settings in chosen.items():
            own = replace(request, settings=settings, n=settings.suggestions)
            unit = (study.digest_of([asdict(cursor)]), name)
            yield from study.once(log, unit, lambda own=own, cursor=cursor: [_row(cursor, own, answer(own))])
            advance()


def _row(cursor: Cursor, request: CompletionRequest, shown: Sequence[Suggestion]) -> Row:
    one = shown[0] if shown else None
    facts = {key: getattr(cursor, key) for key in ("package", "language", "place", "trace", "at", "typed")}
    if one is None:
        return {**facts, "shown": False, "text": "", "saved": 0, "reached": cursor.at}
    right = one.end == one.start and is_right(one.text, cursor.truth)
    words = right_steps(one.text, cursor.truth)
    saved, accepted = (len(one.text) - 1, one.text) if right else (len("".join(words)) - len(words), "".join(words))
    return {
        **facts,
        "shown": True,
        "text": one.text,
        "right": right,
        "first": bool(words) or not steps(one.text),
        "breaks": not right and syntax_of(request.document, Change(one.start, one.end, one.text)) == "wrong",
        "saved": saved,
        "reached": cursor.at + (len(accepted) if saved else 0),
    }


def rows(found: Iterable[Row], model: str, plan: Plan) -> list[dict[str, Any]]:
    """A row for each setting: of all cursors, and by language and place; intervals are over packages."""
    made = []
    for setting, own in grouped(found, lambda row: row["system"]).items():
        about = {"model": model, "setting": setting}
        files = {ALL: own, **grouped(own, lambda row: row["language"])}
        made += [about | _figures(each, name, plan, saved=_saved(each)) for name, each in files.items()]
        places = grouped(own, lambda row: row["place"])
        made += [about | _figures(each, name, plan) for name, each in places.items()]
    return made


def _figures(own: Sequence[Row], where: str, plan: Plan, saved: Iterable[Typed] = ()) -> dict[str, Any]:
    """The figures of some cursors; what accepting saves can only be told where all cursors of a trace are there."""
    measured: dict[str, Parts] = {"shown": parts(own, mean("shown"))}
    measured |= {name: parts(own, mean(name, shown=True)) for name in ("right", "first", "breaks")}
    measured["saved"] = parts(saved, lambda one: (100 * one.saved, one.typed), attrgetter("package"))
    return {"where": where, "cursors": len(own), **columns(measured, plan.seed)}


class Typed(NamedTuple):
    """Lines that were typed: how many of the characters accepting saved, and how many there were."""

    package: str
    saved: float
    typed: float


def _saved(own: Sequence[Row]) -> Iterator[Typed]:
    """What was typed in each place.

    A person accepts what is right to its end with one key, else its first words with a key each. A cursor that an
    acceptance has gone past is not reached.
    """
    for typed in grouped(own, lambda row: row["trace"]).values():
        saved, reached = 0, 0
        for row in sorted(typed, key=lambda row: row["at"]):
            if row["at"] >= reached:
                saved, reached = saved + row["saved"], row["reached"]
        yield Typed(typed[0]["package"], saved, typed[0]["typed"])
