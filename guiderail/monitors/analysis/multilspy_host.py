"""Runs inside a private environment that holds multilspy: ``multilspy_host.py LANGUAGE HOME [ROOT]``.

multilspy fetches the language's server and knows how it is started. With a folder this process then becomes that
server, which speaks plain LSP on standard input and output; without one the server is only fetched.
"""

import contextlib
import logging
import os
import sys
import tempfile
from importlib import import_module
from pathlib import Path


def launch_of(language: str, home: Path, root: Path):
    """How multilspy would start the server of a language; fetches it if need be."""
    server = import_module("multilspy.language_server").LanguageServer
    config = import_module("multilspy.multilspy_config").MultilspyConfig
    logger = import_module("multilspy.multilspy_logger").MultilspyLogger
    logging.disable(logging.CRITICAL)
    wanted = config.from_dict({"code_language": language, "server_install_dir": str(home / "servers")})
    with contextlib.redirect_stdout(sys.stderr):  # standard output belongs to the protocol
        return server.create(wanted, logger(), str(root)).server.process_launch_info


def fetch(language: str, home: Path) -> None:
    """Have the server fetched; some need a project to look at."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "empty.sln").touch()  # OmniSharp is not prepared without one
        launch_of(language, home, Path(folder))


def become(language: str, home: Path, root: Path) -> None:
    """Turn this process into the server."""
    launch = launch_of(language, home, root)
    beside = str(Path(sys.executable).parent)  # multilspy's own requirements, jedi-language-server among them
    environment = os.environ | launch.env | {"PATH": os.pathsep.join([beside, os.environ.get("PATH", os.defpath)])}
    os.chdir(launch.cwd)
    if os.name == "posix":
        os.execvpe(launch.cmd[0], launch.cmd, environment)
    import subprocess

    sys.exit(subprocess.run(launch.cmd, env=environment, check=False).returncode)


if __name__ == "__main__":
    if len(sys.argv) > 3:
        become(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        fetch(sys.argv[1], Path(sys.argv[2]))
