"""``guiderail calibrate``: from which entropy on a model is unsure, learned from true code."""

from pathlib import Path
from typing import Any

import click

from guiderail.cli.options import OUTPUT, PICTURE

QUICK_TOKENS = 6000


@click.command()
@click.argument("folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--model", default="embedded", show_default=True, metavar="REF", help="The model to calibrate.")
@click.option(
    "--tokens", type=click.IntRange(1000), default=20_000, show_default=True, help="Places of code to look at."
)
@click.option("--seed", type=int, default=42, show_default=True, help="Of the files, the places and the split.")
@click.option("--picture", type=PICTURE, metavar="FILE.svg", help="Draw what was learned.")
@click.option("--keep/--no-keep", default=True, help="Keep the threshold for the method adadec.  [default: keep]")
@click.option("--quick", is_flag=True, help="Fewer places: under three minutes on two cores.")
@click.option("--json", "target", type=OUTPUT, help="Write meta and rows as JSON; '-' is standard output.")
def calibrate(
    folder: Path | None,
    model: str,
    tokens: int,
    seed: int,
    picture: str | None,
    keep: bool,
    quick: bool,
    target: str | None,
) -> None:
    """Learn from code in FOLDER, by default that of the installed packages, where a model is unsure.

    The method adadec looks ahead where the entropy of the next token reaches the threshold that is learned here. It
    is kept for exactly these weights.
    """
    from guiderail.decoding.methods import calibration
    from guiderail.evaluation import calibrate as fitting
    from guiderail.evaluation import measurement
    from guiderail.model.load import load

    loaded = load(model)
    tokens = min(tokens, QUICK_TOKENS) if quick else tokens
    places = _observed(loaded, fitting.source_files(folder, seed), tokens, seed)
    found = fitting.fit_threshold(places, seed)
    conditions = measurement.meta(
        {"calibration": seed}, model=loaded.info.name, code="a folder" if folder else "site-packages"
    )
    kept = calibration.write(loaded.info, {**found, "seed": seed, "commit": conditions["commit"]}) if keep else None
    if picture:
        measurement.write_text(picture, fitting.picture(places, found["threshold"]).file())
    if target != "-":
        click.echo(_report(loaded.info.name, found))
        if kept:
            click.echo(f"kept in {kept}")
    if target:
        measurement.write(target, conditions, [{"model": loaded.info.name, **found}])


def _observed(model: Any, files: list[Path], tokens: int, seed: int) -> Any:
    from guiderail.cli.held_out import progress
    from guiderail.evaluation import calibrate as fitting

    parts = []
    with progress() as bar:
        task = bar.add_task("reading code", total=tokens)
        for part in fitting.token_statistics(model, files, tokens, seed):
            parts.append(part)
            bar.advance(task, len(part.ranks))
    return fitting.concatenated(parts)


def _report(name: str, found: dict[str, Any]) -> str:
    return "\n".join(
        (
            f"{name}: unsure from {found['threshold']:.3f} nats on, at {found['pause_rate']:.1%} of "
            f"{found['places']} places of code",
            f"  entropy tells wrong from right with an AUC of {found['auc']:.3f}",
            f"  believing the model below the threshold is right at {found['accuracy']:.2%} of the places, always "
            f"believing it at {found['majority']:.2%}",
            f"  the optimum is flat: from {found['flat_from']:.2f} to {found['flat_to']:.2f} nats lose at most "
            "a tenth of a point",
            f"  where it is unsure the true token is first {found['paused_rank_1']:.0%}, second or third "
            f"{found['paused_rank_2_3']:.0%}, further down {found['paused_rank_over_3']:.0%}",
            f"  {found['caught']:.0%} of the places where the model is wrong are found",
        )
    )
