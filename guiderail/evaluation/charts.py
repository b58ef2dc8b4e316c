"""Charts as SVG, without a script or a font of their own: in a report, whose colours they follow, or in a file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import NamedTuple

WIDTH, ROW, LABEL, MARGIN = 540, 26, 215, 16
SIDE = 190  # of a scatter


Point = tuple[float, float]
COLOURS = 8


class Chart(NamedTuple):
    """A chart; sizes in pixels."""

    heading: str
    width: float
    height: float
    parts: str

    def inline(self) -> str:
        """An element of a report."""
        return f"<figure><figcaption>{escape(self.heading)}</figcaption>{self._svg('')}</figure>"

    def file(self) -> str:
        """A whole SVG file, with the report's style."""
        style = files("guiderail.evaluation").joinpath("html_report.css").read_text(encoding="utf-8")
        return self._svg(f"<style>{escape(style)} svg {{ background: var(--panel) }}</style>")

    def _svg(self, style: str) -> str:
        size = f'viewBox="0 0 {self.width:.0f} {self.height:.0f}" width="{self.width:.0f}"'
        name = f'role="img" aria-label="{escape(self.heading)}"'
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {name}>{style}{self.parts}</svg>'


class Bar(NamedTuple):
    """A value with its interval, and which system it is of (its colour)."""

    label: str
    value: float
    low: float
    high: float
    colour: int


def bars(heading: str, found: Sequence[Bar]) -> Chart:
    """Horizontal bars with their intervals, on an axis from 0."""
    top = _nice(max((bar.high for bar in found), default=1.0))
    height = ROW * len(found) + 44
    scale = (WIDTH - LABEL - 60) / top
    parts = [_grid(top, scale, 18, height - 24)]
    for row, bar in enumerate(found):
        y = 24 + row * ROW
        x, low, high = (LABEL + value * scale for value in (bar.value, bar.low, bar.high))
        middle = y + 8
        parts.append(
            f'<g><text x="{LABEL - 8}" y="{y + 12}" class="label">{escape(bar.label)}</text>'
            f'<rect x="{LABEL}" y="{y}" width="{max(x - LABEL, 1):.1f}" height="16" rx="2" class="c{bar.colour}"/>'
            f'<path d="M{low:.1f} {middle}H{high:.1f}M{low:.1f} {middle - 4}v8M{high:.1f} {middle - 4}v8" '
            f'class="whisker"/>'
            f'<text x="{max(high, x) + 6:.1f}" y="{y + 12}" class="value">{_figure(bar.value)}</text>'
            f"<title>{escape(bar.label)}: {_figure(bar.value)} ({_figure(bar.low)} to {_figure(bar.high)})</title></g>"
        )
    return Chart(heading, WIDTH, height, "".join(parts))


def scatter(heading: str, across: str, up: str, points: Mapping[str, Point]) -> Chart:
    """A point for each package: one system's value across, the other's up; above the diagonal the other is better."""
    side, left, top = SIDE, 60, 12
    place = lambda x, y: (left + x * side, top + (1 - y) * side)  # noqa: E731
    parts = [
        f'<rect x="{left}" y="{top}" width="{side}" height="{side}" class="frame"/>',
        f'<path d="M{left} {top + side}L{left + side} {top}" class="grid"/>',
    ]
    for tick in (0, 0.5, 1):
        x, y = place(tick, tick)
        parts.append(f'<text x="{x}" y="{top + side + 16}" class="tick">{tick:g}</text>')
        parts.append(f'<text x="{left - 6}" y="{y + 4}" class="label">{tick:g}</text>')
    for package, (x, y) in points.items():
        cx, cy = place(x, y)
        parts.append(
            f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="5" class="c1 point"><title>{escape(package)}: '
            f"{x:.2f} → {y:.2f}</title></circle>"
        )
    parts += _axis_names(across, up, left + side / 2, top + side + 34, top + side / 2)
    return Chart(heading, left + side + MARGIN, top + side + 44, "".join(parts))


