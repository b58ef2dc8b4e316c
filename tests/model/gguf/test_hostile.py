"""A damaged or hostile GGUF file is named in one line, with a remedy, within bounded time and memory."""

import random
import resource
import struct
import time
from collections.abc import Callable
from pathlib import Path

import gguf
import pytest

from guiderail.errors import GuiderailError
from guiderail.model.errors import ModelFolderError
from guiderail.model.gguf.file import open_file
from guiderail.model.gguf.header import GgufError, read_header
from guiderail.model.load import describe, load
from guiderail.model.tokenizer import Tokenizer
from tests.helpers.gguf import write_gguf

STRING, ARRAY, U32, F32 = 8, 9, 4, 6


def _text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def _key(name: str, kind: int, value: bytes) -> bytes:
    return _text(name.encode()) + struct.pack("<I", kind) + value


def _tensor(name: bytes = b"token_embd.weight", shape=(4, 4), kind: int = 0, offset: int = 0) -> bytes:
    dims = struct.pack(f"<{len(shape)}Q", *shape)
    return _text(name) + struct.pack("<I", len(shape)) + dims + struct.pack("<IQ", kind, offset)


def _file(path: Path, *, keys: list[bytes] = [], tensors: list[bytes] = [], version: int = 3,  # noqa: B006
          counts: tuple[int, int] | None = None, tail: bytes = b"\0" * 256) -> Path:  # fmt: skip
    many = counts or (len(tensors), len(keys))
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", version, *many) + b"".join((*keys, *tensors)) + tail)
    return path


