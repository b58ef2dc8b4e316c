"""All languages."""

from guiderail.text.languages.c import CPP, C
from guiderail.text.languages.csharp import CSHARP
from guiderail.text.languages.go import GO
from guiderail.text.languages.java import JAVA
from guiderail.text.languages.python import PYTHON
from guiderail.text.languages.record import Language
from guiderail.text.languages.rust import RUST
from guiderail.text.languages.web import JAVASCRIPT, JAVASCRIPT_REACT, TYPESCRIPT, TYPESCRIPT_REACT

_HASH = ("#", "")
_DASHES = ("--", "")
_BLOCK = ("/*", "*/")
_MARKUP = ("<!--", "-->")

LANGUAGES = (
    PYTHON,
    TYPESCRIPT,
    TYPESCRIPT_REACT,
    JAVASCRIPT,
    JAVASCRIPT_REACT,
    JAVA,
    Language("kotlin", (".kt", ".kts"), aliases=("kt",)),
    Language("scala", (".scala", ".sc")),
    Language("groovy", (".groovy", ".gradle"), interpreters=("groovy",)),
    C,
    CPP,
    Language("cuda-cpp", (".cu", ".cuh"), aliases=("cuda",), family="c"),
    Language("objective-c", (".m",), aliases=("objc",), family="c"),
    CSHARP,
    Language("fsharp", (".fs", ".fsx"), aliases=("f#",)),
    GO,
    RUST,
    Language("swift", (".swift",)),
    Language("dart", (".dart",)),
    Language("zig", (".zig",)),
    Language("php", (".php",), interpreters=("php",)),
    Language("ruby", (".rb", ".rake"), _HASH, ("rb",), files=("Gemfile", "Rakefile"), interpreters=("ruby",)),
    Language("perl", (".pl", ".pm"), _HASH, interpreters=("perl",)),
    Language("r", (".r",), _HASH, interpreters=("Rscript",)),
    Language("julia", (".jl",), _HASH, interpreters=("julia",)),
    Language("elixir", (".ex", ".exs"), _HASH, interpreters=("elixir",)),
    Language("erlang", (".erl", ".hrl"), ("%", ""), interpreters=("escript",)),
    Language("haskell", (".hs",), _DASHES, interpreters=("runhaskell",)),
    Language("ocaml", (".ml", ".mli"), ("(*", "*)"), interpreters=("ocaml",)),
    Language("clojure", (".clj", ".cljs", ".cljc"), (";;", "")),
    Language("lua", (".lua",), _DASHES, interpreters=("lua", "luajit")),
    Language("sql", (".sql",), _DASHES),
    Language(
        "shellscript",
        (".sh", ".bash", ".zsh", ".ksh"),
        _HASH,
        ("sh", "bash", "shell", "zsh"),
        interpreters=("sh", "bash", "zsh", "dash", "ksh"),
    ),
    Language("fish", (".fish",), _HASH, interpreters=("fish",)),
    Language("powershell", (".ps1", ".psm1"), _HASH, ("ps1",), interpreters=("pwsh",)),
    Language("makefile", (".mk",), _HASH, ("make",), files=("Makefile", "makefile", "GNUmakefile")),
    Language("cmake", (".cmake",), _HASH, files=("CMakeLists.txt",)),
    Language("dockerfile", (".dockerfile",), _HASH, ("docker",), files=("Dockerfile", "Containerfile")),
    Language("terraform", (".tf",), _HASH, ("hcl",)),
    Language("proto3", (".proto",), aliases=("proto", "protobuf")),
    Language("graphql", (".graphql", ".gql"), _HASH),
    Language("vue", (".vue",), _MARKUP, family="web"),
    Language("svelte", (".svelte",), _MARKUP, family="web"),
    Language("html", (".html", ".htm"), _MARKUP, is_code=False),
    Language("xml", (".xml", ".xsd"), _MARKUP, is_code=False),
    Language("css", (".css",), _BLOCK, is_code=False),
    Language("scss", (".scss",), is_code=False),
    Language("less", (".less",), is_code=False),
    Language("markdown", (".md", ".markdown"), _MARKUP, ("md",), is_code=False),
    Language("restructuredtext", (".rst",), ("..", ""), ("rst",), is_code=False),
    Language("latex", (".tex",), ("%", ""), ("tex",), is_code=False),
    Language("json", (".json", ".jsonc"), is_code=False),
    Language("yaml", (".yaml", ".yml"), _HASH, ("yml",), is_code=False),
    Language("toml", (".toml",), _HASH, is_code=False),
    Language("ini", (".ini", ".cfg"), ("#", ""), is_code=False),
    Language("plaintext", (".txt",), _HASH, ("text", "txt"), is_code=False),
)
