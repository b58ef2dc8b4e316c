"""JavaScript and TypeScript, with React's dialects of both."""

import re
from dataclasses import replace

from guiderail.text.languages.kinds import CONSTANT, FIELD, FUNCTION, METHOD, PROPERTY, VARIABLE
from guiderail.text.languages.lexicon import SLASH_COMMENTS, Lexicon, String, quoted
from guiderail.text.languages.record import (
    BRACES,
    TYPES,
    FunctionSyntax,
    Instantiable,
    Language,
    MemberSyntax,
    Sample,
    SyntaxNodes,
    declarations,
)

# A slash begins a pattern where an expression may begin; divisions follow one. At its end the text may be inside one.
_PATTERN = (
    r"(?:(?<=[=(,:;!&|?{}\[])|(?<==>)|(?<=return)|(?<=typeof)|(?<=case)|(?m:^))[ \t]*"
    r"/(?![/*])(?:(?:[^\\/\[\r\n]|\\.|\[(?:[^\]\\\r\n]|\\.){0,200}+\])++/[a-z]*+|"
    r"(?:[^\\/\[\r\n]|\\.|\[(?:[^\]\\\r\n]|\\.){0,200}+\])*+(?:\[(?:[^\]\\\r\n]|\\.){0,200}+)?\\?\Z)"
)
_TEMPLATE = String(  # ${…} may hold braces and templates, each once more
    "`", r"(?:[^`\\$]++|\\(?s:.)|\$(?!\{)|\$\{(?:[^{}`]++|\{[^{}]*+\}|`[^`]*+`)*+\})*+`", many_lines=True
)
_TYPE = r"[\w$.,\s|&<>\[\]]"
# Analysers leave them out; an object without them is rare.
_OF_OBJECTS = frozenset({
    "constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toLocaleString", "toString", "valueOf",
})  # fmt: skip
_MEMBERS = MemberSyntax(
    (".", "?."),
    extra="$#",
    endings={"": ")]}\"'`!"},
    nameless=("?.",),  # ``?.[``, ``?.(``
    universal=_OF_OBJECTS,
    definable=re.compile(r"(?<![\w$.)\]])(?!(?:this|super)$)[\w$]+$"),  # of functions, which take properties there
    # ``f<z.``: type arguments, or a comparison. Only what begins after another character is looked at: each once.
    ambiguous=re.compile(rf"(?<!{_TYPE})(?={_TYPE}*+$){_TYPE}*?[\w$]<"),
)

TYPESCRIPT = Language(
    "typescript",
    (".ts", ".mts", ".cts"),
    aliases=("ts",),
    family="web",
    interpreters=("deno", "ts-node"),
    grammar=("tree_sitter_typescript", "language_typescript"),
    lexicon=Lexicon(
        (*SLASH_COMMENTS, _PATTERN), (_TEMPLATE, quoted('"'), quoted("'")), holed=re.compile("`"), hole="${"
    ),
    members=_MEMBERS,
    calls=BRACES,
    new=Instantiable(  # any value may be a constructor
        TYPES | {FUNCTION, FIELD, VARIABLE, PROPERTY, CONSTANT, METHOD},
        frozenset({"this", "class", "function", "target", "globalThis", "await", "async", "super"}),
    ),
    functions=FunctionSyntax(
        functions=frozenset(
            {"function_declaration", "generator_function_declaration", "method_definition", "function_signature"}
        ),
        classes=frozenset({"class_declaration", "abstract_class_declaration", "class"}),
        calls={"call_expression": "function", "new_expression": "constructor"},
        constructors=frozenset({"constructor"}),
        spreads=frozenset({"spread_element"}),
    ),
    declarations=declarations(
        scope="class_declaration abstract_class_declaration class",
        function="function_declaration generator_function_declaration function_signature function_expression",
        whole="interface_declaration type_alias_declaration enum_declaration",
        value="variable_declarator",
        wrap="export_statement lexical_declaration variable_declaration ambient_declaration",
        through="internal_module module statement_block expression_statement",
    ),
    nodes=SyntaxNodes(
        functions=frozenset({"function_declaration", "method_definition", "arrow_function", "function_expression"}),
        blocks=frozenset({"statement_block"}),
        members={"member_expression": "property"},
        calls=frozenset({"call_expression", "new_expression"}),
        opaque=frozenset({"string", "template_string", "regex", "comment"}),
        definitions="""
            (function_declaration name: (identifier) @it) (class_declaration name: (type_identifier) @it)
            (method_definition name: (property_identifier) @it) (method_signature name: (property_identifier) @it)
            (public_field_definition name: (property_identifier) @it)
            (property_signature name: (property_identifier) @it)
            (program (lexical_declaration (variable_declarator name: (identifier) @it)))
            (export_statement declaration: (lexical_declaration (variable_declarator name: (identifier) @it)))
        """,
    ),
    imports="web",
    analysers=("tsc", "typescript-language-server"),
    cases="qualified",
    keys="literals",
    sample=Sample("sample.ts", "class Point {\n  left = 1;\n}\nnew Point().", ";\n"),
)
TYPESCRIPT_REACT = replace(
    TYPESCRIPT,
    name="typescriptreact",
    endings=(".tsx",),
    aliases=("tsx",),
    interpreters=(),
    sample=None,
    grammar=("tree_sitter_typescript", "language_tsx"),
)
JAVASCRIPT = replace(
    TYPESCRIPT,
    name="javascript",
    endings=(".js", ".mjs", ".cjs"),
    aliases=("js",),
    interpreters=("node",),
    grammar=("tree_sitter_javascript", "language"),
    is_inferred=True,
    sample=None,
    keys=None,
    nodes=None,
    # An assignment defines a property of any object.
    members=MemberSyntax(
        (".", "?."),
        extra="$#",
        endings=_MEMBERS.endings,
        nameless=("?.",),
        universal=_OF_OBJECTS,
        definable=re.compile(r"[\w$)\]]$"),
    ),
)
JAVASCRIPT_REACT = replace(JAVASCRIPT, name="javascriptreact", endings=(".jsx",), aliases=("jsx",), interpreters=())
