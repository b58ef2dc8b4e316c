"""Pairs of releases are pinned in manifests, under the rule of names."""

from pathlib import Path

import pytest

from guiderail.evaluation.manifest import EVALUATION_DIGITS, ManifestError, datasets_folder, digit
from guiderail.evaluation.release_pairs import LANGUAGES, read_pairs

PAIR = '[[pair]]\nname = "{}"\nlicence = "MIT"\nold = "1"\nold_sha256 = "{}"\nnew = "2"\nnew_sha256 = "{}"\n'


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_manifests_hold_held_out_packages(language: str) -> None:
    """Each archive is pinned by its hash, and of each pair the two are not the same."""
    found = read_pairs(datasets_folder() / LANGUAGES[language])
    pairs = [pair for own in found.values() for pair in own]
    assert {digit(name) for name in found} <= EVALUATION_DIGITS
    assert all(len(one.sha256) == 64 for pair in pairs for one in (pair.old, pair.new))
    assert all(pair.old.sha256 != pair.new.sha256 for pair in pairs)
    assert len({(pair.name, pair.versions) for pair in pairs}) == len(pairs)
    assert {pair.old.registry for pair in pairs} == {"pypi" if language == "python" else "npm"}


def test_pairs_of_a_package_stand_together(tmp_path: Path) -> None:
    file = tmp_path / "pairs.toml"
    file.write_text(PAIR.format("rq", "a", "b") + PAIR.format("trio", "c", "d") + PAIR.format("rq", "b", "e"))
    found = read_pairs(file)
    assert {name: [pair.new.sha256 for pair in own] for name, own in found.items()} == {"rq": ["b", "e"], "trio": ["d"]}


@pytest.mark.parametrize("text", [PAIR.format("requests", "a", "b"), "[[pair]]\nname = 'rq'\n", "x"])
def test_a_manifest_that_may_not_be_is_refused(tmp_path: Path, text: str) -> None:
    """A package of the training, or one that is not pinned."""
    (tmp_path / "pairs.toml").write_text(text)
    with pytest.raises(ManifestError):
        read_pairs(tmp_path / "pairs.toml")
