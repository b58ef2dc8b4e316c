"""Go."""

from guiderail.text.languages.lexicon import SLASH_COMMENTS, Lexicon, String, quoted
from guiderail.text.languages.record import Language, MemberSyntax, declarations

GO = Language(
    "go",
    (".go",),
    aliases=("golang",),
    grammar=("tree_sitter_go", "language"),
    lexicon=Lexicon(SLASH_COMMENTS, (quoted('"'), quoted("'"), String("`", "[^`]*`", many_lines=True))),
    # ``.(type)``, a line end, an ellipsis
    members=MemberSyntax((".",), endings={"": ")]}\"'`"}, nameless=(".",)),
    declarations=declarations(
        function="function_declaration",
        methods="method_declaration",
        whole="type_spec type_alias",
        value="const_spec var_spec",
        wrap="type_declaration const_declaration var_declaration",
        through="var_spec_list",
    ),
)
