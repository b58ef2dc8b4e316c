"""Handles the lifecycle of a connection: initialize, initialized, shutdown, exit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from lsprotocol import types
from pygls.capabilities import ServerCapabilitiesBuilder

from guiderail.lsp.client import ClientState
from guiderail.lsp.configuration import ClientConfig, section_of
from guiderail.lsp.connection import Connection
from guiderail.lsp.file_watching import registrations
from guiderail.lsp.handlers.configuration import ConfigurationHandlers, local_folders
from guiderail.text.positions import encoding_named

CONFIGURATION_TIMEOUT_S = 3.0  # from `initialize`, in which a client's settings should have come


@dataclass(eq=False)
class LifecycleHandlers:
    """Begins and ends the conversation with one client.

    Parameters
    ----------
    client, connection, configuration
        The client's state, the way to it, and what takes its settings.
    on_ready
        Called when the client's first settings are taken.
    on_exit
        Called with the exit code when the client said `exit`.
    timeout_s
        Seconds after which a client is served that has not sent its settings.
    """

    client: ClientState
    connection: Connection
    configuration: ConfigurationHandlers
    _: KW_ONLY
    on_ready: Callable[[], None]
    on_exit: Callable[[int], None]
    timeout_s: float = CONFIGURATION_TIMEOUT_S

    def register(self) -> None:
        """Register the handlers."""
        self.connection.on(types.INITIALIZE, self.initialize)
        self.connection.on(types.INITIALIZED, self.initialized)
        self.connection.on(types.SHUTDOWN, self.shutdown)
        self.connection.on(types.EXIT, self.exit)

    def initialize(self, params: types.InitializeParams) -> None:
        """Read the client's capabilities and folders; the model is loaded once its settings are known."""
        client = self.client
        client.process.clients.add(client)
        client.encoding = encoding_named(ServerCapabilitiesBuilder.choose_position_encoding(params.capabilities))
        client.set_folders(_folders_of(params))
        client.initial_config = section_of(params.initialization_options) or {}
        self.configuration.apply(ClientConfig(client.initial_config), load=False)
        asyncio.get_running_loop().call_later(self.timeout_s, self._start_without_configuration)

    async def initialized(self, _: types.InitializedParams) -> None:
        """Ask the client for its settings, and to watch files."""
        wanted = registrations(self.connection.client_capabilities)
        if wanted:
            params = types.RegistrationParams(wanted)
            self.connection.spawn(self.connection.ask(types.CLIENT_REGISTER_CAPABILITY, params))
        await self.configuration.pull()
        self.client.configured.set()
        self.on_ready()

    def shutdown(self, *_: object) -> None:
        """End all work."""
        self.client.scheduler.stop()

    def exit(self, *_: object) -> None:
        """End the connection; the exit code is 1 unless `shutdown` came before."""
        self.on_exit(0 if self.connection.is_ending else 1)

    def _start_without_configuration(self) -> None:
        """Serve a client that never sends `initialized`, so that no request waits for ever."""
        if not self.client.configured.is_set():
            self.configuration.load_model()
            self.client.configured.set()


def _folders_of(params: types.InitializeParams) -> dict[Path, str]:
    """The workspace's folders; older clients name one, by its URI or its path."""
    folders = [folder.uri for folder in params.workspace_folders or ()]
    single = params.root_uri or (Path(params.root_path).absolute().as_uri() if params.root_path else None)
    return local_folders(folders or [single or ""])
