"""The server's log file.

Source text is never in it unless the level is debug: our own messages hold none, and pygls, which logs whole
messages, is silent above that level.
"""

import logging
import re
import sys
import traceback
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from guiderail import private

_FORMAT = "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"
_LIMIT = 2_000_000  # bytes a file
_CONTROLS = re.compile(r"[\0-\x1f\x7f-\x9f\u2028\u2029]")


class _Lines(logging.Formatter):
    """A message is one line, with nothing in it that a terminal obeys: names of a project's files are in some."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return _CONTROLS.sub(lambda found: ascii(found[0])[1:-1], super().formatMessage(record))


class _PrivateFile(RotatingFileHandler):
    """A rotating file that only its owner may read."""

    def _open(self) -> TextIOWrapper:
        mode, encoding, errors = self.mode, self.encoding, self.errors
        file = open(self.baseFilename, mode, encoding=encoding, errors=errors, opener=private.opener)  # noqa: SIM115 (logging closes it)
        assert isinstance(file, TextIOWrapper), "the mode is one of text"
        return file


def start(level: str, name: str = "lsp") -> Path:
    """Log to a server's file, or to standard error if it cannot be written; return where the file is (or would be)."""
    import platformdirs

    path = platformdirs.user_log_path("guiderail") / f"{name}.log"
    try:
        private.folder(path.parent)
        handler: logging.Handler = _PrivateFile(
            path, maxBytes=_LIMIT, backupCount=1, encoding="utf-8", errors="backslashreplace"
        )
    except OSError:
        handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(_FORMAT))
    logging.basicConfig(handlers=[handler], force=True)
    logging.captureWarnings(True)
    set_level(level)
    return path


def set_level(level: str) -> None:
    """Log at this level from now on; other libraries log only at the level debug."""
    debug = level == "debug"
    logging.getLogger().setLevel(logging.DEBUG if debug else logging.ERROR)
    logging.getLogger("guiderail").setLevel(level.upper())
    logging.getLogger("pygls").setLevel(logging.DEBUG if debug else logging.CRITICAL + 1)
    logging.getLogger("asyncio").setLevel(logging.DEBUG if debug else logging.CRITICAL)
    logging.getLogger("py.warnings").setLevel(logging.DEBUG if debug else logging.CRITICAL)


def location_of(error: BaseException) -> str:
    """The innermost place of our own code that an error passed through; an error's message may quote source."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "guiderail" in frame.filename] or frames
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "an unknown place"
