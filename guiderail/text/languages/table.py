"""Of each kind of fact about languages a table, by the language's name."""

from collections.abc import Mapping

from guiderail.text.languages.known import LANGUAGES
from guiderail.text.languages.lexicon import Lexicon
from guiderail.text.languages.record import (
    CallStyle,
    DeclarationKind,
    FunctionSyntax,
    Instantiable,
    Language,
    MemberSyntax,
    SyntaxNodes,
)

BY_NAME: Mapping[str, Language] = {one.name: one for one in LANGUAGES}
GRAMMARS: Mapping[str, tuple[str, str]] = {one.name: one.grammar for one in LANGUAGES if one.grammar}
LEXICONS: Mapping[str, Lexicon] = {one.name: one.lexicon for one in LANGUAGES if one.lexicon}
MEMBERS: Mapping[str, MemberSyntax] = {one.name: one.members for one in LANGUAGES if one.members}
CALLS: Mapping[str, CallStyle] = {one.name: one.calls for one in LANGUAGES if one.calls}
FUNCTIONS: Mapping[str, FunctionSyntax] = {one.name: one.functions for one in LANGUAGES if one.functions}
INSTANTIABLE: Mapping[str, Instantiable] = {one.name: one.new for one in LANGUAGES if one.new}
DECLARATIONS: Mapping[str, Mapping[str, DeclarationKind]] = {
    one.name: one.declarations for one in LANGUAGES if one.declarations
}
NODES: Mapping[str, SyntaxNodes] = {one.name: one.nodes for one in LANGUAGES if one.nodes}

PYTHON_STATEMENTS = frozenset(one.name for one in LANGUAGES if one.statements == "python")
INFERRED = frozenset(one.name for one in LANGUAGES if one.is_inferred)
CASES: Mapping[str, str] = {one.name: one.cases for one in LANGUAGES if one.cases}
KEYS: Mapping[str, str] = {one.name: one.keys for one in LANGUAGES if one.keys}


def analysed_by(analyser: str) -> tuple[str, ...]:
    """The languages for which guiderail's own description of an analyser is used."""
    return tuple(one.name for one in LANGUAGES if analyser in one.analysers)
