"""Finds out what kind of server an address has."""

from __future__ import annotations

import logging

from guiderail.remote.address import Address
from guiderail.remote.connection import Connection
from guiderail.remote.errors import RemoteError
from guiderail.remote.llama_cpp import LlamaCppServer
from guiderail.remote.openai import OpenAIServer
from guiderail.remote.probe import models_of, one_of
from guiderail.remote.server import ModelServer
from guiderail.remote.vllm import OWNER, VllmServer

REMEDY = "Known are llama.cpp's server, vLLM, and servers with OpenAI's /v1/models and /v1/completions"
log = logging.getLogger(__name__)


def find_server(url: str, key_env: str = "") -> ModelServer:
    """The model server at a URL.

    Parameters
    ----------
    url
        ``http://host:port``, with the model's id after a ``#`` where the server has several.
    key_env
        The environment variable that holds the key; empty for none.

    Raises
    ------
    RemoteError
        It cannot be reached, or has no model to complete with.
    UsageError
        The variable holds no key.
    """
    address = Address.parse(url)
    if address.is_readable:
        log.warning("%s is not encrypted: others on the way can read your code; use https", address.place)
    connection = Connection(address, key_env)
    server = LlamaCppServer.find(connection)
    if server is not None:
        return server
    models = models_of(connection)
    model = one_of(connection, models)
    if not model:
        raise RemoteError(f"{address.place} is no model server that is known here", REMEDY)
    listed = next((one for one in models if one["id"] == model), {})
    if listed.get("owned_by") == OWNER:
        return VllmServer.found(connection, model, listed)
    return OpenAIServer.of(connection, model)
