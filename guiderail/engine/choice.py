"""What the settings choose: a model, and the pipeline of method, stages, constraints and drafters."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from guiderail.decoding.pipeline import Pipeline, build_pipeline
from guiderail.settings import Settings

if TYPE_CHECKING:
    from guiderail.model.model import Model

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


def model_of(settings: Settings, pipeline: Pipeline) -> Model:
    """The model of the settings, loaded, if it suits a pipeline.

    Raises
    ------
    GuiderailError
        It cannot be found or loaded, or does not suit the pipeline.
    """
    from guiderail.model.load import load

    return load(
        settings.model,
        device=settings.device,
        dtype=settings.dtype,
        threads=settings.threads,
        accept=pipeline.check,
    )
