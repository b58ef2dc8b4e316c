"""What a Python file says about the names of its classes and of itself, and where it makes names up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ClassFacts:
    """A class, or what a call such as ``Enum("Colour", NAMES)`` makes and a name is given to.

    Parameters
    ----------
    name, line
        Its name, and the line (from 0) that the name is in.
    span
        First byte and the one after the last.
    bases
        Dotted names, without type arguments; of a call the name that is called, with ``()``.
    metaclass
        Dotted name; empty if it names none.
    decorators
        Dotted names, outermost first.
    names
        What its body binds, its methods set on their own object or class, and ``__slots__`` reserves.
    mentioned
        Names after the first parameter of its methods and a dot, also where they are only read.
    given_to
        Dotted names of the functions that its objects or it itself are given to.
    class_given_to
        Those that it itself may be given to.
    makes_names_up
        Whether it sets members by names that the text does not show, on its objects or on itself.
    class_makes_names_up
        Whether it may set such members on itself.
    answers_any
        Whether it answers for any name (``__getattr__``).
    assigned
        Those of the names that are set on objects.
    added
        Of a metaclass: the names that it gives a class beside those of its body; None if it may give any.
    config
        The text that configures it: class keywords, ``model_config`` and a nested ``Config``.
    """

    name: str
    line: int
    span: tuple[int, int]
    bases: tuple[str, ...] = ()
    metaclass: str = ""
    decorators: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()
    mentioned: frozenset[str] = frozenset()
    given_to: frozenset[str] = frozenset()
    class_given_to: frozenset[str] = frozenset()
    makes_names_up: bool = False
    class_makes_names_up: bool = False
    answers_any: bool = False
    assigned: frozenset[str] = frozenset()
    added: frozenset[str] | None = frozenset()
    config: str = ""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file.

    Parameters
    ----------
    classes
        In the order of the text.
    imports
        By local name: the module, with leading dots if it is relative, and the name in it; empty for the module itself.
    stars
        Modules all of whose names are imported.
    names
        What the top level binds, whatever the condition, and what ``__all__`` lists.
    public
        What ``__all__`` lists; None if there is none, or not all of it can be read.
    outside
        Names that are set on objects other than a method's own, or asked for as text (``hasattr``).
    set_on
        The same by the last word of what they are set on, in small letters without underscores.
    aliases
        By name of the top level: the dotted name that it is another name for.
    functions
        By name, whether a function sets members by names that the text does not show.
    called
        By name that is bound to a call's result: the dotted name that is called.
    makes_names_up
        Whether the module gets names that the text does not show.
    marks_all
        Whether top-level statements set such members on classes that are not told apart.
    fills_itself
        Whether that is so because its statements set names, and not because it answers for any (PEP 562).
    """

    classes: tuple[ClassFacts, ...] = ()
    imports: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    stars: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()
    public: frozenset[str] | None = None
    outside: frozenset[str] = frozenset()
    set_on: Mapping[str, frozenset[str]] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    functions: Mapping[str, bool] = field(default_factory=dict)
    called: Mapping[str, str] = field(default_factory=dict)
    makes_names_up: bool = False
    marks_all: bool = False
    fills_itself: bool = False

    @property
    def size(self) -> int:
        """About how many names it holds, which memory grows with; a set of names counts as three."""
        own = (self.imports, self.stars, self.names, self.outside, self.aliases, self.functions, self.called)
        inner = (part for one in self.classes for part in (one.names, one.mentioned, one.given_to, one.bases))
        sets = 1 + len(self.set_on) + 4 * len(self.classes)
        return 3 * sets + sum(map(len, (*own, *self.set_on.values(), *inner)))

    def class_named(self, name: str) -> ClassFacts | None:
        """The last class of a name."""
        return next((one for one in reversed(self.classes) if one.name == name), None)

    def class_at(self, line: int) -> ClassFacts | None:
        """The class whose name is in a line."""
        return next((one for one in self.classes if one.line == line), None)

    def class_around(self, byte: int) -> ClassFacts | None:
        """The innermost class around a byte of the text."""
        around = [one for one in self.classes if one.span[0] <= byte <= one.span[1]]
        return max(around, key=lambda one: one.span[0], default=None)


def plain(name: str) -> str:
    """The last word of a dotted name, in small letters without underscores: ``app`` of ``self._app`` and of ``App``."""
    return name.rpartition(".")[2].removesuffix("()").replace("_", "").lower()


def unknown_class(name: str) -> ClassFacts:
    """A class of which nothing is known: it may have any members."""
    return ClassFacts(name, -1, (0, 0), makes_names_up=True, class_makes_names_up=True, answers_any=True)


UNREAD = FileFacts(
    makes_names_up=True, marks_all=True, fills_itself=True
)  # of a file that is there and cannot be read: anything may be
