"""A workspace that nobody has trusted makes no analyser run what it brings: hostile folders, and decoys in them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import platformdirs
import pytest

from guiderail import programs
from guiderail.evaluation.checkers.analysed import AnalysedPython
from guiderail.evaluation.checkers.java import Javac
from guiderail.monitors.analysis import analyser, client, confinement, install, launcher, server
from guiderail.monitors.analysis.analyser import ServerAnalyser
from guiderail.monitors.analysis.answers import Members, NoAnswer
from guiderail.monitors.analysis.pool import ServerPool
from guiderail.monitors.analysis.requests import DIAGNOSTICS, MEMBERS, Question
from guiderail.monitors.analysis.servers import (
    BASEDPYRIGHT,
    GOPLS,
    JEDI,
    PYREFLY,
    RUST_ANALYZER,
    TSC,
    TYPESCRIPT,
    candidates,
    may_start,
    server_named,
)

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(os.name != "posix", reason="the decoys are shell scripts"),
]
ANSWER_S = 150  # the first answer on a busy machine
FETCHED = platformdirs.user_cache_path("guiderail") / "tests"  # where the analysers' own tests install them


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty workspace, which is the working directory too, as an editor starts a server in it."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(FETCHED))
    for module, limit in ((analyser, "ANSWER_S"), (analyser, "FIRST_ANSWER_S"), (client, "START_S")):
        monkeypatch.setattr(module, limit, ANSWER_S)  # a busy machine is no attack
    return folder


@pytest.fixture
def ran(tmp_path: Path) -> Path:
    """The folder in which every decoy that runs leaves a file of its name."""
    folder = tmp_path / "ran"
    folder.mkdir()
    return folder


@pytest.fixture
def decoy(ran: Path) -> Callable[[Path], Path]:
    """Make a program that leaves a trace when it is run."""

    def make(path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n/usr/bin/env touch '{ran}/{path.name}'\nexit 0\n")
        path.chmod(0o755)
        return path

    return make


@pytest.fixture
def ask(root: Path) -> Iterator[Callable[..., Members]]:
    """Ask an analyser at default trust for the members after a text, and for its mistakes."""
    started: dict[str, ServerAnalyser] = {}

    def asked(name: str, file: str, language: str, text: str, after: str = "") -> Members:
        found = server_named(name)
        if found.find(root) is None:
            pytest.skip(f"{name} is not installed: {found.obtain}")
        one = started.setdefault(name, ServerAnalyser(found, root, trusted=False))
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + after)
        members = one.ask(MEMBERS, Question(path, language, text + after, len(text))).result(ANSWER_S)
        with contextlib.suppress(NoAnswer):
            one.ask(DIAGNOSTICS, Question(path, language, text + after, 0)).result(ANSWER_S)
        return members

    yield asked
    for one in started.values():
        one.stop()


def names(members: Members) -> set[str]:
    return {member.name for member in members.items}


def traces(ran: Path) -> list[str]:
    return sorted(path.name for path in ran.iterdir())


# Programs


def test_programs_are_found_outside_the_workspace_only(
    root: Path, tmp_path: Path, decoy: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Empty and relative entries of the search path, those inside the workspace and links into it do not count."""
    for folder in (root, root / "bin"):
        decoy(folder / "node")
    (tmp_path / "link").symlink_to(root / "bin")
    (tmp_path / "way").mkdir()
    (tmp_path / "way" / "node").symlink_to(root / "node")
    good = decoy(tmp_path / "good" / "node")
    (root / "good").symlink_to(tmp_path / "good")
    bad = ["", ".", "bin", str(root / "bin"), str(tmp_path / "link"), str(tmp_path / "way"), str(root / "good")]
    monkeypatch.setenv("PATH", os.pathsep.join([*bad, str(tmp_path / "good")]))
    assert programs.find("node", root) == str(good)
    assert programs.search_path(root) == [str(tmp_path / "way"), str(tmp_path / "good")]
    assert not {"", ".", "bin"} & set(programs.search_path())
    monkeypatch.setenv("PATH", os.pathsep.join(bad))
    assert programs.find("node", root) is None


def test_the_working_directory_is_not_searched(root: Path, decoy: Callable[[Path], Path], monkeypatch) -> None:
    """A search path that is empty, or missing, does not mean the folder that one is in."""
    decoy(root / "surely-not-installed")
    for value in ("", ":", "."):
        monkeypatch.setenv("PATH", value)
        assert programs.find("surely-not-installed") is None


