"""Each reader of what a project brings: whatever is there, it answers in time or raises what it declares."""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from guiderail import projectfile
from guiderail.errors import GuiderailError
from guiderail.monitors.protocols import FILE, ProtocolError, protocols
from guiderail.monitors.python.modules import ModulePath, modules_of_folder
from guiderail.projectfile import ProjectFileError
from guiderail.prompt.ignore import Ignore
from guiderail.prompt.index import ProjectIndex
from guiderail.prompt.project import Project, read_text
from guiderail.resolution import resolve
from guiderail.text.source import SourceError, read_source
from tests.helpers.links import HOSTILE, place

SOON_S = 5.0  # of the processor's time; what is mended here took minutes, or for ever
LONG = 1000  # characters of a message

Reader = Callable[[Path], object]
SITE = ".venv/lib/python3.11/site-packages"


def _declared(root: Path) -> object:
    return ModulePath(root).declared


# What is read, in which place of a project, with the errors that it declares.
READERS: dict[str, tuple[str, Reader, tuple[type[Exception], ...]]] = {
    "settings": ("pyproject.toml", lambda root: resolve({}, {}, root), ()),
    "pyproject": ("pyproject.toml", _declared, ()),
    "requirements": ("requirements.txt", _declared, ()),
    "setup.cfg": ("setup.cfg", _declared, ()),
    "METADATA": ("a.dist-info/METADATA", _declared, ()),
    "PKG-INFO": ("src/a.egg-info/PKG-INFO", _declared, ()),
    "requires.txt": ("a.egg-info/requires.txt", _declared, ()),
    "pth": (f"{SITE}/a.pth", lambda root: ModulePath(root).folders, ()),
    "typestate": (FILE.as_posix(), protocols, (ProtocolError,)),
    "gitignore": (".gitignore", lambda root: Ignore(root).chain(""), ()),
    "exclude": (".git/info/exclude", lambda root: Ignore(root).chain(""), ()),
    "context": ("a.py", lambda root: read_text(root / "a.py", root), ()),
    "index": ("a.py", lambda root: ProjectIndex(root).around("b.py", "python", lambda: False), ()),
    "toml": ("a", lambda root: projectfile.read_toml(root / "a", root), (ProjectFileError,)),
    "json": ("a", lambda root: projectfile.read_json(root / "a", root), (ProjectFileError,)),
    "ini": ("a", lambda root: projectfile.read_ini(root / "a", root), (ProjectFileError,)),
    "source": ("a.py", lambda root: read_source(root / "a.py"), (SourceError,)),
}

PIECES = (
    b"\n", b" ", b"\t", b"\r", b"\0", b"=", b"a", b".", b"[", b"]", b"[[", b"]]", b"{", b"}", b'"', b"'", b'"""', b",",
    b":", b"#", b"\\", b"\\u0000", b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"1e999", b"nan", b"-0", b"9" * 5000,
    b"*", b"**/", b"!", b"/", b"?", b"[a-", b"../", b"/etc", b"import os", b"-r x", b"-e .", b"a>=1", b"[x]\n",
    b"[tool]\n", b"[tool.guiderail]\n", b"guiderail", b"model", b"max_tokens = 1\n", b"[project]\n", b"dependencies",
    b'["a"]',
    b"[dependency-groups]\n", b"[options]\n", b"install_requires", b"[DEFAULT]\n", b"[options.extras_require]\n",
    b"Requires-Dist: a\n", b"Name: a\n", b"\n ", b"[[protocol]]\n", b"type = 'A'\n", b"[protocol.states.a]\n",
    b"[protocol.states]\n", b"f = 'a'\n", b"first = 'a'\n", b"made_by = 'ab'\n", b"1979-05-27T07:32:00Z", b"true",
    b"# -*- coding: utf-7 -*-\n",
)  # fmt: skip


