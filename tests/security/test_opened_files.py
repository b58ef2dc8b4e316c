"""What the server opens in a workspace, and what it does when a hostile repository put something else there.

The server runs in a process of its own, whose every `open` and listing is written down: over a sound project, which
gives the paths, and over workspace folders with each thing that may stand at each of these paths.
"""

import asyncio
import os
import shutil
import stat
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.helpers.links import place
from tests.helpers.models import tiny_folder
from tests.lsp.test_process import Wire, environment

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.asyncio,
    pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs"),
]

FAKE = Path(__file__).parents[1] / "monitors" / "analysis" / "fake_server.py"
SERVER = """
import sys
log = open(sys.argv[1], "w", buffering=1, errors="backslashreplace")
def write(event, args):
    if event in ("open", "os.listdir", "os.scandir"):
        log.write(f"{event} {args[0]}\\n")
sys.addaudithook(write)
from guiderail.monitors.analysis import servers
from guiderail.monitors.analysis.server import Server
command = (sys.executable, sys.argv[2], "good")
servers.BUILT_IN = (Server(name="pyrefly", languages=("python",), command=command, obtain=""),)
from guiderail.cli.main import main
sys.argv = ["guiderail", "lsp"]
main()
"""
SITE = ".venv/lib/python3.11/site-packages"
FILES = {
    "pyproject.toml": "[project]\ndependencies = ['one']\n[tool.guiderail]\nmax_tokens = 3\n",
    "requirements.txt": "two\n",
    "dev-requirements.txt": "three\n",
    "setup.cfg": "[options]\ninstall_requires = four\n",
    "a.dist-info/METADATA": "Name: a\nRequires-Dist: five\n",
    "b.egg-info/PKG-INFO": "Name: b\n",
    "b.egg-info/requires.txt": "six\n",
    "src/c.egg-info/requires.txt": "seven\n",
    ".gitignore": "*.secret\n",
    "package/.gitignore": "*.secret\n",
    ".git/info/exclude": "*.private\n",
    ".guiderail/typestate.toml": "[[protocol]]\ntype = 'A'\n[protocol.states.a]\nf = 'a'\n",
    ".venv/pyvenv.cfg": "home = /usr/bin\n",
    f"{SITE}/links.pth": "../../../../src\n",
    f"{SITE}/installed.py": "",
    "package/__init__.py": "",
    "package/module.py": "def function():\n    return 1\n",
    "other.py": "import package.module\n\n\ndef other():\n    return package.module.function()\n",
    "src/own.py": "VALUE = 1\n",
    "package.json": "{}",
    "tsconfig.json": "{}",
}
# What the readers of guiderail's own process must be among; which files of code are read depends on time.
KNOWN = set(FILES) - {
    ".venv/pyvenv.cfg", f"{SITE}/installed.py", "package/__init__.py", "package.json", "tsconfig.json",
}  # fmt: skip
SOURCE = "import package.module\nfrom other import other\nimport o\nvalue = package.\n"
CURSORS = ((2, 8), (3, 16), (3, 0))
# Where these are not what they should be, others may not be read.
ALONE = (".gitignore", "package/.gitignore", ".git/info/exclude", ".venv/pyvenv.cfg", "package/__init__.py")
KINDS = ("fifo", "zero", "outside", "folder", "large")  # tests/security/test_readers.py has more
SOON_S = 60.0  # what hung, hung for ever


def made(root: Path) -> Path:
    """A sound project."""
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


@asynccontextmanager
async def serving(folder: Path, home: Path, roots: list[Path]) -> AsyncIterator[tuple[Wire, Path]]:
    """A server that was told of workspace folders and has answered, and the list of what it opens."""
    log = home / f"{folder.name}.log"
    env = environment(home, tiny_folder("guiderail"), monitors="true", max_tokens="2") | {
        "PYTHONPATH": str(Path(__file__).parents[2])
    }
    env.pop("VIRTUAL_ENV", None)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, str(log), str(FAKE), env=env, cwd=folder, stdin=-1, stdout=-1,
        stderr=asyncio.subprocess.DEVNULL, limit=1 << 22,
    )  # fmt: skip
    try:
        assert process.stdout
        assert process.stdin
        wire = Wire(process.stdout, process.stdin)
        folders = [{"uri": root.as_uri(), "name": root.name} for root in roots]
        params = {"processId": None, "rootUri": None, "capabilities": {}, "workspaceFolders": folders}
        assert "result" in await wire.ask("initialize", params)
        wire.send(method="initialized", params={})
        await loaded(wire)
        yield wire, log
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), SOON_S)
        finally:
            if process.returncode is None:
                process.kill()
            process._transport.close()  # pyright: ignore[reportAttributeAccessIssue]


