"""``guiderail eval verdict``: how often verdicts find errors in what authors have written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from guiderail.cli.eval_soundness import prepared
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
def verdict(study: Study, analyser: str, limit: int | None) -> list[dict[str, Any]]:
    """How often a verdict finds errors in lines that authors have written.

    The first run installs each package's dependencies into the cache folder.

    \b
    guiderail eval verdict --quick
    """
    from guiderail.evaluation.studies import verdict as evaluation

    study.plan = plan = replace(study.plan, packages=limit or study.plan.packages)
    study.conditions["analyser"] = analyser
    own = study.files()
    advance = study.phase("lines", len(own) * plan.lines)
    found: list[evaluation.Sample] = []
    for name, files in own.items():
        root = prepared(name, files) if files else None
        if root is not None:
            found += evaluation.samples(files, root, analyser, plan, advance)
    return evaluation.rows(found, plan)
