"""Java."""

import re

from guiderail.text.languages.kinds import INTERFACE
from guiderail.text.languages.lexicon import SLASH_COMMENTS, Lexicon, quoted
from guiderail.text.languages.record import (
    BRACES,
    TYPES,
    Instantiable,
    Language,
    MemberSyntax,
    Sample,
    SyntaxNodes,
    declarations,
)

JAVA = Language(
    "java",
    (".java",),
    grammar=("tree_sitter_java", "language"),
    lexicon=Lexicon(SLASH_COMMENTS, (quoted('"""'), quoted('"'), quoted("'")), lines=False),
    members=MemberSyntax(
        (".", "::"),
        extra="$",
        endings={"": ")]}\"'", "::": ">"},
        nameless=(".", "::"),  # type arguments, an ellipsis, a line end
        universal=frozenset({"class", "this", "super", "new"}),
        skipped=re.compile(r"\s*(?:import|package|module|requires|exports|opens)\b"),
    ),
    calls=BRACES,
    new=Instantiable(  # interfaces too: an anonymous class may follow
        TYPES | {INTERFACE},
        frozenset({"boolean", "byte", "char", "double", "float", "int", "long", "short", "String"}),
    ),
    declarations=declarations(
        scope="class_declaration interface_declaration enum_declaration record_declaration annotation_type_declaration",
    ),
    nodes=SyntaxNodes(
        functions=frozenset({"method_declaration", "constructor_declaration"}),
        blocks=frozenset({"block", "constructor_body"}),
        members={"field_access": "field", "method_invocation": "name"},
        calls=frozenset({"method_invocation", "object_creation_expression"}),
        opaque=frozenset({"string_literal", "character_literal", "line_comment", "block_comment"}),
        definitions="""
            (method_declaration name: (identifier) @it) (class_declaration name: (identifier) @it)
            (field_declaration declarator: (variable_declarator name: (identifier) @it)) (enum_constant name: (_) @it)
        """,
    ),
    comments="[(line_comment) (block_comment)] @it",
    imports="java",
    analysers=("jdtls", "javac"),
    cases="bare",
    sample=Sample("Sample.java", "class Sample {\n  int left;\n  int f(Sample s) { return s.", "; }\n}\n"),
)
