"""C and C++."""

import re

from guiderail.text.languages.kinds import FUNCTION, INTERFACE, VARIABLE
from guiderail.text.languages.lexicon import DIRECTIVE, SLASH_COMMENTS, Lexicon, String, quoted
from guiderail.text.languages.record import TYPES, Instantiable, Language, MemberSyntax, Sample, declarations

_DIGIT_MARK = r"(?<=[0-9a-fA-F])'(?=[0-9a-fA-F])"
_LEXICON = Lexicon(
    (*SLASH_COMMENTS, DIRECTIVE, _DIGIT_MARK),
    (
        String('R"', r'(?P<delimiter>[^()\\\s]{0,16})\((?s:.*?)\)(?P=delimiter)"', many_lines=True),
        quoted('"'),
        quoted("'"),
    ),
    lines=False,
)
# clangd calls a member that is a function a method, and what a class has once a property.
_NO_MEMBERS = frozenset({FUNCTION, VARIABLE})
_KEYWORDS = frozenset({"template", "operator"})
_DECLARATIONS = declarations(
    scope="class_specifier struct_specifier union_specifier",
    function="function_definition",
    whole="enum_specifier type_definition alias_declaration preproc_function_def concept_definition",
    value="declaration preproc_def",
    wrap="template_declaration",
    through="namespace_definition declaration_list linkage_specification preproc_ifdef preproc_if preproc_else",
)

C = Language(
    "c",
    (".c", ".h"),
    family="c",
    grammar=("tree_sitter_c", "language"),
    lexicon=_LEXICON,
    members=MemberSyntax(
        (".", "->"),
        nameless=(".", "->"),  # ``.*``, an ellipsis, a pack; an arrow before a return type
        universal=_KEYWORDS,
        no_members=_NO_MEMBERS,
    ),
    declarations=_DECLARATIONS,
    imports="c",
    analysers=("clangd",),
    sample=Sample("sample.c", "struct point { int left; };\nint f(struct point *p) { return p->", "; }\n"),
)
CPP = Language(
    "cpp",
    (".cpp", ".cc", ".cxx", ".c++", ".hpp", ".hh", ".hxx", ".h++", ".ipp", ".tpp"),
    aliases=("c++", "cxx"),
    family="c",
    grammar=("tree_sitter_cpp", "language"),
    lexicon=_LEXICON,
    members=MemberSyntax(
        (".", "->", "::"),
        endings={"": ")]}\"'", "::": ">"},
        nameless=(".", "->", "::"),
        universal=_KEYWORDS,
        skipped=re.compile(r"\s*(?:using|namespace|import|module)\b"),
        no_members=_NO_MEMBERS,
        open_scopes=frozenset({"::"}),  # a namespace goes on in any header, a class has what it alone may use
    ),
    new=Instantiable(
        TYPES | {INTERFACE},  # what clangd calls a typedef
        frozenset(
            {
                "auto",
                "bool",
                "char",
                "const",
                "double",
                "float",
                "int",
                "long",
                "short",
                "signed",
                "std",
                "struct",
                "unsigned",
                "void",
                "wchar_t",
                "class",
                "typename",
            }
        ),
        resolved=True,
    ),
    declarations=_DECLARATIONS,
    imports="c",
    analysers=("clangd",),
)
