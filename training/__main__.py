"""`python -m training`: every stage from the manifest to the exported weights of the embedded model."""

from __future__ import annotations

import math
import os
from pathlib import Path

import click

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads on busy cores cost up to tenfold

RECIPES = Path(__file__).parent / "recipes"
RECIPE = click.argument(
    "recipe", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=RECIPES / "cpu.toml"
)


@click.group(invoke_without_command=True)
@click.pass_context
def main(context: click.Context) -> None:
    """Build the embedded completion model; without a command: `run training/recipes/cpu.toml`."""
    if context.invoked_subcommand is None:
        context.invoke(run, recipe=RECIPES / "cpu.toml", until="export", seconds=math.inf)


@main.command()
@RECIPE
@click.option(
    "--until",
    type=click.Choice(["manifest", "download", "corpus", "tokenizer", "pack", "train", "export"]),
    default="export",
    help="Last stage to do.",
)
@click.option("--seconds", type=float, default=math.inf, help="Pause training after so long; run again to go on.")
def run(recipe: Path, until: str, seconds: float) -> None:
    """Do every stage of RECIPE that is not done yet."""
    from training.recipe import load_recipe
    from training.stages import Paused, run_stages
    from training.start import StartError

    try:
        run_stages(load_recipe(recipe), click.echo, until, seconds)
    except Paused as pause:
        click.echo(str(pause))
    except StartError as error:
        raise click.ClickException(str(error)) from None


@main.command()
@RECIPE
def cooldown(recipe: Path) -> None:
    """Tell the running training of RECIPE to begin its decay now."""
    _leave_word(recipe, "cooldown-now")


@main.command()
@RECIPE
def pause(recipe: Path) -> None:
    """Tell the running training of RECIPE to write a checkpoint and stop."""
    _leave_word(recipe, "stop")


def _leave_word(recipe: Path, word: str) -> None:
    from training.runs import run_folder_of

    (run_folder_of(recipe) / word).touch()


@main.command()
@RECIPE
@click.option("--to", type=click.Path(path_type=Path), help="Folder instead of the recipe's own.")
def export(recipe: Path, to: Path | None) -> None:
    """Export the newest checkpoint of RECIPE, finished or not."""
    from training.export import export
    from training.recipe import load_recipe

    click.echo(export(load_recipe(recipe), to))


@main.command()
@RECIPE
def table(recipe: Path) -> None:
    """Print what the corpus of RECIPE holds, by licence."""
    from training.recipe import load_recipe
    from training.summary import corpus_table

    click.echo(corpus_table(load_recipe(recipe)))


@main.command()
@RECIPE
def figures(recipe: Path) -> None:
    """Print tokens, time and validation of RECIPE's run, in all and since its start."""
    from training.recipe import load_recipe
    from training.summary import run_table

    click.echo(run_table(load_recipe(recipe)))


@main.command()
@RECIPE
@click.option("--to", type=click.Path(path_type=Path), required=True, help="Picture to write.")
def plot(recipe: Path, to: Path) -> None:
    """Draw the loss curve of RECIPE's run."""
    from training.plot import draw
    from training.recipe import load_recipe

    draw(load_recipe(recipe).run_folder, to)


@main.command()
@RECIPE
@click.option("--to", type=click.Path(path_type=Path), required=True, help="Folder to write.")
@click.option("--limit-mib", type=float, default=60.0)
def bundle(recipe: Path, to: Path, limit_mib: float) -> None:
    """Compress tokenizer and packed corpus of RECIPE for a machine without a network."""
    from training.bundle import write_bundle
    from training.recipe import load_recipe

    click.echo(f"{write_bundle(load_recipe(recipe).work, to, int(limit_mib * 2**20)):,} tokens")


@main.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@RECIPE
def unbundle(folder: Path, recipe: Path) -> None:
    """Unpack a bundle for RECIPE."""
    from training.bundle import read_bundle
    from training.recipe import load_recipe

    read_bundle(folder, load_recipe(recipe).work)


if __name__ == "__main__":
    main()
