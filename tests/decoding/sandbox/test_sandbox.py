"""What a program in the sandbox can do, and how it ends; what it cannot do: `tests/security/test_sandbox.py`."""

from __future__ import annotations

import sys

from guiderail.decoding.sandbox.sandbox import FOLDER, REPORT, Outcome, Tree, run
from tests.helpers.sandbox import living, python


def test_a_program_runs_and_says_what_it_says() -> None:
    code = f"import os, sys; open('mine', 'w').write('1'); os.write({REPORT}, open('mine', 'rb').read()); "
    found = python(code + "print('hello'); print(os.getcwd(), file=sys.stderr); sys.exit(3)")
    assert (found.code, found.report) == (3, b"1")
    assert set(found.output.split()) == {"hello", FOLDER}


def test_the_folder_holds_the_tree_anew_each_time() -> None:
    """Files, folders, links and permissions; and what the run before wrote is gone."""
    tree = Tree([("a", 0o755, None), ("a/b.sh", 0o755, b"#!/bin/sh\necho $0"), ("link", 0o777, "a/b.sh")])
    code = "import os; print(sorted(os.listdir('.')), open('link').read()); os.remove('link'); open('new', 'w')"
    for _ in range(2):
        assert python(code, tree).output == "['a', 'link'] #!/bin/sh\necho $0\n"
    assert python("import os; os.system('./link')", tree).output == "./link\n"
    show = [sys.executable, "-c", "print(open('link').read())"]
    replaced = run(show, tree, seconds=60, megabytes=1024, files={"a/b.sh": b"x"})
    assert replaced.output == "x\n"


def test_a_signal_is_told_as_shells_do() -> None:
    assert python("import os; os.kill(os.getpid(), 9)").code == 128 + 9


def test_what_cannot_be_started_is_refused() -> None:
    assert "no-such-program" in run(["/no-such-program"], Tree(), seconds=60, megabytes=1024).refused


def test_there_is_no_network() -> None:
    """Not even a socket to ask for one."""
    found = python("import socket\ntry: socket.socket()\nexcept OSError as error: print(error.errno)")
    assert found.output.strip() == "1"  # EPERM


def test_nothing_else_can_be_written() -> None:
    """And of what the host has, only programs and libraries can be seen."""
    code = "import os\nfor path in ('/x', '/usr/bin/x', os.path.join(os.path.dirname(os.__file__), 'x')):\n"
    found = python(code + "  try: open(path, 'w')\n  except OSError as error: print(error.errno)")
    assert found.output.split() == ["30", "30", "30"]  # EROFS


def test_time_is_bounded_for_all_that_it_starts() -> None:
    """Also a child that left the session dies with it."""
    code = "import os, time; os.fork() or os.setsid(); print('started', flush=True); time.sleep(600)"
    found = python(code, seconds=5, marker="bounded-time")
    assert (found.code, found.stopped) == (None, "time")
    assert found.output.split() == ["started", "started"]
    assert living("bounded-time") == []


def test_memory_is_bounded() -> None:
    found = python("x = bytearray(600 << 20)", megabytes=300)
    assert found.code == 1
    assert "MemoryError" in found.output


def test_what_ends_by_itself_leaves_nothing_running() -> None:
    code = "import os, time\nif os.fork() == 0:\n  os.setsid(); time.sleep(600)"
    assert python(code, marker="left-running") == Outcome(0, "")
    assert living("left-running") == []
