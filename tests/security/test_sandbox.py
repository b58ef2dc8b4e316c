"""Code that nobody has read, run by pg-td: what it tries against the person's files, machine and processes."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from guiderail.decoding.methods.plain import PlainSpec
from guiderail.decoding.methods.planning import PlanningSpec
from guiderail.decoding.sandbox import sandbox
from guiderail.decoding.sandbox.isolation import init, syscalls
from guiderail.decoding.sandbox.isolation.program import Order
from guiderail.decoding.sandbox.project_tests import ProjectTests, UntestableError, _share
from guiderail.decoding.sandbox.project_tree import LARGEST, TreeError, read_tree
from guiderail.decoding.sandbox.sandbox import DISK, OUTPUT, PROCESSES, Tree, run
from guiderail.decoding.spec import BuildContext
from guiderail.engine.engine import Engine
from guiderail.engine.request import CompletionRequest
from guiderail.engine.stream import TextStream
from guiderail.settings import Settings
from guiderail.text.document import Document
from tests.helpers.models import tiny_folder
from tests.helpers.sandbox import living, python
from tests.lsp.client import at, connected
from tests.lsp.fakes import FakeEngine

CALL = "import ctypes, os, sys\ncall = ctypes.CDLL(None, use_errno=True).syscall\n"


OK = '""">>> ok\nTrue\n"""\n'  # a doctest


def trial(project: Path, code: str, tests: str = "doctest", seconds: float = 60) -> ProjectTests:
    """A trial of a file that holds the code; by a doctest, which starts sooner than pytest."""
    path = project / "code_.py"
    document = Document(code, path, "python")
    # pyright: ignore - the model is of no importance to a trial
    where = BuildContext(model=None, vocabulary=None, document=document, offset=len(code), root=project)  # pyright: ignore
    try:
        return ProjectTests(where, tests, seconds=seconds, megabytes=2048)
    except UntestableError as error:
        if "sandbox" in str(error):
            pytest.skip(str(error))
        raise


@pytest.fixture
def project(tmp_path: Path) -> Path:
    made = tmp_path / "project"
    made.mkdir()
    return made


# -- files


@pytest.mark.e2e
def test_no_link_leads_a_write_or_a_read_outside(project: Path, tmp_path: Path) -> None:
    """Neither one that the tested code leaves in the place of what is written, nor one that the project brings."""
    victims = [tmp_path / name for name in ("one", "two", "three", "four")]
    for victim in victims:
        victim.write_text("the person's")
    (project / "given.txt").symlink_to(victims[3])
    (project / "folder").symlink_to(tmp_path)
    places = zip((".output", ".share", "code_.py"), victims, strict=False)
    swaps = [
        f"if os.path.lexists({name!r}): os.remove({name!r})\nos.symlink({str(target)!r}, {name!r})"
        for name, target in places
    ]
    code = (
        OK + "import os\nok = not os.path.exists('given.txt') and not os.path.exists('folder/one')\n" + "\n".join(swaps)
    )
    judge = trial(project, code)
    for text in ("", "\n"):  # what the first run left, the second would write to
        assert judge.share_passed(text) == 1.0
    assert [victim.read_text() for victim in victims] == ["the person's"] * 4


@pytest.mark.e2e
def test_a_fifo_blocks_nobody(project: Path) -> None:
    """Neither in the place of what is written, nor one of the project; and no device is read."""
    os.mkfifo(project / "pipe.py")
    (project / "zero.bin").symlink_to("/dev/zero")
    if os.geteuid() == 0:
        os.mknod(project / "random", 0o20666, os.makedev(1, 9))
    code = OK + "import atexit, os\ndef leave():\n  for name in ('.output', '.share', 'code_.py'):\n"
    code += "    if os.path.exists(name): os.remove(name)\n    os.mkfifo(name)\n"
    code += "atexit.register(leave)  # doctest reads the file\nok = not os.path.exists('pipe.py')"
    judge = trial(project, code)
    assert [judge.share_passed(text) for text in ("", "\n")] == [1.0, 1.0]


def test_what_is_copied_is_bounded(project: Path) -> None:
    """A sparse file, a folder with too many names, one nested too deep; links in circles end."""
    (project / "loop").symlink_to("loop")
    (project / "up").symlink_to("..")
    (project / "self").symlink_to(".")
    assert [path for path, _, _ in read_tree(project)] == ["self"]
    with (project / "sparse").open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(TreeError, match="too large"):
        read_tree(project)
    (project / "sparse").unlink()
    deep = project
    for _ in range(100):
        deep /= "d"
        deep.mkdir()
    with pytest.raises(TreeError, match="too large"):
        read_tree(project)


def test_a_tested_file_outside_the_project_is_refused(project: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.py"
    outside.write_text("")
    (project / "code_.py").symlink_to(outside)
    for tests in ("doctest", "."):
        with pytest.raises(UntestableError, match="not in"):
            trial(project, "", tests)
    (project / "code_.py").unlink()
    for tests in ("../outside.py", str(outside), "/etc"):
        with pytest.raises(UntestableError, match="no tests"):
            trial(project, "", tests)


def test_files_of_the_person_cannot_be_read(tmp_path: Path) -> None:
    """Not by their path, not through process 1, not by a handle."""
    secret = tmp_path / "secret"
    secret.write_text("the person's")
    paths = [str(secret), "/etc/passwd", "/etc/shadow", str(Path.home() / ".bashrc"), "/proc/1/environ", "/proc/1/maps"]
    paths += [f"/proc/1/root{secret}", f"/proc/1/cwd{secret}", "/proc/1/fd/0", "/proc/self/root/etc/passwd"]
    paths += ["/sys/kernel", "/proc/kcore", "/proc/sys", "/dev/zero", "/dev/tty", "/.old", "/run", "/var", "/boot"]
    code = "import os\nfor path in " + repr(paths) + ":\n"
    code += "    try: print(path, os.listdir(path) if os.path.isdir(path) else open(path, 'rb').read(10))\n"
    code += "    except OSError: pass\nprint('end')"
    assert python(code).output == "end\n"


def test_no_descriptor_of_ours_is_there(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        found = python("import os; print({os.readlink(f'/proc/self/fd/{n}').split(':')[0] for n in range(100) "
                       "if os.path.lexists(f'/proc/self/fd/{n}')}, os.path.lexists('/proc/self/fd/4'))")  # fmt: skip
    assert found.output.strip() in {"{'/dev/null', 'pipe'} False", "{'pipe', '/dev/null'} False"}


def test_the_environment_is_not_the_persons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "the person's")
    assert "the person's" not in python("import os; print(dict(os.environ))").output


# -- processes


DEATH = "ctypes.CDLL(None).prctl(1, 0)"


@pytest.mark.parametrize(
    "code",
    [
        f"import ctypes, os, time\n{DEATH}\ntime.sleep(600)",
        f"import ctypes, os, time\nif os.fork(): time.sleep(600)\nos.setsid(); {DEATH}\nif os.fork(): os._exit(0)\n"
        "time.sleep(600)",
        "import signal, time\nfor n in set(signal.Signals) - {9, 19}: signal.signal(n, signal.SIG_IGN)\n"
        "time.sleep(600)",
        "import os, time\nfor n in range(3):\n  if os.fork() == 0: os.closerange(0, 9); time.sleep(600)",
    ],
    ids=["clears its death signal", "new session", "ignores all signals", "closes all pipes"],
)
def test_nothing_outlives_the_limit(code: str) -> None:
    began = time.monotonic()
    python(code, seconds=3, marker="outliving")
    assert living("outliving") == []
    assert time.monotonic() - began < 60


def test_what_stops_its_guard_ends_too() -> None:
    """With process 1 stopped from outside, time is up all the same, by the process that asked."""
    with _elsewhere("guard", "import os, time; os.fork(); time.sleep(600)", seconds=5) as asking:
        program = _wait_for("guard", 2)[0]
        status = Path(f"/proc/{program}/status").read_text()
        guard = int(next(line.split()[1] for line in status.splitlines() if line.startswith("PPid:")))
        os.kill(guard, signal.SIGSTOP)
        assert asking.wait(90) == 0
    assert living("guard") == []


def test_all_ends_with_the_process_that_asked() -> None:
    with _elsewhere("orphans", "import os, time; os.fork() or os.setsid(); time.sleep(600)", seconds=500) as asking:
        _wait_for("orphans", 2)
        asking.kill()
        asking.wait()
        _wait_for("orphans", 0)


@contextmanager
def _elsewhere(marker: str, code: str, seconds: int) -> Iterator[subprocess.Popen[bytes]]:
    """A process of ours that runs a program in the sandbox; its exit code is 0 if that was stopped for its time."""
    asks = "from guiderail.decoding.sandbox.sandbox import Tree, run\nimport sys\n"
    asks += f"found = run([sys.executable, '-c', {code!r}, {marker!r}], Tree(), seconds={seconds}, megabytes=1024)\n"
    asks += "sys.exit(found.stopped != 'time')"
    if run(["true"], Tree(), seconds=60, megabytes=1024).refused:
        pytest.skip("this machine has no sandbox")
    process = subprocess.Popen([sys.executable, "-c", asks])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _wait_for(marker: str, count: int) -> list[int]:
    until = time.monotonic() + 60
    while len(found := living(marker)) != count:
        assert time.monotonic() < until, found
        time.sleep(0.05)
    return found


def test_processes_of_the_host_get_no_signals() -> None:
    """They are not there; and process 1 heeds none."""
    host = subprocess.Popen(["sleep", "600"])
    try:
        code = f"""
        import os
        os.setsid() if os.getsid(0) != os.getpid() else None
        for pid, n in (({host.pid}, 9), ({os.getpid()}, 15), (-1, 9), (1, 9), (1, 19), (1, 2)):
            try: os.kill(pid, n)
            except OSError as error: print(type(error).__name__)
        """
        found = python(textwrap.dedent(code))
        assert "ProcessLookupError" in found.output
        assert (found.code, host.poll()) == (0, None)
    finally:
        host.kill()
        host.wait()


# -- sums


def test_forks_are_bounded_in_sum() -> None:
    """1,500 were possible."""
    code = """
    import os, time
    made = 0
    for _ in range(1500):
        try: child = os.fork()
        except BlockingIOError: continue
        if child == 0:
            time.sleep(600)
        made += 1
    print(made)
    """
    found = python(textwrap.dedent(code), marker="forks")
    assert 10 < int(found.output) <= PROCESSES
    assert living("forks") == []


def test_memory_is_bounded_in_sum() -> None:
    """Each of 20 processes stays below the limit."""
    code = "import os, time\nfor _ in range(20):\n  if os.fork() == 0: x = bytearray(200 << 20); time.sleep(600)\n"
    found = python(code + "time.sleep(600)", megabytes=600, marker="memory")
    assert found.stopped == "memory"
    assert living("memory") == []


def test_shared_memory_counts_once() -> None:
    """Eight children with their parent's 200 MB have what one has."""
    code = """
    import os, time
    x = b"x" * (200 << 20)
    for _ in range(8):
        if os.fork() == 0: time.sleep(1); os._exit(0)
    for _ in range(8): os.wait()
    print("end")
    """
    found = python(textwrap.dedent(code), megabytes=600)
    assert (found.output, found.stopped) == ("end\n", "")


