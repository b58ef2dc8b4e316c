"""A model in a GGUF file is the model in safetensors: the same ids, and the same scores within the precision."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import gguf
import pytest
import torch
from gguf import GGMLQuantizationType as Kind
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from guiderail.decoding.session import Session
from guiderail.engine.completer import Completer
from guiderail.engine.plan import CompletionPlan
from guiderail.model.load import load
from guiderail.model.model import Model
from guiderail.model.tokenizer import Tokenizer
from guiderail.text.document import Document
from tests.helpers.gguf import quantised, tensors, write_gguf
from tests.helpers.texts import PIECES, texts
from tests.model.gguf.conftest import MODELS

TEXT = Path(__file__).read_text(encoding="utf-8")
TYPES = (
    Kind.F32, Kind.F16, Kind.BF16, Kind.Q8_0, Kind.Q4_0, Kind.Q4_1, Kind.Q5_0, Kind.Q5_1, Kind.Q2_K, Kind.Q3_K,
    Kind.Q4_K, Kind.Q5_K, Kind.Q6_K, Kind.IQ4_NL, Kind.IQ4_XS,
)  # fmt: skip


def _scores(model: Model, count: int = 120) -> torch.Tensor:
    """The scores after some real code, read in two parts."""
    ids = model.tokenizer.encode(TEXT)[:count]
    session = Session(model)
    session.feed(ids[: count // 2])
    scores = session.feed(ids[count // 2 :])
    assert scores is not None
    return scores


@pytest.mark.parametrize("name", MODELS)
def test_every_family_gives_the_same_scores(
    name: str, hub_folder: Callable[[str], Path], gguf_file: Callable[..., Path]
) -> None:
    ours = load(str(gguf_file(name)), device="cpu", dtype="float32")
    theirs = load(str(hub_folder(name)), device="cpu", dtype="float32")
    assert ours.info.architecture in {theirs.info.architecture, "LlamaForCausalLM", "Gemma3ForCausalLM"}
    torch.testing.assert_close(_scores(ours), _scores(theirs), rtol=0, atol=5e-5)


@pytest.mark.parametrize("name", MODELS)
def test_every_family_gives_the_same_ids(
    name: str, hub_folder: Callable[[str], Path], gguf_file: Callable[..., Path]
) -> None:
    """And the same bytes, control tokens, beginning of text and fill-in-the-middle format."""
    ours, theirs = Tokenizer.from_gguf(gguf_file(name)), Tokenizer.from_folder(hub_folder(name))
    for text in (TEXT, *PIECES, "a" * 300, "".join(theirs.special)):
        assert ours.encode(text) == theirs.encode(text)
    assert ours.token_bytes == theirs.token_bytes
    assert (ours.special, ours.bos_id, ours.fim) == (theirs.special, theirs.bos_id, theirs.fim)
    assert (ours.dummy_prefix, ours.cuts) == (theirs.dummy_prefix, theirs.cuts)
    assert ours.eos_ids >= theirs.eos_ids
    assert not any(ours.token_bytes[index] for index in ours.eos_ids)


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)
def test_every_type_gives_the_scores_of_its_unpacked_weights(
    kind: Kind, tmp_path: Path, hub_folder: Callable[[str], Path]
) -> None:
    """Against a safetensors model that is made of what the package unpacks."""
    hub = _wide_folder(tmp_path / "hub")
    module = AutoModelForCausalLM.from_pretrained(hub, dtype=torch.float32)
    stored = load_file(hub / "model.safetensors")
    known = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2, module.config.num_hidden_layers)
    arrays = dict(tensors(module, "qwen2"))
    block = gguf.GGML_QUANT_SIZES[kind][0]
    for name, value in stored.items():
        array = arrays[known.get_name(name, try_suffixes=(".weight", ".bias")) or ""]
        if kind != Kind.F32 and array.ndim == 2 and array.shape[-1] % block == 0:
            value.copy_(torch.from_numpy(gguf.dequantize(quantised(array, kind), kind).copy()))
    twin = tmp_path / "twin"
    twin.mkdir()
    for path in hub.iterdir():
        (twin / path.name).write_bytes(path.read_bytes())
    save_file(stored, twin / "model.safetensors", metadata={"format": "pt"})
    ours = load(str(write_gguf(hub, tmp_path / "model.gguf", kind)), device="cpu", dtype="float32")
    torch.testing.assert_close(_scores(ours, 40), _scores(load(str(twin), device="cpu", dtype="float32"), 40))


def _wide_folder(folder: Path) -> Path:
    """A model whose rows are long enough for blocks of 256."""
    from tests.helpers.tiny import tiny_model_folder

    def widen(values: dict) -> None:
        values |= {"hidden_size": 256, "head_dim": 64, "intermediate_size": 512, "initializer_range": 0.05}

    return tiny_model_folder("qwen2", folder, layers=2, edit_config=widen)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_the_precision_is_the_one_that_is_asked_for(dtype: str, gguf_file: Callable[..., Path]) -> None:
    model = load(str(gguf_file("qwen2", Kind.Q8_0)), device="cpu", dtype=dtype)
    assert {parameter.dtype for parameter in model.module.parameters()} == {getattr(torch, dtype)}
    assert bool(_scores(model).isfinite().all())


def test_shards_are_one_model_by_whichever_name(
    tmp_path: Path, hub_folder: Callable[[str], Path], gguf_file: Callable[..., Path]
) -> None:
    write_gguf(hub_folder("qwen2"), tmp_path / "model.gguf", split=12)
    shards = sorted(tmp_path.glob("*.gguf"))
    assert len(shards) > 2
    assert shards[0].name == f"model-00001-of-{len(shards):05}.gguf"
    whole = _scores(load(str(gguf_file("qwen2")), device="cpu", dtype="float32"))
    for shard in (shards[0], shards[-1]):
        model = load(str(shard), device="cpu", dtype="float32")
        assert model.info.file == shards[0]
        assert model.info.bytes_on_disk == sum(path.stat().st_size for path in shards)
        assert torch.equal(_scores(model), whole)


def test_a_completion_from_a_file_is_the_one_from_the_folder(
    hub_folder: Callable[[str], Path], gguf_file: Callable[..., Path]
) -> None:
    """Through the whole engine, with its infill format."""

    def complete(path: Path) -> tuple[str, tuple[int, ...]]:
        completer = Completer(load(str(path), device="cpu", dtype="float32"))
        document = Document(TEXT[:900] + "\n" + TEXT[900:1800], language="python")
        (found,) = completer.complete(CompletionPlan(document=document, offset=900, max_tokens=12))
        return found.text, found.token_ids

    assert complete(gguf_file("qwen2")) == complete(hub_folder("qwen2"))


@settings(max_examples=60, deadline=None)
@given(text=texts, name=st.sampled_from(["llama", "mistral", "qwen2", "gemma", "starcoder2", "phi3"]))
def test_any_text_gives_the_same_ids(
    hub_folder: Callable[[str], Path], gguf_file: Callable[..., Path], text: str, name: str
) -> None:
    ours, theirs = _tokenizer(gguf_file(name)), _tokenizer(hub_folder(name))
    assert ours.encode(text) == theirs.encode(text)
    assert ours.decode_bytes(ours.encode(text)) == text.encode()


@cache
def _tokenizer(path: Path) -> Tokenizer:
    return Tokenizer.from_gguf(path) if path.is_file() else Tokenizer.from_folder(path)
