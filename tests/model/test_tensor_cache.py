"""Laws of what is kept of a model for its next start: it changes nothing, and what is wrong with it is noticed."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from guiderail.decoding.session import Session
from guiderail.model import derived, file_hashes, memory, store, tensor_cache
from guiderail.model.load import load
from guiderail.model.matrix import int8_is_possible
from guiderail.model.model import Model
from tests.helpers.gguf import write_gguf
from tests.helpers.hub import fill_cache, linked_to_blobs
from tests.helpers.tiny import tiny_model_folder

PROMPT = [5 + (7 * i) % 290 for i in range(40)]
HAS_INT8 = pytest.mark.skipif(not int8_is_possible(), reason="this torch has no 8-bit products")
HAS_ONEDNN = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN")
LAYOUTS = [
    ("float32", False), pytest.param("float32", True, marks=HAS_ONEDNN), ("bfloat16", False),
    pytest.param("int8", False, marks=HAS_INT8),
]  # fmt: skip
Damage = Callable[[Path], None]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The person's cache, where models of any size are worth keeping."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(memory, "LARGE", 0)
    monkeypatch.setattr(tensor_cache, "SMALL", 1)
    return tmp_path / "cache" / "guiderail" / "models"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny_model_folder("qwen2", tmp_path / "model")


def logits(model: Model) -> torch.Tensor:
    """Of a prompt at once and of some tokens one by one."""
    session = Session(model)
    rows = [session.feed(PROMPT), *(session.feed([token]) for token in PROMPT[:4])]
    return torch.stack([row for row in rows if row is not None])


def read(place: Path, dtype: str = "float32") -> Model:
    return load(str(place), device="cpu", dtype=dtype, threads=1)


def parts(cache: Path) -> list[Path]:
    return sorted(cache.glob("*/*/*.safetensors"))


@pytest.fixture
def unreadable(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """What makes every further reading of a model's own weights fail."""

    def refuse(*_: object) -> torch.Tensor:
        raise AssertionError("a weight was read")

    yield lambda: monkeypatch.setattr("guiderail.model.checkpoint.Checkpoint.read", refuse)


