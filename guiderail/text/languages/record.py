"""The record of facts about one language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from guiderail.text.languages.kinds import CLASS, CONSTRUCTOR, MODULE, STRUCT
from guiderail.text.languages.lexicon import Lexicon

# scope     has members, shown by their signatures      function  shown up to its body
# whole     shown as it is                              value     shown by its first lines
# through   its children count as its parent's          wrap      the same, and its text belongs to its only child
# methods   members of a type declared elsewhere
DeclarationKind = Literal["scope", "function", "whole", "value", "through", "wrap", "methods"]

_NUMBER = re.compile(r"(?<![\w.])\d[\w']*$")


@dataclass(frozen=True, slots=True)
class Language:
    """One language's facts; a field that is None turns off what needs it.

    Parameters
    ----------
    name
        LSP identifier.
    endings
        File name endings, lower case, with the dot.
    comment
        How a comment line begins and, for block comments only, how it ends.
    aliases
        Other names people type.
    family
        Languages of one family may share context with one another; by default the language's own name.
    files
        Whole file names that mean this language.
    interpreters
        Programs of a ``#!`` line, without version digits.
    is_code
        False for data and markup, which are context only for their own kind.
    grammar
        Module and function of its tree-sitter grammar.
    long_text
        What opens and closes a comment or string of several lines.
    lexicon
        For the lexer.
    members
        How members are accessed.
    calls
        How arguments are written.
    new
        What may follow the keyword ``new``.
    functions
        How functions are declared and called.
    declarations
        Of the grammar's nodes those that declare something, for outlines of files.
    nodes
        Of the grammar's nodes those between which evaluation puts cursors.
    comments
        The grammar's query for comments and docstrings.
    statements
        Whose statements it has: what reads Python's, or those of languages with braces, reads this language's too.
    imports
        The module of `guiderail.prompt.imports` that reads its imports; "" if none does.
    analysers
        The names of guiderail's own language servers for it, the best first.
    is_inferred
        Whether its types are guessed and its objects take new members anywhere.
    cases
        How a case names a member of an enum: after the enum, as in ``Colour.RED``, or bare.
    keys
        Where names of keys are written: in subscripts, or in literals of objects.
    sample
        What `guiderail analysers check` asks a server about.
    """

    name: str
    endings: tuple[str, ...]
    comment: tuple[str, str] = ("//", "")
    aliases: tuple[str, ...] = ()
    family: str = ""
    files: tuple[str, ...] = ()
    interpreters: tuple[str, ...] = ()
    is_code: bool = True
    grammar: tuple[str, str] | None = None
    long_text: re.Pattern[bytes] = re.compile(rb"/\*|\*/")
    lexicon: Lexicon | None = None
    members: MemberSyntax | None = None
    calls: CallStyle | None = None
    new: Instantiable | None = None
    functions: FunctionSyntax | None = None
    declarations: Mapping[str, DeclarationKind] | None = None
    nodes: SyntaxNodes | None = None
    comments: str = "(comment) @it"
    statements: Literal["python", "braces"] = "braces"
    imports: str = ""
    analysers: tuple[str, ...] = ()
    is_inferred: bool = False
    cases: Literal["qualified", "bare"] | None = None
    keys: Literal["subscripts", "literals"] | None = None
    sample: Sample | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """A small project with a cursor at which the member ``left`` must be listed.

    Parameters
    ----------
    file
        The path of the file with the cursor.
    before, after
        The text on both sides of the cursor.
    others
        Texts of further files, by path, without which a server sees no project.
    """

    file: str
    before: str
    after: str = ""
    others: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class MemberSyntax:
    """How a language accesses members.

    Parameters
    ----------
    operators
        What is written between a receiver and a member's name.
    extra
        Characters of names beside Unicode's.
    endings
        With which characters, beside letters, digits and ``_``, a receiver may end, by operator; ``""`` holds for all.
    nameless
        The operators after which something else than a name may follow.
    universal
        Words that may always follow: what everything has, and keywords.
    skipped
        The beginnings of statements whose operators reach no member.
    definable
        Receivers whose members an assignment may define.
    ambiguous
        The ends of texts before an operator after which an analyser may take a type for a value.
    no_members
        CompletionItemKinds that no member has: where an analyser cannot read the text, it lists what is in scope.
    open_scopes
        Operators after which a scope may have members that no analyser lists.
    """

    operators: tuple[str, ...]
    extra: str = ""
    endings: dict[str, str] = field(default_factory=lambda: {"": ")]}\"'"})
    nameless: tuple[str, ...] = ()
    universal: frozenset[str] = frozenset()
    skipped: re.Pattern[str] | None = None
    definable: re.Pattern[str] | None = None
    ambiguous: re.Pattern[str] | None = None
    no_members: frozenset[int] = frozenset()
    open_scopes: frozenset[str] = frozenset()

    @cached_property
    def end(self) -> re.Pattern[str]:
        """The end of a text in which a member's name is being written: groups ``operator`` and ``name``."""
        operators = "|".join(map(re.escape, sorted(self.operators, key=len, reverse=True)))
        extra = re.escape(self.extra)
        return re.compile(rf"(?P<operator>{operators})(?P<name>[\w{extra}]*)$")

    def is_receiver(self, text: str, operator: str) -> bool:
        """Whether a text may end with something that has members."""
        if not text or _NUMBER.search(text):
            return False
        last = text[-1]
        return last.isalnum() or last in "_" + self.extra + self.endings[""] + self.endings.get(operator, "")


