"""What each analyser of Python is told of a project, in its own words (`guiderail.monitors.python.project`)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from guiderail.monitors.analysis.server import Told, Workspace
from guiderail.monitors.python.project import PythonProject, pyrefly_configuration, python_project


def pyrefly(workspace: Workspace) -> Told:
    """All of it, in a configuration file: no other way tells it the version without an interpreter."""
    file = workspace.scratch / "pyrefly.toml"
    text = pyrefly_configuration(_project(workspace), trusted=workspace.trusted)
    file.write_text(text, encoding="utf-8")
    return Told(settings={"python": {"pyrefly": {"displayTypeErrors": "force-on", "configPath": str(file)}}})


def ty(workspace: Workspace) -> Told:
    """The version, and folders that it does not look into: it knows the project's, and an active environment's.

    In a workspace that is not trusted it reads an empty configuration file in place of the project's.
    """
    project = _project(workspace)
    known = {workspace.root, workspace.root / "src", workspace.root / "python"}
    prefix = project.interpreter.prefix
    elsewhere = (folder for folder in project.packages if not folder.is_relative_to(prefix))
    environment = {
        "python-version": project.version_text,
        "extra-paths": _names([*(root for root in project.roots if root not in known), *elsewhere]),
    }
    if not workspace.trusted and project.interpreter.is_own:  # no variable leads into such a workspace
        environment["extra-paths"] += _names(folder for folder in project.packages if folder.is_relative_to(prefix))
    options: dict[str, Any] = {"configuration": {"environment": environment}}
    if not workspace.trusted:  # the project's own file may name folders outside it, which would be read
        file = workspace.scratch / "ty.toml"
        file.touch()
        options |= {"configurationFile": str(file), "untrustedWorkspace": True}
    return Told(options=options)


def basedpyright(workspace: Workspace) -> Told:
    """The interpreter, which it runs, and the folders of modules."""
    project = _project(workspace)
    analysis = {"diagnosticMode": "openFilesOnly", "extraPaths": _names((*project.roots, *project.packages))}
    python = {"pythonPath": str(project.interpreter.program)}
    return Told(settings={"python": python, "basedpyright": {"analysis": analysis}})


def jedi(workspace: Workspace) -> Told:
    """The interpreter, which it runs, and the folders of modules."""
    project = _project(workspace)
    place = {"extraPaths": _names((*project.roots, *project.packages))}
    if os.path.exists(project.interpreter.program):  # noqa: PTH110 (Path's raises where it may not look)
        place |= {"environmentPath": str(project.interpreter.program)}
    return Told(options={"workspace": place})


def _project(workspace: Workspace) -> PythonProject:
    return python_project(workspace.root, workspace.python, "always" if workspace.trusted else "never")


def _names(folders: Iterable[Path]) -> list[str]:
    return [str(folder) for folder in folders]
