"""``guiderail eval verdict``: how often verdicts find errors in what authors have written."""

from __future__ import annotations

from typing import Any

import click

from guiderail.cli.study import JSON, PACKAGES, Row, Study, Table, number, quick, seed, study


def _kinds(row: Row) -> str:
    return ", ".join(f"{name} {count}" for name, count in row["kinds"].items())


TABLE = Table(
    {
        "true line, with": "{surroundings}",
        "lines": "{lines}",
        "known": "{known}",
        "errors": "{errors:.1%}",
        "left out": "{dropped:.1%}",
        "lines by kind of error": _kinds,
    },
    caption="errors: found wrongly; left out: by verdict = sure",
)


@study(
    "verdict",
    TABLE,
    click.option("--analyser", default="pyrefly", show_default=True, help="Who is asked."),
    quick("Fewer packages and lines, some minutes on two cores"),
    number("Lines of each package"),
    PACKAGES,
    seed("the lines"),
    JSON,
    seeds=("lines", "bootstrap"),
    libraries=("pyrefly", "ty", "basedpyright"),
)
def verdict(study: Study, analyser: str) -> list[dict[str, Any]]:
    """How often a verdict finds errors in lines that authors have written.

    The first run installs each package's dependencies into the cache folder.

    \b
    guiderail eval verdict --quick
    """
    from guiderail.evaluation.studies import verdict as evaluation

    study.conditions["analyser"] = analyser
    files = study.files()
    roots = study.projects(files)
    advance = study.phase("lines", len(roots) * study.plan.lines)
    asked = ((files[name], root, analyser, study.plan, advance) for name, root in roots.items())
    found = [row for each in asked for row in evaluation.samples(*each)]
    return evaluation.rows(found, study.plan)
