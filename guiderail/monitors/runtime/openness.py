"""Whether more names may be added to a class or module than its analyser lists, and which are known beside those.

This is the one source of truth for "who may add names to this". It follows a class's bases, metaclass and decorators,
and a module's imports of everything, through the syntax trees of their sources.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from guiderail.monitors.runtime.facts import UNREAD, ClassFacts, FileFacts, plain
from guiderail.monitors.runtime.frameworks import added_to, allowing_words, merged
from guiderail.monitors.runtime.sources import STUB, Sources, module_name, set_in_project, sources_of
from guiderail.projectfile import SpentError

log = logging.getLogger(__name__)
T = TypeVar("T")
MOST_BASES = 60
MOST_STARS = 40
_COMMON = frozenset({"object", "Exception", "ABC", "Protocol"})  # bases that connect nothing
Cause = Literal[
    "unread",  # a source is too large, may not be read, or takes too long
    "__getattr__",  # answers for any name
    "set by name",  # setattr with a computed name, __dict__.update
    "marked",  # the file sets such members on classes that are not told apart
    "given away",  # a function that sets members is given the object
    "class decorator",  # one that is not known
    "computed base",
    "lost base",  # its source is not found
    "metaclass",  # it makes its classes itself
    "framework",  # a record says so
    "configured",  # extra="allow"
    "module",  # a module fills its own globals, or answers for any name
    "star import",  # of a module that is not found
    "result",  # of a function that makes such objects, or of a class that a call makes
    "mixin",  # meant for other classes' members
    "descriptor",  # what its ``__get__`` answers is meant, and not it
]
_PLAIN_CALLS = frozenset({"namedtuple", "NamedTuple", "TypedDict", "with_metaclass", "type"})


@dataclass(frozen=True, slots=True)
class Openness:
    """What may be added to a class or module.

    Parameters
    ----------
    names
        Known names beside those that an analyser lists.
    causes
        Why others may come that no source shows; none if they cannot.
    """

    names: frozenset[str] = frozenset()
    causes: frozenset[Cause] = frozenset()

    @property
    def open(self) -> bool:
        """Whether others may come that no source shows."""
        return bool(self.causes)

    def __or__(self, other: Openness) -> Openness:
        return Openness(self.names | other.names, self.causes | other.causes)


def open_by(*causes: Cause) -> Openness:
    """What has more names than are known, and why."""
    return Openness(causes=frozenset(causes))


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

    def _within(self, ask: Callable[[], T], otherwise: T) -> T:
        """An answer; another one, which forbids nothing, once the project's sources have taken too long."""
        try:
            with self.sources.allowance.used():
                return ask()
        except SpentError as error:
            log.info("names are not known: %s", error)
            return otherwise

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
        return self._within(lambda: self._of_class(path, line, name, itself=itself), open_by("unread"))

    def _of_class(self, path: Path, line: int, name: str = "", *, itself: bool = False) -> Openness:
        found = Openness()
        facts = self.sources.facts(path)
        if facts is UNREAD:
            return open_by("unread")
        one = (facts.class_named(name) if name else facts.class_at(line)) if facts else None
        for source in sources_of(path) if one else ():
            known = self.sources.facts(source)
            found |= open_by("unread") if known is UNREAD else Openness()
            same = one if source == path else known.class_named(one.name) if known and one else None
            if same is not None:
                found |= self._of(source, same, itself=itself)
        return found | (self._undescribed(path, one.name) if one else Openness())

    def _undescribed(self, stub: Path, name: str = "") -> Openness:
        """The names that a stub leaves out which comes without its source, such as the standard library's private ones.

        Of a class, or of the module.
        """
        if stub.suffix != STUB or stub.with_suffix(".py").is_file():
            return Openness()
        source = self.sources.module(module_name(stub), self.sources.path)
        facts = self.sources.facts(source) if source is not None and source.suffix != STUB else None
        if facts is None or facts is UNREAD:
            return Openness()
        one = facts.class_named(name) if name else None
        return Openness(one.names if one is not None else frozenset() if name else facts.names)

    def of_name(self, name: str, path: Path) -> Openness | None:
        """Of the class that a dotted name means in a file; None if that is not found."""
        return self._within(lambda: self._of_name(name, path), open_by("unread"))

    def _of_name(self, name: str, path: Path) -> Openness | None:
        found = self.sources.find(name, path)
        return self._of(*found) if found else None

    def _of(self, path: Path, one: ClassFacts, *, itself: bool = False) -> Openness:
        ancestry = self._ancestry(path, one)
        names = frozenset[str]().union(*(found.names for _, found in ancestry.found))
        for place in {place for place, _ in ancestry.found}:
            facts = self.sources.facts(place)
            names |= facts.outside if facts is not None else frozenset()
        decorators = (self.sources.qualified(name, place) for place, each in ancestry.found for name in each.decorators)
        result = Openness(names.union(*map(added_to, (*ancestry.known, *decorators))))
        result |= open_by("framework") if ancestry.known & merged("makes_up") else Openness()
        result |= open_by("configured") if _allows_more(ancestry) else Openness()
        for place, found in ancestry.found:
            result |= open_by(*self._causes(place, found, itself=itself))
            result |= self._of_metaclass(place, found, itself=itself)
        return result

    def ancestors(self, name: str, path: Path) -> frozenset[str]:
        """The dotted names of a class and its bases; none if it is not found."""
        return self._within(lambda: self._ancestors(name, path), frozenset())

    def _ancestors(self, name: str, path: Path) -> frozenset[str]:
        found = self.sources.find(name, path)
        return frozenset(self._ancestry(*found).known) if found else frozenset()

    def is_called_otherwise(self, name: str, path: Path) -> bool:
        """Whether calls of a class may take other arguments than the constructor that is seen.

        A decorator that is not known may bring another, and a metaclass's own ``__call__`` takes what it likes.
        """
        return self._within(lambda: self._is_called_otherwise(name, path), True)

    def _is_called_otherwise(self, name: str, path: Path) -> bool:
        found = self.sources.find(name, path)
        ancestry = self._ancestry(*found).found if found else []
        if any(not self._is_harmless(place, decorator) for place, one in ancestry for decorator in one.decorators):
            return True
        makers = (self.sources.find(one.metaclass, place) for place, one in ancestry if one.metaclass)
        metas = (pair for meta in makers if meta for pair in self._ancestry(*meta).found)
        return any("__call__" in meta.names and place.suffix != STUB for place, meta in metas)  # a stub says how

    def is_vague(self, path: Path, line: int, name: str = "") -> bool:
        """Whether many values are said to be objects of the class that are objects of unknown subclasses."""
        return self._within(lambda: self._is_vague(path, line, name), True)

    def _is_vague(self, path: Path, line: int, name: str = "") -> bool:
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

    def _causes(self, path: Path, one: ClassFacts, *, itself: bool) -> Iterator[Cause]:
        """Why a class's objects, or it itself, get names that no source shows, its bases left aside."""
        facts = self.sources.facts(path)
        if _qualified(path, one.name) in merged("settles"):
            return
        if one.answers_any and not itself:
            yield "__getattr__"
        if path.suffix == STUB and facts is not UNREAD:
            return
        if one.class_makes_names_up if itself else one.makes_names_up:
            yield "set by name"
        if facts is not None and facts.marks_all:
            yield "marked"
        if "__get__" in one.names and not itself:
            yield "descriptor"
        given_to = one.class_given_to if itself else one.given_to
        if any(found[1] for name in given_to if (found := self.sources.function(name, path))):
            yield "given away"
        if any(self._adds(path, name) for name in one.decorators):
            yield "class decorator"
        if any(self._is_computed(path, base) for base in one.bases):
            yield "computed base"
        if any(self._is_lost(path, base) for base in one.bases):
            yield "lost base"

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

    def _of_metaclass(self, path: Path, one: ClassFacts, *, itself: bool) -> Openness:
        """What a metaclass adds: its own members to the class alone, what it sets on classes to their objects too."""
        if not one.metaclass:
            return Openness()
        is_settled = path.suffix == STUB or _qualified(path, one.name) in merged("settles")
        found = self.sources.find(one.metaclass, path)
        if found is None:
            is_plain = is_settled or self.sources.qualified(one.metaclass, path) in merged("settles")
            return Openness() if is_plain else open_by("metaclass")
        metas = self._ancestry(*found).found
        names = frozenset[str]().union(*(meta.names if itself else meta.assigned for _, meta in metas))
        names = names.union(*(meta.added or () for _, meta in metas))
        makers = [] if _qualified(path, one.name) in merged("settles") else metas
        is_open = any(self._makes_names(place, meta, itself=itself) for place, meta in makers)
        return Openness(names) | (open_by("metaclass") if is_open else Openness())

    def _makes_names(self, path: Path, meta: ClassFacts, *, itself: bool) -> bool:
        """Whether a metaclass gives its classes names that no source shows; their objects see what it sets on them."""
        if _qualified(path, meta.name) in merged("settles"):
            return False
        causes = set(self._causes(path, meta, itself=False))  # of a stub: whether it answers any name
        is_remaking = meta.added is None and path.suffix != STUB
        return is_remaking or bool(causes if itself else causes - {"__getattr__"})

    def of_module(self, path: Path) -> Openness:
        """Of a module."""
        return self._within(lambda: self._of_module(path), open_by("unread"))

    def _of_module(self, path: Path) -> Openness:
        found, seen, waiting = Openness(), set[Path](), list(sources_of(path))
        while waiting and len(seen) < MOST_STARS:
            place = waiting.pop()
            facts = self.sources.facts(place) if place not in seen else None
            seen.add(place)
            if facts is None:
                continue
            own = facts.names if place == path or facts.public is None else facts.public
            is_described = place.suffix != STUB and place.with_suffix(STUB).is_file()  # a stub has what it answers
            is_open = facts.fills_itself or (facts.makes_names_up and not is_described)
            found |= Openness(own | added_to(module_name(place))) | (open_by("module") if is_open else Openness())
            for star in facts.stars:
                module = self.sources.module(star, place)
                waiting += [module] if module else []
                found |= open_by("star import") if module is None and place.suffix != STUB else Openness()
        return found | self._undescribed(path)

    def set_in_project(self, words: Iterable[str]) -> frozenset[str]:
        """The members that files of the project set on what is called by one of some words."""
        known = set_in_project(self.sources.root)
        return frozenset[str]().union(*(known.get(plain(word), frozenset()) for word in words if word))

    def classes_of(self, path: Path, line: int, name: str = "") -> frozenset[str]:
        """The names of a class and its bases."""
        return self._within(lambda: self._classes_of(path, line, name), frozenset())

    def _classes_of(self, path: Path, line: int, name: str = "") -> frozenset[str]:
        facts = self.sources.facts(path)
        one = (facts.class_named(name) if name else facts.class_at(line)) if facts else None
        return frozenset(found.name for _, found in self._ancestry(path, one).found) if one else frozenset()

    def metaclasses_of(self, path: Path, line: int, name: str = "") -> frozenset[str]:
        """The last names of the metaclasses of a class and its bases."""
        return self._within(lambda: self._metaclasses_of(path, line, name), frozenset())

    def _metaclasses_of(self, path: Path, line: int, name: str) -> frozenset[str]:
        facts = self.sources.facts(path)
        one = (facts.class_named(name) if name else facts.class_at(line)) if facts else None
        found = self._ancestry(path, one).found if one else []
        return frozenset(each.metaclass.rpartition(".")[2] for _, each in found if each.metaclass)

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