def test_the_environment_is_a_list_of_names(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options, code and secrets stay out, and so does what leads into the workspace; where it is trusted all goes."""
    hostile = {
        "PYTHONPATH": ".", "NODE_OPTIONS": "--require ./evil.js", "JAVA_TOOL_OPTIONS": "-javaagent:evil.jar",
        "JDK_JAVA_OPTIONS": "@argfile", "CLASSPATH": "", "LD_PRELOAD": "./evil.so", "GOFLAGS": "-toolexec=./evil",
        "CLANGD_FLAGS": "--query-driver=/**", "RUSTC_WRAPPER": "./evil", "AWS_SECRET_ACCESS_KEY": "secret",
    }  # fmt: skip
    for name, value in (hostile | {"VIRTUAL_ENV": str(root), "GOPATH": "go", "LC_ALL": "C"}).items():
        monkeypatch.setenv(name, value)
    found = server.environment(root, trusted=False)
    assert not hostile.keys() & found.keys()
    assert "GOPATH" not in found
    assert found["LC_ALL"] == "C"
    assert found["HOME"] == os.environ["HOME"]
    assert hostile.items() <= server.environment(root).items()


def test_a_virtual_environment_in_the_working_directory_is_not_the_persons(
    root: Path, decoy: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No variable set means no environment, and not the folder that one is in."""
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    (root / "pyvenv.cfg").touch()
    decoy(root / "bin" / "python")
    for trusted in (True, False):
        found = server.environment(root, trusted=trusted)
        assert Path(found["VIRTUAL_ENV"]) == Path(sys.prefix)
        assert all(Path(entry).is_absolute() for entry in found["PATH"].split(os.pathsep))


def test_the_empty_folder_is_empty_and_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What programs start in holds nothing, also where somebody has put something, and is the person's alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = programs.working_directory()
    assert folder.is_relative_to(tmp_path)
    assert folder.stat().st_mode & 0o777 == 0o500
    folder.chmod(0o700)
    (folder / "Locale.class").touch()
    other = programs.working_directory()
    assert other != folder
    assert not any(other.iterdir())


def test_looking_for_analysers_runs_nothing_of_the_project(
    root: Path, tmp_path: Path, ran: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shim (rustup's, asdf's) runs what a file in the working directory names, and so must not see the project's."""
    shim = tmp_path / "shims" / "rust-analyzer"
    shim.parent.mkdir()
    shim.write_text('#!/bin/sh\n[ -f rust-toolchain.toml ] && exec "$(cat rust-toolchain.toml)"\nexit 0\n')
    shim.chmod(0o755)
    evil = root / "evil"
    evil.write_text(f"#!/bin/sh\ntouch '{ran}/evil'\n")
    evil.chmod(0o755)
    (root / "rust-toolchain.toml").write_text(str(evil))
    monkeypatch.setenv("PATH", os.pathsep.join([str(shim.parent), "/usr/bin", "/bin"]))
    server._works.cache_clear()
    assert [one.name for one in candidates("rust", "rust-analyzer")] == ["rust-analyzer"]
    assert not traces(ran)


@pytest.mark.parametrize("one", (BASEDPYRIGHT, JEDI, RUST_ANALYZER), ids=lambda one: one.name)
def test_who_executes_is_not_started(root: Path, one: server.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """An analyser that runs the project's Python, build scripts or macros gets no process, wanted or not."""
    monkeypatch.setattr(server.Server, "find", lambda self, untrusted=None: Path(sys.executable))
    monkeypatch.setattr(ServerAnalyser, "warm_up", lambda self: pytest.fail("it starts"))
    notices: list[str] = []
    assert ServerPool(one.name, notices.append).get(one.languages[0], root) is None
    assert "guiderail analysers trust" in notices[0]


# Java


JAVA = ("src/shop/Sample.java", "java", "package shop;\n\nclass Sample {\n  int left;\n  void f(Sample s) {\n    s.")
STAND_INS = ("Locale", "Pattern", "Optional")  # for classes that the analyser imports by whole packages


@pytest.fixture(scope="module")
def java_ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `ran`, for the decoys of `java_classes`."""
    return tmp_path_factory.mktemp("ran")


@pytest.fixture(scope="module")
def java_classes(java_ran: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Classes that leave a trace when they are loaded, compiled once: a plug-in, a processor and stand-ins."""
    javac = shutil.which("javac")
    if javac is None:
        pytest.skip("javac is not installed")
    folder, sources = tmp_path_factory.mktemp("classes"), tmp_path_factory.mktemp("sources")
    touch = f'new java.io.File("{java_ran}/{{}}").createNewFile();'
    texts = {
        "EvilPlugin": "public class EvilPlugin implements com.sun.source.util.Plugin { public EvilPlugin() throws "
        f"Exception {{ {touch.format('plugin')} }} public String getName() {{ return \"evil\"; }} public void "
        "init(com.sun.source.util.JavacTask t, String... a) { } public boolean autoStart() { return true; } }",
        "EvilProcessor": "import java.util.*; import javax.annotation.processing.*; import javax.lang.model.element.*; "
        "public class EvilProcessor extends AbstractProcessor { public EvilProcessor() throws Exception "
        f"{{ {touch.format('processor')} }} public boolean process(Set<? extends TypeElement> a, RoundEnvironment r) "
        "{ return false; } }",
        "Secret": "package shop; public class Secret { public static int code; }",
    } | {
        name: f"public class {name} {{ public static final {name} ROOT = null; static {{ try {{ {touch.format(name)} }}"
        " catch (Exception e) { } } public static Object compile(String s) { return null; } }"
        for name in STAND_INS
    }  # fmt: skip
    for name, text in texts.items():
        (sources / f"{name}.java").write_text(text)
    subprocess.run([javac, "-proc:none", "-d", folder, *sorted(sources.iterdir())], check=True, cwd=folder)
    services = {"com.sun.source.util.Plugin": "EvilPlugin", "javax.annotation.processing.Processor": "EvilProcessor"}
    (folder / "META-INF" / "services").mkdir(parents=True)
    for service, name in services.items():
        (folder / "META-INF" / "services" / service).write_text(name)
    return folder


def packed(classes: Path, jar: Path) -> None:
    """Put a folder into a jar."""
    jar.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(jar, "w") as opened:
        for path in filter(Path.is_file, classes.rglob("*")):
            opened.write(path, path.relative_to(classes))


def test_java_loads_no_class_plugin_or_processor_of_the_project(
    root: Path, java_ran: Path, java_classes: Path, ask
) -> None:
    """Wherever it lies: the compiler looks for services on its class path, and the JVM for all that it runs."""
    for place in ("lib/evil.jar", "libs/deep/evil.jar"):
        packed(java_classes, root / place)
    for place in ("target/classes", "."):
        shutil.copytree(java_classes, root / place, dirs_exist_ok=True)
    assert "left" in names(ask("javac", *JAVA, "\n  }\n}\n"))
    assert not traces(java_ran)


def test_java_waits_for_no_pipe_and_reads_nothing_outside(root: Path, tmp_path: Path, java_classes: Path, ask) -> None:
    """Pipes, devices and links out where sources and jars are looked for are passed over, as what a jar refers to."""
    (root / "src" / "shop").mkdir(parents=True)
    (root / "lib").mkdir()
    os.mkfifo(root / "src" / "shop" / "Other.java")
    os.mkfifo(root / "lib" / "other.jar")
    (root / "src" / "a").mkdir()
    os.mkfifo(root / "src" / "a" / "Pipe.java")
    (root / "src" / "shop" / "Zero.java").symlink_to("/dev/zero")
    (tmp_path / "Linked.java").write_text("package shop;\n\nclass Linked { static int code = 1; }\n")
    (root / "src" / "shop" / "Linked.java").symlink_to(tmp_path / "Linked.java")
    packed(java_classes, tmp_path / "private.jar")
    os.mkfifo(tmp_path / "pipe.jar")
    with zipfile.ZipFile(root / "lib" / "refers.jar", "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nClass-Path: ../../pipe.jar ../../private.jar\n")
    assert "left" in names(ask("javac", *JAVA, "\n  }\n}\n"))
    for name in ("Linked", "Secret"):
        assert "code" not in names(ask("javac", *JAVA[:2], JAVA[2].removesuffix("s.") + f"{name}.", "\n  }\n}\n"))
    packed(java_classes, root / "lib" / "own.jar")
    assert "code" in names(ask("javac", *JAVA[:2], JAVA[2].removesuffix("s.") + "new Secret().", "\n  }\n}\n"))


def test_java_reads_no_class_outside_and_waits_for_no_pipe(root: Path, tmp_path: Path, java_classes: Path, ask) -> None:
    """Among the classes that a build left, links out, pipes and devices are passed over, one by one."""
    built = root / "target" / "classes" / "shop"
    built.mkdir(parents=True)
    shutil.copy(java_classes / "shop" / "Secret.class", tmp_path / "Outside.class")
    (built / "Secret.class").symlink_to(tmp_path / "Outside.class")
    (built / "Zero.class").symlink_to("/dev/zero")
    os.mkfifo(built / "Pipe.class")
    for name in ("Secret", "Zero", "Pipe"):
        assert "code" not in names(ask("javac", *JAVA[:2], JAVA[2].removesuffix("s.") + f"{name}.", "\n  }\n}\n"))
    (built / "Secret.class").unlink()
    shutil.copy(tmp_path / "Outside.class", built / "Secret.class")
    assert "code" in names(ask("javac", *JAVA[:2], JAVA[2].removesuffix("s.") + "new Secret().", "\n  }\n}\n"))


# TypeScript


@pytest.fixture
def node_modules(root: Path, ran: Path) -> Path:
    """Packages of the project that leave a trace when they are loaded."""
    folder = root / "node_modules"
    trace = "require('fs').writeFileSync('{}/{}', '');"
    for name in ("typescript/lib/tsserver.js", "typescript/lib/tsserverlibrary.js", "typescript/lib/typescript.js",
                 "typescript/lib/_tsserver.js", "typescript/bin/tsc", "evil/index.js"):  # fmt: skip
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(trace.format(ran, path.name) + "\nmodule.exports = () => ({ create: i => i.languageService });")
    (folder / "typescript" / "package.json").write_text('{"name": "typescript", "version": "5.9.9"}')
    (folder / "evil" / "package.json").write_text('{"name": "evil", "version": "1.0.0", "main": "index.js"}')
    (root / "tsconfig.json").write_text(
        '{"compilerOptions": {"strict": true, "plugins": [{"name": "evil"}, {"name": "./node_modules/evil"}, '
        '{"name": "%s"}]}}' % (folder / "evil")
    )
    (root / "package.json").write_text('{"name": "shop", "dependencies": {"evil": "*", "left-pad": "*"}}')
    return folder


TYPESCRIPT_FILE = ("a.ts", "typescript", "class Point {\n  left = 1;\n}\nnew Point().")


@pytest.mark.parametrize("name", ["tsc", "typescript-language-server"])
def test_typescript_runs_no_package_of_the_project(
    root: Path, tmp_path: Path, ran: Path, decoy, node_modules: Path, monkeypatch: pytest.MonkeyPatch, ask, name: str
) -> None:
    """Neither the project's compiler nor a plug-in of its tsconfig.json is loaded, and no types are fetched by npm.

    The kernel would keep npm from writing, so that it would not even start.
    """
    monkeypatch.setattr(confinement, "is_possible", lambda **_: False)
    decoy(tmp_path / "bin" / "npm")
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path / "bin"), os.environ["PATH"]]))
    assert "left" in names(ask(name, *TYPESCRIPT_FILE))
    assert "left" in names(ask(name, "b.js", "javascript", "const l = require('left-pad');\n" + TYPESCRIPT_FILE[2]))
    time.sleep(1)
    assert not traces(ran)


