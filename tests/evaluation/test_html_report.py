"""A report as one HTML file."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from guiderail.evaluation import charts
from guiderail.evaluation.html_report import page
from guiderail.evaluation.summary import Run, rows
from tests.evaluation.test_summary import OFF, ON, both, sample

EVIL = "</script><img src=x onerror=alert(1)>"


def run(samples: list[dict[str, Any]]) -> Run:
    names = {s["task"]: s["package"] for s in samples}
    about = {"kind": "dereference", "path": "a.py", "language": "python", "before": f"x = {EVIL}.", "behind": "\n"}
    tasks = {name: {"task": name, "package": package, "truth": "b", **about} for name, package in names.items()}
    meta = {
        "seeds": {"bootstrap": 0}, "bases": {ON: [OFF]}, "tasks": len(tasks), "versions": {"python": "3"},
        "config": {"name": "own <run>", "about": "Drawn by a rule."},
    }  # fmt: skip
    return Run(meta, tasks, [s | {"answer": EVIL, "errors": []} for s in samples])


@pytest.fixture(scope="module")
def written() -> str:
    watch = {
        "monitor": "dereference",
        "receiver": "self.",
        "legal": 3,
        "abstained": None,
        "forbidden": ["foo"],
        "at": [2],
    }
    samples = [s | {"monitored": {"watches": [watch]}} if s["system"] == ON else s for s in both()]
    found = run(samples)
    other = {
        "meta": {"commit": "abc"},
        "rows": [{"task": "a", "em": 0.5, "intervals": {"em": [0.4, 0.6]}}, {"em": 0.7}],
    }
    return page([(found, rows(found))], {"pie": other})


class Parser(HTMLParser):
    """Collects what a page loads, and whether its elements are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [value or "" for name, value in attrs if name in {"src", "href"}]
        if tag not in {"meta", "input", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing(written: str) -> None:
    """Every element is closed, nothing comes from elsewhere, and no text of a sample becomes markup."""
    parser = Parser()
    parser.feed(written)
    assert parser.open == [] and parser.loads == []
    assert not re.search(r"@import|url\(|https?://(?!www\.w3\.org/2000/svg)", written)  # SVG's name is no address
    assert "<img" not in written and "own &lt;run&gt;" in written


def test_the_explorer_has_every_sample(written: str) -> None:
    """With its answer, its measures, and what the monitor forbade at which token."""
    data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', written, re.DOTALL).group(1))  # pyright: ignore
    assert len(data["samples"]) == 18 and len(data["tasks"]) == 3
    assert all(s["answer"] == EVIL for s in data["samples"])
    [watch] = next(s for s in data["samples"] if s["system"] == ON)["watches"]
    assert (watch["forbidden"], watch["at"]) == (["foo"], [2])


def test_figures_intervals_and_differences_stand_in_the_table(written: str) -> None:
    """As the rows have them."""
    [_, on] = rows(run(both()))
    for name in ("nim", "compiles"):
        assert f"<td>{on[name]:.3f}<small>" in written
    assert f"{on['against'][OFF]['nim']['difference']:+.3f}" in written


def test_any_measurement_is_shown(written: str) -> None:
    """Rows of other commands as a table with their intervals, and bars of what differs."""
    assert "<h1>pie</h1>" in written and "0.4 to 0.6" in written and "<figcaption>em</figcaption>" in written


def test_an_unfinished_run_says_so() -> None:
    """How many of its tasks have been asked."""
    found = run([sample("a1", OFF, 0, 1.0)])
    unfinished = Run({**found.meta, "tasks": 9}, found.tasks, found.samples)
    assert "not finished: 1 of 9 tasks" in page([(unfinished, rows(unfinished))], {})


def test_bars_are_as_long_as_their_values() -> None:
    """Twice the value is twice the length, from 0."""
    text = charts.bars("x", [charts.Bar("a", 0.2, 0.1, 0.3, 0), charts.Bar("b", 0.4, 0.4, 0.4, 1)]).parts
    one, two = (float(width) for width in re.findall(r'<rect x="\d+" y="\d+" width="([\d.]+)"', text))
    assert two == pytest.approx(2 * one, rel=0.01)


def test_nothing_to_draw_draws_nothing() -> None:
    """Answers without a time have no distribution."""
    assert charts.distributions("x", "s", {"a": [0.0]}) is None


def test_the_shipped_parts_are_in_the_package() -> None:
    """Style and script are files beside the module."""
    folder = Path(charts.__file__).parent
    assert (folder / "html_report.css").is_file() and (folder / "html_report.js").is_file()
