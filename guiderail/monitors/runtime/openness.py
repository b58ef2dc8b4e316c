"""Whether more names may be added to a class or module than its analyser lists, and which are known beside those.

This is the one source of truth for "who may add names to this". It follows a class's bases, metaclass and decorators,
and a module's imports of everything, through the syntax trees of their sources.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from guiderail.monitors.runtime.facts import UNREAD, ClassFacts, FileFacts, plain
from guiderail.monitors.runtime.frameworks import allowing_words, merged
from guiderail.monitors.runtime.sources import STUB, Sources, module_name, set_in_project, sources_of

MOST_BASES = 60
MOST_STARS = 40
_MAKING = frozenset({"__new__", "__init__", "__call__", "__prepare__", "__getattr__", "__getattribute__"})
_COMMON = frozenset({"object", "Exception", "ABC", "Protocol"})  # bases that connect nothing
_PLAIN_CALLS = frozenset({"namedtuple", "NamedTuple", "TypedDict", "with_metaclass", "type"})


@dataclass(frozen=True, slots=True)
class Openness:
    """What may be added to a class or module.

    Parameters
    ----------
    names
        Known names beside those that an analyser lists.
    open
        Whether others may come that no source shows.
    """

    names: frozenset[str] = frozenset()
    open: bool = False

    def __or__(self, other: Openness) -> Openness:
        return Openness(self.names | other.names, self.open or other.open)


@dataclass
class _Ancestry:
    """A class with all its bases, as far as they are found.

    Parameters
    ----------
    found
        The files and classes, the class itself first.
    known
        Dotted names of all of them, as they are defined and as they are imported.
    """

    found: list[tuple[Path, ClassFacts]] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    config: str = ""


class Runtime:
    """Answers who may add names.

    Parameters
    ----------
    sources
        What is read.
    """

    def __init__(self, sources: Sources) -> None:
        self.sources = sources

    def of_class(self, path: Path, line: int, name: str = "", *, itself: bool = False) -> Openness:
        """Of a class's objects, or of the class itself; nothing is known of what is no class.

        Parameters
        ----------
        path, line
            Where it is defined.
        name
            Its name, where the line may have moved.
        itself
            Whether the class is meant, which has its metaclass's members too.
        """
        found = Openness()
        facts = self.sources.facts(path)
        if facts is UNREAD:
            return Openness(open=True)
        one = (facts.class_named(name) if name else facts.class_at(line)) if facts else None
        for source in sources_of(path) if one else ():
            known = self.sources.facts(source)
            found |= Openness(open=known is UNREAD)
            same = one if source == path else known.class_named(one.name) if known and one else None
            if same is not None:
                found |= self._of(source, same, itself=itself)
        return found

    def of_name(self, name: str, path: Path) -> Openness | None:
        """Of the class that a dotted name means in a file; None if that is not found."""
        found = self.sources.find(name, path)
        return self._of(*found) if found else None

    def _of(self, path: Path, one: ClassFacts, *, itself: bool = False) -> Openness:
        ancestry = self._ancestry(path, one)
        names = frozenset[str]().union(*(found.names for _, found in ancestry.found))
        for place in {place for place, _ in ancestry.found}:
            facts = self.sources.facts(place)
            names |= facts.outside if facts is not None else frozenset()
        is_open = bool(ancestry.known & merged("makes_up")) or _allows_more(ancestry)
        result = Openness(names, is_open or any(self._is_open(place, found) for place, found in ancestry.found))
        for place, found in ancestry.found:
            metaclass = self._of_metaclass(place, found)
            result |= metaclass if itself else Openness(open=metaclass.open)
        return result

    def ancestors(self, name: str, path: Path) -> frozenset[str]:
        """The dotted names of a class and its bases; none if it is not found."""
        found = self.sources.find(name, path)
        return frozenset(self._ancestry(*found).known) if found else frozenset()

    def is_decorated(self, name: str, path: Path) -> bool:
        """Whether a class, or a base of it, may get its constructor from a decorator that is not known."""
        found = self.sources.find(name, path)
        ancestry = self._ancestry(*found).found if found else []
        return any(not self._is_harmless(place, decorator) for place, one in ancestry for decorator in one.decorators)

    def is_vague(self, path: Path, line: int, name: str = "") -> bool:
        """Whether many values are said to be objects of the class that are objects of unknown subclasses."""
        facts = self.sources.facts(path)
        one = (facts.class_named(name) if name else facts.class_at(line)) if facts else None
        return one is not None and _qualified(path, one.name) in merged("vague")

    def _ancestry(self, path: Path, one: ClassFacts) -> _Ancestry:
        ancestry, waiting = _Ancestry(), [(path, one)]
        while waiting and len(ancestry.found) < MOST_BASES:
            place, found = waiting.pop(0)
            if (place, found) in ancestry.found:
                continue
            qualified = _qualified(place, found.name)
            ancestry.known.add(qualified)
            ancestry.config += found.config
            ancestry.found.append((place, found))
            waiting += self._bases(place, found, ancestry)
        return ancestry

    def _bases(self, path: Path, one: ClassFacts, ancestry: _Ancestry) -> Iterator[tuple[Path, ClassFacts]]:
        for base in one.bases:
            ancestry.known.add(self.sources.qualified(base.removesuffix("()"), path))
            found = self.sources.find(base.removesuffix("()"), path)
            if found is not None:
                yield found

    def _is_open(self, path: Path, one: ClassFacts) -> bool:
        """Whether a class, its bases left aside, gets names that no source shows."""
        facts = self.sources.facts(path)
        if _qualified(path, one.name) in merged("settles") or (path.suffix == STUB and facts is not UNREAD):
            return False
        if one.makes_names_up or (facts is not None and facts.marks_all):
            return True
        if any(found[1] for name in one.given_to if (found := self.sources.function(name, path))):
            return True
        return any(self._adds(path, name) for name in one.decorators) or any(
            self._is_computed(path, base) or self._is_lost(path, base) for base in one.bases
        )

    def _is_lost(self, path: Path, base: str) -> bool:
        """Whether a base comes from a module whose source is not found, so that nothing is known of it."""
        return self.sources.is_lost(base, path) and self.sources.qualified(base, path) not in merged("settles")

    def _is_computed(self, path: Path, base: str) -> bool:
        """Whether a base is made by a call, so that its members are not known, or is an object's (``db.Model``)."""
        if base.endswith("()"):
            return base[:-2].rpartition(".")[2] not in _PLAIN_CALLS
        facts, (head, dot, _) = self.sources.facts(path), base.partition(".")
        if facts is None or (head in facts.imports and not dot):
            return False
        made = facts.called.get(head, "")
        if head in facts.imports and facts.class_named(head) is None:
            return self._is_object(base, path)
        return bool(made) and facts.class_named(head) is None

    def _is_object(self, base: str, path: Path) -> bool:
        """Whether the first part of a base is an object that another file makes by a call: ``db`` of ``db.Model``."""
        facts, head = self.sources.facts(path), base.partition(".")[0]
        module, name = facts.imports[head] if facts else ("", "")
        file = self.sources.module(module, path) if name else None
        other = self.sources.facts(file) if file else None
        return other is not None and name in other.called

    def _adds(self, path: Path, decorator: str) -> bool:
        """Whether a class decorator may add names that no source shows."""
        if self._is_harmless(path, decorator):
            return False
        found = self.sources.function(decorator, path)
        return found is None or found[1]

    def _is_harmless(self, path: Path, decorator: str) -> bool:
        qualified = self.sources.qualified(decorator, path)
        return any(qualified == one or qualified.startswith(f"{one}.") for one in merged("harmless"))

    def _of_metaclass(self, path: Path, one: ClassFacts) -> Openness:
        """What a metaclass adds: its own members, to the class; others, if it makes the classes itself."""
        if not one.metaclass:
            return Openness()
        is_settled = path.suffix == STUB or _qualified(path, one.name) in merged("settles")
        found = self.sources.find(one.metaclass, path)
        if found is None:
            return Openness(
                open=not is_settled and self.sources.qualified(one.metaclass, path) not in merged("settles")
            )
        metas = self._ancestry(*found).found
        names = frozenset[str]().union(*(meta.names for _, meta in metas))
        makers = (
            meta
            for place, meta in metas
            if place.suffix != STUB and _qualified(place, meta.name) not in merged("settles")
        )
        return Openness(names, not is_settled and any(meta.makes_names_up or meta.names & _MAKING for meta in makers))

    def of_module(self, path: Path) -> Openness:
        """Of a module."""
        found, seen, waiting = Openness(), set[Path](), list(sources_of(path))
        while waiting and len(seen) < MOST_STARS:
            place = waiting.pop()
            facts = self.sources.facts(place) if place not in seen else None
            seen.add(place)
            if facts is None:
                continue
            own = facts.names if place == path or facts.public is None else facts.public
            found |= Openness(own, facts.makes_names_up)
            for star in facts.stars:
                module = self.sources.module(star, place)
                waiting += [module] if module else []
                found |= Openness(open=module is None and place.suffix != STUB)
        return found

    def set_in_project(self, words: Iterable[str]) -> frozenset[str]:
        """The members that files of the project set on what is called by one of some words."""
        known = set_in_project(self.sources.root)
        return frozenset[str]().union(*(known.get(plain(word), frozenset()) for word in words if word))

    def classes_of(self, path: Path, line: int, name: str = "") -> frozenset[str]:
        """The names of a class and its bases."""
        facts = self.sources.facts(path)
        one = (facts.class_named(name) if name else facts.class_at(line)) if facts else None
        return frozenset(found.name for _, found in self._ancestry(path, one).found) if one else frozenset()

    def related(self, facts: FileFacts, one: ClassFacts) -> frozenset[str]:
        """The names that a class's objects may have from the classes of its file that it is combined with.

        Those are its bases, its subclasses, and what these have for bases beside it; of all of them also what is only
        mentioned.
        """
        group = _group(facts.classes, one.name)
        found = [other for other in facts.classes if other is one or other.name in group]
        return frozenset[str]().union(*(other.names | other.mentioned for other in found))


def _group(classes: Iterable[ClassFacts], name: str) -> set[str]:
    """The names of the classes that are connected with one by inheritance."""
    linked = defaultdict[str, set[str]](set)
    for one in classes:
        for base in one.bases:
            if base not in _COMMON:
                linked[one.name].add(base)
                linked[base].add(one.name)
    group, waiting = {name}, [name]
    while waiting:
        new = linked[waiting.pop()] - group
        group |= new
        waiting += new
    return group


def _qualified(path: Path, name: str) -> str:
    return f"{module_name(path)}.{name}"


def _allows_more(ancestry: _Ancestry) -> bool:
    """Whether the configuration of a class or of a base lets objects have any members."""
    return any(text in ancestry.config for name in ancestry.known for text in allowing_words(name))