HOSTILE = {
    "no GGUF file": lambda p: p.write_bytes(b"PK\3\4" + b"\0" * 100),
    "an empty file": lambda p: p.write_bytes(b""),
    "four bytes": lambda p: p.write_bytes(b"GGUF"),
    "version 1": lambda p: _file(p, version=1),
    "big-endian": lambda p: _file(p, version=3 << 24),
    "2^63 keys": lambda p: _file(p, counts=(0, 1 << 63)),
    "2^63 tensors": lambda p: _file(p, counts=(1 << 63, 0)),
    "a key of 2^63 bytes": lambda p: _file(p, counts=(0, 1), tail=struct.pack("<Q", 1 << 63) + b"a" * 64),
    "a value of 2^63 bytes": lambda p: _file(p, keys=[_key("a", STRING, struct.pack("<Q", 1 << 63))]),
    "an array of 2^62 numbers": lambda p: _file(p, keys=[_key("a", ARRAY, struct.pack("<IQ", U32, 1 << 62))]),
    "an array of 2^62 strings": lambda p: _file(p, keys=[_key("a", ARRAY, struct.pack("<IQ", STRING, 1 << 62))]),
    "8 million strings": lambda p: _file(p, keys=[_key("a", ARRAY, struct.pack("<IQ", STRING, 8 << 20))]),
    "an array of arrays": lambda p: _file(p, keys=[_key("a", ARRAY, struct.pack("<IQ", ARRAY, 2))]),
    "a value of type 99": lambda p: _file(p, keys=[_key("a", 99, b"")]),
    "a key twice": lambda p: _file(p, keys=[_key("a", U32, b"\1\0\0\0")] * 2),
    "a tensor called like a path": lambda p: _file(p, tensors=[_tensor(b"../../etc/passwd\0")]),
    "a tensor without a name": lambda p: _file(p, tensors=[_tensor(b"")]),
    "a tensor twice": lambda p: _file(p, tensors=[_tensor(), _tensor()]),
    "tensors in the same place": lambda p: _file(p, tensors=[_tensor(b"a"), _tensor(b"b")]),
    "tensors that overlap": lambda p: _file(p, tensors=[_tensor(b"a", offset=32), _tensor(b"b")]),
    "no dimensions": lambda p: _file(p, tensors=[_tensor(shape=())]),
    "five dimensions": lambda p: _file(p, tensors=[_tensor(shape=(1,) * 5)]),
    "an empty tensor": lambda p: _file(p, tensors=[_tensor(shape=(4, 0))]),
    "dimensions whose product is 2^64": lambda p: _file(p, tensors=[_tensor(shape=(1 << 32, 1 << 32))]),
    "a dimension of -1": lambda p: _file(p, tensors=[_tensor(shape=((1 << 64) - 1, 4))]),
    "an unknown type": lambda p: _file(p, tensors=[_tensor(kind=77)]),
    "a type that was given up": lambda p: _file(p, tensors=[_tensor(kind=4)]),
    "half a block": lambda p: _file(p, tensors=[_tensor(shape=(33, 4), kind=8)]),
    "an offset outside the file": lambda p: _file(p, tensors=[_tensor(offset=1 << 40)]),
    "an offset of -32": lambda p: _file(p, tensors=[_tensor(offset=(1 << 64) - 32)]),
    "an odd offset": lambda p: _file(p, tensors=[_tensor(offset=7)]),
    "an alignment of 3": lambda p: _file(p, keys=[_key("general.alignment", U32, b"\3\0\0\0")], tensors=[_tensor()]),
    "an alignment of 0": lambda p: _file(p, keys=[_key("general.alignment", U32, b"\0\0\0\0")], tensors=[_tensor()]),
    "no tensors": lambda p: _file(p, keys=[_key("general.architecture", STRING, _text(b"llama"))]),
    "no architecture": lambda p: _file(p, tensors=[_tensor()]),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_head_is_one_line_with_a_remedy(what: str, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    HOSTILE[what](path)
    began = time.process_time()
    with pytest.raises(ModelFolderError) as caught:
        open_file(path)
    assert time.process_time() - began < 2
    assert caught.value.remedy
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(path))


WRONG: dict[str, Callable[[gguf.GGUFWriter], object]] = {
    "an unknown architecture": lambda w: _replace(w, "general.architecture", "mamba"),
    "experts": lambda w: w.add_expert_count(8),
    "a thousand million layers": lambda w: _replace(w, "qwen2.block_count", 1_000_000_000),
    "no layers": lambda w: _replace(w, "qwen2.block_count", 0),
    "no heads": lambda w: _replace(w, "qwen2.attention.head_count", 0),
    "three key heads for four": lambda w: _replace(w, "qwen2.attention.head_count_kv", 3),
    "another width": lambda w: _replace(w, "qwen2.embedding_length", 65),
    "a huge inner width": lambda w: _replace(w, "qwen2.feed_forward_length", (1 << 24) - 1),
    "heads of a million": lambda w: w.add_key_length(1 << 20),
    "an endless context": lambda w: _replace(w, "qwen2.context_length", 0xFFFFFFFF),
    "scaling by no known method": lambda w: (w.add_string("qwen2.rope.scaling.type", "warp"),
                                             w.add_rope_scaling_factor(2.0)),
    "an epsilon that is no number": lambda w: _replace(w, "qwen2.attention.layer_norm_rms_epsilon", float("nan")),
    "a vocabulary of an unknown kind": lambda w: _replace(w, "tokenizer.ggml.model", "wordpiece"),
    "splits of an unknown kind": lambda w: _replace(w, "tokenizer.ggml.pre", "unheard-of"),
    "fewer types than tokens": lambda w: _replace(w, "tokenizer.ggml.token_type", [1, 1]),
    "merges of three": lambda w: _replace(w, "tokenizer.ggml.merges", ["a b c"]),
    "merges of unknown tokens": lambda w: _replace(w, "tokenizer.ggml.merges", ["qqq zzz"]),
    "no vocabulary": lambda w: _replace(w, "tokenizer.ggml.tokens", None),
}  # fmt: skip


def _replace(writer: gguf.GGUFWriter, key: str, value) -> None:
    """Change a value that was added already, or take it out."""
    if value is None:
        del writer.kv_data[0][key]
    else:
        writer.kv_data[0][key].value = value


@pytest.mark.parametrize("what", WRONG)
def test_metadata_that_make_no_model_are_one_line_with_a_remedy(
    what: str, hub_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    path = write_gguf(hub_folder("qwen2"), tmp_path / "model.gguf", edit=WRONG[what])
    began, before = time.process_time(), _peak()
    with pytest.raises(GuiderailError) as caught:
        load(str(path), device="cpu", dtype="float32")
    assert time.process_time() - began < 10
    assert _peak() - before < 500e6
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_ids_outside_the_vocabulary_are_passed_over(hub_folder: Callable[[str], Path], tmp_path: Path) -> None:
    def far(writer: gguf.GGUFWriter) -> None:
        for name in ("bos", "eot", "fim_pre", "fim_suf", "fim_mid"):
            writer.add_uint32(f"tokenizer.ggml.{name}_token_id", 4_000_000_000)

    path = write_gguf(hub_folder("qwen2"), tmp_path / "model.gguf", edit=far)
    tokenizer = Tokenizer.from_gguf(path)
    assert max(tokenizer.eos_ids) < tokenizer.vocab_size


def test_a_missing_tensor_is_named(hub_folder: Callable[[str], Path], tmp_path: Path) -> None:
    def without(writer: gguf.GGUFWriter) -> None:
        add = writer.add_tensor
        writer.add_tensor = lambda name, *rest, **more: None if "ffn_up" in name else add(name, *rest, **more)  # type: ignore[method-assign]

    path = write_gguf(hub_folder("qwen2"), tmp_path / "model.gguf", edit=without)
    with pytest.raises(GgufError, match=r"lacks weights of a Qwen2ForCausalLM: model\.layers\.0\.mlp\.up_proj\.weight"):
        load(str(path), device="cpu")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9, 0.9999])
