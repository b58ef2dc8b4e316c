"""Go."""

from guiderail.text.languages.kinds import MODULE
from guiderail.text.languages.lexicon import SLASH_COMMENTS, Lexicon, String, quoted
from guiderail.text.languages.record import Language, MemberSyntax, Sample, declarations

GO = Language(
    "go",
    (".go",),
    aliases=("golang",),
    grammar=("tree_sitter_go", "language"),
    lexicon=Lexicon(SLASH_COMMENTS, (quoted('"'), quoted("'"), String("`", "[^`]*`", many_lines=True))),
    # ``.(type)``, a line end, an ellipsis
    members=MemberSyntax((".",), endings={"": ")]}\"'`"}, nameless=(".",), no_members=frozenset({MODULE})),
    declarations=declarations(
        function="function_declaration",
        methods="method_declaration",
        whole="type_spec type_alias",
        value="const_spec var_spec",
        wrap="type_declaration const_declaration var_declaration",
        through="var_spec_list",
    ),
    imports="go",
    analysers=("gopls",),
    sample=Sample(
        "sample.go",
        "package main\n\ntype point struct{ left int }\n\nfunc main() {\n\tp := point{}\n\tp.",
        "\n}\n",
        {"go.mod": "module sample\n\ngo 1.18\n"},
    ),
)
