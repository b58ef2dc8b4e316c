"""Pairs of releases of held-out packages, as a manifest pins them."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from guiderail.evaluation import archives
from guiderail.evaluation.manifest import ManifestError, Package, held_out_only, registry_named
from guiderail.evaluation.release import Release, texts_of
from guiderail.evaluation.release_changes import Miner

LANGUAGES = {"python": "releases_py.toml", "typescript": "releases_ts.toml"}


@dataclass(frozen=True, slots=True)
class ReleasePair:
    """Two releases of a package, one after the other."""

    old: Package
    new: Package

    @property
    def name(self) -> str:
        """The package's name."""
        return self.old.name

    @property
    def versions(self) -> str:
        """The two versions, for people."""
        return f"{self.old.version} to {self.new.version}"


def read_pairs(path: Path) -> dict[str, list[ReleasePair]]:
    """The pairs of a manifest by package, in the order of `manifest.read_manifest`.

    Raises
    ------
    ManifestError
        The file is not such a manifest, or names a package that is not for the evaluation.
    """
    try:
        listed = tomllib.loads(path.read_text(encoding="utf-8"))
        registry = registry_named(listed.get("registry", "pypi"))
        pairs = [
            ReleasePair(
                *(
                    Package(one["name"], one[which], one[f"{which}_sha256"], one["licence"], registry=registry)
                    for which in ("old", "new")
                )
            )
            for one in listed["pair"]
        ]
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise ManifestError(f"{path} is not a manifest of pairs of releases: {error}", "Restore it") from error
    found: dict[str, list[ReleasePair]] = {}
    for package in held_out_only([pair.old for pair in pairs]):
        found.setdefault(package.name, [])
    for pair in pairs:
        found[pair.name].append(pair)
    return found


def fetch(pairs: Sequence[ReleasePair], folder: Path) -> None:
    """Download what is not there yet; pip takes one version of a package a call.

    Raises
    ------
    DownloadError
        See `archives.fetch`.
    """
    missing = list(dict.fromkeys(one for pair in pairs for one in (pair.old, pair.new)))
    while missing:
        one_of_each = list({package.name: package for package in missing}.values())
        archives.fetch(one_of_each, folder)
        missing = [package for package in missing if package not in one_of_each]


def miner(pair: ReleasePair, folder: Path, language: str) -> Miner:
    """What finds the changes of a fetched pair.

    Raises
    ------
    DownloadError
        An archive is missing or is not the pinned one.
    """
    old, new = (Release(texts_of(archives.members(one, folder), language)) for one in (pair.old, pair.new))
    return Miner(old, new)