def contents(count: int) -> list[bytes]:
    """Files of three kinds in turn: any bytes, pieces that mean something somewhere, and one of these many times."""
    rng = random.Random(12)
    kinds = (
        lambda: rng.randbytes(rng.randrange(200)),
        lambda: b"".join(rng.choices(PIECES, k=rng.randrange(21))),
        lambda: (
            (piece := rng.choice(PIECES)) * min(rng.choice((10, 300, 3000)), 6000 // len(piece)) + rng.choice(PIECES)
        ),
    )
    return [kinds[number % len(kinds)]() for number in range(count)]


CONTENTS = contents(1000)


def prepared(root: Path, where: str) -> Path:
    """The file that a reader reads, its folders made."""
    file = root / where
    file.parent.mkdir(parents=True, exist_ok=True)
    if where.startswith(SITE):
        (root / ".venv" / "pyvenv.cfg").touch()
    return file


@pytest.mark.filterwarnings("ignore:Possible nested set:FutureWarning")  # of the pattern [[], which is right
@pytest.mark.parametrize("name", READERS)
def test_fuzzed_files(tmp_path: Path, name: str) -> None:
    """A thousand files for each reader: none raises but what is declared, none takes long."""
    where, reader, errors = READERS[name]
    file = prepared(tmp_path, where)
    for number, content in enumerate(CONTENTS):
        file.unlink(missing_ok=True)
        file.write_bytes(content)
        os.utime(file, ns=(number, number))  # some readers look at a file again when its time has changed
        began = time.process_time()
        try:
            reader(tmp_path)
        except errors as error:
            assert isinstance(error, GuiderailError)
            assert error.message.isprintable(), content[:100]
            assert len(error.message) < LONG, content[:100]
        except Exception as error:
            raise AssertionError(f"{content[:100]}") from error
        assert time.process_time() - began < SOON_S, content[:100]


LARGE = {
    "one line of blanks": b"[options]\na" + b" " * 900_000 + b"b\n",
    "lines that are wrong": b"[options]\n" + b"=\n" * 400_000,
    "one key twice": b"[%b]\n[%b]\n" % (b"a" * 100_000, b"a" * 100_000),
    "a long key": b"a." * 400_000 + b"a = 1\n",
    "deep arrays": b"a = " + b"[" * 400_000,
    "deep tables": b'{"a":' * 150_000,
    "many tables": b"".join(b"[a%d.b]\n" % i for i in range(80_000)),
    "many unknown settings": b"[tool.guiderail]\n" + b"".join(b"x%d=1\n" % i for i in range(20_000)),
    "many protocols": b"".join(b"[[protocol]]\ntype='A'\n[protocol.states.a]\nf='a'\n" for _ in range(20_000)),
    "a chain of states": b"[[protocol]]\ntype='A'\n"
    + b"".join(b"[protocol.states.s%d]\nf='s%d'\n" % (i, i + 1) for i in range(20_000)),
    "many patterns": b"".join(b"a%d\n" % i for i in range(150_000)),
    "many requirements": b"".join(b"a%d\n" % i for i in range(150_000)),
    "one long name": b"a" * 1_000_000,
    "many headers": b"".join(b"Requires-Dist: a%d\n" % i for i in range(50_000)),
    "continued headers": b"Name: a\n" + b" b\n" * 300_000,
    "folders without end": b"/a" * 5000 + b"\n" + b"/tmp\n" * 100_000,
    "ten megabytes": b"x" * 10_000_000,
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("kind", LARGE)
def test_large_files(tmp_path: Path, kind: str, name: str) -> None:
    """What is large or made to be slow is read, or refused, in time."""
    where, reader, errors = READERS[name]
    prepared(tmp_path, where).write_bytes(LARGE[kind])
    began = time.process_time()
    try:
        reader(tmp_path)
    except errors as error:
        assert len(str(error)) < LONG
    assert time.process_time() - began < SOON_S


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_no_file_of_the_project(tmp_path: Path, kind: str, name: str) -> None:
    """A FIFO, a device, a folder or a link out of the project in the place of a file is passed over, or named."""
    where, reader, errors = READERS[name]
    root, outside = tmp_path / "root", tmp_path / "outside"
    outside.mkdir()
    place(kind, prepared(root, where), outside)
    began = time.monotonic()
    try:
        found = reader(root)
    except errors:
        found = None
    assert time.monotonic() - began < SOON_S
    if name != "source":  # which a person names
        assert "leaked" not in repr(found)


def test_a_folder_of_many_names_is_not_listed(tmp_path: Path) -> None:
    """Listings end, and whoever needs them whole knows that they are not."""
    for number in range(projectfile.ENTRY_LIMIT + 1):
        (tmp_path / f"m{number}.py").touch()
    with pytest.raises(ProjectFileError, match="holds more than"):
        projectfile.read_folder(tmp_path)
    assert ModulePath(tmp_path).modules() is None
    assert modules_of_folder(tmp_path, tmp_path) is None
    assert ModulePath(tmp_path).declared == frozenset()
    assert len(Project(tmp_path).names("")) <= projectfile.ENTRY_LIMIT


def test_folders_outside_the_project_are_not_looked_into(tmp_path: Path) -> None:
    """Where `src`, or a link of the project's own environment, leads out, the modules are not known."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    site = root / SITE
    site.mkdir(parents=True)
    (root / ".venv" / "pyvenv.cfg").touch()
    (outside / "private_module").mkdir(parents=True)
    assert "os" in (ModulePath(root).modules() or ())
    (root / "src").symlink_to(outside)
    assert ModulePath(root).modules() is None
    assert ModulePath(root).modules("private_module") is None
    (root / "src").unlink()
    (site / "a.pth").write_text(f"{outside}\n")
    assert ModulePath(root).modules() is None
    (root / "package").symlink_to(outside)
    assert modules_of_folder(root / "package", root) is None
    assert modules_of_folder(outside, root) is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
class TestSources:
    def test_a_fifo_or_device_is_refused(self, tmp_path: Path) -> None:
        """`guiderail complete FILE` neither waits for a writer nor reads for ever."""
        os.mkfifo(tmp_path / "fifo.py")
        (tmp_path / "link.py").symlink_to("/dev/stdin")
        for path in (tmp_path / "fifo.py", tmp_path / "link.py", Path("/dev/zero"), Path("/dev/null")):
            with pytest.raises(SourceError, match="not a regular file"):
                read_source(path)

    def test_a_pipe_that_the_shell_opened_is_read(self) -> None:
        """`guiderail complete <(git show HEAD:app.py)` names a descriptor."""
        reading, writing = os.pipe()
        os.write(writing, b"x = 1\n")
        os.close(writing)
        try:
            assert read_source(Path(f"/dev/fd/{reading}")).text == "x = 1\n"
        finally:
            os.close(reading)


def test_a_problem_of_a_protocol_is_not_found_again_at_each_dot(tmp_path: Path) -> None:
    """The file is read once until it changes, wrong or not."""
    file = tmp_path / FILE
    file.parent.mkdir()
    file.write_text("[[protocol]", encoding="utf-8")
    errors = []
    for _ in range(2):
        with pytest.raises(ProtocolError) as caught:
            protocols(tmp_path)
        errors.append(caught.value)
    assert errors[0] is errors[1]