def test_a_truncated_file_is_said_to_be(share: float, gguf_file: Callable[..., Path], tmp_path: Path) -> None:
    whole = gguf_file("qwen2").read_bytes()
    path = tmp_path / "model.gguf"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(GgufError, match="is cut short"):
        load(str(path), device="cpu")


def test_a_missing_shard_is_named(hub_folder: Callable[[str], Path], tmp_path: Path) -> None:
    write_gguf(hub_folder("qwen2"), tmp_path / "model.gguf", split=20)
    shards = sorted(tmp_path.glob("*.gguf"))
    shards[1].unlink()
    with pytest.raises(GgufError, match=rf"Shards are missing in .*: {shards[1].name}\. Fetch the model again"):
        describe(str(shards[0]))
    alone = shards[0].rename(tmp_path / "renamed.gguf")
    with pytest.raises(GgufError, match=r"is one of \d shards"):
        describe(str(alone))


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.mkdir()
    with pytest.raises(GuiderailError):
        describe(str(path))
    with pytest.raises(GuiderailError, match="There is no file"):
        describe(str(tmp_path / "absent.gguf"))


def test_a_thousand_damaged_heads_raise_nothing_else(gguf_file: Callable[..., Path], tmp_path: Path) -> None:
    """Flipped bytes give a model, or one line."""
    whole = gguf_file("qwen2").read_bytes()
    head = min(entry.start for entry in read_header(gguf_file("qwen2")).tensors.values())
    path, rng = tmp_path / "model.gguf", random.Random(0)
    began, before, refused = time.process_time(), _peak(), 0
    for _ in range(1000):
        data = bytearray(whole)
        for _ in range(rng.choice((1, 1, 2, 8))):
            # Most of the head is vocabulary: the counts and types before and after it are where it hurts.
            place = rng.randrange(head) if rng.random() < 0.5 else rng.randrange(600)
            data[place] = rng.choice((0, 0xFF, data[place] ^ (1 << rng.randrange(8))))
        path.write_bytes(data)
        try:
            describe(str(path))
            Tokenizer.from_gguf(path)
        except GuiderailError as error:
            refused += 1
            assert "\n" not in str(error)
            assert error.remedy
    assert 100 < refused < 1000
    assert time.process_time() - began < 120
    assert _peak() - before < 500e6


def test_damaged_weights_load_or_are_refused(gguf_file: Callable[..., Path], tmp_path: Path) -> None:
    """The whole way to a model, for fewer files."""
    whole = gguf_file("gemma2").read_bytes()
    path, rng = tmp_path / "model.gguf", random.Random(1)
    for _ in range(20):
        data = bytearray(whole)
        for _ in range(3):
            data[rng.randrange(800)] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
        try:
            load(str(path), device="cpu", dtype="float32")
        except GuiderailError as error:
            assert "\n" not in str(error)