def test_memory_of_processes_that_cannot_be_looked_into_counts() -> None:
    """A process may tell the kernel to show its memory to nobody of its user."""
    code = "import ctypes, os, time\nctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\n"
    code += "for _ in range(20):\n  if os.fork() == 0: x = bytearray(200 << 20); time.sleep(600)\ntime.sleep(600)"
    assert python(code, megabytes=600).stopped == "memory"


@pytest.mark.parametrize(("resident", "own", "swapped", "own_swapped", "excess"), [
    (10, 10, 80, 80, "memory"),  # pushed out by madvise, or for want of memory
    (10, 10, 20, 20, ""),
    (60, 60, 0, 0, "memory"),
    (60, 30, 0, 0, ""),  # half of it is the other's
    (10, 10, 80, 30, ""),
])  # fmt: skip
def test_swapped_memory_counts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    resident: int,
    own: int,
    swapped: int,
    own_swapped: int,
    excess: str,
) -> None:
    """Of two processes that may have 100 MB together; this machine need not have swap."""
    megabyte = 1 << 20
    (tmp_path / "1" / "net").mkdir(parents=True)
    (tmp_path / "1" / "net" / "sockstat").write_text("sockets: used 2\n")
    for process in ("2", "3"):
        fields = ["S", *["0"] * 19, str(200 * megabyte), str(resident * megabyte // init.PAGE), "0"]
        (tmp_path / process).mkdir()
        (tmp_path / process / "stat").write_text(f"{process} (a) b) {' '.join(fields)}")
        (tmp_path / process / "status").write_text(f"Name:\ta\nVmSwap:\t{swapped << 10} kB\nThreads:\t1\n")
        (tmp_path / process / "smaps_rollup").write_text(
            f"0-f ---p\nRss: 9 kB\nPss:  {own << 10} kB\nPss_Anon: 9 kB\nSwap: 9 kB\nSwapPss: {own_swapped << 10} kB\n"
        )
    monkeypatch.setattr(init, "PROC", str(tmp_path))
    order = Order([], {}, [], {}, seconds=1e9, memory=100 * megabyte, processes=2, disk=0, inodes=0)
    assert init._excess(order) == excess


@pytest.mark.parametrize("folder", [".", "/tmp", "/dev/shm"])
def test_written_files_are_bounded_in_sum(folder: str) -> None:
    code = f"""
    import os
    os.chdir({folder!r})
    size = n = 0
    try:
        while True:
            with open(str(n), "wb", 0) as file:
                for _ in range(64): size += file.write(bytes(1 << 20))
            n += 1
    except OSError as error: print(error.errno, size >> 20)
    """
    found = python(textwrap.dedent(code)).output.split()
    assert found[0] == "28"  # ENOSPC
    assert DISK >> 21 < int(found[1]) <= DISK >> 20


def test_names_are_bounded_in_sum() -> None:
    code = (
        "n = 0\ntry:\n  while True: open(str(n), 'w').close(); n += 1\nexcept OSError as error: print(error.errno, n)"
    )
    error, count = map(int, python(code).output.split())
    assert (error, 100 < count <= sandbox.INODES) == (28, True)


def test_sockets_are_bounded_in_sum() -> None:
    """A pair holds memory that no process is seen to have."""
    code = "import socket, time\n"
    code += "held = [socket.socketpair() for _ in range(100)]\ntime.sleep(600)"
    assert python(code).stopped == "sockets"


def test_what_it_says_is_bounded() -> None:
    """Output and report are read on and dropped, so that nothing waits; an endless one ends with the time."""
    code = "import os\nfor _ in range(100): os.write(1, bytes(1 << 20))\nos.write(3, b'[' * (1 << 20))"
    found = python(code)
    assert (found.code, len(found.output), len(found.report)) == (0, OUTPUT, sandbox.REPORTED)
    assert python("import os\nwhile True: os.write(1, bytes(1 << 16))", seconds=2).code is None


def test_processor_time_is_bounded_in_sum() -> None:
    """Of many processes that spin: by the clock at the latest."""
    assert python("import os\nfor _ in range(3): os.fork()\nwhile True: pass", seconds=3).stopped in {
        "time", "processor time"
    }  # fmt: skip


@pytest.mark.parametrize(
    "report",
    [
        b"",
        b"[",
        b"[" * 60_000,
        b"[1]",
        b"[2, 1]",
        b"[-1, 1]",
        b"[0, 0]",
        b'["1", "1"]',
        b"[NaN, 1]",
        b"[1e999, 1]",
        b"{}",
    ],
)
def test_a_report_that_says_nothing_possible_is_worth_nothing(report: bytes) -> None:
    assert _share(report) == 0.0


# -- the kernel


def test_no_socket_reaches_the_host(tmp_path: Path) -> None:
    """By a path, by an abstract name, by a port, by a pair; and no program can listen."""
    path = str(tmp_path / "listener")
    names = [path, f"\0guiderail-{os.getpid()}"]
    listeners = [socket.socket(socket.AF_UNIX) for _ in names]
    try:
        for listener, name in zip(listeners, names, strict=True):
            listener.bind(name)
            listener.listen()
            listener.settimeout(0.1)
        code = f"""
        import socket
        a, b = socket.socketpair()
        a.send(b"x")
        for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, 40):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                try: print(socket.socket(family, kind))
                except PermissionError: pass
        for kind in (socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
            try: print(socket.socketpair(socket.AF_UNIX, kind))
            except PermissionError: pass
        for name in {names!r}:
            for reach in (a.connect, a.bind, lambda to: a.sendto(b"x", to)):
                try: print(reach(name))
                except OSError: pass
        print(b.recv(1))
        """
        assert python(textwrap.dedent(code)).output == "b'x'\n"
        for listener in listeners:
            with pytest.raises(TimeoutError):
                listener.accept()
    finally:
        for listener in listeners:
            listener.close()


def test_dangerous_calls_are_refused() -> None:
    """By their numbers; with arguments that cannot hurt where the filter would let them through."""
    column = list(syscalls.MACHINES).index(os.uname().machine)
    numbers = [both[column] for both in syscalls.DENIED.values() if both[column] is not None]
    code = CALL + textwrap.dedent(f"""
    import fcntl, mmap, resource
    def refused(number, *arguments, error=1):
        ctypes.set_errno(0)
        if call(number, *arguments) != -1 or ctypes.get_errno() != error: print(number, arguments)
    for number in {numbers!r}: refused(number, -1, -1, -1, -1, -1, -1)
    for flag in (0x20000, 0x10000000, 0x20000000, 0x40000000, 0x8000000, 0x4000000, 0x2000000):
        refused({syscalls.CLONE[column]}, flag, 0, 0, 0, 0)
    for number in (435, 467, 500, 1000): refused(number, 0, 0, 0, 0, 0, error=38)
    mmap.mmap(-1, 4096, mmap.MAP_PRIVATE)
    for do in (lambda: mmap.mmap(-1, 4096), lambda: resource.prlimit(1, resource.RLIMIT_NOFILE, (0, 0)),
               lambda: fcntl.ioctl(0, 0x5412, b"x"), lambda: fcntl.ioctl(0, 0x541c, b"x")):
        try: print(do())
        except PermissionError: pass
    print("end")
    """)
    assert python(code).output == "end\n"


def test_calls_of_another_architecture_end_the_process() -> None:
    if os.uname().machine != "x86_64":
        pytest.skip("x32 is of x86_64 alone")
    assert python(CALL + "call(0x40000000 + 39); print('alive')").code == 128 + signal.SIGSYS


def test_it_has_no_rights() -> None:
    """No capability, none to be had by exec, no user that the host knows as root."""
    code = "print([line.split()[1] for line in open('/proc/self/status') if line[:3] in ('Cap', 'NoN', 'Sec')][:7])\n"
    code += "import os; print(os.getuid() != 0 and os.geteuid() != 0)"
    assert python(code).output.splitlines() == [str(["0" * 16] * 5 + ["1", "2"]), "True"]


def _result(machine: str, architecture: int, number: int, arguments: tuple[int, ...] = ()) -> int:
    """What the filter says, by a machine that runs it."""
    data = {0: number, 4: architecture} | {16 + 8 * place: value for place, value in enumerate(arguments)}
    at = held = 0
    program = syscalls.instructions(machine)
    while True:
        code, if_true, if_false, value = program[at]
        at += 1
        if code == syscalls.RETURN:
            return value
        if code == syscalls.LOAD:
            held = data.get(value, 0)
        elif code == syscalls.AND:
            held &= value
        else:
            at += if_true if (held == value if code == syscalls.EQUAL else held > value) else if_false


@pytest.mark.parametrize("machine", syscalls.MACHINES)
def test_the_filter_of_each_architecture(machine: str) -> None:
    """Also of the one that these tests do not run on: all that is denied, and nothing else."""
    column, own = list(syscalls.MACHINES).index(machine), syscalls.MACHINES[machine]
    refused, missing = syscalls.ERROR | 1, syscalls.ERROR | 38
    denied = {both[column] for both in syscalls.DENIED.values()}
    special = {both[column] for both in (syscalls.CLONE, syscalls.SOCKETPAIR, syscalls.MMAP, syscalls.IOCTL)}
    for number in range(syscalls.LAST + 1):
        expected = refused if number in denied else missing if number == 435 else syscalls.ALLOW
        if number not in special:
            assert _result(machine, own, number) == expected, number
    for other in {0x40000003, 0xC000003E, 0xC00000B7, 0x40000028} - {own}:
        assert _result(machine, other, 1) == syscalls.KILL
    assert _result(machine, own, syscalls.LAST + 1) == missing
    assert _result(machine, own, 0x3FFFFFFF) == missing
    assert _result("x86_64", syscalls.MACHINES["x86_64"], 0x40000001) == syscalls.KILL
    assert _result(machine, own, syscalls.CLONE[column], (0x01200011,)) == syscalls.ALLOW  # fork
    assert _result(machine, own, syscalls.CLONE[column], (0x10000011,)) == refused
    assert _result(machine, own, syscalls.SOCKETPAIR[column], (1, 0o2000001)) == syscalls.ALLOW  # SOCK_CLOEXEC
    assert _result(machine, own, syscalls.SOCKETPAIR[column], (1, 2)) == refused
    assert _result(machine, own, syscalls.SOCKETPAIR[column], (2, 1)) == refused
    assert _result(machine, own, syscalls.MMAP[column], (0, 0, 0, 0x22)) == syscalls.ALLOW
    assert _result(machine, own, syscalls.MMAP[column], (0, 0, 0, 0x01)) == syscalls.ALLOW
    assert _result(machine, own, syscalls.MMAP[column], (0, 0, 0, 0x23)) == refused
    assert _result(machine, own, syscalls.IOCTL[column], (0, 0x5401)) == syscalls.ALLOW
    assert _result(machine, own, syscalls.IOCTL[column], (0, 0x5412)) == refused
    assert _result(machine, own, syscalls.IOCTL[column], (0, 0x541C)) == refused
    assert _result(machine, own, syscalls.PRLIMIT[column], (1,)) == refused


def test_landlock_holds_outside_the_view(tmp_path: Path) -> None:
    """Where the kernel has it: a process that may read everywhere and write in one folder can do no more."""
    (tmp_path / "open").mkdir()
    code = f"""
    import os
    from guiderail.decoding.sandbox.isolation import kernel, landlock
    if kernel.syscall(landlock.CREATE_RULESET, 0, 0, landlock.VERSION) < 2:
        raise SystemExit(77)
    os.chdir({str(tmp_path)!r})
    kernel.prctl(kernel.NO_NEW_PRIVILEGES, 1)
    landlock.restrict(["open"], ["/dev/null"])
    open("open/file", "w").write("x")
    os.rename("open/file", "open/other")
    open("/dev/null", "w").write("x")
    for do in (lambda: open("file", "w"), lambda: os.rename("open/other", "other"), lambda: os.mkdir("d"),
               lambda: os.kill({os.getpid()}, 0)):
        try: print(do())
        except PermissionError: pass
    """
    found = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    if found.returncode == 77:
        pytest.skip("this kernel has no Landlock of version 2")
    assert (found.stdout, found.stderr, found.returncode) == ("", "", 0)


@pytest.mark.parametrize("missing", ["unshare", "mount", "pivot_root", "mount_setattr", "prctl"])
def test_a_kernel_that_offers_too_little_is_refused(missing: str) -> None:
    """Never weakened: without one of the steps nothing is run."""
    numbers = syscalls.DENIED | {"prctl": (157, 167)}
    code = f"""
    import sys
    from guiderail.decoding.sandbox.isolation import kernel, syscalls
    from guiderail.decoding.sandbox.sandbox import Tree, run
    syscalls.DENIED = {{"one": {numbers[missing]!r}}}
    syscalls._RULES = []
    kernel.prctl(kernel.NO_NEW_PRIVILEGES, 1)
    syscalls.restrict()
    found = run([sys.executable, "-c", "print('ran')"], Tree(), seconds=60, megabytes=1024)
    print("refused" if found.refused and not found.output else found)
    """
    found = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert (found.stdout.strip(), found.stderr) == ("refused", "")


def test_old_kernels_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from guiderail.decoding.sandbox.isolation import kernel

    for release, is_old in (
        ("5.13.9", True),
        ("4.4.0", True),
        ("5.14.0-rc1", False),
        ("6.18.44-fc", False),
        ("x", True),
    ):
        monkeypatch.setattr(os, "uname", lambda release=release: os.uname_result(("Linux", "", release, "", "")))
        try:
            kernel.check_version()
        except kernel.RefusedError:
            assert is_old, release
        else:
            assert not is_old, release


@pytest.mark.e2e
def test_an_ordinary_user_has_the_same_sandbox() -> None:
    """Root tries both: the other tests see what becomes of whoever runs them."""
    if os.geteuid() != 0:
        pytest.skip("the other tests are this one")
    code = """
    import os, time
    made = 0
    for _ in range(200):
        try: child = os.fork()
        except BlockingIOError: continue
        if child == 0: time.sleep(600)
        made += 1
    print(os.getuid(), os.path.exists("/etc/passwd"), made)
    try: open("/proc/1/mem", "rb")
    except PermissionError: print("end")
    """
    enter = f"import sys; sys.path.append({str(sandbox.PACKAGES)!r}); "
    enter += "from guiderail.decoding.sandbox.sandbox import Tree, run; "
    ask = f"found = run([sys.executable, '-c', {textwrap.dedent(code)!r}], Tree(), seconds=60, megabytes=1024); "
    interpreter = "/usr/bin/python3"  # this one may lie where only root gets
    if _as_user(interpreter, "import sys; sys.exit(sys.version_info < (3, 11))").returncode:
        pytest.skip("no interpreter here is every user's")
    if _as_user(interpreter, enter).returncode:
        pytest.skip("this package is not every user's")
    found = _as_user(interpreter, enter + ask + "print(found.refused or found.output)")
    user, sees, made, *end = found.stdout.split()
    assert (user, sees, end, 10 < int(made) <= PROCESSES) == ("12345", "False", ["end"], True), found


def _as_user(interpreter: str, code: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [interpreter, "-c", code],
            user=12345,
            group=12345,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        return subprocess.CompletedProcess([], 1, "", str(error))


# -- who asks


@pytest.mark.asyncio
async def test_no_key_runs_the_projects_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever is typed, opened, offered in a menu, or made ahead; a person's own request may."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    engine = FakeEngine("abc")
    engine.runs_code = True
    options = {"menu": True, "maxSuggestions": 1}
    async with connected(engine, options=options, prefetch_delay_s=0.0) as client:
        uri = client.open("x = ")
        await client.ghost(uri, 0, 4, 1)  # of which nobody knows yet whether it was made by hand
        await client.ghost(uri, 0, 4, 2)
        await client.ask("textDocument/completion", at(uri, 0, 4) | {"context": {"triggerKind": 1}})
        client.change(uri, 0, 4, 4, "z")
        await client.ghost(uri, 0, 5, None)
        await client.command("accept", {"id": "none"})
        assert True not in engine.by_hand
        asked = len(engine.asked)
        client.change(uri, 0, 0, 0, "y")
        await client.ghost(uri, 0, 6, 1)
        assert engine.by_hand[asked:].count(True) == 1
        until = time.monotonic() + 20
        while len(engine.asked) < asked + 2 and time.monotonic() < until:
            await asyncio.sleep(0.01)
        assert engine.by_hand[asked + 1 :] == [False]  # what follows was asked by nobody


def test_the_engine_runs_it_by_hand_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """A method that says that it runs code is built for a person's request alone; the log says so once."""
    built: list[str] = []

    def build(part: PlanningSpec, context: BuildContext) -> object:
        built.append(context.document.text if context.document else "")
        return PlainSpec().build(context)

    monkeypatch.setattr(PlanningSpec, "build", build)
    engine = Engine()
    settings = Settings(
        model=str(tiny_folder("guiderail")), device="cpu", threads=1, method="pg-td", monitors=False, max_tokens=2
    )
    engine.load(settings)
    document = Document("x = ", tmp_path / "a.py", "python")
    wish = CompletionRequest(uri="file:///a.py", document=document, offset=4, root=None, settings=settings)
    for _ in range(2):
        assert engine.complete(wish, lambda: False, TextStream()).is_stand_in
        engine.prepare(wish, lambda: False)
    assert built == []
    assert [record.message for record in caplog.records].count(
        "pg-td runs the project's code: it is used when asked for by hand alone"
    ) == 1
    assert not engine.complete(replace(wish, by_hand=True), lambda: False, TextStream()).is_stand_in
    assert built == ["x = "]


# -- ordinary tests

ORDINARY = """
import asyncio, multiprocessing, os, sqlite3, subprocess, sys, tempfile, threading, unittest
from concurrent.futures import ProcessPoolExecutor
from hypothesis import given, strategies as st
from code_ import double

def test_plain(tmp_path, capsys, monkeypatch):
    (tmp_path / "a").write_text("x")
    os.replace(tmp_path / "a", tmp_path / "b")
    print(double(2)); assert capsys.readouterr().out == "4\\n"

class Case(unittest.TestCase):
    def test_case(self): self.assertEqual(double(1), 2)

@given(st.integers())
def test_properties(n): assert double(n) == n + n

def test_async(): assert asyncio.run(asyncio.sleep(0, double(2))) == 4

def test_programs():
    code = "from code_ import double; print(double(4))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"8\\n"
    assert subprocess.check_output("echo $((1 + 1)) | cat", shell=True) == b"2\\n"

def test_processes():
    with ProcessPoolExecutor(2) as pool: assert list(pool.map(double, [1, 2])) == [2, 4]
    assert multiprocessing.Value("i", 3).value == 3

def test_threads_and_files():
    found = []
    threads = [threading.Thread(target=lambda: found.append(double(1))) for _ in range(8)]
    for one in threads: one.start()
    for one in threads: one.join()
    with tempfile.TemporaryDirectory() as folder:
        sqlite3.connect(os.path.join(folder, "db")).execute("create table t (a)")
    assert found == [2] * 8
    assert open("data/given.txt").read() == "given" and os.listdir("linked") == ["given.txt"]

def test_wrong(): assert double(2) == 5
"""


@pytest.mark.e2e
@pytest.mark.slow
def test_ordinary_tests_still_pass(project: Path) -> None:
    """pytest, unittest, hypothesis, asyncio, programs, processes, threads, files: seven pass, one is wrong."""
    (project / "data").mkdir()
    (project / "data" / "given.txt").write_text("given")
    (project / "linked").symlink_to("data")
    (project / "test_ordinary.py").write_text(ORDINARY)
    judge = trial(project, "def double(n):\n    return ", "test_ordinary.py", seconds=120)
    assert judge.share_passed("n + n") == 7 / 8
    assert judge.share_passed("n +") == 0.0
