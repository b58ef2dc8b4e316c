"""Next edits on what authors did: a declaration's change alone is made in the earlier of two releases, and the edits
that are proposed are compared with the later one.

The changes are mined (`guiderail.evaluation.release_changes`). Baselines in the same run, for renames alone: the
analyser's own rename, and search and replace of the word. The projects are laid out without what they depend on.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from guiderail.errors import GuiderailError
from guiderail.evaluation import study
from guiderail.evaluation.proposed_edits import FileEdit, after_edits, described, score
from guiderail.evaluation.release_changes import Miner, ReleaseChange
from guiderail.evaluation.tables import columns, figures, grouped
from guiderail.evaluation.true_arguments import NEEDS_VALUE
from guiderail.evaluation.worker import Row
from guiderail.monitors.analysis.analyser import ServerAnalyser
from guiderail.monitors.analysis.answers import Diagnostic, NoAnswer, Reference, read_references
from guiderail.monitors.analysis.pool import ServerPool
from guiderail.monitors.analysis.requests import DIAGNOSTICS, Question, Request
from guiderail.monitors.analysis.server import whole
from guiderail.monitors.verdict import errors_in, new_errors
from guiderail.next_edit.finder import InterruptedSearchError
from guiderail.next_edit.proposal import Consequences
from guiderail.next_edit.summary import consequences
from guiderail.text.document import Document
from guiderail.text.edit import Edit
from guiderail.text.language import language_of
from guiderail.text.positions import to_column

GUIDERAIL, RENAME, REPLACE = "guiderail", "analyser's rename", "search and replace"
SYSTEMS = (GUIDERAIL, RENAME, REPLACE)
ANSWER_S = 60.0
MOST_CHECKED = 60  # files of a change whose errors are counted
TSCONFIG = {
    "compilerOptions": {
        "strict": True, "target": "esnext", "module": "esnext", "moduleResolution": "bundler", "jsx": "preserve",
        "noEmit": True, "allowImportingTsExtensions": True, "skipLibCheck": True,
    },
    "include": ["**/*.ts", "**/*.tsx"],
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(study.Plan):
    """How much is measured.

    Parameters
    ----------
    changes
        Of each package at most.
    """

    counted = ("changes",)

    changes: int = 100


FULL, QUICK = Plan(), Plan(packages=6, changes=4)


def drawn(found: Sequence[ReleaseChange], count: int) -> list[ReleaseChange]:
    """Up to so many of a pair's changes, which their names' hashes decide."""
    by_hash = sorted(found, key=lambda one: hashlib.sha256(one.id.encode()).hexdigest())
    return sorted(by_hash[:count], key=lambda one: one.id)


def samples(package: str, miner: Miner, changes: Sequence[ReleaseChange], language: str, root: Path) -> Iterator[Row]:
    """A row for each change of a pair of releases and each system, with the earlier release laid out in `root`."""
    for path, text in miner.before.texts.items():
        _write(root, path, text)
    if language != "python":
        (root / "tsconfig.json").write_text(json.dumps(TSCONFIG))
    pool = ServerPool(trust="never")  # nothing of a package is run
    analyser = pool.reference_finder(language, root)
    try:
        known: dict[str, list[Diagnostic]] = {}
        if analyser is None:
            raise GuiderailError(f"no analyser finds references in {language}", "See guiderail analysers ls")
        for change in changes:
            replay = _Replay(miner, change, root, pool, analyser, language, known)
            for row in replay.rows():
                yield {"package": package, "id": change.id, "kind": change.kind, **row}
    finally:
        pool.stop()


def _write(root: Path, path: str, text: str) -> Path:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8", newline="")
    return place


@dataclass(frozen=True)
class _Replay:
    """One change, made in the earlier release."""

    miner: Miner
    change: ReleaseChange
    root: Path
    pool: ServerPool
    analyser: ServerAnalyser
    language: str
    known: dict[str, list[Diagnostic]]

    def rows(self) -> Iterator[Row]:
        """What each system proposes, compared with the later release."""
        declared = [FileEdit(path, edit) for path, edit in self.change.declared]
        renames = list(self._renamed()) if self.change.renamed else None
        replaced = list(self._replaced()) if self.change.renamed else None
        began = time.perf_counter()
        found = self._consequences(declared)
        seconds = time.perf_counter() - began
        if found is None:
            return
        proposed = self._in_earlier(found)
        yield self._row(GUIDERAIL, proposed) | self._errors(declared, proposed) | self._known(renames, proposed) | {
            "told": self._told(found, proposed), "seconds": seconds,
            "left": sorted({one.why for one in found.left}),
        }  # fmt: skip
        for system, edits in ((RENAME, renames), (REPLACE, replaced)):
            if edits is not None:
                yield self._row(system, edits)

    def _row(self, system: str, edits: Sequence[FileEdit]) -> dict[str, Any]:
        found = score(self.miner, self.change, edits)
        return {
            "system": system, "sites": len(self.change.sites), "excluded": self.change.excluded,
            "found": found.found, "exact": found.exact, "wrong": len(found.wrong), "unknown": found.unknown,
            "proposed": len(edits), "wrong_places": list(found.wrong),
            "missed": [described(self.miner, FileEdit(s.path, Edit(s.start, s.end, " ".join(s.words))))
                       for s in found.missed],
        }  # fmt: skip

    def _known(self, renames: Sequence[FileEdit] | None, proposed: Sequence[FileEdit]) -> dict[str, int | None]:
        """The sites that the analyser's own rename finds, and those of them that have an edit."""
        if renames is None:
            return {"known": None, "known_found": None}
        missed = [set(score(self.miner, self.change, edits).missed) for edits in (renames, proposed)]
        known = set(self.change.sites) - missed[0]
        return {"known": len(known), "known_found": len(known - missed[1])}

    def _consequences(self, declared: Sequence[FileEdit]) -> Consequences | None:
        """What guiderail proposes once the declarations are changed; None if the analyser does not answer."""
        paths = self._state(declared)
        changes = [
            (Document(self.miner.before.texts[path], self.root / path, language_of(path)),
             Document((self.root / path).read_text(encoding="utf-8"), self.root / path, language_of(path)))
            for path in paths
        ]  # fmt: skip
        try:
            return consequences(self.pool, self.root, changes)
        except InterruptedSearchError:
            return None
        finally:
            self._state([], paths)

    def _state(self, edits: Sequence[FileEdit], others: Iterable[str] = ()) -> list[str]:
        """Lay out the files of some edits, with them, and other files as they were."""
        paths = sorted({one.path for one in edits} | set(others))
        written = [_write(self.root, path, after_edits(self.miner.before.texts[path], path, edits)) for path in paths]
        self.analyser.files_changed(written).result(ANSWER_S)
        return paths

    def _in_earlier(self, found: Consequences) -> list[FileEdit]:
        """The proposals as edits of the earlier release."""
        edits = []
        for one in found.edits:
            path = one.path.relative_to(whole(self.root)).as_posix()
            start, end = (self._earlier(path, at) for at in (one.edit.start, one.edit.end))
            edits.append(FileEdit(path, Edit(start, end, one.edit.text)))
        return edits

    def _earlier(self, path: str, at: int) -> int:
        """Where an offset of a file with the declaration's change was before it."""
        shift = 0
        for own, edit in sorted(self.change.declared, key=lambda one: one[1].start):
            if own == path and edit.start + len(edit.text) + shift <= at:
                shift += len(edit.text) - (edit.end - edit.start)
        return at - shift

    def _told(self, found: Consequences, proposed: Sequence[FileEdit]) -> int:
        """The sites with an edit, and those that are named as left to the person."""
        lines = {(one.path, one.line) for one in found.left}
        told = 0
        for site in self.change.sites:
            is_found = any(
                one.path == site.path and site.start <= one.edit.start and one.edit.end <= site.end for one in proposed
            )
            told += is_found or (whole(self.root / site.path), self._line(site.path, site.start)) in lines
        return told

    def _line(self, path: str, start: int) -> int:
        """The line of a place once the declaration is changed."""
        text, more = self.miner.before.texts[path], 0
        for own, edit in self.change.declared:
            if own == path and edit.end <= start:
                more += edit.text.count("\n") - text.count("\n", edit.start, edit.end)
        return text.count("\n", 0, start) + more

    def _errors(self, declared: Sequence[FileEdit], proposed: Sequence[FileEdit]) -> dict[str, int | None]:
        """The errors that the change brings: alone, with all proposals, and with the later release's own edits."""
        truth = list(self._truth())
        paths = sorted({one.path for one in (*declared, *proposed, *truth)})
        if len(paths) > MOST_CHECKED:
            return {"errors_before": None, "errors_after": None, "errors_true": None}
        states = {"errors_before": declared, "errors_after": [*declared, *proposed], "errors_true": [*declared, *truth]}
        return {name: self._count(edits, paths) for name, edits in states.items()}

    def _count(self, edits: Sequence[FileEdit], paths: Sequence[str]) -> int | None:
        """The errors of files with edits that they do not have without."""
        try:
            before = {path: self.known[path] if path in self.known else self._diagnose(path) for path in paths}
            self.known.update(before)
            self._state(edits, paths)
            return sum(len(new_errors(self._diagnose(path), before[path])) for path in paths)
        except NoAnswer:
            return None
        finally:
            self._state([], paths)

    def _diagnose(self, path: str) -> list[Diagnostic]:
        place = whole(self.root / path)
        question = Question(place, language_of(path) or "", place.read_text(encoding="utf-8"), 0)
        return errors_in(self.analyser.ask(DIAGNOSTICS, question).result(ANSWER_S))

    def _truth(self) -> Iterator[FileEdit]:
        """The later release's own edits; of those that are one in another the outer."""
        ends: dict[str, int] = {}
        for site in sorted(self.change.sites, key=lambda one: (one.path, one.start, -one.end)):
            if site.start >= ends.get(site.path, 0):
                ends[site.path] = site.end
                yield FileEdit(site.path, Edit(site.start, site.end, site.text))

    def _renamed(self) -> Iterator[FileEdit]:
        """What the analyser's own rename changes beside the declarations."""
        own = {(path, edit.start) for path, edit in self.change.declared}
        request = Request(f"rename to {self.change.renamed}", partial(_rename, name=self.change.renamed))
        found: dict[FileEdit, None] = {}
        for path, edit in self.change.declared:
            question = Question(
                whole(self.root / path), language_of(path) or "", self.miner.before.texts[path], edit.start
            )
            try:
                places = self.analyser.ask(request, question).result(ANSWER_S)
            except NoAnswer:
                continue
            found |= dict.fromkeys(one for place in places if (one := self._at(place)) is not None)
        return (one for one in found if (one.path, one.edit.start) not in own)

    def _at(self, place: Reference) -> FileEdit | None:
        """The edit of a place that the analyser renames; None where the name is not there."""
        path = (
            place.path.relative_to(whole(self.root)).as_posix() if place.path.is_relative_to(whole(self.root)) else ""
        )
        document = Document(self.miner.before.texts.get(path, ""))
        if place.line >= document.line_count:
            return None
        start = document.line_start(place.line)
        start += to_column(document.line_text(place.line), place.units, place.encoding)
        is_there = document.text.startswith(self.change.name, start)
        return FileEdit(path, Edit(start, start + len(self.change.name), self.change.renamed)) if is_there else None

    def _replaced(self) -> Iterator[FileEdit]:
        """What search and replace of the word changes beside the declarations, comments and strings apart."""
        own = {(path, edit.start) for path, edit in self.change.declared}
        for path, text in self.miner.before.texts.items():
            tree = self.miner.before.tree(path) if self.change.name in text else None
            for token in tree.tokens if tree is not None else ():
                if token.text == self.change.name and token.is_name and (path, token.start) not in own:
                    yield FileEdit(path, Edit(token.start, token.end, self.change.renamed))


