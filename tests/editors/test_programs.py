"""Neovim starts no server that may have come with a project."""

import subprocess
from pathlib import Path

import pytest

from tests.editors.neovim import PLUGIN

pytestmark = pytest.mark.e2e

ASK = """
vim.opt.runtimepath:prepend(_G.arg[1])
local found, why = require("guiderail.server").find(_G.arg[2])
io.stdout:write(found and found.cmd[1] or "none")
"""


def found(neovim: str, tmp_path: Path, project: Path, path: str) -> str:
    """The server that Neovim would start in a project, which is its current folder; "none" without one."""
    script = tmp_path / "ask.lua"
    script.write_text(ASK, encoding="utf-8")
    command = [neovim, "--clean", "--headless", "-l", str(script), str(PLUGIN), str(project)]
    env = {"PATH": path, "HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=project, env=env, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout.strip()


def program(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "guiderail").write_text("#!/bin/sh\n", encoding="utf-8")
    (folder / "guiderail").chmod(0o755)
    return folder / "guiderail"


def test_a_program_of_the_project_is_not_taken_from_path(neovim_program: str, tmp_path: Path) -> None:
    """Neither by relative and empty entries of PATH, nor by those that lead into the project, nor by a link to one."""
    project, tools, links = tmp_path / "project", tmp_path / "project-tools", tmp_path / "links"
    for folder in (project, project / "bin"):
        program(folder)
    own = program(tools)
    links.mkdir()
    (links / "guiderail").symlink_to(project / "bin" / "guiderail")
    (tmp_path / "linked").symlink_to(project / "bin")
    system = "/usr/bin:/bin"
    hostile = f":.:bin:../project:{project}:{project}/bin:{tmp_path}/linked:{links}"
    assert found(neovim_program, tmp_path, project, f"{hostile}:{system}") == "none"
    assert found(neovim_program, tmp_path, project, f"{hostile}:{tools}:{system}") == str(own)
