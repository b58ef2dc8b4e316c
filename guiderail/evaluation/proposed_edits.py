"""How what is proposed for a change compares with what the later release has."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from guiderail.evaluation.release import call_at, calls
from guiderail.evaluation.release_changes import Miner, ReleaseChange, Site
from guiderail.evaluation.true_arguments import words, words_in
from guiderail.next_edit.proposal import applied
from guiderail.next_edit.source_tree import SourceTree, read
from guiderail.text.document import Document
from guiderail.text.edit import Edit
from guiderail.text.language import language_of


@dataclass(frozen=True, slots=True)
class FileEdit:
    """An edit of a file of the earlier release."""

    path: str
    edit: Edit


@dataclass(frozen=True, slots=True)
class Score:
    """What became of the sites and of the edits.

    Parameters
    ----------
    found
        Sites with an edit.
    exact
        Of these the sites with the later release's tokens.
    wrong
        Edits at places that are in both releases and did not change so, for people.
    unknown
        Edits at places of which nothing is said; also in files that keep the old name by an import under it.
    missed
        The sites without an edit.
    """

    found: int
    exact: int
    wrong: tuple[str, ...]
    unknown: int
    missed: tuple[Site, ...]


def score(miner: Miner, change: ReleaseChange, edits: Sequence[FileEdit]) -> Score:
    """Compare edits with the later release."""
    by_site: dict[Site, list[FileEdit]] = {}
    wrong, unknown = list[str](), 0
    for one in edits:
        site = _site(change, one)
        if site is not None:
            by_site.setdefault(site, []).append(one)
            continue
        verdict = None if _keeps_name(miner, change, one.path) else _is_wrong(miner, one)
        unknown += verdict is None
        if verdict:
            wrong.append(described(miner, one))
    exact = sum(_words(miner, site, edits) == site.words for site in by_site)
    missed = tuple(site for site in change.sites if site not in by_site)
    return Score(len(by_site), exact, tuple(wrong), unknown, missed)


def described(miner: Miner, one: FileEdit) -> str:
    """An edit in a line, for people."""
    text = miner.before.texts[one.path]
    line = text.count("\n", 0, one.edit.start) + 1
    return f"{one.path}:{line} {text[one.edit.start : one.edit.end]!r} → {one.edit.text!r}"


def after_edits(text: str, path: str, edits: Iterable[FileEdit]) -> str:
    """A file after those edits that are its own."""
    return applied(Document(text), [one.edit for one in edits if one.path == path]).text


def _site(change: ReleaseChange, one: FileEdit) -> Site | None:
    """The smallest site that an edit is in."""
    around = [s for s in change.sites if s.path == one.path and s.start <= one.edit.start and one.edit.end <= s.end]
    return min(around, key=lambda site: site.end - site.start, default=None)


def _words(miner: Miner, site: Site, edits: Sequence[FileEdit]) -> tuple[str, ...] | None:
    """The tokens of a site after all edits; None where the file has errors of syntax by them."""
    own = sorted((one.edit for one in edits if one.path == site.path), key=lambda edit: edit.start)
    start = site.start + sum(
        len(e.text) - (e.end - e.start) for e in own if e.end <= site.start and e.start < site.start
    )
    end = site.end + sum(len(e.text) - (e.end - e.start) for e in own if e.end <= site.end)
    text = after_edits(miner.before.texts[site.path], site.path, edits)
    tree = read(Document(text, Path(site.path), language_of(site.path)))
    return words_in(tree, start, end) if tree is not None else None


def _keeps_name(miner: Miner, change: ReleaseChange, path: str) -> bool:
    """Whether a file of the later release imports the new name under the old one.

    The name is renamed there, and its uses stay. To rename them too means the same.
    """
    tree = miner.after.tree(path) if change.renamed and path in miner.after.texts else None
    if tree is None or change.renamed not in tree.document.text:
        return False
    waiting = [tree.root]
    while waiting:
        node = waiting.pop()
        name, alias = node.child_by_field_name("name"), node.child_by_field_name("alias")
        if name is not None and alias is not None and "import" in node.type:
            names = tree.text(name).rpartition(".")[2], tree.text(alias)
            if names == (change.renamed, change.name):
                return True
        waiting += node.named_children
    return False


def _is_wrong(miner: Miner, one: FileEdit) -> bool | None:
    """Whether an edit is at a place that is in both releases and did not change so; None if nothing is said of it."""
    if one.path not in miner.after.texts:
        return None
    if miner.before.texts[one.path] == miner.after.texts[one.path]:
        return True
    tree, alignment = miner.before.tree(one.path), miner.alignment(one.path)
    if tree is None or alignment is None:
        return None
    at = bisect_right(tree.tokens, one.edit.start, key=lambda token: token.start) - 1
    token = tree.tokens[max(at, 0)]
    if alignment.is_unchanged(token.start):
        return True
    is_name = (token.start, token.end) == (one.edit.start, one.edit.end)
    if is_name:
        now = alignment.became(token.start)
        return True if now is not None and now.text == token.text else None
    return _call_is_unchanged(miner, tree, one)


def _call_is_unchanged(miner: Miner, tree: SourceTree, one: FileEdit) -> bool | None:
    """Whether the call around an edit has the same arguments in the later release."""
    alignment = miner.alignment(one.path)
    around = [
        (name, call) for _, name, call in calls(tree)
        if tree.start(call) <= one.edit.start and one.edit.end <= tree.end(call)
    ]  # fmt: skip
    if not around or alignment is None:
        return None
    name, call = min(around, key=lambda pair: pair[1].end_byte - pair[1].start_byte)
    token = alignment.became(tree.start(name))
    again = call_at(alignment.after, token) if token is not None else None
    lists = call.child_by_field_name("arguments"), again.child_by_field_name("arguments") if again is not None else None
    if lists[0] is None or lists[1] is None:
        return None
    return True if words(tree, lists[0]) == words(alignment.after, lists[1]) else None