async def loaded(wire: Wire) -> None:
    end = time.monotonic() + 120
    while (await wire.ask("guiderail/status"))["result"]["state"] in ("loading", "off"):
        assert time.monotonic() < end
        await asyncio.sleep(0.1)


async def completed(wire: Wire, root: Path) -> list[int]:
    """How many suggestions come at each cursor of a document in a root, each in time."""
    uri = wire.open(SOURCE, (root / "main.py").as_uri())
    found = []
    for line, character in CURSORS:
        spot = {"textDocument": {"uri": uri}, "position": {"line": line, "character": character}}
        reply = await wire.ask("textDocument/inlineCompletion", spot | {"context": {"triggerKind": 1}}, SOON_S)
        found.append(len(reply["result"]["items"]))
    # Saving has the settings, and what is known of the project, read again.
    wire.send(method="textDocument/didSave", params={"textDocument": {"uri": (root / "pyproject.toml").as_uri()}})
    assert "result" in await wire.ask("guiderail/status", None, SOON_S)
    wire.send(method="textDocument/didClose", params={"textDocument": {"uri": uri}})
    return found


def opened(log: Path, below: Path, event: str = "open") -> set[Path]:
    """The paths below a folder that were opened, or listed, as they were named."""
    lines = [line.split(" ", 1) for line in log.read_text(encoding="utf-8").splitlines()]
    return {Path(line[1]) for line in lines if line[0].endswith(event) and line[1].startswith(f"{below}/")}


def hostile(folder: Path, outside: Path) -> list[Path]:
    """Workspaces in which something else stands at paths that the server opens, several in one to save time.

    What decides whether other files are read at all stands alone.
    """
    others = [name for name in FILES if name not in ALONE]
    groups = [*([name] for name in ALONE), *(others[number::3] for number in range(3))]
    roots = []
    for kind in KINDS:
        for number, names in enumerate(groups):
            roots.append(made(folder / kind / str(number)))
            for name in names:
                where = outside / kind / name.replace("/", "-")
                where.mkdir(parents=True)
                (roots[-1] / name).unlink()
                if kind == "large":
                    (roots[-1] / name).write_bytes(b"x = 1\n" * 200_000)
                else:
                    place(kind, roots[-1] / name, where)
    return roots


async def test_nothing_but_files_of_the_project_is_opened(tmp_path: Path) -> None:
    """Whatever stands at a path that the server opens: it answers, suggestions come, and nothing else is opened."""
    home, outside, below = tmp_path / "home", tmp_path / "outside", tmp_path / "hostile"
    home.mkdir()
    sound, roots = made(tmp_path / "sound"), hostile(below, outside)
    # The folder that it is started in counts for its settings too.
    start = next(root for root in roots if stat.S_ISFIFO((root / "pyproject.toml").stat().st_mode))
    async with serving(start, home, [sound, *roots]) as (wire, log):
        assert any(await completed(wire, sound))
        # What a list of more than a megabyte hides is not known, so that it hides all, which is an answer too.
        unknown = {below / "large" / str(ALONE.index(name)) for name in (".gitignore", ".git/info/exclude")}
        for root in roots:
            assert any(await completed(wire, root)) != (root in unknown), root
        end = time.monotonic() + 120  # it reads on in idle time
        while not (names := {path.relative_to(sound).as_posix() for path in opened(log, sound)}) >= KNOWN:
            assert time.monotonic() < end, KNOWN - names
            await completed(wire, sound)
            await asyncio.sleep(0.2)
    assert names <= set(FILES), "something hostile belongs there too"
    assert not opened(log, outside)
    for path in opened(log, below):
        assert path.resolve().is_relative_to(below), path
        assert not path.exists() or stat.S_ISREG(path.stat().st_mode), path
    shutil.rmtree(below)
