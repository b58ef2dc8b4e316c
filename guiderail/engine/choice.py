"""The pipeline that the settings choose: method, stages, constraints and drafters."""

from __future__ import annotations

from functools import lru_cache

from guiderail.decoding.pipeline import Pipeline, build_pipeline
from guiderail.settings import Settings

KEPT = 32  # an editor's settings hardly ever change


@lru_cache(KEPT)
def chosen(settings: Settings) -> Pipeline:
    """The pipeline of the settings `method`, `parameters` and `drafter`.

    Raises
    ------
    UsageError
        If a name or a parameter is wrong, or what was chosen does not compose; it says what is allowed.
    """
    return build_pipeline(
        settings.method,
        settings.parameters,
        settings.drafter,
        greedy=settings.temperature == 0,
        monitored=settings.monitors,
    )
