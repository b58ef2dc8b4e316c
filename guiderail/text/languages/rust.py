"""Rust."""

import re

from guiderail.text.languages.lexicon import SLASH_COMMENTS, Lexicon, String, quoted
from guiderail.text.languages.record import Language, MemberSyntax, Sample, declarations

_LETTER = r"'(?:[^'\\\r\n]|\\[^\r\n][^'\r\n]{0,10})'"  # and what is not closed like this is a lifetime

RUST = Language(
    "rust",
    (".rs",),
    aliases=("rs",),
    grammar=("tree_sitter_rust", "language"),
    lexicon=Lexicon(
        (*SLASH_COMMENTS, _LETTER),
        (
            *(String(f'r{marks}"', rf'(?s:.*?)"{marks}', many_lines=True) for marks in ("##", "#", "")),
            quoted('"', many_lines=True),
        ),
        lines=False,
    ),
    members=MemberSyntax(
        (".", "::"),
        endings={"": ")]}\"'?", "::": ">"},
        nameless=(".", "::"),  # a range; type arguments, a list, a star
        universal=frozenset({"await", "self", "super"}),
        skipped=re.compile(r"\s*(?:pub(?:\([^)]*\))?\s+)?(?:use|extern|mod|macro_rules!)"),
    ),
    declarations=declarations(
        scope="trait_item",
        function="function_item",
        whole="struct_item enum_item union_item type_item",
        value="const_item static_item macro_definition",
        methods="impl_item",
        through="mod_item declaration_list",
    ),
    comments="[(line_comment) (block_comment)] @it",
    imports="rust",
    analysers=("rust-analyzer", "multilspy-rust"),
    sample=Sample(
        "src/lib.rs",
        "pub struct Point { left: i32 }\npub fn f(p: Point) -> i32 {\n    p.",
        "\n}\n",
        {"Cargo.toml": '[package]\nname = "sample"\nversion = "0.1.0"\nedition = "2021"\n'},
    ),
)
