"""Python."""

import re

from guiderail.text.languages.lexicon import Lexicon, quoted
from guiderail.text.languages.record import (
    STRINGS,
    CallStyle,
    FunctionSyntax,
    Language,
    MemberSyntax,
    Sample,
    SyntaxNodes,
    declarations,
)

# What every class, function or module has; analysers list it of some of them only.
_DUNDERS = frozenset(name for kind in (type, re.compile, re) for name in dir(kind) if name.startswith("__"))

_HOLED = re.compile(r"(?i)(?<!\w)r?[ft]r?(?:\"\"\"|'''|['\"])")  # f-strings, and the template strings of 3.14

_TRANSPARENT = frozenset(
    ("staticmethod", "classmethod", "abstractmethod", "override", "final", "cache", "lru_cache", "contextmanager")
)

PYTHON = Language(
    "python",
    (".py", ".pyi", ".pyw"),
    ("#", ""),
    ("py", "python3"),
    interpreters=("python", "pypy"),
    grammar=("tree_sitter_python", "language"),
    long_text=re.compile(rb"\"\"\"|'''"),
    lexicon=Lexicon((r"#[^\r\n]*",), tuple(map(quoted, ('"""', "'''", '"', "'"))), blocks=False, holed=_HOLED),
    members=MemberSyntax(
        (".",),
        universal=_DUNDERS | {"__path__", "__wrapped__", "__self__", "__func__"},
        skipped=re.compile(r"\s*(?:from|import)\b"),
        definable=re.compile(r"(?<![\w.])(?:self|cls|mcs|metacls|\w+\.__class__)$"),
    ),
    calls=CallStyle({b'"""': b'"""', b"'''": b"'''", **STRINGS, b"#": b"\n"}, frozenset({b"#"}), keywords=True),
    functions=FunctionSyntax(
        functions=frozenset({"function_definition"}),
        classes=frozenset({"class_definition"}),
        calls={"call": "function"},
        constructors=frozenset({"__init__", "__new__"}),
        has_receiver=True,
        transparent=_TRANSPARENT,
        keyword="keyword_argument",
        spreads=frozenset({"list_splat", "dictionary_splat"}),
    ),
    declarations=declarations(
        scope="class_definition",
        function="function_definition",
        value="assignment type_alias_statement",
        wrap="decorated_definition expression_statement",
        through="if_statement try_statement else_clause except_clause with_statement block",
    ),
    nodes=SyntaxNodes(
        functions=frozenset({"function_definition"}),
        blocks=frozenset({"block"}),
        members={"attribute": "attribute"},
        calls=frozenset({"call"}),
        opaque=frozenset({"string", "concatenated_string", "comment"}),
        definitions="""
            (function_definition name: (identifier) @it) (class_definition name: (identifier) @it)
            (module (expression_statement (assignment left: (identifier) @it)))
            (class_definition body: (block (expression_statement (assignment left: (identifier) @it))))
            (assignment left: (attribute attribute: (identifier) @it))
        """,
    ),
    comments="""[(module . (expression_statement (string) @it)) (block . (expression_statement (string) @it))
 (comment) @it]""",
    statements="python",
    imports="python",
    analysers=("pyrefly", "ty", "basedpyright", "jedi"),
    cases="qualified",
    keys="subscripts",
    sample=Sample("sample.py", "class Point:\n    def __init__(self):\n        self.left = 1\n\n\nPoint()."),
)
