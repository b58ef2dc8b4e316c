"""C#."""

import re

from guiderail.text.languages.lexicon import DIRECTIVE, SLASH_COMMENTS, Lexicon, String, quoted
from guiderail.text.languages.record import TYPES, Instantiable, Language, MemberSyntax, Sample

CSHARP = Language(
    "csharp",
    (".cs",),
    aliases=("c#", "cs"),
    lexicon=Lexicon(
        (*SLASH_COMMENTS, DIRECTIVE),
        (
            String('"""', r'(?s:.*?)"""', many_lines=True),
            *(String(quote, r'(?:[^"]|"")*+"', many_lines=True) for quote in ('$@"', '@$"', '@"')),
            quoted('"'),
            quoted("'"),
        ),
        lines=False,
        holed=re.compile(r'\$"'),
    ),
    members=MemberSyntax(
        (".", "?.", "->"),
        endings={"": ")]}\"'!", "->": ""},
        nameless=(".", "?."),  # a range, a line end; ``?.[``
        skipped=re.compile(r"\s*(?:using|namespace|import|module)\b"),
    ),
    new=Instantiable(
        TYPES, frozenset({"bool", "byte", "char", "decimal", "double", "float", "int", "long", "object", "string"})
    ),
    analysers=("csharp-ls", "omnisharp", "multilspy-csharp"),
    cases="qualified",
    sample=Sample(
        "Sample.cs",
        "class Sample {\n  int left;\n  int F(Sample s) { return s.",
        "; }\n}\n",
        {
            "sample.csproj": '<Project Sdk="Microsoft.NET.Sdk"><PropertyGroup><TargetFramework>net8.0</TargetFramework>'
            "</PropertyGroup></Project>\n"
        },
    ),
)
