"""Laws of the models on this machine and of fetching more."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from gguf import GGMLQuantizationType
from huggingface_hub import constants

from guiderail.errors import UsageError
from guiderail.model import store
from guiderail.model.store import StorageError, UnknownModelError
from tests.helpers.gguf import write_gguf
from tests.helpers.hub import COMMIT, Hub, fill_cache, serving
from tests.helpers.tiny import tiny_model_folder

HUB_ID = "owner/tiny"
# The command, with a client that writes what arrives in small pieces: its own are of 10 MB.
COMMAND = (
    "from huggingface_hub import constants; constants.DOWNLOAD_CHUNK_SIZE = 4096; "
    "from guiderail.cli.main import main; main()"
)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model_folder("qwen2", tmp_path_factory.mktemp("original"), max_shard_size="400KB")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "hub"
    path.mkdir()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(store, "_pin_file", lambda: tmp_path / "data" / "pins.json")
    monkeypatch.setattr(store, "EMBEDDED_FOLDER", tmp_path / "absent")
    return path


def test_every_usable_model_is_listed_the_embedded_one_first(
    cache: Path, original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data sets, adapters and broken transfers in the same cache are passed over."""
    fill_cache(cache, "z/last", original)
    fill_cache(cache, "a/first", original)
    broken = fill_cache(cache, "b/broken", original)
    (broken / "model-00001-of-00003.safetensors").unlink()
    shutil.copytree(cache / "models--z--last", cache / "datasets--z--data")
    assert [info.name for info in store.pulled()] == ["a/first", "z/last"]
    monkeypatch.setattr(store, "EMBEDDED_FOLDER", original)
    found = list(store.pulled())
    assert [info.name for info in found] == ["embedded", "a/first", "z/last"]
    assert [info.revision for info in found] == [None, COMMIT, COMMIT]


def test_without_a_cache_nothing_is_listed(cache: Path) -> None:
    cache.rmdir()
    assert list(store.pulled()) == []


def test_remove_deletes_the_files_and_the_pins(cache: Path, original: Path) -> None:
    fill_cache(cache, HUB_ID, original)
    fill_cache(cache, "owner/other", original)
    store.write_pins({HUB_ID: COMMIT, f"{HUB_ID}@v2": COMMIT, "owner/other": COMMIT})
    assert store.remove(HUB_ID) > 0
    assert [info.name for info in store.pulled()] == ["owner/other"]
    assert store.pins() == {"owner/other": COMMIT}
    assert not (cache / "models--owner--tiny").exists()


@pytest.mark.parametrize("name", ["owner/absent", "embedded"])
def test_what_was_not_pulled_cannot_be_removed(cache: Path, name: str) -> None:
    with pytest.raises(UnknownModelError):
        store.remove(name)


def test_damaged_pins_are_no_pins(cache: Path, original: Path) -> None:
    snapshot = fill_cache(cache, HUB_ID, original)
    store._pin_file().parent.mkdir()
    store._pin_file().write_text("[1")
    assert store.pins() == {}
    assert store.find(HUB_ID) == snapshot


