"""What the tests of all editors share: the variables under which an editor finds the server and a parrot."""

import os
import sys
from pathlib import Path

import pytest

from tests.editors.parrot import SAID, parrot_folder


@pytest.fixture(scope="session")
def server_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """PATH with this environment's `guiderail`, a model that says `SAID`, and an empty home."""
    model = parrot_folder(tmp_path_factory.mktemp("model"), " " + SAID, after=("    return",))
    home, programs = tmp_path_factory.mktemp("home"), Path(sys.executable).parent
    # VS Code takes PATH from a login shell, whose first file may set it anew.
    (home / ".profile").write_text(f'PATH="{programs}:$PATH"\n', encoding="utf-8")
    return {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "GUIDERAIL_MODEL": str(model),
        "GUIDERAIL_THREADS": "1",
        "HOME": str(home),
    }
