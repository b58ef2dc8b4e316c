"""Loads the engine as every command does: log to standard error, and say on a terminal what takes time."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from guiderail.cli.terminal import visible
from guiderail.engine.engine import Engine
from guiderail.engine.request import CompletionRequest
from guiderail.engine.time_limits import WAITING, TimeLimits
from guiderail.settings import Settings

_log = logging.getLogger(__name__)


def load_engine(settings: Settings, first: CompletionRequest | None = None, limits: TimeLimits = WAITING) -> Engine:
    """An engine with the model that the settings name.

    Parameters
    ----------
    first
        A request that is going to come: its analyser starts while the model is loaded.

    Raises
    ------
    GuiderailError
        The model cannot be found or loaded.
    """
    start_logging(settings.log_level)
    import_module("numpy")  # first: torch, which imports it otherwise, swallows an interrupt meanwhile
    engine, began = Engine(limits), time.perf_counter()
    with status(f"loading model {settings.model}"):
        engine.load(settings, first)
    _log.info("%s on %s, loaded in %.2f s", engine.name, engine.device, time.perf_counter() - began)
    return engine


class _Visible(logging.Formatter):
    """Records for a terminal: they name files, whose names may hold anything."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        return visible(super().format(record))


def start_logging(level: str) -> None:
    """Send our log to standard error; other libraries are heard only when debugging."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Visible("guiderail: %(levelname)s: %(message)s"))
    logging.basicConfig(handlers=[handler], force=True)
    logging.captureWarnings(True)
    logging.getLogger().setLevel(logging.DEBUG if level == "debug" else logging.ERROR)
    logging.getLogger("guiderail").setLevel(level.upper())
    logging.getLogger("py.warnings").setLevel(logging.DEBUG if level == "debug" else logging.CRITICAL)


@contextmanager
def status(message: str) -> Iterator[None]:
    """Say on a terminal what takes time; elsewhere stay quiet."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status(Text(visible(message))):
        yield