def distributions(heading: str, unit: str, series: Mapping[str, Sequence[float]]) -> Chart | None:
    """How values spread: for each system the share of answers that took at most so long, on a logarithmic axis."""
    steps = {
        label: [(value, (rank + 1) / len(own)) for rank, value in enumerate(sorted(own)) if value > 0]
        for label, own in series.items()
    }
    return lines(heading, unit, "share of answers", steps, log=(True, False)) if any(steps.values()) else None


def lines(
    heading: str, across: str, up: str, series: Mapping[str, Sequence[Point]], *, log: tuple[bool, bool]
) -> Chart:
    """A line through the points of each series, with a list of the series below.

    Parameters
    ----------
    log
        Whether the axes across and up are logarithmic; then the values must be positive.
    """
    points = [point for own in series.values() for point in own]
    left, top, wide, tall = 62, 12, WIDTH - 90, 200
    xs, ys = (_Axis([point[side] for point in points], log[side]) for side in (0, 1))
    place = lambda x, y: f"{left + xs(x) * wide:.1f} {top + (1 - ys(y)) * tall:.1f}"  # noqa: E731
    parts = [f'<rect x="{left}" y="{top}" width="{wide}" height="{tall}" class="frame"/>']
    for tick in xs.ticks:
        x = left + xs(tick) * wide
        parts.append(f'<path d="M{x:.1f} {top}V{top + tall}" class="grid"/>')
        parts.append(f'<text x="{x:.1f}" y="{top + tall + 16}" class="tick">{tick:g}</text>')
    for tick in ys.ticks:
        y = top + (1 - ys(tick)) * tall
        parts.append(f'<path d="M{left} {y:.1f}H{left + wide}" class="grid"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" class="label">{tick:g}</text>')
    parts += _axis_names(across, up, left + wide / 2, top + tall + 34, top + tall / 2)
    for number, (label, own) in enumerate(series.items()):
        colour, y = number % COLOURS, top + tall + 58 + 18 * number
        dashes = "" if number < COLOURS else ' stroke-dasharray="5 3"'
        path = "L".join(place(*point) for point in own)
        parts.append(f'<path d="M{path}" class="line s{colour}"{dashes}/>' if own else "")
        parts.append(f'<path d="M{left} {y - 4}h14" class="line s{colour}"{dashes}/>')
        parts.append(f'<text x="{left + 20}" y="{y}" class="value">{escape(label)}</text>')
    return Chart(heading, WIDTH, top + tall + 60 + 18 * len(series), "".join(parts))


class _Axis:
    """From values to places between 0 and 1."""

    def __init__(self, values: Sequence[float], log: bool) -> None:
        self._log = log
        if log:
            self._low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
            self._size = max(high - self._low, 1)
            self.ticks = [10.0**power for power in range(self._low, self._low + self._size + 1)]
        else:
            self._low, self._size = 0, _nice(max(values))
            self.ticks = [self._size * step / 4 for step in range(5)]

    def __call__(self, value: float) -> float:
        return ((math.log10(value) if self._log else value) - self._low) / self._size


def _axis_names(across: str, up: str, x: float, below: float, y: float) -> list[str]:
    return [
        f'<text x="{x}" y="{below}" class="tick">{escape(across)}</text>',
        f'<text transform="translate(14 {y}) rotate(-90)" class="tick">{escape(up)}</text>',
    ]


def _grid(top: float, scale: float, first: int, last: int) -> str:
    parts = []
    for step in range(5):
        value = top * step / 4
        x = LABEL + value * scale
        parts.append(f'<path d="M{x:.1f} {first}V{last}" class="grid"/>')
        parts.append(f'<text x="{x:.1f}" y="{last + 16}" class="tick">{_figure(value)}</text>')
    return "".join(parts)


def _nice(value: float) -> float:
    """The next 1, 2, 2.5, 5 or 8 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.5, 2, 2.5, 4, 5, 6, 8, 10) if value <= step * power * (1 + 1e-9))


def _figure(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.0f}"
