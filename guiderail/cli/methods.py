"""``guiderail methods``: what can be chosen to decode with, where it comes from, and what goes together."""

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from guiderail.decoding.spec import Spec

HEADINGS = {
    "method": "Methods (--method NAME)",
    "stage": "Stages (--method NAME, or --method METHOD+NAME)",
    "constraint": "Constraints (--method NAME, or --method METHOD+NAME)",
    "drafter": "Drafters (--drafter NAME)",
}


@click.command()
@click.argument("names", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def methods(names: tuple[str, ...], as_json: bool) -> None:
    """List the ways to decode: when to use each, its paper, cost and parameters, and what it composes with.

    \b
    guiderail complete app.py --method adadec --set lookahead=4
    """
    from guiderail.decoding.registry import find, known

    found = [find(name) for name in names] or sorted(known().values(), key=lambda one: list(HEADINGS).index(one.kind))
    rows = [{"name": one.name, "kind": one.kind, "owner": one.owner, **_row(one.load())} for one in found]
    click.echo(json.dumps(rows, indent=2) if as_json else _as_text(rows))


def _row(spec: "type[Spec]") -> dict[str, Any]:
    from guiderail.rule import in_words

    metadata = spec.metadata
    return {
        "summary": metadata.summary,
        "paper": metadata.paper,
        "cost": metadata.cost,
        "use": metadata.use,
        "composes_with": _composition(spec),
        "parameters": [
            {"name": key, "default": default, "allowed": in_words(rule, default), "help": rule.help}
            for key, (rule, default) in spec.rules().items()
        ],
    }


def _composition(spec: "type[Spec]") -> str:
    """What it goes together with, in one line."""
    metadata = spec.metadata
    words = []
    if spec.kind == "method":
        kinds = {
            "stages": metadata.stages,
            "constraints and monitors": metadata.constraints,
            "drafters": metadata.drafters,
        }
        words.append(", ".join(kind for kind, works in kinds.items() if works) or "nothing")
    else:
        words.append({"drafter": "methods that take drafters"}.get(spec.kind, "any method that takes it"))
    if metadata.needs:
        words.append(f"needs {' or '.join(metadata.needs)}")
    if metadata.refuses:
        words.append(f"not with {', '.join(metadata.refuses)}")
    if metadata.sampling != "any":
        words.append({"greedy": "temperature 0 only", "sampled": "temperature above 0 only"}[metadata.sampling])
    return "; ".join(words)


def _as_text(rows: list[dict[str, Any]]) -> str:
    lines: list[str] = []
    kind = ""
    for row in rows:
        if row["kind"] != kind:
            kind = row["kind"]
            lines += [*([""] if lines else []), HEADINGS[kind]]
        owner = "" if row["owner"] == "guiderail" else f"  (from {row['owner']})"
        lines.append(f"  {row['name']}: {row['summary']}{owner}")
        lines += [f"      use it {row['use']}"] if row["use"] else []
        lines += [f"      from {row['paper']}"] if row["paper"] else []
        lines += [f"      costs {row['cost']}", f"      composes with {row['composes_with']}"]
        for one in row["parameters"]:
            lines.append(f"      {one['name']} = {one['default']!r}: {one['help']} ({one['allowed']})")
    return "\n".join(lines)
