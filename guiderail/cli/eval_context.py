"""``guiderail eval context``: what each kind of context from other files is worth."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import click

from guiderail.cli.study import JSON, PACKAGES, SAMPLES, Row, Study, Table, number, quick, seed, study


def _gain(row: Row, name: str, form: str) -> str:
    if f"{name}_gain" not in row:
        return "-"
    low, high = row[f"{name}_gain_interval"]
    return f"{row[f'{name}_gain']:{form}} [{low:{form}}, {high:{form}}]"


TABLE = Table(
    {
        "context": "{kind}",
        "cursors": "{cursors}",
        "with any": "{n}",
        "bits a byte without": "{bits_without:.3f}",
        "with": "{bits_with:.3f}",
        "difference": partial(_gain, name="bits", form="+.3f"),
        "exact without": "{exact_without:.1%}",
        "with ": "{exact_with:.1%}",
        "difference ": partial(_gain, name="exact", form="+.1%"),
    },
    caption="of the rest of the line, at cursors at which there is such context; 95 % intervals over packages",
    width=150,
)


@study(
    "context",
    TABLE,
    click.option("--kind", "kinds", multiple=True, help="Which kinds; may be given several times.  [default: all]"),
    quick("Four packages and twelve cursors, about two minutes on two cores"),
    number("Cursors in all"),
    PACKAGES,
    seed("the cursors"),
    SAMPLES,
    JSON,
    settings=("model", "device", "dtype", "threads", "analyser"),
    seeds=("cursors", "bootstrap"),
    libraries=("pyrefly",),
)
def context(study: Study, kinds: tuple[str, ...], samples: str | None) -> list[dict[str, Any]]:
    """What context from other files is worth: bits a byte of the truth, and exact rests of lines, each kind alone.

    The cursors are in lines that a release of a held-out package added. Diagnostics come without its dependencies.

    \b
    guiderail eval context --quick
    guiderail eval context --n 300 --json context.json
    """
    from guiderail.cli.loading import load_engine
    from guiderail.engine.time_limits import BATCH
    from guiderail.errors import UsageError
    from guiderail.evaluation.context_kinds import KINDS
    from guiderail.evaluation.studies import context as evaluation
    from guiderail.evaluation.tasks import spread
    from guiderail.model.fingerprint import fingerprint
    from guiderail.monitors.analysis.pool import ServerPool

    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise UsageError(f"there is no context of the kind {unknown[0]!r}", f"Name one of: {', '.join(KINDS)}")
    plan, chosen = study.plan, kinds or tuple(KINDS)
    pairs = _pairs(study)
    engine = load_engine(study.settings, limits=BATCH)
    study.conditions["model"] = engine.name
    gauge, found = evaluation.Gauge(engine, study.settings, plan), []
    run = {"settings": asdict(study.settings), "weights": fingerprint(engine.model.info), "kinds": list(chosen)}
    advance = study.phase("completing", plan.cursors)
    pool = ServerPool(study.settings.analyser)
    try:
        with study.rows(samples, packages=None, cursors=None, **run) as log:
            for name, share in spread(plan.cursors, list(pairs)).items():
                with tempfile.TemporaryDirectory() as work:
                    cursors = _laid_out(name, pairs[name], Path(work), share, plan.seed)
                    found += evaluation.evaluate(gauge, cursors, Path(work), pool, plan, chosen, log, advance)
    finally:
        pool.stop()
        engine.unload()
    return evaluation.rows(found, study.conditions["model"], plan)


def _pairs(study: Study) -> dict[str, Any]:
    """The last pair of releases of each package, fetched."""
    from guiderail.evaluation import manifest, packages, release_pairs

    pinned = manifest.datasets_folder() / release_pairs.LANGUAGES["python"]
    study.conditions["manifest_sha256"] = packages.sha256_of(pinned)
    listed = list(release_pairs.read_pairs(pinned).items())[: study.plan.packages]
    study.phase("fetching packages", None)
    release_pairs.fetch([pair for _, own in listed for pair in own], packages.cache_folder())
    return {name: own for name, own in listed if own}


def _laid_out(name: str, pairs: Sequence[Any], folder: Path, count: int, seed: int) -> list[Any]:
    """Cursors in the last pair of releases that has any; its later release is written into the folder."""
    from guiderail.evaluation import packages, release_pairs, replayed_edits

    for pair in reversed(pairs):
        miner = release_pairs.miner(pair, packages.cache_folder(), "python")
        old, new = miner.before.texts, miner.after.texts
        cursors = replayed_edits.draw(name, old, new, count, seed)
        if cursors:
            for path, text in new.items():
                place = folder / path
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(text, encoding="utf-8")
            return cursors
    return []
