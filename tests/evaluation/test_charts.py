"""Charts in files of their own."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from guiderail.benchmarks.cache import picture as times
from guiderail.evaluation.calibrate import TokenStatistics
from guiderail.evaluation.calibrate import picture as calibration
from guiderail.evaluation.charts import Chart, lines
from guiderail.evaluation.studies.pie import picture as divergence

SHAPE = "{http://www.w3.org/2000/svg}"


def drawn(chart: Chart) -> dict[str, list[tuple[float, float]]]:
    """By series the places of its points, from a file that is a whole SVG."""
    root = ElementTree.fromstring(chart.file())
    assert root.tag == f"{SHAPE}svg" and root.find(f"{SHAPE}style") is not None
    names = [text.text or "" for text in root.iter(f"{SHAPE}text") if text.get("class") == "value"]
    paths = [path.get("d", "") for path in root.iter(f"{SHAPE}path") if "line" in path.get("class", "")]
    points = [re.findall(r"([\d.]+) ([\d.]+)", path) for path in paths if "h14" not in path]
    return dict(zip(names, [[(float(x), float(y)) for x, y in own] for own in points], strict=True))


@pytest.mark.parametrize("log", [False, True])
def test_lines_go_through_their_points(log: bool) -> None:
    """A larger value is further right and higher; names are never markup."""
    found = drawn(lines("<h>", "x & y", "up", {"a < b": [(1, 10), (2, 100), (8, 1000)]}, log=(log, log)))
    (points,) = found.values()
    assert list(found) == ["a < b"]
    assert [x for x, _ in points] == sorted({x for x, _ in points})
    assert [y for _, y in points] == sorted({y for _, y in points}, reverse=True)


def test_times_are_drawn_for_the_longest_sequences() -> None:
    """A line for each way that was measured, of the first and the last model's longest, through all of its places.

    The size of the edit is one that every length has.
    """
    shape = {"full_s": 1.0, "truncate_s": 0.5, "patch_s": 0.1, "pie_s": 0.05, "llama_cpp_s": None}
    rows = [
        {**shape, "model": "a", "tokens": n, "changed": changed, "edit_at": at}
        for n, changed in ((1024, 8), (1024, 1), (2048, 8), (2048, 1))
        for at in (0.9, 0.1, 0.5)
    ]
    rows += [{**row, "model": "b", "tokens": 4096, "llama_cpp_s": 2.0} for row in rows[:3]]
    found = drawn(times(rows))
    assert len(found) == 4 + 5 and {name.split(", ")[1] for name in found} == {"2048 tokens", "4096 tokens"}
    assert all(len(points) == 3 and points == sorted(points) for points in found.values())


def test_methods_without_divergence_are_left_out() -> None:
    """Full encoding has no divergence to draw on a logarithmic axis."""
    classes = [
        {"method": method, "from": low, "to": 2 * low, "n": 3, "kl_mean": kl}
        for method, kl in (("full", 0.0), ("pie", 1e-3))
        for low in (64, 128)
    ]
    assert list(drawn(divergence(classes))) == ["pie", "aim: 2e-4"]


def test_a_calibration_shows_right_and_wrong_places_and_the_threshold() -> None:
    places = TokenStatistics(np.array([0.1, 0.2, 0.2, 2.0, 2.5]), np.array([1, 1, 2, 3, 1]))
    found = drawn(calibration(places, 1.84))
    assert list(found) == ["the model is right", "the model is wrong", "unsure from 1.84 on"]
    assert len({x for x, _ in found["unsure from 1.84 on"]}) == 1