@pytest.mark.parametrize(("dtype", "packed"), LAYOUTS)
@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3", "guiderail"])
def test_a_kept_model_is_the_same_bit_by_bit(
    family: str, dtype: str, packed: bool, tmp_path: Path, unreadable: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """And none of its weights is read again, whether its table is tied or not."""
    monkeypatch.setattr("guiderail.model.model.packing_pays", lambda: packed)
    place = tiny_model_folder(family, tmp_path / "model")
    with monkeypatch.context() as patch:
        patch.setattr(memory, "LARGE", 1 << 60)
        expected = logits(read(place, dtype))
    assert torch.equal(logits(read(place, dtype)), expected)
    unreadable()
    assert torch.equal(logits(read(place, dtype)), expected)


def test_a_gguf_file_is_kept_too(folder: Path, tmp_path: Path, cache: Path, unreadable: Callable[[], None]) -> None:
    file = write_gguf(folder, tmp_path / "twin.gguf")
    expected = logits(read(file))
    assert parts(cache)
    unreadable()
    assert torch.equal(logits(read(file)), expected)


def flip(path: Path) -> None:
    """Change one bit in the middle of the data."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size * 2 // 3)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))


def flip_in_head(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"F32"', b'"I32"', 1))


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def claim_a_huge_head(path: Path) -> None:
    path.write_bytes(b"\xff" * 8 + path.read_bytes()[8:])


def replace_by_anothers(path: Path) -> None:
    """A sound file of the same tensors, but not written by us."""
    save_file({name: torch.zeros_like(one) for name, one in load_file(path).items()}, path)


def replace_by_a_neighbour(path: Path) -> None:
    """A file of ours, but of another layer."""
    other = next(one for one in sorted(path.parent.iterdir()) if one != path and one.name.startswith("layer"))
    shutil.copy(other, path)


def open_to_others(path: Path) -> None:
    path.chmod(0o666)


def replace_by_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def replace_by_a_link(path: Path) -> None:
    """To a sound file of ours, which lies elsewhere."""
    elsewhere = path.parents[3] / "elsewhere.safetensors"
    shutil.move(path, elsewhere)
    path.symlink_to(elsewhere)


def replace_by_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES = [
    flip, flip_in_head, cut, empty, claim_a_huge_head, replace_by_anothers, replace_by_a_neighbour, open_to_others,
    replace_by_a_pipe, replace_by_a_link,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda one: one.__name__)
@pytest.mark.parametrize("part", ["layer-1", "unembedding"])
def test_what_is_damaged_or_foreign_is_made_anew(folder: Path, cache: Path, part: str, damage: Damage) -> None:
    """With the same result, and only that file."""
    expected = logits(read(folder))
    good = {path: path.read_bytes() for path in parts(cache)}
    damaged = next(path for path in good if path.name == f"{part}.safetensors")
    before = {path: path.stat().st_ino for path in good}
    damage(damaged)
    assert tensor_cache.read(damaged) is None
    assert torch.equal(logits(read(folder)), expected)
    assert {path: path.read_bytes() for path in parts(cache)} == good
    assert damaged.stat().st_mode & 0o777 == 0o600
    assert all(path.stat().st_ino == before[path] for path in good if path != damaged)


def test_what_cannot_be_replaced_is_done_without(folder: Path, cache: Path) -> None:
    expected = logits(read(folder))
    replace_by_a_folder(parts(cache)[0])
    assert torch.equal(logits(read(folder)), expected)


def test_every_flipped_byte_is_noticed(folder: Path, cache: Path) -> None:
    """But for those of the blanks that fill up its head."""
    read(folder)
    path = min(parts(cache), key=lambda one: one.stat().st_size)
    good = path.read_bytes()
    for place in range(0, len(good), max(1, len(good) // 400)):
        path.write_bytes(good[:place] + bytes([good[place] ^ 0x10]) + good[place + 1 :])
        assert tensor_cache.read(path) is None, place


def test_tensors_come_back_as_they_were(tmp_path: Path) -> None:
    """Of any type and shape, turned ones turned, large ones at the begin of a line of the cache."""
    tensors = {
        "a": torch.randn(33, 7), "b": torch.randn(16, 64).t(), "c": torch.randn(5).bfloat16(),
        "d": torch.randint(-128, 127, (129, 64), dtype=torch.int8), "e": torch.randn(2, 1, 3),
    }  # fmt: skip
    tensor_cache.write(tmp_path / "x.safetensors", tensors)
    found = tensor_cache.read(tmp_path / "x.safetensors")
    assert found is not None
    assert found.keys() == tensors.keys()
    for name, one in tensors.items():
        assert torch.equal(found[name], one), name
        assert found[name].stride() == one.stride()
        assert found[name].data_ptr() % tensor_cache.ALIGNMENT == 0


def test_only_the_person_may_look(folder: Path, cache: Path) -> None:
    before = os.umask(0)
    try:
        read(folder)
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in cache.rglob("*") if path.is_file()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (cache, *cache.rglob("*")) if path.is_dir()} == {0o700}


WRITER = """
import sys
from guiderail.model import memory
memory.LARGE = 0
from guiderail.model.load import load
from tests.model.test_tensor_cache import logits
sys.stdin.readline()
model = load(sys.argv[1], device="cpu", dtype="float32", threads=1)
sys.stdout.buffer.write(logits(model).numpy().tobytes())
"""


def test_processes_that_write_at_once_leave_good_files(folder: Path, cache: Path) -> None:
    running = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    for one in running:
        assert one.stdin is not None
        one.stdin.write(b"\n")
        one.stdin.flush()
    answers = {one.communicate(timeout=300)[0] for one in running}
    assert answers == {logits(read(folder)).numpy().tobytes()}
    assert all(tensor_cache.read(path) is not None for path in parts(cache))
    assert not list(cache.rglob(derived.PART + "*"))


def test_changed_weights_are_another_model(folder: Path, cache: Path) -> None:
    """Though the file has the same name, size and time."""
    before, file = logits(read(folder)), folder / "model.safetensors"
    state, weights = file.stat(), load_file(file)
    changed = {name: -one if name.endswith("up_proj.weight") else one for name, one in weights.items()}
    save_file(changed, file, metadata={"format": "pt"})
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert file.stat().st_size == state.st_size
    after = logits(read(folder))
    assert not torch.equal(after, before)
    shutil.rmtree(cache)
    assert torch.equal(logits(read(folder)), after)


def test_a_file_is_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless it was changed just before, within the clock's step."""
    file, memory_file = tmp_path / "file", tmp_path / "hashes.json"
    file.write_bytes(b"one")
    first = file_hashes.hash_of([file], memory_file)
    assert not memory_file.exists()
    monkeypatch.setattr(file_hashes, "SETTLED_S", -1.0)
    assert file_hashes.hash_of([file], memory_file) == first
    assert memory_file.is_file()
    monkeypatch.setattr("hashlib.file_digest", None)
    assert file_hashes.hash_of([file], memory_file) == first
    monkeypatch.undo()
    file.write_bytes(b"two")
    assert file_hashes.hash_of([file], memory_file) != first
    for damaged in ("", "[]", "{", '{"x": 1}', json.dumps({str(file): [1]}), json.dumps({str(file): []})):
        memory_file.write_text(damaged)
        file.write_bytes(b"one")
        assert file_hashes.hash_of([file], memory_file) == first


def test_all_together_are_bounded_and_the_oldest_goes_first(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [tiny_model_folder("qwen2", tmp_path / str(i), edit_config=_seed(i)) for i in range(3)]
    read(folders[0])
    (first,) = (one for one in cache.iterdir() if one.is_dir())
    size = sum(path.stat().st_size for path in first.rglob("*") if path.is_file())
    monkeypatch.setattr(derived, "LIMIT", int(2.6 * size))
    read(folders[1])
    os.utime(first, (1, 1))
    read(folders[2])
    assert not first.exists()
    assert derived.size_of(_weights(folders[1])) > 0
    assert sum(path.stat().st_size for path in cache.rglob("*.safetensors")) <= derived.LIMIT


def test_a_layout_of_another_version_makes_room_before_other_models_do(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an update nobody reads it, and the model is kept again."""
    folders = [tiny_model_folder("qwen2", tmp_path / str(i), edit_config=_seed(i)) for i in range(2)]
    read(folders[0])
    (first,) = (one for one in cache.iterdir() if one.is_dir())
    old = {one for one in first.iterdir() if one.is_dir()}
    size = sum(path.stat().st_size for path in first.rglob("*") if path.is_file())
    read(folders[1])
    monkeypatch.setattr(derived, "LIMIT", int(2.6 * size))
    monkeypatch.setattr(derived, "VERSION", -1)
    read(folders[0])
    new = {one for one in first.iterdir() if one.is_dir()}
    assert len(new) == 1 and not new & old
    assert derived.size_of(_weights(folders[1])) > 0


def test_what_is_larger_than_the_bound_is_not_kept(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = logits(read(folder))
    shutil.rmtree(cache)
    monkeypatch.setattr(derived, "LIMIT", 1000)
    assert torch.equal(logits(read(folder)), expected)
    assert not parts(cache)


def test_what_others_left_goes(tmp_path: Path, cache: Path) -> None:
    """What was made from files that are gone, and files that a process did not finish."""
    gone, here, new = (tiny_model_folder("qwen2", tmp_path / n, edit_config=_seed(i)) for i, n in enumerate("abc"))
    read(gone)
    (first,) = (one for one in cache.iterdir() if one.is_dir())
    read(here)
    shutil.rmtree(gone)
    unfinished = next(one for one in cache.iterdir() if one.is_dir() and one != first) / (derived.PART + "x")
    unfinished.touch()
    os.utime(unfinished, (1, 1))
    read(new)
    assert not first.exists()
    assert not unfinished.exists()


def test_what_is_forgotten_leaves_nothing(folder: Path, tmp_path: Path, cache: Path) -> None:
    """Of a folder, of a link to it, and of no other."""
    other = tiny_model_folder("qwen2", tmp_path / "other", edit_config=_seed(1))
    link = tmp_path / "link"
    link.symlink_to(folder)
    read(link)
    read(other)
    size = derived.size_of(_weights(folder))
    assert size > 0
    assert derived.forget(folder) == size
    assert derived.size_of(_weights(folder)) == 0
    assert derived.size_of(_weights(other)) > 0
    assert derived.forget(tmp_path / "oth") == 0


@pytest.mark.parametrize("kind", ["float32", pytest.param("int8", marks=HAS_INT8)])
def test_models_rm_leaves_nothing(
    kind: str, folder: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a model that lies in the hub's cache, whose files are links."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    snapshot = linked_to_blobs(fill_cache(tmp_path / "hub", "owner/tiny", folder))
    read(snapshot, kind)
    assert parts(cache)
    repository = store.removable("owner/tiny").size_on_disk
    kept_size = derived.size_of(_weights(snapshot))
    assert store.remove("owner/tiny") == repository + kept_size
    assert [path.name for path in cache.iterdir()] in ([], ["hashes.json"])


def test_a_folder_that_cannot_be_written_is_done_without(folder: Path, cache: Path) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_text("in the way")
    assert torch.isfinite(logits(read(folder))).all()


def _seed(number: int) -> Callable[[dict[str, object]], None]:
    """Models that differ a little."""
    return lambda values: values.update(intermediate_size=48 + 16 * number)


def _weights(folder: Path) -> list[Path]:
    return [folder / "model.safetensors"]