@dataclass(frozen=True, slots=True)
class CallStyle:
    """How a language writes the arguments of a call.

    Parameters
    ----------
    quotes
        What ends a string or comment, by what begins it; longer beginnings first.
    comments
        Which of them begin comments.
    keywords
        Whether arguments are given by keyword, as ``name=value``.
    """

    quotes: Mapping[bytes, bytes]
    comments: frozenset[bytes]
    keywords: bool


@dataclass(frozen=True, slots=True)
class FunctionSyntax:
    """The nodes of a grammar that declare functions and call them.

    Parameters
    ----------
    functions
        Those that declare one, with the fields ``name`` and ``parameters``.
    classes
        Those that declare a class, with the field ``name``.
    calls
        Those that call, and the field of each that says what is called. Their arguments are the field ``arguments``.
    constructors
        Methods that a call of their class runs.
    has_receiver
        Whether a method's first parameter is what it is called on.
    transparent
        The decorators with which a function still takes the parameters that it declares.
    keyword
        The node of an argument that is given by keyword, with the field ``name``; "" if there are none.
    spreads
        Those of an argument that stands for several.
    """

    functions: frozenset[str]
    classes: frozenset[str]
    calls: Mapping[str, str]
    constructors: frozenset[str]
    has_receiver: bool = False
    transparent: frozenset[str] = frozenset()
    keyword: str = ""
    spreads: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Instantiable:
    """What may follow the keyword ``new``.

    Parameters
    ----------
    kinds
        LSP's CompletionItemKind of the names that an analyser lists.
    further
        Names that analysers do not list as such.
    resolved
        Whether the analyser must be asked for the details of each name.
    """

    kinds: frozenset[int]
    further: frozenset[str]
    resolved: bool = False


@dataclass(frozen=True, slots=True)
class SyntaxNodes:
    """What a grammar calls functions, blocks, dereferences and calls.

    Parameters
    ----------
    functions
        Nodes whose field ``body`` is a function's body.
    blocks
        Sequences of statements in braces or indented.
    members
        By node of a dereference, the field of the name after the dot.
    calls
        Nodes whose field ``arguments`` is a list in brackets.
    opaque
        Strings and comments.
    definitions
        Query of the names that a file defines.
    """

    functions: frozenset[str]
    blocks: frozenset[str]
    members: Mapping[str, str]
    calls: frozenset[str]
    opaque: frozenset[str]
    definitions: str


TYPES = frozenset({CLASS, CONSTRUCTOR, MODULE, STRUCT})
STRINGS = {b'"': b'"', b"'": b"'"}
BRACES = CallStyle({**STRINGS, b"`": b"`", b"//": b"\n", b"/*": b"*/"}, frozenset({b"//", b"/*"}), keywords=False)


def declarations(**types: str) -> dict[str, DeclarationKind]:
    """The kinds of a grammar's nodes, from the nodes of each kind, separated by blanks."""
    return {node: kind for kind, nodes in types.items() for node in nodes.split()}  # pyright: ignore[reportReturnType]
