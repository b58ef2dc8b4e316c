"""Which language a file is written in, and how that language writes a comment.

Identifiers are those of the language server protocol ("python", "typescriptreact", "shellscript", …).
"""

import difflib
from dataclasses import dataclass
from pathlib import PurePath

from guiderail.errors import UsageError


@dataclass(frozen=True, slots=True)
class Language:
    """One language's facts.

    Parameters
    ----------
    name
        LSP identifier.
    endings
        File name endings, lower case, with the dot.
    comment
        How a comment line begins and, for block comments only, how it ends.
    aliases
        Other names people type.
    family
        Languages of one family may share context with one another; by default the language's own name.
    files
        Whole file names that mean this language.
    interpreters
        Programs of a ``#!`` line, without version digits.
    is_code
        False for data and markup, which are context only for their own kind.
    """

    name: str
    endings: tuple[str, ...]
    comment: tuple[str, str] = ("//", "")
    aliases: tuple[str, ...] = ()
    family: str = ""
    files: tuple[str, ...] = ()
    interpreters: tuple[str, ...] = ()
    is_code: bool = True


_HASH = ("#", "")
_DASHES = ("--", "")
_BLOCK = ("/*", "*/")
_MARKUP = ("<!--", "-->")

LANGUAGES = (
    Language("python", (".py", ".pyi", ".pyw"), _HASH, ("py", "python3"), interpreters=("python", "pypy")),
    Language("javascript", (".js", ".mjs", ".cjs"), aliases=("js",), family="web", interpreters=("node",)),
    Language("javascriptreact", (".jsx",), aliases=("jsx",), family="web"),
    Language("typescript", (".ts", ".mts", ".cts"), aliases=("ts",), family="web", interpreters=("deno", "ts-node")),
    Language("typescriptreact", (".tsx",), aliases=("tsx",), family="web"),
    Language("java", (".java",)),
    Language("kotlin", (".kt", ".kts"), aliases=("kt",)),
    Language("scala", (".scala", ".sc")),
    Language("groovy", (".groovy", ".gradle"), interpreters=("groovy",)),
    Language("c", (".c", ".h"), family="c"),
    Language(
        "cpp",
        (".cpp", ".cc", ".cxx", ".c++", ".hpp", ".hh", ".hxx", ".h++", ".ipp", ".tpp"),
        aliases=("c++", "cxx"),
        family="c",
    ),
    Language("cuda-cpp", (".cu", ".cuh"), aliases=("cuda",), family="c"),
    Language("objective-c", (".m",), aliases=("objc",), family="c"),
    Language("csharp", (".cs",), aliases=("c#", "cs")),
    Language("fsharp", (".fs", ".fsx"), aliases=("f#",)),
    Language("go", (".go",), aliases=("golang",)),
    Language("rust", (".rs",), aliases=("rs",)),
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

_BY_NAME = {name: language for language in LANGUAGES for name in (language.name, *language.aliases)}
_BY_ENDING = {ending: language for language in LANGUAGES for ending in language.endings}
_BY_FILE = {file: language for language in LANGUAGES for file in language.files}
_BY_INTERPRETER = {program: language for language in LANGUAGES for program in language.interpreters}


def language_of(path: PurePath | str | None, first_line: str = "") -> str | None:
    """The language of a file by its name, else by its ``#!`` line; None if neither says."""
    if path is not None:
        path = PurePath(path)
        known = _BY_FILE.get(path.name) or _BY_ENDING.get(path.suffix.lower())
        if known:
            return known.name
    known = _BY_INTERPRETER.get(_interpreter(first_line))
    return known.name if known else None


def _interpreter(first_line: str) -> str:
    """The program of a ``#!`` line, without its folder, version digits and ``env``."""
    if not first_line.startswith("#!"):
        return ""
    words = (PurePath(word).name for word in first_line[2:].split() if not word.startswith("-"))
    return next((word.rstrip("0123456789.") for word in words if word != "env"), "")


def language_named(name: str) -> str:
    """The identifier after a name that a person typed ("ts", "c++", "Python").

    Raises
    ------
    UsageError
        If nothing is known by that name; the remedy names the nearest ones.
    """
    known = _BY_NAME.get(name.strip().lower())
    if known is None:
        near = difflib.get_close_matches(name.strip().lower(), _BY_NAME, n=3)
        raise UsageError(
            f"unknown language {name!r}",
            f"Did you mean {' or '.join(near)}?" if near else "Use a name such as python, typescript or cpp.",
        )
    return known.name


def ending_of(language: str) -> str:
    """What the names of a language's files end with, the dot included; empty for an unknown language."""
    known = _BY_NAME.get(language)
    return known.endings[0] if known and known.endings else ""


def family_of(language: str | None) -> str | None:
    """The group of languages that share declarations: C with C++, JavaScript with TypeScript."""
    known = _BY_NAME.get(language or "")
    return (known.family or known.name) if known else language


def is_code(language: str | None) -> bool:
    """Whether a language is a programming language known to us."""
    known = _BY_NAME.get(language or "")
    return known is not None and known.is_code


def comment_prefix(language: str | None) -> str:
    """What begins a comment, a line comment where the language has one; ``#`` for an unknown language."""
    known = _BY_NAME.get(language or "")
    return known.comment[0] if known else "#"


def commented(text: str, language: str | None) -> str:
    """The text as comment lines, each ended by a line feed."""
    known = _BY_NAME.get(language or "")
    prefix, suffix = known.comment if known else _HASH
    lines = (f"{prefix} {line}".rstrip() for line in text.rstrip("\r\n").split("\n"))
    return "".join(f"{line} {suffix}".rstrip() + "\n" for line in lines)
