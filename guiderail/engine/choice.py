"""What the settings choose: a model, and the pipeline of method, stages, constraints and drafters."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, cast

from guiderail.decoding.pipeline import Pipeline, build_pipeline
from guiderail.settings import Settings, names_server

if TYPE_CHECKING:
    from guiderail.choices import CachePolicy
    from guiderail.engine.completer import Completer
    from guiderail.engine.remote_completer import RemoteCompleter
    from guiderail.model.model import Model
    from guiderail.remote.model import RemoteModel

KEPT = 32  # an editor's settings hardly ever change


@lru_cache(KEPT)
def chosen(settings: Settings) -> Pipeline:
    """The pipeline of the settings `method`, `parameters`, `drafter` and `draft_model`.

    Raises
    ------
    UsageError
        If a name or a parameter is wrong, or what was chosen does not compose; it says what is allowed.
    """
    return build_pipeline(
        settings.method,
        settings.parameters,
        settings.drafter,
        draft_model=settings.draft_model,
        greedy=settings.temperature == 0,
        monitored=settings.monitors,
    )


def model_of(settings: Settings, pipeline: Pipeline) -> Model | RemoteModel:
    """The model of the settings, loaded or found at its server, if it suits a pipeline.

    Raises
    ------
    GuiderailError
        It cannot be found or loaded, or does not suit the pipeline.
    """
    if names_server(settings.model):
        from guiderail.remote.model import RemoteModel

        return RemoteModel.load(settings.model, settings.api_key_env)
    from guiderail.model.load import load

    return load(
        settings.model,
        device=settings.device,
        dtype=settings.dtype,
        threads=settings.threads,
        accept=pipeline.check,
    )


def completer_of(model: Model | RemoteModel, settings: Settings, policy: CachePolicy) -> Completer | RemoteCompleter:
    """What completes with a model; its cache follows edits by a policy."""
    if names_server(model.info.name):
        from guiderail.engine.remote_completer import RemoteCompleter

        return RemoteCompleter(cast("RemoteModel", model), prompt_tokens=settings.prompt_tokens)
    from guiderail.engine.completer import Completer

    tokens, size = settings.prompt_tokens, settings.cache_mb << 20
    return Completer(cast("Model", model), prompt_tokens=tokens, cache_policy=policy, cache_bytes=size)


def identity_of(reference: str, key_env: str = "") -> tuple[str, str]:
    """The name of a model, and what distinguishes its weights; of a server's model, its id there.

    Raises
    ------
    GuiderailError
        There is no such model or server.
    """
    if names_server(reference):
        from guiderail.remote.find import find_server

        server = find_server(reference, key_env)
        return reference, f"{server.kind}: {server.model}"
    from guiderail.model.fingerprint import fingerprint
    from guiderail.model.load import describe

    info = describe(reference)
    return info.name, fingerprint(info)
