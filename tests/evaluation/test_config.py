"""What a run measures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from guiderail.engine.choice import chosen
from guiderail.errors import UsageError
from guiderail.evaluation.config import Config, read
from guiderail.evaluation.manifest import datasets_folder

TASKS = '[[tasks]]\nset = "dotprompts_py"\n'


def written(folder: Path, text: str) -> Config:
    file = folder / "own.toml"
    file.write_text(text)
    return read(file)


def test_greedy_decoding_is_always_there(tmp_path: Path) -> None:
    """A configuration that forgets the baseline gets it."""
    config = written(tmp_path, TASKS + '[[method]]\nlabel = "sampling"\ntemperature = 0.8\nsamples = 3\n')
    assert [(m.label, m.samples) for m in config.methods] == [("greedy", 1), ("sampling", 3)]


def test_monitors_bring_their_baselines(tmp_path: Path) -> None:
    """None at all, and the mask that knows the grammar only, greedily."""
    config = written(tmp_path, 'monitors = ["all"]\n' + TASKS + '[[method]]\nlabel = "s"\ntemperature = 0.8\n')
    assert [(s.method.label, s.monitors) for s in config.systems()] == [
        ("greedy", "off"),
        ("greedy", "syntax"),
        ("greedy", "all"),
        ("s", "off"),
        ("s", "all"),
    ]


def test_paths_begin_beside_the_configuration(tmp_path: Path) -> None:
    """So that a folder with a configuration and its files can be moved."""
    config = written(tmp_path, '[[tasks]]\nreader = "safim"\npath = "api.jsonl"\n[[tasks]]\nset = "own.set.toml"\n')
    assert config.tasks[0].path == str(tmp_path / "api.jsonl")
    assert config.tasks[1].set == str(tmp_path / "own.set.toml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no tasks"),
        ("colour = 1\n" + TASKS, "unknown key 'colour'"),
        ("[[tasks]]\ncount = 3\n", "a set or a reader"),
        ('[[tasks]]\nset = "a"\nreader = "b"\n', "a set or a reader"),
        (TASKS + "[settings]\nspeed = 3\n", "speed"),
        (TASKS + "[settings]\njudge = 3\n", "judge of own.toml"),
        (TASKS + '[[method]]\nlabel = "a"\n[[method]]\nlabel = "a"\n', "are called 'a'"),
        (TASKS + '[[method]]\nlabel = "a"\nsamples = 2\n', "'a' would give one answer"),
        ("models = [", "not a configuration"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(tmp_path: Path, text: str, words: str) -> None:
    """Nothing is silently left out."""
    with pytest.raises(UsageError, match=words):
        written(tmp_path, text)


def test_the_digest_is_of_everything(tmp_path: Path) -> None:
    """Two configurations that differ anywhere are not continued by each other."""
    config = written(tmp_path, TASKS)
    assert config.digest() == written(tmp_path, TASKS).digest()
    assert config.digest() != replace(config, settings=replace(config.settings, max_tokens=1)).digest()


@pytest.mark.parametrize("name", ["quick", "headline"])
def test_the_shipped_configurations_can_be_read(name: str) -> None:
    """They say how their prompts were chosen, and their methods compose with their monitors."""
    config = read(datasets_folder() / f"{name}.toml")
    assert all(chosen(system.settings(config.settings)) for system in config.systems())
    assert "seeded rule" in config.about