async def _rename(client: Any, question: Question, name: str) -> tuple[Reference, ...]:
    """The places that a server's own rename changes."""
    reply = await client.rename(question.offset, name)
    reply = reply if isinstance(reply, dict) else {}
    files = [(uri, edits) for uri, edits in (reply.get("changes") or {}).items()]
    files += [
        (one["textDocument"]["uri"], one["edits"]) for one in reply.get("documentChanges") or () if "edits" in one
    ]
    places = [{"uri": uri, "range": edit["range"]} for uri, edits in files for edit in edits]
    return read_references(places, client.encoding)


def _share(above: str, below: str) -> Callable[[Row], tuple[float, float] | None]:
    return lambda row: (float(row[above]), float(row[below])) if row.get(below) else None


def _judged(row: Row) -> tuple[float, float] | None:
    """Wrong edits, of those of which something is said."""
    judged = row["proposed"] - row["unknown"]
    return (float(row["wrong"]), float(judged)) if judged else None


MEASURES = {
    "recall": _share("found", "sites"),
    "recall_of_known": _share("known_found", "known"),
    "exactness": _share("exact", "found"),
    "wrong_share": _judged,
}
ERRORS = ("errors_before", "errors_after", "errors_true")


def rows(found: Sequence[Row], plan: Plan) -> list[dict[str, Any]]:
    """A row for all changes and for each kind of them, by system; intervals over packages."""
    table = []
    for system in SYSTEMS:
        own = [one for one in found if one["system"] == system]
        kinds = {"all renames": [one for one in own if one["kind"] in RENAMES]}
        if system == GUIDERAIL:
            known = [one for one in own if one["kind"] != NEEDS_VALUE]
            by_kind = grouped(sorted(own, key=lambda one: one["kind"]), lambda one: one["kind"])
            kinds = {"all": own, "all that need no new value": known} | kinds | by_kind
        table += [_figures(system, kind, each, plan) for kind, each in kinds.items() if each]
    return table


RENAMES = frozenset(f"{one} renamed" for one in ("function", "method", "class", "attribute", "variable", "name"))


def _figures(system: str, kind: str, own: Sequence[Row], plan: Plan) -> dict[str, Any]:
    checked = [one for one in own if all(one.get(name) is not None for name in ERRORS)]
    seconds = [one["seconds"] for one in own if one.get("seconds") is not None]
    return {
        "system": system,
        "kind": kind,
        "changes": len(own),
        **{name: sum(one[name] for one in own) for name in ("sites", "excluded", "found", "exact", "wrong", "unknown")},
        "told": sum(one["told"] for one in own) if system == GUIDERAIL else None,
        **columns(figures(own, MEASURES), plan.seed),
        **{name: sum(one[name] for one in checked) if checked else None for name in ERRORS},
        "worse_than_truth": sum(one["errors_after"] > one["errors_true"] for one in checked) if checked else None,
        "seconds_p50": median(seconds) if seconds else None,
    }
