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
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "GUIDERAIL_MODEL": str(model),
        "GUIDERAIL_THREADS": "1",
        "HOME": str(tmp_path_factory.mktemp("home")),
    }
