"""The changes between two releases whose uses changed with them: the truth of `guiderail eval next-edit`.

A change counts where it is certain: the declaration is in both releases, at the same place or in a statement that
stayed much the same, and at least one use changed the same way. A use whose statement is gone, or is another now, is
excluded and counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby

from rapidfuzz.distance import LCSseq
from tree_sitter import Node

from guiderail.evaluation.declarations import Declaration
from guiderail.evaluation.name_uses import is_use
from guiderail.evaluation.release import Release, call_at, values_of
from guiderail.evaluation.statements import StatementAlignment
from guiderail.evaluation.true_arguments import ParameterChange, bound, words
from guiderail.next_edit.signatures import read_parameters
from guiderail.next_edit.source_tree import SourceTree
from guiderail.text.edit import Edit
from guiderail.text.languages.table import FUNCTIONS, NODES

LEAST_ALIKE = 0.6  # of the tokens of a renamed function or class
WORD = re.compile(r"\w+")
LONGEST = 6_000  # tokens of one; of a longer one nothing is said


@dataclass(frozen=True, slots=True)
class Site:
    """A use that changed: where it is in the earlier release, and its tokens and text in the later one."""

    path: str
    start: int
    end: int
    words: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class ReleaseChange:
    """A change of a declaration, with the uses that changed with it.

    Parameters
    ----------
    kind
        What changed.
    name
        The earlier name of what is declared, as its uses write it.
    renamed
        The later name; "" of a change of parameters.
    declared
        The edits of the earlier release that make the change, each with its file: of a method that subclasses override
        that of the topmost class.
    sites
        The uses, by place.
    excluded
        Uses by name that nothing is said of.
    """

    kind: str
    name: str
    renamed: str
    declared: tuple[tuple[str, Edit], ...]
    sites: tuple[Site, ...]
    excluded: int

    @property
    def id(self) -> str:
        """Names it within its pair of releases."""
        path, edit = self.declared[0]
        return f"{path}:{edit.start} {self.kind} {self.name}"


@dataclass(frozen=True)
class Miner:
    """Finds the changes between two releases."""

    before: Release
    after: Release
    _alignments: dict[str, StatementAlignment | None] = field(default_factory=dict, init=False)

    def changes(self) -> list[ReleaseChange]:
        """All of them, by place."""
        renamed, lists = list(self._renamed()), list(self._lists())
        found = [*self._renames(renamed), *self._parameters(lists, dict(_names(renamed)))]
        return sorted((one for one in found if one.sites), key=lambda one: one.id)

    def alignment(self, path: str) -> StatementAlignment | None:
        """What became of a file that is in both releases."""
        if path not in self._alignments:
            old = self.before.tree(path)
            new = self.after.tree(path) if path in self.after.texts else None
            both = old is not None and new is not None
            self._alignments[path] = StatementAlignment(old, new) if both else None  # pyright: ignore[reportArgumentType]
        return self._alignments[path]

    @cached_property
    def _changed(self) -> list[str]:
        """The files that are in both and not the same."""
        both = sorted(self.before.texts.keys() & self.after.texts.keys())
        return [path for path in both if self.before.texts[path] != self.after.texts[path]]

    @cached_property
    def _written(self) -> tuple[Counter[str], Counter[str]]:
        """How often each word is in the files that changed, before and after: what is declared only has no uses."""
        old, new = (
            Counter(word for path in self._changed for word in WORD.findall(texts[path]))
            for texts in (self.before.texts, self.after.texts)
        )
        return old, new

    def _renamed(self) -> Iterator[tuple[str, Declaration, Declaration]]:
        """The declarations that have another name now, with their files."""
        for path in self._changed:
            old, new = self.before.declared(path), self.after.declared(path)
            left = set(WORD.findall(self.after.texts[path]))
            gone = [
                one for key, one in old.items()
                if key not in new and self._written[0][one.name] > 1 and (one.is_member or one.name not in left)
            ]  # fmt: skip
            come = {one.start: one for key, one in new.items() if key not in old and self._written[1][one.name] > 1}
            alignment = self.alignment(path) if gone and come else None
            if alignment is None:
                continue
            for one in gone:
                token = alignment.became(one.start)
                other = come.get(token.start) if token is not None else None
                if other is None or (one.kind, one.path[:-1]) != (other.kind, other.path[:-1]):
                    continue
                if _are_alike(alignment, one, other):
                    yield path, one, other

    def _renames(self, renamed: Iterable[tuple[str, Declaration, Declaration]]) -> Iterator[ReleaseChange]:
        """A change for each pair of names, of members or of others."""
        by_names = lambda one: (one[1].is_member, one[1].name, one[2].name)  # noqa: E731
        for (is_member, old, new), group in groupby(sorted(renamed, key=by_names), key=by_names):
            own = list(group)
            roots = [(path, one) for path, one, _ in own if not is_member or self.before.is_topmost(one)]
            declared = tuple((path, Edit(one.start, one.start + len(old), new)) for path, one in roots)
            sites, excluded = self._sites(old, new, is_member, {(path, one.start) for path, one in roots})
            kinds = {one.kind for _, one in roots}
            kind = f"{kinds.pop() if len(kinds) == 1 else 'name'} renamed"
            if declared:
                yield ReleaseChange(kind, old, new, declared, tuple(sites), excluded)

    def _sites(self, old: str, new: str, is_member: bool, declared: set[tuple[str, int]]) -> tuple[list[Site], int]:
        """The uses of a name that have the other name now, and how many nothing is said of."""
        sites, excluded = list[Site](), 0
        for path in self._changed:
            tree = self.before.tree(path) if old in self.before.texts[path] else None
            if tree is None:
                continue
            for token in tree.tokens:
                if (path, token.start) in declared or not is_use(tree, token, old, is_member=is_member):
                    continue
                alignment = self.alignment(path)
                now = alignment.became(token.start) if alignment is not None else None
                if now is None:
                    excluded += 1
                elif now.text == new:
                    sites.append(Site(path, token.start, token.end, (new,), new))
        return sites, excluded

    def _lists(self) -> Iterator[tuple[str, Declaration, Declaration, ParameterChange]]:
        """The functions whose parameters are others now, with their files."""
        for path in self._changed:
            new = self.after.declared(path)
            for key, one in self.before.declared(path).items():
                other = new.get(key)
                if one.parameters is None or other is None or other.parameters is None:
                    continue
                change = self._change(path, one, other)
                if change is not None:
                    yield path, one, other, change

    def _change(self, path: str, one: Declaration, other: Declaration) -> ParameterChange | None:
        trees = self.before.tree(path), self.after.tree(path)
        assert trees[0] is not None and trees[1] is not None, "they declare something"
        assert one.parameters is not None and other.parameters is not None, "they are functions"
        lists = [read_parameters(tree, each.parameters) for tree, each in zip(trees, (one, other), strict=True)]  # pyright: ignore
        if lists[0] is None or lists[1] is None:
            return None
        old, new = (each[_has_receiver(trees[0], one) :] for each in lists if each is not None)
        if [(p.name, p.kind, p.is_optional) for p in old] == [(p.name, p.kind, p.is_optional) for p in new]:
            return None
        names = {p.name: at for at, p in enumerate(old)}
        come = {p.start: at for at, p in enumerate(new) if p.name not in names}
        alignment, gone = self.alignment(path), {p.name for p in old} - {p.name for p in new}
        instead = {}
        for p in old:
            token = alignment.became(p.start) if alignment is not None and p.name in gone else None
            if token is not None and token.start in come:
                instead[come[token.start]] = names[p.name]
        origins = tuple(names.get(p.name, instead.get(at)) for at, p in enumerate(new))
        return ParameterChange(tuple(old), tuple(new), origins)

    def _parameters(
        self, lists: Iterable[tuple[str, Declaration, Declaration, ParameterChange]], names: Mapping[str, str]
    ) -> Iterator[ReleaseChange]:
        """A change for each name and what became of its parameters; a call that may be of two such is excluded."""
        by_change = lambda one: (one[1].name, _callee(one[1]), one[3].kind, _delta(one[3]))  # noqa: E731
        groups = [list(group) for _, group in groupby(sorted(lists, key=by_change), key=by_change)]
        mined = [self._group(own, names) for own in groups]
        count: dict[tuple[str, int], int] = {}
        for one in mined:
            for site in one.sites:
                count[site.path, site.start] = count.get((site.path, site.start), 0) + 1
        for one in mined:
            sites = tuple(site for site in one.sites if count[site.path, site.start] == 1)
            excluded = one.excluded + len(one.sites) - len(sites)
            yield ReleaseChange(one.kind, one.name, "", one.declared, sites, excluded)

    def _group(
        self, own: list[tuple[str, Declaration, Declaration, ParameterChange]], names: Mapping[str, str]
    ) -> ReleaseChange:
        """What follows from one change of parameters, of one function or of several alike."""
        owners = {one.owner for _, one, _, _ in own}
        is_constructor = _is_constructor(own[0][1])
        declared, sites, excluded = list[tuple[str, Edit]](), list[Site](), 0
        for path, one, other, change in own:
            old, new = self.before.tree(path), self.after.tree(path)
            assert old is not None and new is not None and one.parameters is not None and other.parameters is not None
            start, end = old.start(one.parameters), old.end(one.parameters)
            if not is_constructor and not self.before.is_topmost(one):
                sites.append(Site(path, start, end, words(new, other.parameters), new.text(other.parameters)))
            else:
                declared.append((path, Edit(start, end, new.text(other.parameters))))
            sites += self._in_body(path, one, change)
        for path, called, call in self._calls(own[0][1], owners):
            site = self._call(path, called, call, own[0][1], own[0][3], names)
            excluded += site is None
            sites += [site] if isinstance(site, Site) else []
        unique = tuple(dict.fromkeys(sites))
        name = own[0][1].owner if is_constructor else own[0][1].name
        return ReleaseChange(own[0][3].kind, name, "", tuple(declared), unique if declared else (), excluded)

    def _in_body(self, path: str, one: Declaration, change: ParameterChange) -> Iterator[Site]:
        """The uses of renamed parameters in their function."""
        tree, alignment = self.before.tree(path), self.alignment(path)
        assert tree is not None and one.parameters is not None
        pairs = ((change.before[o].name, change.after[at].name) for at, o in enumerate(change.origins) if o is not None)
        renamed = {old: new for old, new in pairs if old != new}
        if alignment is None or not renamed:
            return
        for token in tree.tokens_in(tree.end(one.parameters), tree.end(one.node)):
            if token.text not in renamed or not is_use(tree, token, token.text, is_member=False):
                continue
            now = alignment.became(token.start)
            if now is not None and now.text == renamed[token.text]:
                yield Site(path, token.start, token.end, (now.text,), now.text)

    def _calls(self, one: Declaration, owners: set[str]) -> Iterator[tuple[str, Node, Node]]:
        """What may be calls of a function: by its name, of a constructor by those of its class and of subclasses."""
        wanted = {one.name}
        if _is_constructor(one):
            has_own = {each.owner for path in self.before.texts for each in self.before.declared(path).values()
                       if _is_constructor(each)}  # fmt: skip
            heirs = {
                name for name, bases in self.before.bases.items() if bases & owners and not bases & (has_own - owners)
            }
            wanted = owners | (heirs - has_own)
        for path in self._changed:
            for name, called, call in self.before.calls(path):
                if name in wanted:
                    yield path, called, call

    def _call(
        self, path: str, called: Node, call: Node, one: Declaration, change: ParameterChange, names: Mapping[str, str]
    ) -> Site | bool | None:
        """The site that a call is; False if it is none, None if nothing can be said of it."""
        tree, values = self.before.tree(path), values_of(call)
        assert tree is not None
        skip = int(_is_unbound(tree, called, one))
        given = bound(tree, values, change.before, skip=skip) if values is not None else None
        alignment = self.alignment(path)
        if given is None or values is None or not change.demands(given, bound(tree, values, change.after, skip=skip)):
            return False
        token = alignment.became(tree.start(called)) if alignment is not None else None
        if token is None or alignment is None or token.text not in {tree.text(called), names.get(tree.text(called))}:
            return None
        again = call_at(alignment.after, token)
        now = values_of(again) if again is not None else None
        listed = call.child_by_field_name("arguments"), again.child_by_field_name("arguments") if again else None
        if now is None or listed[0] is None or listed[1] is None:
            return None
        if words(tree, listed[0]) == words(alignment.after, listed[1]):
            return False
        taken = bound(alignment.after, now, change.after, skip=skip)
        if taken is None or not change.agree(given, taken):
            return None
        own = words(alignment.after, listed[1])
        return Site(path, tree.start(listed[0]), tree.end(listed[0]), own, alignment.after.text(listed[1]))


def _names(renamed: Iterable[tuple[str, Declaration, Declaration]]) -> Iterator[tuple[str, str]]:
    return ((old.name, new.name) for _, old, new in renamed)


def _callee(one: Declaration) -> str:
    return one.owner if _is_constructor(one) else ""


def _is_constructor(one: Declaration) -> bool:
    return bool(one.owner) and one.name in {"__init__", "constructor"}


def _delta(change: ParameterChange) -> tuple[object, ...]:
    """What is the same of two changes that are alike."""
    gone = [one.name for at, one in enumerate(change.before) if at not in change.origins]
    new = [one.name for one, origin in zip(change.after, change.origins, strict=True) if origin is None]
    pairs = [(change.before[o].name, change.after[at].name) for at, o in enumerate(change.origins) if o is not None]
    return tuple(gone), tuple(new), tuple(pair for pair in pairs if pair[0] != pair[1])


def _are_alike(alignment: StatementAlignment, one: Declaration, other: Declaration) -> bool:
    if one.kind not in {"function", "method", "class"}:
        return True  # their statement is alike, or they would not be aligned
    texts = []
    for tree, each in ((alignment.before, one), (alignment.after, other)):
        tokens = tree.tokens_in(tree.start(each.node), tree.end(each.node))
        texts.append([token.text for token in tokens if token.start != each.start])
    return max(map(len, texts)) <= LONGEST and LCSseq.normalized_similarity(*texts) >= LEAST_ALIKE


def _has_receiver(tree: SourceTree, one: Declaration) -> bool:
    """Whether a function's first parameter is what it is called on."""
    if not one.owner or not FUNCTIONS[tree.language].has_receiver:
        return False
    outer = one.node.parent
    decorators = (
        [tree.text(child) for child in outer.children if child.type == "decorator"] if outer is not None else []
    )
    return not any("staticmethod" in text for text in decorators)


def _is_unbound(tree: SourceTree, called: Node, one: Declaration) -> bool:
    """Whether a method is called on its class, with the receiver as an argument."""
    outer = called.parent
    receiver = outer.named_children[0] if outer is not None and outer.type in NODES[tree.language].members else None
    is_class = receiver is not None and tree.text(receiver).rpartition(".")[2] == one.owner
    first = one.parameters.named_children[:1] if one.parameters is not None else []
    return is_class and bool(first) and tree.text(first[0]).split(":")[0] == "self" and _has_receiver(tree, one)
