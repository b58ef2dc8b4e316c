"""``guiderail demo``: completes real code of a package that the embedded model has never been trained on.

The package is fsspec: every installation has it (torch and huggingface_hub need it), and the rule that keeps packages
out of training holds for it, because the SHA-256 of its name begins with 2.
"""

import ast
import importlib.util
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from guiderail.cli.loading import load_engine
from guiderail.cli.options import resolved, setting_flags
from guiderail.cli.output import in_context, visible, wants_colour, watched
from guiderail.engine.request import CompletionRequest
from guiderail.engine.time_limits import BATCH
from guiderail.errors import GuiderailError
from guiderail.settings import Settings
from guiderail.text.document import Document

if TYPE_CHECKING:
    from guiderail.engine.completion import Completion
    from guiderail.engine.engine import Engine
    from guiderail.engine.suggestion import Suggestion

PACKAGE = "fsspec"
CONTEXT_LINES = 4


@dataclass(frozen=True)
class Spot:
    """A cursor after the first ``marker`` in a function: it survives new releases, a line number does not."""

    file: str
    function: str  # Class.method
    marker: str


SPOTS = (
    Spot("callbacks.py", "Callback.set_size", "self.size = "),
    Spot("utils.py", "infer_storage_options", 'options["username"] = parsed_path.'),
    Spot("dircache.py", "DirCache.__len__", "return len("),
    Spot("transaction.py", "FileActor.append", "self.files.app"),
    Spot("archive.py", "AbstractArchiveFileSystem.info", "raise FileNotFoundError("),
    Spot("mapping.py", "FSMap.__getitem__", "result = self.fs."),
    Spot("utils.py", "seek_delimiter", "current = file.read("),
)


@dataclass(frozen=True)
class Case:
    """A spot found in the installed package: a request with the rest of its line taken away, and that rest."""

    spot: Spot
    request: CompletionRequest
    truth: str


@click.command()
@setting_flags(
    "model",
    "device",
    "dtype",
    "threads",
    "context",
    "monitors",
    "only_monitors",
    "verdict",
    "analyser",
    "python",
    "trust",
)
def demo(**flags: Any) -> None:
    """Complete real code of an installed package, in colour.

    The rest of each line is hidden from the model and shown for comparison.
    """
    began = time.perf_counter()
    # What the model writes is shown here, right or wrong.
    settings = replace(resolved(flags).settings, confidence="off")
    engine = load_engine(settings, limits=BATCH)
    colour = wants_colour(sys.stdout)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        cases = list(find_cases(_copy_package(Path(folder).resolve()), settings))
        _say(_heading(engine, len(cases)), colour)
        for case in cases:
            found = engine.complete(case.request)
            results.append((case, _first(found)))
            _say(_shown(case, found), colour)
    _say(_summary(results, time.perf_counter() - began), colour)


def _say(text: str, colour: bool) -> None:
    click.echo(text, color=colour)
    sys.stdout.flush()


def _copy_package(folder: Path) -> Path:
    """Make the package a project of its own, so that context comes from it and not from all that is installed.

    The project is called like the package whatever `folder` is: its name stands in the prompt.
    """
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise GuiderailError(f"the package {PACKAGE} is not installed", f"Run pip install {PACKAGE}")
    skip = shutil.ignore_patterns("__pycache__", "tests")
    return Path(shutil.copytree(Path(found.origin).parent, folder / PACKAGE / PACKAGE, ignore=skip)).parent


def find_cases(root: Path, settings: Settings, spots: tuple[Spot, ...] = SPOTS) -> Iterator[Case]:
    """The spots that this release of the package has.

    Raises
    ------
    GuiderailError
        It has none of them.
    """
    cases = [case for spot in spots if (case := _find(root, spot, settings))]
    if not cases:
        raise GuiderailError(f"this release of {PACKAGE} has none of the demo's functions", "Install another one")
    yield from cases


