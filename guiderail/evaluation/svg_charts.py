"""Pictures of a report: inline SVG without a script or a font of its own; colours follow the page's (CSS variables)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

WIDTH, ROW, LABEL, MARGIN = 540, 26, 215, 16
SIDE = 190  # of a scatter


class Bar(NamedTuple):
    """A value with its interval, and which system it is of (its colour)."""

    label: str
    value: float
    low: float
    high: float
    colour: int


def bars(heading: str, found: Sequence[Bar]) -> str:
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
    return _figure_of(heading, height, parts)


def scatter(heading: str, across: str, up: str, points: Mapping[str, tuple[float, float]]) -> str:
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
    parts.append(f'<text x="{left + side / 2}" y="{top + side + 34}" class="tick">{escape(across)}</text>')
    parts.append(f'<text transform="translate(14 {top + side / 2}) rotate(-90)" class="tick">{escape(up)}</text>')
    return _figure_of(heading, top + side + 44, parts, width=left + side + MARGIN)


def distributions(heading: str, unit: str, series: Mapping[str, Sequence[float]]) -> str:
    """How values spread: for each system the share of answers that took at most so long, on a logarithmic axis."""
    values = [value for own in series.values() for value in own if value > 0]
    if not values:
        return ""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)
    left, top, wide, tall = 46, 12, WIDTH - 80, 200
    across = lambda value: left + (math.log10(max(value, 10**low)) - low) / (high - low) * wide  # noqa: E731
    parts = [f'<rect x="{left}" y="{top}" width="{wide}" height="{tall}" class="frame"/>']
    for power in range(low, high + 1):
        x = across(10**power)
        parts.append(f'<path d="M{x:.1f} {top}V{top + tall}" class="grid"/>')
        parts.append(f'<text x="{x:.1f}" y="{top + tall + 16}" class="tick">{10.0**power:g} {unit}</text>')
    for share in (0, 0.5, 0.95):
        y = top + (1 - share) * tall
        parts.append(f'<path d="M{left} {y:.1f}H{left + wide}" class="grid"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" class="label">{share:.0%}</text>')
    for number, (label, own) in enumerate(series.items()):
        ranked = sorted(own)
        steps = [f"{across(v):.1f} {top + (1 - (i + 1) / len(ranked)) * tall:.1f}" for i, v in enumerate(ranked)]
        parts.append(
            f'<path d="M{across(ranked[0]):.1f} {top + tall}L{"L".join(steps)}" class="line s{number % COLOURS}"/>'
        )
        y = top + tall + 38 + 18 * number
        parts.append(f'<rect x="{left}" y="{y - 10}" width="12" height="12" rx="2" class="c{number % COLOURS}"/>')
        parts.append(f'<text x="{left + 18}" y="{y}" class="value">{escape(label)}</text>')
    return _figure_of(heading, top + tall + 40 + 18 * len(series), parts)


COLOURS = 8


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


def _figure_of(heading: str, height: float, parts: Sequence[str], *, width: float = WIDTH) -> str:
    return (
        f'<figure><figcaption>{escape(heading)}</figcaption><svg viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" role="img" aria-label="{escape(heading)}">{"".join(parts)}</svg></figure>'
    )
