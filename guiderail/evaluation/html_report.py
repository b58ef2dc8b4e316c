"""A report as one HTML file: tables, pictures, and an explorer of single samples; it needs no network."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from guiderail.evaluation import charts
from guiderail.evaluation.charts import COLOURS, Bar, Chart
from guiderail.evaluation.scoring import MEASURES
from guiderail.evaluation.summary import Run, by_package

EXPLORED = 400  # tasks of a run in the explorer; the records hold all
PLOTTED = 6  # numbers of another measurement that get bars


def page(runs: Sequence[tuple[Run, Sequence[Mapping[str, Any]]]], others: Mapping[str, Mapping[str, Any]]) -> str:
    """The whole file.

    Parameters
    ----------
    runs
        Runs with the rows of their tables.
    others
        Measurements of other commands by name, each with ``meta`` and ``rows``.
    """
    own = files("guiderail.evaluation")
    style, script = (own.joinpath(name).read_text(encoding="utf-8") for name in ("html_report.css", "html_report.js"))
    # The page's own script runs, and no other: names, answers and records of runs are somebody else's text.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    names = [run.name for run, _ in runs] + list(others)
    body = [_run(run, found, number) for number, (run, found) in enumerate(runs)]
    body += [_other(name, measured) for name, measured in others.items()]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width">'
        f"<title>guiderail: {escape(', '.join(names))}</title><style>{style}</style></head><body>"
        f"{''.join(body)}<script>{script}</script></body></html>\n"
    )


def _run(run: Run, found: Sequence[Mapping[str, Any]], number: int) -> str:
    kinds = list(dict.fromkeys(row["tasks"] for row in found))
    asked, wanted = len({sample["task"] for sample in run.samples}), run.meta["tasks"]
    begun = "" if asked == wanted else f" The run is not finished: {asked} of {wanted} tasks have been asked."
    sections = "".join(_kind(run, kind, [row for row in found if row["tasks"] == kind]) for kind in kinds)
    return (
        f'<header><h1>{escape(run.name)}</h1><p class="about">{escape(run.meta["config"]["about"].strip() + begun)}</p>'
        f"</header>{sections}{_explorer(run, number)}{_conditions(run.meta)}"
    )


def _kind(run: Run, kind: str, found: Sequence[Mapping[str, Any]]) -> str:
    measures = [name for name in MEASURES if any(name in row for row in found)]
    pictures: list[Chart | None] = [
        _bars(name, found) for name in measures if name in {"compiles", "nim", "ism", "pm", "exact"}
    ]
    pictures += _scatters(run, kind, found, measures)
    latencies = {row["system"]: [s["seconds"] for s in _of(run, kind, row["system"])] for row in found}
    pictures.append(
        charts.distributions(
            "Seconds after the encoded prompt: share of answers that took at most so long", "s", latencies
        )
    )
    return (
        f"<h2>{escape(kind)}</h2><p>{found[0]['n']} tasks of {found[0]['packages']} packages, answered by all systems. "
        f"Below each figure its 95 % interval over packages, and the difference to the systems named beside it. CR: no "
        f"errors that the author's text has not; NIM, ISM, PM: next identifier, identifier sequence, prefix match; EM: "
        f"exact match; ES: edit similarity. A name with @k is the expected best of k.</p>{_table(found, measures)}"
        f'<div class="figures">{_drawn(pictures)}</div>'
    )


def _drawn(pictures: Iterable[Chart | None]) -> str:
    return "".join(picture.inline() for picture in pictures if picture)


def _of(run: Run, kind: str, system: str) -> list[Mapping[str, Any]]:
    return [s for s in run.samples if s["kind"] == kind and s["system"] == system]


def _table(found: Sequence[Mapping[str, Any]], measures: Sequence[str]) -> str:
    most = max(row["samples"] for row in found)
    columns = [name for measure in measures for name in (measure, f"{measure}@{most}") if any(name in r for r in found)]
    titles = [MEASURES[name.split("@")[0]] + ("" if "@" not in name else f"@{name.split('@')[1]}") for name in columns]
    head = "".join(f"<th>{title}</th>" for title in ["system", *titles, "s p50", "p95", "tokens/s", "forbidden"])
    lines = []
    for row in found:
        cells = "".join(_cell(row, name) for name in columns)
        speed = "-" if row["tokens_per_s"] is None else f"{row['tokens_per_s']:.0f}"
        times = f"<td>{row['seconds_p50']:.2f}</td><td>{row['seconds_p95']:.2f}</td><td>{speed}</td>"
        lines.append(f"<tr><td>{escape(row['system'])}</td>{cells}{times}<td>{row['forbidden_tokens']}</td></tr>")
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def _cell(row: Mapping[str, Any], name: str) -> str:
    if name not in row:
        return "<td>-</td>"
    low, high = row["intervals"][name]
    notes = [f"<small>{low:.2f} to {high:.2f}</small>"]
    for base, differences in row["against"].items():
        if name in differences:
            value, (below, above) = differences[name]["difference"], differences[name]["interval"]
            certain = "up" if below > 0 else "down" if above < 0 else ""
            notes.append(
                f'<small class="{certain}" title="against {escape(base)}: {below:+.3f} to {above:+.3f}">'
                f'<span class="{certain}">{value:+.3f}</span> {_short(base, row)}</small>'
            )
    return f"<td>{row[name]:.3f}{''.join(notes)}</td>"


def _short(base: str, row: Mapping[str, Any]) -> str:
    """What is different about a base."""
    parts = [part for part in base.split(" · ") if part not in row["system"].split(" · ")]
    return "on " + escape(", ".join(parts))


def _bars(name: str, found: Sequence[Mapping[str, Any]]) -> Chart:
    shown = [
        Bar(_named(row), row[name], row["intervals"][name][0], row["intervals"][name][1], number % COLOURS)
        for number, row in enumerate(found)
        if name in row
    ]
    return charts.bars(MEASURES[name], shown)


def _named(row: Mapping[str, Any]) -> str:
    return f"{row['method']}, monitors {row['monitors']}"


def _scatters(run: Run, kind: str, found: Sequence[Mapping[str, Any]], measures: Sequence[str]) -> list[Chart]:
    """Of each system and the first one that it is compared with, a point for each package."""
    pictures = []
    for row in found:
        for base in list(row["against"])[:1]:
            for measure in [name for name in ("nim", "compiles") if name in measures]:
                mine, theirs = (by_package(_of(run, kind, system), measure) for system in (row["system"], base))
                points = {name: (theirs[name], mine[name]) for name in mine.keys() & theirs.keys()}
                across, up = (name.partition(" · ")[2] for name in (base, row["system"]))
                heading = f"{MEASURES[measure]} by package"
                pictures.append(charts.scatter(heading, across, up, dict(sorted(points.items()))))
    return pictures


def _explorer(run: Run, number: int) -> str:
    asked = {sample["task"] for sample in run.samples}
    tasks = [task for task in run.tasks.values() if task["task"] in asked][:EXPLORED]
    names = {task["task"] for task in tasks}
    data = {"tasks": tasks, "samples": [_sample(s) for s in run.samples if s["task"] in names]}
    # "<" cannot end the script element early, nor begin a comment in it.
    text = json.dumps(data).replace("<", "\\u003c")
    choose = {"kind": _options(tasks, "kind", "every kind"), "package": _options(tasks, "package", "every package")}
    selects = "".join(
        f'<select data-part="{name}" aria-label="{name}">{what}</select>' for name, what in choose.items()
    )
    which = "".join(
        f'<option value="{value}">{words}</option>'
        for value, words in (
            ("all", "all tasks"),
            ("differ", "where systems differ"),
            ("forbidden", "where a monitor forbade a token"),
            ("wrong", "where an answer does not compile"),
        )
    )
    return (
        f'<h2>Samples</h2><div class="explorer" id="explorer{number}"><div class="filters">{selects}'
        f'<select data-part="which" aria-label="which">{which}</select>'
        f'<input data-part="search" type="search" placeholder="search" aria-label="search">'
        f'<span data-part="count"></span></div>'
        f'<div data-part="list"></div><div data-part="sample"></div>'
        f'<script type="application/json">{text}</script></div>'
    )


def _options(tasks: Iterable[Mapping[str, Any]], key: str, every: str) -> str:
    values = sorted({task[key] for task in tasks})
    return f'<option value="">{every}</option>' + "".join(f"<option>{escape(value)}</option>" for value in values)


def _sample(sample: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{key: sample[key] for key in ("task", "system", "sample", "answer", "tokens", "passes", "seconds", "errors")},
        "measures": {title: sample[name] for name, title in MEASURES.items()},
        "watches": sample["monitored"]["watches"] if sample["monitored"] else [],
    }


def _other(name: str, measured: Mapping[str, Any]) -> str:
    """The rows of any measurement as a table, and bars of the numbers that differ."""
    found = measured["rows"]
    keys = [key for key in dict.fromkeys(k for row in found for k in row) if any(_is_plain(r.get(key)) for r in found)]
    head = "".join(f"<th>{escape(key)}</th>" for key in keys)
    lines = "".join(f"<tr>{''.join(f'<td>{_plain(row, key)}</td>' for key in keys)}</tr>" for row in found)
    pictures = [_other_bars(found, key) for key in keys if _is_plotted(found, key)][:PLOTTED]
    return (
        f'<header><h1>{escape(name)}</h1></header><div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f'<tbody>{lines}</tbody></table></div><div class="figures">{_drawn(pictures)}</div>'
        f"{_conditions(measured['meta'])}"
    )


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_plotted(found: Sequence[Mapping[str, Any]], key: str) -> bool:
    values = [row[key] for row in found if _is_number(row.get(key))]
    return len(set(values)) > 1 and min(values) >= 0


def _plain(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    if not _is_plain(value):
        return ""
    text = f"{value:.4g}" if isinstance(value, float) else escape(str(value))
    bounds = row.get("intervals", {}).get(key) if isinstance(row.get("intervals"), dict) else None
    return f"{text}<small>{bounds[0]:.3g} to {bounds[1]:.3g}</small>" if bounds else text


def _other_bars(found: Sequence[Mapping[str, Any]], key: str) -> Chart:
    shown = []
    for number, row in enumerate(found):
        if _is_number(row.get(key)):
            bounds = row["intervals"].get(key) if isinstance(row.get("intervals"), dict) else None
            low, high = bounds or (row[key], row[key])
            label = ", ".join(str(value) for value in row.values() if isinstance(value, str)) or f"row {number + 1}"
            shown.append(Bar(label[:40], float(row[key]), low, high, number % COLOURS))
    return charts.bars(key, shown)


def _conditions(meta: Mapping[str, Any]) -> str:
    flat = {key: value if isinstance(value, str) else json.dumps(value) for key, value in meta.items()}
    items = "".join(f"<dt>{escape(key)}</dt><dd><code>{escape(value)}</code></dd>" for key, value in flat.items())
    return f"<details><summary>Conditions: versions, commit, hardware, seeds</summary><dl>{items}</dl></details>"
