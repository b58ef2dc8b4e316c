"""The laws of `guiderail models`; fetching is stated in tests/model/test_store.py."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import constants

from guiderail.model import memory, store
from tests.cli.conftest import Result
from tests.helpers.hub import COMMIT, fill_cache
from tests.helpers.tiny import tiny_model_folder

Run = Callable[..., Result]
HUB_ID = "owner/tiny"


@pytest.fixture(scope="module")
def without_fim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model_folder("phi", tmp_path_factory.mktemp("phi"))


@pytest.fixture(autouse=True)
def machine(home: Path, tiny_model: Path, without_fim: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An embedded model, and one model in the hub's cache; returns the cache."""
    cache = home / "hub"
    cache.mkdir(parents=True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(store, "EMBEDDED_FOLDER", tiny_model)
    fill_cache(cache, HUB_ID, without_fim)
    return cache


@pytest.fixture
def config(home: Path) -> Path:
    return home / "config" / "guiderail" / "config.toml"


def test_ls_shows_each_model_on_one_line(guiderail: Run) -> None:
    """Size, family, fill-in-the-middle, licence, whether it fits; a star at the one in use."""
    done = guiderail("models", "ls")
    assert (done.code, done.err) == (0, "")
    head, embedded, pulled = (" ".join(line.split()) for line in done.out.splitlines())
    assert head == "model parameters on disk family fill-in-the-middle licence fits in memory"
    assert embedded.startswith("* embedded 0.2 M ")
    assert embedded.endswith(" qwen3 guiderail apache-2.0 yes")
    assert pulled.startswith(f"{HUB_ID} 0.2 M ")
    assert pulled.endswith(" phi none apache-2.0 yes")


def test_ls_says_what_a_model_that_does_not_fit_needs(guiderail: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda _device: 1000)
    rows = guiderail("models", "ls").out.splitlines()[1:]
    assert all("no, needs " in row for row in rows)
    assert not any(row["fits"] for row in json.loads(guiderail("models", "ls", "--json").out))


def test_ls_json_is_what_show_json_says_of_each(guiderail: Run) -> None:
    rows = json.loads(guiderail("models", "ls", "--json").out)
    assert [row["name"] for row in rows] == ["embedded", HUB_ID]
    fixed = {"name", "in_use", "fim", "layouts", "revision", "folder", "parameters", "bytes_on_disk", "licence", "fits"}
    for row in rows:
        shown = json.loads(guiderail("models", "show", row["name"], "--json").out)
        assert {key: row[key] for key in fixed} == {key: shown[key] for key in fixed}
        assert row.keys() == shown.keys()


def test_ls_on_an_empty_machine_says_how_to_get_a_model(
    guiderail: Run, machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "EMBEDDED_FOLDER", tmp_path / "absent")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "absent"))
    done = guiderail("models", "ls")
    assert (done.code, done.out) == (0, "")
    assert "guiderail models pull ID" in done.err


def test_show_says_what_the_model_in_use_can_do(guiderail: Run, tiny_model: Path) -> None:
    done = guiderail("models", "show")
    lines = dict(line.split(maxsplit=1) for line in done.out.splitlines() if " " in line.strip())
    assert lines["model"] == "embedded (in use)"
    assert lines["fill-in-the-middle"] == "guiderail (psm, spm, efim)"
    assert lines["folder"] == str(tiny_model)
    assert "it fits" in lines["memory"]


def test_show_of_a_pulled_model_names_its_commit_and_its_lack_of_infilling(guiderail: Run) -> None:
    lines = dict(line.split(maxsplit=1) for line in guiderail("models", "show", HUB_ID).out.splitlines())
    assert lines["revision"] == COMMIT
    assert lines["fill-in-the-middle"] == "none: prefix only"


@pytest.mark.parametrize("command", ["show", "use"])
def test_an_unknown_model_is_one_clear_line(guiderail: Run, command: str, config: Path) -> None:
    line = "guiderail: The model no/model is not on this machine. Fetch it: guiderail models pull no/model\n"
    assert guiderail("models", command, "no/model") == Result(2, "", line)
    assert not config.exists()


def test_use_changes_the_model_and_nothing_else(guiderail: Run, config: Path) -> None:
    config.parent.mkdir(parents=True)
    config.write_text("# mine\nseed = 3  # lucky\n")
    assert guiderail("models", "use", HUB_ID).code == 0
    assert config.read_text().startswith("# mine\nseed = 3  # lucky\n")
    assert tomllib.loads(config.read_text()) == {"seed": 3, "model": HUB_ID}
    rows = json.loads(guiderail("models", "ls", "--json").out)
    assert [row["in_use"] for row in rows] == [False, True]


def test_use_of_a_folder_writes_where_it_is(guiderail: Run, config: Path, tiny_model: Path) -> None:
    """A relative path would mean another model in another folder."""
    Path("here").symlink_to(tiny_model)
    assert guiderail("models", "use", "./here").code == 0
    assert tomllib.loads(config.read_text())["model"] == str(tiny_model.resolve())


def test_use_says_when_something_stronger_decides(guiderail: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUIDERAIL_MODEL", "embedded")
    done = guiderail("models", "use", HUB_ID)
    assert done.err.splitlines()[-1] == "Here it has no effect: the model is set by environment GUIDERAIL_MODEL"


def test_use_without_a_writable_home_is_one_clear_line(guiderail: Run, home: Path) -> None:
    (home / "config").write_text("in the way")
    done = guiderail("models", "use", HUB_ID)
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert done.err.startswith("guiderail: cannot write ")
    assert "--model" in done.err


def test_rm_needs_yes_where_nobody_can_be_asked(guiderail: Run, machine: Path) -> None:
    done = guiderail("models", "rm", HUB_ID)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"guiderail: {HUB_ID} would be deleted. Without a terminal to ask on, say --yes\n"
    assert list(machine.glob("models--*"))


def test_rm_with_yes_deletes(guiderail: Run, machine: Path) -> None:
    done = guiderail("models", "rm", HUB_ID, "--yes")
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith(f"{HUB_ID} deleted, ")
    assert not list(machine.glob("models--*"))


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("name", ["some/other", "embedded"])
def test_what_cannot_be_deleted_is_not_asked_about(guiderail: Run, name: str) -> None:
    """A name that rm cannot delete is refused before anybody is asked to confirm."""
    done = guiderail("models", "rm", name)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert "would be deleted" not in done.err


def test_the_embedded_model_stays(guiderail: Run, tiny_model: Path) -> None:
    done = guiderail("models", "rm", "embedded", "--yes")
    assert done.code == 2
    assert "cannot be removed" in done.err
    assert (tiny_model / "config.json").exists()


def test_pull_offline_is_one_clear_line(guiderail: Run) -> None:
    line = "guiderail: The hub client is set to work offline. Unset HF_HUB_OFFLINE\n"
    assert guiderail("models", "pull", HUB_ID) == Result(1, "", line)