def _find(root: Path, spot: Spot, settings: Settings) -> Case | None:
    path = root / PACKAGE / spot.file
    if not path.exists():
        return None
    text = path.read_text(encoding="utf-8")
    start, end = _function_range(text, spot.function)
    found = text.find(spot.marker, start, end)
    if found < 0:
        return None
    offset = found + len(spot.marker)
    line_end = text.find("\n", offset)
    document = Document(text[:offset] + text[line_end:], path, "python")
    request = CompletionRequest(document=document, offset=offset, root=root, settings=settings, by_hand=True)
    return Case(spot, request, text[offset:line_end])


def _function_range(text: str, name: str) -> tuple[int, int]:
    """Offsets of a function's first and last line; an empty range if there is no such function."""
    node: ast.AST = ast.parse(text)
    for part in name.split("."):
        inner = (child for child in ast.iter_child_nodes(node) if getattr(child, "name", None) == part)
        node = next(inner, ast.Pass())
    if not isinstance(node, ast.FunctionDef):
        return 0, 0
    document = Document(text)
    return document.line_start(node.lineno - 1), document.line_end((node.end_lineno or node.lineno) - 1)


def _heading(engine: "Engine", count: int) -> str:
    info, model = engine.model.info, engine.model
    fim = f"{info.fim.name} fill-in-the-middle" if info.fim else "no fill-in-the-middle"
    size = f"{info.parameters / 1e6:.1f} M parameters"
    about = f"{info.name}: {size}, {fim}, {model.device}, {model.precision}"
    return f"{click.style('guiderail', bold=True)} completes {count} positions in {PACKAGE} with {about}"


def _first(found: "Completion") -> "Suggestion":
    """What is suggested; an empty text where it was dropped, which its verdict says."""
    from guiderail.engine.suggestion import NOTHING

    dropped = (replace(one, text="", end=one.start) for one in found.dropped)
    return next(iter(found.suggestions), None) or next(dropped, NOTHING)


def _shown(case: Case, found: "Completion") -> str:
    document, suggestion = case.request.document, _first(found)
    line = document.position_at(suggestion.start)[0] + 1
    title = click.style(f"{PACKAGE}/{case.spot.file}:{line}", fg="cyan", bold=True)
    truth = click.style(f"in the file: {visible(case.truth)}", dim=True)
    mark = click.style("same", fg="green") if _same(case, suggestion) else click.style("different", fg="yellow")
    files = sorted({snippet.path for snippet in found.snippets})
    context = f" · context from {', '.join(files)}" if files else ""
    figures = click.style(f"{_figures(suggestion)}{context}", dim=True)
    body = in_context(document, suggestion, before=CONTEXT_LINES)
    monitors = "".join(f"\n  {click.style(line, fg='magenta')}" for line in watched(suggestion))
    return f"\n{title}  {case.spot.function}\n{body}\n  {truth}  {mark}{monitors}\n  {figures}"


def _figures(suggestion: "Suggestion") -> str:
    timings = suggestion.timings
    parts = [
        f"first token {timings.ttft_s * 1000:.0f} ms",
        f"{timings.tokens_per_s:.0f} tokens/s" if timings.tokens_per_s else "one token",
        f"{timings.prompt_tokens} tokens of prompt",
        f"{timings.reused_tokens} of them from the cache" if timings.reused_tokens else "",
    ]
    return " · ".join(part for part in parts if part)


def _same(case: Case, suggestion: "Suggestion") -> bool:
    return suggestion.text.strip() == case.truth.strip()


def _summary(results: "list[tuple[Case, Suggestion]]", seconds: float) -> str:
    same = sum(_same(case, suggestion) for case, suggestion in results)
    first = statistics.median(suggestion.timings.ttft_s for _, suggestion in results)
    speeds = [s.timings.tokens_per_s for _, s in results if s.timings.tokens_per_s]
    speed = f", {statistics.median(speeds):.0f} tokens/s" if speeds else ""
    return (
        f"\n{same} of {len(results)} as in the file; median time to first token {first * 1000:.0f} ms{speed}; "
        f"{seconds:.1f} s in all, loading included"
    )


if __name__ == "__main__":
    from guiderail.cli.main import run

    sys.exit(run(["demo", *sys.argv[1:]]))
