"""Handles the client's settings and workspace folders, and asks for them where the client supports it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lsprotocol import types

from guiderail.lsp import logfile
from guiderail.lsp.buffer import path_of
from guiderail.lsp.client import ClientState
from guiderail.lsp.configuration import SECTION, ClientConfig, section_of, settle
from guiderail.lsp.connection import Connection
from guiderail.lsp.status_publisher import StatusPublisher

log = logging.getLogger(__name__)


@dataclass(eq=False)
class ConfigurationHandlers:
    """Keeps one client's settings up to date, and loads the model that they name."""

    client: ClientState
    connection: Connection
    status: StatusPublisher
    _warned: set[str] = field(default_factory=set, init=False)

    def register(self) -> None:
        """Register the handlers."""
        self.connection.on(types.WORKSPACE_DID_CHANGE_CONFIGURATION, self.did_change_configuration)
        self.connection.on(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS, self.did_change_folders)

    async def did_change_configuration(self, params: types.DidChangeConfigurationParams) -> None:
        """Take the settings that came, or ask for them."""
        pushed = section_of(params.settings, only=True)
        if pushed is not None:
            self.apply(ClientConfig(pushed or self.client.initial_config))
        else:
            await self.pull()

    def did_change_folders(self, params: types.DidChangeWorkspaceFoldersParams) -> None:
        """Take folders that were added to the workspace or removed from it."""
        gone = local_folders(folder.uri for folder in params.event.removed)
        kept = {path: uri for path, uri in self.client.folders.items() if path not in gone}
        self.client.set_folders(kept | local_folders(folder.uri for folder in params.event.added))
        self.reload()  # now, by the projects' own settings and what is known of the editor's
        if self._client_can_be_asked:
            self.connection.spawn(self.pull())

    async def pull(self) -> None:
        """Ask the client, folder by folder; what it says is all that is set, so that a setting can be taken back."""
        folders, given = dict(self.client.folders), self.client.initial_config
        found: list[dict[str, Any]] = []
        if self._client_can_be_asked:
            items = [types.ConfigurationItem(scope_uri=uri, section=SECTION) for uri in folders.values()]
            wanted = types.ConfigurationParams(items or [types.ConfigurationItem(section=SECTION)])
            answer = await self.connection.ask(types.WORKSPACE_CONFIGURATION, wanted)
            answers = answer if isinstance(answer, list | tuple) else ()
            found = [one if isinstance(one, dict) and one else given for one in answers]
        self.apply(ClientConfig(found[0] if found else given, dict(zip(folders, found, strict=False))))

    def apply(self, config: ClientConfig, *, load: bool = True) -> None:
        """Apply settings at once."""
        client, process = self.client, self.client.process
        client.config = config
        before = client.policy.all_settings
        preferences, others = settle(config, client.policy.roots, process.flags, os.environ, process.settings)
        client.policy.configure(preferences, others)
        if not process.is_shared:
            logfile.set_level(preferences.settings.log_level)
        for problem in (problem for one in (preferences, *others.values()) for problem in one.problems):
            self.warn(problem)
        if before != client.policy.all_settings:
            client.scheduler.forget_answers()
        if load:
            self.load_model()
        self.status.publish()

    def reload(self) -> None:
        """Read the settings files again; documents and the client's own settings stay as they are."""
        self.apply(self.client.config)

    def load_model(self) -> None:
        """Load the model while suggestions are on, and unload it while they are off."""
        client = self.client
        if client.process.is_shared:
            return
        if client.policy.enabled:
            client.worker.load(client.policy.preferences.settings)
        elif client.worker.health.state != "off":
            client.worker.unload()

    def warn(self, problem: str) -> None:
        """Show the person a problem of the settings, once."""
        if problem not in self._warned:
            self._warned.add(problem)
            log.warning("told the person: %s", problem)
            # VS Code makes a link of Markdown's form, which may name a command, and a project's file may hold one.
            shown = problem.replace("](", "] (")
            self.connection.show_message(types.MessageType.Warning, f"guiderail: {shown}")

    @property
    def _client_can_be_asked(self) -> bool:
        workspace = self.connection.client_capabilities.workspace
        return bool(workspace and workspace.configuration)


def local_folders(uris: Iterable[str]) -> dict[Path, str]:
    """Those folders that are on this machine, with the URIs that the client has for them."""
    return {path: uri for uri in uris if (path := path_of(uri)) is not None}
