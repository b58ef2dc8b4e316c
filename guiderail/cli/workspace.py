"""The workspace that a command is run in, whose programs do not stand in for the person's own."""

from __future__ import annotations

import os
from pathlib import Path


def leave_out_programs() -> None:
    """Take what leads into this workspace from the search path, unless the person trusts it."""
    from guiderail import programs
    from guiderail.monitors.analysis.workspaces import is_trusted
    from guiderail.prompt.project import find_root

    here = Path.cwd()
    root = find_root(here)
    if root is not None and not is_trusted(here):
        os.environ["PATH"] = os.pathsep.join(programs.search_path(root))