def test_a_typescript_server_without_a_compiler_beside_it_is_none(
    root: Path, tmp_path: Path, node_modules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Installed globally, it would take the project's compiler: it counts only with one that was installed with it."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    library = tmp_path / "prefix" / "lib" / "node_modules"
    script = library / "typescript-language-server" / "lib" / "cli.mjs"
    script.parent.mkdir(parents=True)
    script.write_text("#!/usr/bin/env node\n")
    script.chmod(0o755)
    shim = tmp_path / "prefix" / "bin" / "typescript-language-server"
    shim.parent.mkdir()
    shim.symlink_to(script)
    (shim.parent / "node").symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(shim.parent))
    assert TYPESCRIPT.find(root) is None
    own = library / "typescript" / "lib" / "tsserver.js"
    own.parent.mkdir(parents=True)
    own.touch()
    assert TYPESCRIPT.find(root) == shim
    assert TYPESCRIPT.introduction(root, shim)["tsserver"] == {"path": str(own)}


# C


@pytest.mark.parametrize("kernel", ["with Landlock", "without"])
@pytest.mark.parametrize("config", ["compile_commands.json", "compile_flags.txt", ".clangd"])
def test_clangd_runs_no_compiler_and_no_plugin(
    root: Path, tmp_path: Path, ran: Path, decoy: Callable[[Path], Path], ask, monkeypatch, config: str, kernel: str
) -> None:
    """Compilers that the project names are not asked, plug-ins not loaded, and nothing is written elsewhere."""
    if kernel == "without":
        monkeypatch.setattr(confinement, "is_possible", lambda **_: False)
    compiler = decoy(root / "gcc")
    written = tmp_path / "written"
    flags = [
        f"-fplugin={root}/evil.so", "-Xclang", "-load", "-Xclang", f"{root}/evil.so", "-fpass-plugin=evil.so", "-B.",
        "-fmodules", f"-fmodules-cache-path={written}/cache", "-MF", f"{written}/deps", "-MD", "-o", f"{written}/out",
        "-serialize-diagnostics", f"{written}/dia", f"--gcc-toolchain={root}", "-save-temps", f"-ftime-trace={written}",
    ]  # fmt: skip
    match config:
        case "compile_commands.json":
            words = ", ".join(f'"{word}"' for word in [str(compiler), *flags, "a.c"])
            (root / config).write_text(f'[{{"directory": "{root}", "file": "a.c", "arguments": [{words}]}}]')
        case "compile_flags.txt":
            (root / config).write_text("\n".join(flags))
        case _:
            (root / config).write_text(
                f"CompileFlags:\n  Compiler: {compiler}\n  BuiltinHeaders: QueryDriver\n"
                f"  Add: [{', '.join(flags)}]\nIndex:\n  Background: Build\n"
                "  External:\n    Server: 127.0.0.1:1\n    MountPoint: /\n"
            )
    before = {path for path in tmp_path.rglob("*") if "cache" not in path.parts}
    members = ask("clangd", "a.c", "c", "struct point { int left; };\nint f(struct point *p) { return p->", "; }\n")
    assert "left" in names(members)
    assert not traces(ran)
    assert not written.exists()
    assert {path for path in tmp_path.rglob("*") if "cache" not in path.parts} - before <= {root / "a.c"}


