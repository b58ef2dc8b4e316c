"""What a hostile repository puts in the place of a file."""

import os
from pathlib import Path

HOSTILE = ("fifo", "zero", "stdin", "outside", "outside fifo", "folder", "loop", "dangling")
SECRET = "leaked = 1\n"


def place(kind: str, at: Path, outside: Path) -> None:
    """Put something of a kind at a path; what links lead to lies in a folder outside."""
    match kind:
        case "fifo":
            os.mkfifo(at)
        case "zero":
            at.symlink_to("/dev/zero")
        case "stdin":
            at.symlink_to("/dev/stdin")
        case "outside":
            (outside / "secret").write_text(SECRET, encoding="utf-8")
            at.symlink_to(outside / "secret")
        case "outside fifo":
            os.mkfifo(outside / "fifo")
            at.symlink_to(outside / "fifo")
        case "folder":
            at.mkdir()
        case "loop":
            at.symlink_to(at)
        case _:
            at.symlink_to(outside / "nothing")
