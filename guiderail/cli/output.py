"""How answers look: JSON for programs, plain text for pipes, colour for a terminal."""

import json
import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TextIO

import click

from guiderail import __version__
from guiderail.cli.terminal import visible
from guiderail.text.document import Document

if TYPE_CHECKING:
    from guiderail.engine.completion import Completion
    from guiderail.engine.request import CompletionRequest
    from guiderail.engine.suggestion import Suggestion
    from guiderail.model.model import Model
    from guiderail.remote.model import RemoteModel

LINES_BEFORE = 6
LINES_BEHIND = 2


def wants_colour(stream: TextIO) -> bool:
    """Whether to colour: yes on a terminal, unless NO_COLOR (no-color.org) or a dumb terminal says no."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def write(text: str) -> None:
    """Write data to standard output exactly, with a line end if ``text`` has none."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def payload(request: "CompletionRequest", found: "Completion", model: "Model | RemoteModel") -> dict[str, Any]:
    """A completion as the JSON object of ``schema/complete.json``.

    Lines count from 1 and columns, in code points, from 0: as on the command line.
    """
    document = request.document
    return {
        "version": __version__,
        "file": str(document.path) if document.path else None,
        "language": document.language,
        "position": _position(document, request.offset),
        "suggestions": [_suggestion(document, suggestion) for suggestion in found.suggestions],
        "dropped": [{"text": one.text, "verdict": str(one.verdict)} for one in found.dropped],
        "withheld": found.withheld,
        "model": _model(model),
        "context_files": [
            {"path": snippet.path, "reason": snippet.reason, "score": snippet.score} for snippet in found.snippets
        ],
    }


def _position(document: Document, offset: int) -> dict[str, int]:
    line, column = document.position_at(offset)
    return {"line": line + 1, "column": column}


def _suggestion(document: Document, suggestion: "Suggestion") -> dict[str, Any]:
    return {
        "text": suggestion.text,
        "range": {"start": _position(document, suggestion.start), "end": _position(document, suggestion.end)},
        "score": suggestion.score,
        "tokens": len(suggestion.token_ids),
        "finish_reason": suggestion.finish,
        "layout": suggestion.layout,
        "cache_exact": suggestion.cache_exact,
        "timings": asdict(suggestion.timings),
        "monitors": asdict(suggestion.monitored) if suggestion.monitored else None,
        "verdict": asdict(suggestion.verdict) if suggestion.verdict else None,
    }


def _model(model: "Model | RemoteModel") -> dict[str, Any]:
    info = model.info
    return {
        "name": info.name,
        "revision": info.revision,
        "parameters": info.parameters,
        "fim": info.fim.name if info.fim else None,
        "device": str(model.device),
        "dtype": model.precision,
    }


def as_json(request: "CompletionRequest", found: "Completion", model: "Model | RemoteModel") -> str:
    """A completion as indented JSON."""
    return json.dumps(payload(request, found, model), indent=2)


def as_text(document: Document, found: "Completion", *, colour: bool, terminal: bool = False) -> str:
    """The suggestions as plain text, each under a heading if there are several.

    On a terminal that is to have no colour, control characters are shown all the same; a pipe gets the exact text.
    """
    several = len(found.suggestions) > 1
    parts = []
    for number, suggestion in enumerate(found.suggestions, start=1):
        judged = visible(f", {suggestion.verdict}") if suggestion.verdict else ""
        heading = f"--- {number} of {len(found.suggestions)}, score {suggestion.score:.2f}{judged} ---"
        if several:
            parts.append(click.style(heading, bold=True) if colour else heading)
        exact = visible(suggestion.text) if terminal else suggestion.text
        text = in_context(document, suggestion) if colour else exact
        parts.append(text.removesuffix("\n"))
        if colour:
            parts += [click.style(line, dim=True) for line in watched(suggestion)]
    return "\n".join(parts)


def watched(suggestion: "Suggestion") -> list[str]:
    """What static analysis did: a line for each place that was constrained or was not, and the verdict."""
    report, lines = suggestion.monitored, []
    analyser = report.analyser if report else ""
    for watch in report.watches if report else ():
        if watch.abstained:
            what = f"left free ({watch.abstained})"
        elif watch.legal is None:
            what = "not needed"  # the text ended before its answer would have mattered
        else:
            what = f"{watch.legal} legal" + (", others made unlikely" if watch.soft else "")
            if watch.forbidden:
                what += ", forbidden: " + ", ".join(dict.fromkeys(map(repr, watch.forbidden)))
        lines.append(visible(f"{watch.monitor} ({analyser}): {watch.receiver} {what}"))
    if suggestion.verdict:
        lines.append(visible(f"verdict: {suggestion.verdict}"))
    return lines


def in_context(document: Document, suggestion: "Suggestion", before: int = LINES_BEFORE) -> str:
    """The suggestion in green among the dimmed lines around it, for a terminal."""
    first = document.line_start(max(0, document.position_at(suggestion.start)[0] - before))
    line = document.position_at(suggestion.end)[0]
    last = document.line_end(min(document.line_count - 1, line + LINES_BEHIND))
    return (
        _styled(document.text[first : suggestion.start], dim=True)
        + _styled(suggestion.text, fg="green", bold=True)
        + _styled(document.text[suggestion.end : last], dim=True)
    )


def _styled(text: str, **style: Any) -> str:
    """Colour each line by itself, so that a pager that cuts lines keeps the colours right."""
    return "\n".join(click.style(visible(line), **style) if line else "" for line in text.split("\n"))