# Go


GO_TEXT = "package main\n\ntype point struct{ left int }\n\nfunc main() {\n\tp := point{}\n\tp."


def test_gopls_runs_nothing_of_the_project(
    root: Path, tmp_path: Path, ran: Path, decoy: Callable[[Path], Path], ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No other toolchain, C compiler, driver, generator, and no git with the repository's own settings."""
    for name in ("gopackagesdriver", "gcc", "evil-tool", "fsmonitor", "go"):
        decoy(root / name)
    (root / "go.mod").write_text("module example.com/sample\n\ngo 1.18\n\nrequire example.invalid/evil v1.0.0\n")
    (root / "cgo.go").write_text('package main\n\n// #cgo CFLAGS: -DX\n// int x;\nimport "C"\n\nvar y = C.x\n')
    (root / "gen.go").write_text("package main\n\n//go:generate ./evil-tool\n")
    if git := shutil.which("git"):
        subprocess.run([git, "init", "-q", str(root)], check=True)
        subprocess.run([git, "-C", str(root), "config", "core.fsmonitor", str(root / "fsmonitor")], check=True)
    monkeypatch.setenv("PATH", os.pathsep.join(["", ".", str(root), os.environ["PATH"]]))
    monkeypatch.setenv("GOFLAGS", f"-toolexec={root}/evil-tool")
    monkeypatch.setenv("GOPACKAGESDRIVER", str(root / "gopackagesdriver"))
    assert "left" in names(ask("gopls", "main.go", "go", GO_TEXT, "\n}\n"))
    assert not traces(ran)


def test_gopls_gets_the_toolchain_and_not_a_shim(
    root: Path, tmp_path: Path, ran: Path, decoy: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """gopls runs `go` in the project, where a shim would start what the project's files name."""
    shim, evil = tmp_path / "shims" / "go", decoy(root / "go")
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\n[ -f .tool-versions ] && exec "$(cat .tool-versions)"\necho {tmp_path}/toolchain\n')
    shim.chmod(0o755)
    (root / ".tool-versions").write_text(str(evil))
    monkeypatch.setenv("PATH", os.pathsep.join([str(shim.parent), "/usr/bin", "/bin"]))
    server._told.cache_clear()
    found = GOPLS.environment(root, trusted=False)
    server._told.cache_clear()
    assert found["PATH"].startswith(f"{tmp_path}/toolchain/bin{os.pathsep}")
    assert not traces(ran)
    kept = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOENV": "off", "GOPROXY": "off", "GOFLAGS": "-buildvcs=false"}
    assert kept.items() <= found.items()  # else go.mod names a toolchain that is fetched and run


# Python


@pytest.mark.parametrize("name", ["pyrefly", "ty"])
def test_python_analysers_run_no_interpreter_of_the_project(
    root: Path, ran: Path, decoy: Callable[[Path], Path], ask, name: str
) -> None:
    """Neither the environment's Python nor one that a configuration file names is run; the packages are known."""
    if not may_start(server_named(name), trusted=False):
        pytest.skip("this kernel has no Landlock: ty is started instead")
    python = decoy(root / ".venv" / "bin" / "python")
    shutil.copy(python, root / ".venv" / "bin" / "python3")
    for other in ("python", "python3", "uv", "conda", "pixi", "poetry"):
        decoy(root / other)
    (root / ".venv" / "pyvenv.cfg").write_text(f"home = {root / '.venv' / 'bin'}\nversion = 3.11.0\n")
    packages = root / ".venv" / "lib" / "python3.11" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "shop.py").write_text("class Point:\n    left = 1\n")
    (packages / "evil.pth").write_text(f"import pathlib; pathlib.Path('{ran}/pth').touch()\n")
    (root / "sitecustomize.py").write_text(f"import pathlib; pathlib.Path('{ran}/sitecustomize').touch()\n")
    (root / "pyproject.toml").write_text(
        f"[tool.pyrefly]\npython-interpreter-path = '{root}/python'\nconda-environment = 'evil'\n\n"
        f"[tool.ty.environment]\npython = '{root}/.venv'\n\n"
        f"[tool.pyright]\nvenvPath = '.'\nvenv = '.venv'\npythonPath = '{root}/python'\n"
        "[project]\nname = 'shop'\nversion = '1'\n\n[build-system]\nrequires = []\nbuild-backend = 'evil'\n"
    )
    (root / "uv.lock").write_text("version = 1\n")
    assert "left" in names(ask(name, "a.py", "python", "class Point:\n    left = 1\n\n\nPoint()."))
    script = '# /// script\n# dependencies = ["evil"]\n# ///\nclass Point:\n    left = 1\n\n\nPoint().'
    assert "left" in names(ask(name, "script.py", "python", script))
    assert not traces(ran)


@pytest.mark.parametrize("name", ["pyrefly", "ty"])
@pytest.mark.parametrize("config", ["ty.toml", "pyproject.toml"])
def test_python_analysers_look_for_modules_inside_the_project(
    root: Path, tmp_path: Path, ask, name: str, config: str
) -> None:
    """Folders outside that the project's configuration names are none, whatever table it is in; its sources count."""
    if not may_start(server_named(name), trusted=False):
        pytest.skip("it is not started")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious.py").write_text("secret = 1\n")
    (root / "src").mkdir()
    (root / "src" / "own.py").write_text("shown = 1\n")
    table = "environment" if config == "ty.toml" else "tool.ty.environment"
    text = f"[{table}]\nextra-paths = ['{outside}']\nroot = ['{outside}', '.']\n"
    (root / config).write_text(text)
    (root / "pyrefly.toml").write_text(f"search-path = ['{outside}', '.']\nsite-package-path = ['{outside}']\n")
    assert "shown" in names(ask(name, "a.py", "python", "import own\n\n\nown."))
    assert "secret" not in names(ask(name, "b.py", "python", "import precious\n\n\nprecious."))


@pytest.mark.skipif(not confinement.is_possible(), reason="this kernel has no Landlock")
@pytest.mark.parametrize("name", ["pyrefly", "ty"])
def test_a_single_binary_is_kept_from_starting_others_by_the_kernel(
    root: Path, ran: Path, decoy: Callable[[Path], Path], ask, name: str
) -> None:
    """Whatever a later version of it might run: with its own program replaced, it cannot start another."""
    found = server_named(name)
    if not may_start(found, trusted=False):
        pytest.skip("it is not started")
    one = ServerAnalyser(found, root, trusted=False)
    try:
        one.warm_up().result(ANSWER_S)
        status = Path(f"/proc/{one.pid}/status").read_text()
    finally:
        one.stop()
    assert "NoNewPrivs:\t1" in status


@pytest.mark.skipif(not confinement.is_possible(), reason="this kernel has no Landlock")
def test_a_loader_starts_no_program_of_the_projects_configuration(root: Path, ask) -> None:
    """What a project's build system is said to be: the dynamic loader may be executed, and would load any program.

    The program could write nowhere, which says nothing: it would be heard of over a socket.
    """
    loader = next((one for pattern in confinement.LOADERS for one in Path("/").glob(pattern)), None)
    if loader is None:
        pytest.skip("there is no dynamic loader")
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/heard")  # a short name
        listener.listen()
        listener.setblocking(False)
        code = f"import socket; socket.socket(socket.AF_UNIX).connect('{folder}/heard')"
        command = json.dumps([str(loader), os.path.realpath(sys.executable), "-c", code])
        (root / "pyrefly.toml").write_text(f"[build-system]\ntype = 'custom'\ncommand = {command}\n")
        for number in range(3):  # it is run soon after a file was opened
            assert "left" in names(
                ask("pyrefly", f"a{number}.py", "python", "class Point:\n    left = 1\n\n\nPoint().")
            )
            time.sleep(1)
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.skipif(not confinement.is_possible(), reason="this kernel has no Landlock")
def test_who_may_start_no_program_makes_no_process(tmp_path: Path) -> None:
    """Not by fork, nor by what libraries use for it, nor through the loader; threads are made as ever."""
    loaders = [str(one) for pattern in confinement.LOADERS for one in Path("/").glob(pattern)]
    attempts = f"""
import ctypes, os, subprocess, threading
def attempt(what):
    try:
        what()
    except OSError as error:
        print(type(error).__name__)
    else:
        print("done")
attempt(threading.Thread(target=print, args=("thread",)).start)
attempt(os.fork)
for loader in {loaders!r}:
    attempt(lambda: subprocess.run([loader, "/bin/true"]))
    attempt(lambda: os.posix_spawn(loader, [loader, "/bin/true"], {{}}))
print(ctypes.CDLL(None).syscall(435, None, 0))
"""
    python = os.path.realpath(sys.executable)
    words = [
        str(os.getpid()),
        "0",
        json.dumps({"alone": True, "writable": [str(tmp_path)]}),
        python,
        "-I",
        "-c",
        attempts,
    ]
    command = [sys.executable, "-I", "-S", launcher.__file__, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    said = done.stdout.split()
    assert sorted(said[:2]) == ["done", "thread"]
    assert said[2:] == ["PermissionError"] * (1 + 2 * len(loaders)) + ["-1"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not count so")
def test_no_more_memory_is_held_than_is_allowed(root: Path) -> None:
    """A module that is a link to a device without end, or a file of holes alone, is read in a second."""
    command = [sys.executable, "-I", "-S", launcher.__file__, str(os.getpid()), "300", "null", sys.executable, "-c"]
    for size, code in ((100, 0), (400, 1)):
        done = subprocess.run(
            [*command, f"bytearray({size} << 20)"], stderr=subprocess.DEVNULL, timeout=60, check=False
        )
        assert done.returncode == code
    (root / "endless.py").symlink_to("/dev/zero")
    text = "import endless\n\nendless."
    small = ServerAnalyser(replace(PYREFLY, memory_mb=1000), root, trusted=False)
    if not may_start(PYREFLY, trusted=False):
        pytest.skip("it is not started")
    try:
        small.warm_up().result(ANSWER_S)
        limits = Path(f"/proc/{small.pid}/limits").read_text()
        with contextlib.suppress(NoAnswer):
            small.ask(MEMBERS, Question(root / "a.py", "python", text, len(text))).result(ANSWER_S)
    finally:
        small.stop()
    assert re.search(r"Max data size +1000000000 ", limits)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10 < 2_000_000_000


@pytest.mark.skipif(not confinement.is_possible(), reason="this kernel has no Landlock")
def test_the_kernel_lets_a_confined_program_write_and_connect_nowhere(root: Path, tmp_path: Path) -> None:
    """Only its own folders can be written in, files elsewhere neither changed nor removed, and nobody is reached."""
    own, precious = tmp_path / "own", root / "precious"
    own.mkdir()
    precious.write_text("kept")
    listener = socket.create_server(("127.0.0.1", 0))
    attempts = f"""
import os, socket
def attempt(what, *arguments):
    try:
        what(*arguments)
    except OSError as error:
        print(type(error).__name__)
    else:
        print("done")
attempt(open, {str(own / "file")!r}, "w")
attempt(open, "/dev/null", "w")
attempt(open, {str(precious)!r})
for act in (lambda: open({str(precious)!r}, "w"), lambda: open({str(root / "new")!r}, "w"),
            lambda: os.unlink({str(precious)!r}), lambda: os.mkdir({str(root / "folder")!r}),
            lambda: os.rename({str(precious)!r}, {str(own / "x")!r}), lambda: os.symlink("a", {str(root / "b")!r}),
            lambda: os.truncate({str(precious)!r}, 0),
            lambda: socket.create_connection(("127.0.0.1", {listener.getsockname()[1]}))):
    attempt(act)
"""
    limits = json.dumps({"alone": False, "writable": [str(own)]})
    command = [
        sys.executable,
        "-I",
        "-S",
        launcher.__file__,
        str(os.getpid()),
        "0",
        limits,
        sys.executable,
        "-c",
        attempts,
    ]
    with listener:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    lines = done.stdout.split()
    assert lines[:3] == ["done"] * 3
    assert len(lines) == 11
    version = confinement._version()
    newer = {9: 3, 10: 4}  # truncation and connections are what later versions of Landlock know
    assert all(line == "PermissionError" for at, line in enumerate(lines) if at >= 3 and version >= newer.get(at, 1))
    assert precious.read_text() == "kept"


# Installations and the evaluation


@pytest.mark.parametrize("one", (TSC, GOPLS), ids=lambda one: one.name)
def test_an_installation_starts_no_program_of_the_working_directory(
    root: Path, tmp_path: Path, ran: Path, decoy: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch, one
) -> None:
    """npm and Go are looked for outside, and started where no .npmrc or go.mod of a repository counts."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    for name in ("npm", "go", "node", "sh"):
        decoy(root / name)
    monkeypatch.setenv("PATH", os.pathsep.join(["", "."]))
    with pytest.raises(install.InstallError, match="which is not here"):
        install.install(one)
    tool = tmp_path / "tools" / one.source.registry
    tool.parent.mkdir()
    tool.write_text(f"#!/bin/sh\npwd > '{tmp_path}/where'\necho \"$PATH\" > '{tmp_path}/path'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join(["", ".", str(tool.parent), "/usr/bin", "/bin"]))
    with pytest.raises(install.InstallError):
        install.install(one)
    assert Path((tmp_path / "where").read_text().strip()) == one.home
    assert (tmp_path / "path").read_text().strip() == os.pathsep.join([str(tool.parent), "/usr/bin", "/bin"])
    assert not traces(ran)


def test_the_checkers_compiler_loads_no_plugin_of_the_working_directory(
    root: Path, java_ran: Path, java_classes: Path
) -> None:
    """javac as a checker has no class path of the folder that it is started in, or of its environment."""
    shutil.copytree(java_classes, root, dirs_exist_ok=True)
    text = "class Sample { int a = nothing; }"
    (root / "Sample.java").write_text(text)
    assert len(Javac().errors(root, "Sample.java", text)) == 1
    assert not traces(java_ran)


def test_checking_answers_runs_no_module_of_the_package(root: Path, ran: Path) -> None:
    """Pyrefly is started for the package that it checks: a pyrefly.py there is not it."""
    evil = f"import pathlib\npathlib.Path({str(ran / 'pyrefly')!r}).touch()\n"
    for name in ("pyrefly.py", "pyrefly/__main__.py", "json.py"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(evil)
    checker = AnalysedPython("pyrefly")
    try:
        assert len(checker.errors(root, "json.py", evil + "\nx: int = ''\n")) == 1
    finally:
        checker.stop()
    assert not traces(ran)
