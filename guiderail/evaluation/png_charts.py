"""Pictures of measurements: what a cache that follows edits costs, and where a model is unsure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from guiderail.errors import GuiderailError


def draw_divergence(file: Path, classes: Sequence[Mapping[str, Any]]) -> None:
    """Mean divergence (nats) of each method by tokens between edit and cursor; a PNG of about 40 KB.

    Parameters
    ----------
    classes
        As `guiderail.evaluation.studies.pie.by_distance` gives them.
    """
    figure, axes = _figure()
    for method in dict.fromkeys(row["method"] for row in classes):
        points = [((row["from"] + row["to"]) / 2, row["kl_mean"]) for row in classes if row["method"] == method]
        if any(kl > 1e-9 for _, kl in points):
            axes.plot(*zip(*points, strict=True), marker="o", markersize=3, linewidth=1, label=method)
    axes.axhline(2e-4, color="grey", linewidth=0.8, linestyle=":", label="aim: 2e-4")
    axes.set(
        xscale="log", yscale="log", xlabel="tokens from the edit to the cursor", ylabel="KL to full encoding, nats"
    )
    _save(file, figure, axes)


_WAYS = {"llama_cpp": "C4", "full": "C3", "truncate": "C1", "patch": "C0", "pie": "C2"}


def draw_times(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Seconds of each way to follow an edit by its place; rows as of `guiderail bench cache`.

    For the longest sequence of the first model and of the last, and a size of edit that all lengths have.
    """
    figure, axes = _figure()
    lengths = {row["tokens"] for row in rows}
    sizes = [{row["changed"] for row in rows if row["tokens"] == length} for length in lengths]
    changed = max(set.intersection(*sizes))
    models = list(dict.fromkeys(row["model"] for row in rows))
    longest = {model: max(row["tokens"] for row in rows if row["model"] == model) for model in (models[0], models[-1])}
    for (model, length), style in zip(longest.items(), ("-", "--"), strict=False):
        own = sorted(
            (row for row in rows if (row["model"], row["tokens"], row["changed"]) == (model, length, changed)),
            key=lambda row: row["edit_at"],
        )
        for way, colour in _WAYS.items():
            points = [(row["edit_at"], row[f"{way}_s"]) for row in own if row[f"{way}_s"] is not None]
            if points:
                label = f"{way.replace('_', '.')}, {length} tokens"
                axes.plot(*zip(*points, strict=True), style, color=colour, linewidth=1, label=label)
    axes.set(yscale="log", xlabel="place of the edit (0 is the start)", ylabel="seconds")
    _save(file, figure, axes)


def draw_calibration(file: Path, entropies: Sequence[float], ranks: Sequence[int], threshold: float) -> None:
    """How many places have which entropy (nats), by whether the model was right, and the threshold of being unsure."""
    figure, axes = _figure()
    sides = ("right", "C0", True), ("wrong", "C3", False)
    for label, colour, right in sides:
        own = [entropy for entropy, rank in zip(entropies, ranks, strict=True) if bool(rank == 1) is right]
        axes.hist(own, bins=60, histtype="step", color=colour, label=f"the model is {label}")
    axes.axvline(threshold, color="black", linewidth=1, linestyle=":", label=f"unsure from {threshold:.2f} on")
    axes.set(yscale="log", xlabel="entropy of the next token, nats", ylabel="places")
    _save(file, figure, axes)


def _figure() -> tuple[Any, Any]:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        remedy = "Install it with: pip install 'guiderail[bench]'"
        raise GuiderailError("matplotlib is not installed", remedy) from error
    figure = Figure(figsize=(7.6, 3.6), dpi=110, layout="constrained")
    return figure, figure.add_subplot()


def _save(file: Path, figure: Any, axes: Any) -> None:
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.01, 1))  # beside the lines, never over them
    figure.savefig(file)
