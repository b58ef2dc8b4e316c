"""``guiderail methods``: what can be chosen to decode with, where it comes from, and what goes together."""

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from guiderail.decoding.part import Part

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
    """List the ways to decode, with their papers, costs and parameters, and what they compose with.

    \b
    guiderail complete app.py --method adadec --set lookahead=4
    """
    from guiderail.decoding.registry import find, known

    found = [find(name) for name in names] or sorted(known().values(), key=lambda one: list(HEADINGS).index(one.kind))
    rows = [{"name": one.name, "kind": one.kind, "owner": one.owner, **_row(one.load())} for one in found]
    click.echo(json.dumps(rows, indent=2) if as_json else _as_text(rows))


def _row(part: "type[Part]") -> dict[str, Any]:
    from guiderail.rule import in_words

    about = part.about
    return {
        "summary": about.summary,
        "paper": about.paper,
        "cost": about.cost,
        "composes_with": _composition(part),
        "parameters": [
            {"name": key, "default": default, "allowed": in_words(rule, default), "help": rule.help}
            for key, (rule, default) in part.rules().items()
        ],
    }


def _composition(part: "type[Part]") -> str:
    """What it goes together with, in one line."""
    about = part.about
    words = []
    if part.kind == "method":
        kinds = {
            "stages": about.stages,
            "constraints and monitors": about.constraints,
            "drafters": about.drafters,
        }
        words.append(", ".join(kind for kind, works in kinds.items() if works) or "nothing")
    else:
        words.append({"drafter": "methods that take drafters"}.get(part.kind, "any method that takes it"))
    if about.needs:
        words.append(f"needs {' or '.join(about.needs)}")
    if about.refuses:
        words.append(f"not with {', '.join(about.refuses)}")
    if about.sampling != "any":
        words.append({"greedy": "temperature 0 only", "sampled": "temperature above 0 only"}[about.sampling])
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
        lines += [f"      from {row['paper']}"] if row["paper"] else []
        lines += [f"      costs {row['cost']}", f"      composes with {row['composes_with']}"]
        for one in row["parameters"]:
            lines.append(f"      {one['name']} = {one['default']!r}: {one['help']} ({one['allowed']})")
    return "\n".join(lines)