def test_use_keeps_other_keys_and_comments(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "config.toml"
    store.use("owner/one", file)
    assert file.read_text() == 'model = "owner/one"\n'
    file.write_text('# mine\nuntil = "block"  # as I like it\nmodel = "old"  # for now\n\nseed = 3\n')
    store.use("owner/two", file)
    assert file.read_text() == '# mine\nuntil = "block"  # as I like it\nmodel = "owner/two"  # for now\n\nseed = 3\n'


def test_use_leaves_a_damaged_file_alone(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("model = = 1\n")
    with pytest.raises(UsageError, match="not valid TOML"):
        store.use("embedded", file)
    assert file.read_text() == "model = = 1\n"


def test_use_says_what_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match=r"cannot write .*config\.toml: Not a directory") as caught:
        store.use("embedded", tmp_path / "file" / "folder" / "config.toml")
    assert "GUIDERAIL_MODEL" in caught.value.remedy


def test_a_model_without_a_pin_is_removed_where_no_pin_can_be_written(
    cache: Path, original: Path, tmp_path: Path
) -> None:
    fill_cache(cache, HUB_ID, original)
    (tmp_path / "data").write_text("in the way")
    assert store.remove(HUB_ID) > 0
    assert list(store.pulled()) == []


def _pull(reference: str, home: Path, endpoint: str, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own: the hub client reads its address when it is imported."""
    home.mkdir(exist_ok=True)
    settings = {
        "HF_ENDPOINT": endpoint,
        "HF_HUB_CACHE": str(home / "hub"),
        "HF_HOME": str(home),
        "XDG_DATA_HOME": str(home / "data"),
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "GUIDERAIL_"))}
    return subprocess.run(
        [sys.executable, "-c", COMMAND, "models", "pull", reference, *options],
        env=inherited | settings | env,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.e2e
def test_a_pull_fetches_the_model_and_nothing_else(original: Path, tmp_path: Path) -> None:
    """Not code, not pickles, not a second copy of the weights; and its commit is pinned."""
    with serving(Hub(HUB_ID, original)) as hub:
        for name in ("modeling_own.py", "pytorch_model.bin", "consolidated.safetensors", "optimizer.pt"):
            hub.files[name] = b"x"
        done = _pull(HUB_ID, tmp_path, hub.endpoint)
    assert (done.returncode, done.stderr) == (
        0,
        f"{HUB_ID} at {COMMIT} is ready. Use it: guiderail models use {HUB_ID}\n",
    )
    folder = Path(done.stdout.strip())
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        path.name: path.read_bytes() for path in original.iterdir()
    }
    assert json.loads((tmp_path / "data" / "guiderail" / "models.json").read_text()) == {HUB_ID: COMMIT}


@pytest.mark.e2e
def test_a_branch_that_was_pulled_is_found_by_its_name(original: Path, tmp_path: Path) -> None:
    """At the commit that it was then, and by the same reference as it was pulled by."""
    with serving(Hub(HUB_ID, original)) as hub:
        assert _pull(f"{HUB_ID}@main", tmp_path, hub.endpoint).returncode == 0
    pins = json.loads((tmp_path / "data" / "guiderail" / "models.json").read_text())
    assert pins == {HUB_ID: COMMIT, f"{HUB_ID}@main": COMMIT}
    here = {"HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1", "XDG_DATA_HOME": str(tmp_path / "data")}
    shown = [sys.executable, "-m", "guiderail", "models", "show", f"{HUB_ID}@main", "--json"]
    done = subprocess.run(shown, env=os.environ | here, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["revision"] == COMMIT


@pytest.mark.e2e
def test_a_finished_pull_is_not_lost_where_no_pin_can_be_written(original: Path, tmp_path: Path) -> None:
    """The failure names what the model can be used by, and it can."""
    (tmp_path / "data").write_text("in the way")
    with serving(Hub(HUB_ID, original)) as hub:
        done = _pull(HUB_ID, tmp_path, hub.endpoint)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "is fetched, but its commit is not pinned: cannot write" in done.stderr
    assert done.stderr.endswith(f". Name it {HUB_ID}@{COMMIT}\n")
    env = os.environ | {"HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"}
    shown = [sys.executable, "-m", "guiderail", "models", "show", f"{HUB_ID}@{COMMIT}"]
    assert subprocess.run(shown, env=env, capture_output=True, check=False).returncode == 0


@pytest.mark.e2e
def test_a_broken_transfer_goes_on_where_it_stopped(original: Path, tmp_path: Path) -> None:
    """Nothing is pinned until all is there; then only what was missing is asked for."""
    with serving(Hub(HUB_ID, original)) as hub:
        hub.break_after = 200_000
        failed = _pull(HUB_ID, tmp_path, hub.endpoint)
        assert failed.returncode == 1
        assert failed.stderr.startswith(f"guiderail: {HUB_ID} could not be fetched (")
        assert failed.stderr.endswith("Try again: what has arrived is kept\n")
        assert failed.stderr.count("\n") == 1
        assert not (tmp_path / "data").exists()
        kept = next(tmp_path.rglob("*.part")).stat().st_size
        assert 100_000 < kept <= 200_000
        hub.break_after, hub.broken, before = None, False, len(hub.requests)
        done = _pull(HUB_ID, tmp_path, hub.endpoint)
    assert done.returncode == 0, done.stderr
    again = [(path.rpartition("/")[2], part) for method, path, part in hub.requests[before:] if method == "GET"]
    first = next(part for name, part in again if name.startswith("model-00001"))
    assert first == f"bytes={kept}-"
    assert "README.md" not in [name for name, _ in again]
    folder = Path(done.stdout.strip())
    assert all((folder / path.name).read_bytes() == path.read_bytes() for path in original.iterdir())


@pytest.mark.e2e
def test_a_damaged_part_is_found_and_fetched_anew(original: Path, tmp_path: Path) -> None:
    with serving(Hub(HUB_ID, original)) as hub:
        hub.break_after = 200_000
        _pull(HUB_ID, tmp_path, hub.endpoint)
        (part,) = tmp_path.rglob("*.part")
        part.write_bytes(b"x" * part.stat().st_size)
        hub.break_after, hub.broken = None, False
        failed = _pull(HUB_ID, tmp_path, hub.endpoint)
        assert (failed.returncode, failed.stderr.split(". ")[0]) == (
            1,
            "guiderail: What arrived is not what the hub has",
        )
        assert _pull(HUB_ID, tmp_path, hub.endpoint).returncode == 0
        assert not list(tmp_path.rglob("*.part"))


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("owner/absent", "The hub has no model owner/absent"),
        (f"{HUB_ID}@v9", f"{HUB_ID} has no such revision"),
        ("pickled", "pickled is not a hub id"),
    ],
)
def test_what_the_hub_does_not_have_is_one_clear_line(
    original: Path, tmp_path: Path, reference: str, words: str
) -> None:
    with serving(Hub(HUB_ID, original)) as hub:
        done = _pull(reference, tmp_path, hub.endpoint)
    assert done.returncode in {1, 2}
    assert done.stderr.startswith(f"guiderail: {words}. ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.e2e
def test_pickled_models_are_not_fetched(original: Path, tmp_path: Path) -> None:
    with serving(Hub(HUB_ID, original)) as hub:
        hub.files = {"config.json": hub.files["config.json"], "pytorch_model.bin": b"x"}
        done = _pull(HUB_ID, tmp_path, hub.endpoint)
        assert not [path for _, path, _ in hub.requests if "/resolve/" in path]
    assert (done.returncode, done.stderr.split(". ")[0]) == (
        1,
        f"guiderail: {HUB_ID} has no safetensors weights, and no GGUF file",
    )


@pytest.fixture(scope="module")
def quantised(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with one model in several types, one of them in shards, and a card."""
    folder = tmp_path_factory.mktemp("quantised")
    write_gguf(original, folder / "tiny-q8_0.gguf", GGMLQuantizationType.Q8_0)
    write_gguf(original, folder / "tiny-q4_0.gguf", GGMLQuantizationType.Q4_0)
    write_gguf(original, folder / "tiny-f16.gguf", GGMLQuantizationType.F16, split=20)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    return folder


def _models(command: list[str], home: Path) -> subprocess.CompletedProcess[str]:
    """A command of `guiderail models` on what `_pull` fetched."""
    here = {"HF_HUB_CACHE": str(home / "hub"), "HF_HUB_OFFLINE": "1", "XDG_DATA_HOME": str(home / "data"),
            "XDG_CONFIG_HOME": str(home / "config")}  # fmt: skip
    return subprocess.run(
        [sys.executable, "-m", "guiderail", "models", *command],
        env=os.environ | here, cwd=home, capture_output=True, text=True, check=True,
    )  # fmt: skip


@pytest.mark.e2e
def test_of_gguf_files_the_one_for_this_machine_is_fetched_and_is_a_model_like_any_other(
    quantised: Path, tmp_path: Path
) -> None:
    with serving(Hub(HUB_ID, quantised)) as hub:
        done = _pull(HUB_ID, tmp_path, hub.endpoint)
    assert done.returncode == 0, done.stderr
    file = Path(done.stdout.strip())
    assert file.name == "tiny-q8_0.gguf"
    assert file.read_bytes() == (quantised / file.name).read_bytes()
    assert sorted(path.name for path in file.parent.iterdir()) == ["README.md", "tiny-q8_0.gguf"]
    (row,) = [row for row in json.loads(_models(["ls", "--json"], tmp_path).stdout) if row["name"] == HUB_ID]
    assert (row["file"], row["revision"], row["licence"]) == ("tiny-q8_0.gguf", COMMIT, "mit")
    assert json.loads(_models(["show", HUB_ID, "--json"], tmp_path).stdout)["fim"] == "Qwen2.5-Coder"
    _models(["use", HUB_ID], tmp_path)
    assert tomllib.loads((tmp_path / "config" / "guiderail" / "config.toml").read_text())["model"] == HUB_ID
    _models(["rm", HUB_ID, "--yes"], tmp_path)
    assert not file.exists()
    assert json.loads((tmp_path / "data" / "guiderail" / "models.json").read_text()) == {}


@pytest.mark.e2e
def test_a_named_file_is_fetched_with_all_its_shards_and_is_then_the_one_in_use(
    quantised: Path, tmp_path: Path
) -> None:
    with serving(Hub(HUB_ID, quantised)) as hub:
        assert _pull(HUB_ID, tmp_path, hub.endpoint, "--file", "tiny-q4_0.gguf").returncode == 0
        done = _pull(HUB_ID, tmp_path, hub.endpoint, "--file", "f16")
        wrong = _pull(HUB_ID, tmp_path, hub.endpoint, "--file", "q5_k_m")
    first = Path(done.stdout.strip())
    shards = sorted(path.name for path in first.parent.glob("tiny-f16-*"))
    assert first.name == shards[0]
    assert shards == sorted(path.name for path in quantised.glob("tiny-f16-*"))
    assert json.loads(_models(["show", HUB_ID, "--json"], tmp_path).stdout)["file"] == first.name
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert wrong.stderr.startswith("guiderail: There is no file q5_k_m among tiny-f16-00001-of-")


@pytest.mark.e2e
def test_a_broken_transfer_of_a_gguf_file_goes_on_where_it_stopped(quantised: Path, tmp_path: Path) -> None:
    with serving(Hub(HUB_ID, quantised)) as hub:
        hub.break_after = 60_000
        assert _pull(HUB_ID, tmp_path, hub.endpoint, "--file", "q8_0").returncode == 1
        kept = next(tmp_path.rglob("*.part")).stat().st_size
        hub.break_after, hub.broken, before = None, False, len(hub.requests)
        done = _pull(HUB_ID, tmp_path, hub.endpoint, "--file", "q8_0")
    assert done.returncode == 0, done.stderr
    parts = [part for method, path, part in hub.requests[before:] if method == "GET" and "q8_0" in path]
    assert parts == [f"bytes={kept}-"]
    assert Path(done.stdout.strip()).read_bytes() == (quantised / "tiny-q8_0.gguf").read_bytes()


@pytest.mark.e2e
def test_offline_is_said(tmp_path: Path) -> None:
    done = _pull(HUB_ID, tmp_path, "http://127.0.0.1:9", HF_HUB_OFFLINE="1")
    assert done.returncode == 1
    assert done.stderr == "guiderail: The hub client is set to work offline. Unset HF_HUB_OFFLINE\n"
