"""What a model costs: laws that hold for every model and machine, and the sizes of the published ones."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.model import memory
from guiderail.model.catalogue import published
from guiderail.model.estimate import ROWS, Cost, Decoder, Rates, cost, pass_seconds, product_seconds
from guiderail.model.info import read_info
from tests.helpers.models import tiny_folder

rates = st.builds(
    Rates,
    products=st.tuples(*[st.floats(1e8, 1e15)] * len(ROWS)),
    attention=st.tuples(*[st.floats(1e8, 1e15)] * 2),
    activations=st.floats(1e7, 1e13),
    layer_s=st.tuples(*[st.floats(0, 1e-2)] * 2),
)


@st.composite
def decoders(draw: st.DrawFn) -> Decoder:
    kv_heads = draw(st.integers(1, 16))
    return Decoder(
        architecture="Qwen2ForCausalLM",
        vocabulary=draw(st.integers(256, 300_000)),
        hidden=draw(st.integers(64, 8192)),
        inner=draw(st.integers(64, 30_000)),
        layers=draw(st.integers(1, 80)),
        heads=kv_heads * draw(st.integers(1, 8)),
        kv_heads=kv_heads,
        head_dim=draw(st.sampled_from([32, 64, 80, 128])),
        context=draw(st.integers(512, 100_000)),
        tied=draw(st.booleans()),
        gated=draw(st.booleans()),
        biases=draw(st.sampled_from(["none", "qkv", "all"])),
        norm_biases=draw(st.booleans()),
    )


PLAN = {"prompt": 2048, "edited": 300, "chunk": 512}


def no_dearer(one: Cost, other: Cost) -> bool:
    slack = 1 + 1e-9
    return (
        one.first_s <= other.first_s * slack
        and one.edit_s <= other.edit_s * slack
        and one.tokens_per_s * slack >= other.tokens_per_s
    )


@settings(deadline=None)  # the machine may be busy
@given(decoders(), rates, st.sampled_from(["vocabulary", "hidden", "inner", "layers", "heads"]), st.integers(2, 4))
def test_a_larger_model_is_no_quicker_and_no_smaller(decoder: Decoder, machine: Rates, size: str, factor: int) -> None:
    larger = replace(decoder, **{size: getattr(decoder, size) * factor})
    assert no_dearer(cost(decoder, machine, **PLAN), cost(larger, machine, **PLAN))
    assert larger.parameters > decoder.parameters
    for dtype in ("float32", "bfloat16", "int8"):
        assert memory.needed(larger.info(""), dtype) >= memory.needed(decoder.info(""), dtype)


@settings(deadline=None)  # the machine may be busy
@given(decoders(), rates, st.floats(1, 100), st.sampled_from(["products", "attention", "activations", "layer_s"]))
def test_a_faster_machine_is_no_slower(decoder: Decoder, machine: Rates, factor: float, which: str) -> None:
    was = getattr(machine, which)
    if isinstance(was, tuple):
        now = tuple(value / factor if which == "layer_s" else value * factor for value in was)
    else:
        now = was * factor
    faster = replace(machine, **{which: now})
    assert no_dearer(cost(decoder, faster, **PLAN), cost(decoder, machine, **PLAN))


@settings(deadline=None)  # the machine may be busy
@given(decoders(), rates, st.integers(1, 4096), st.integers(1, 4096), st.integers(0, 4096))
def test_more_tokens_take_no_less(decoder: Decoder, machine: Rates, rows: int, more: int, before: int) -> None:
    """Neither as rows of a product, nor as prompt, nor after a longer one."""
    assert product_seconds(machine, rows) <= product_seconds(machine, rows + more) * (1 + 1e-9)
    one, other = cost(decoder, machine, **PLAN), cost(decoder, machine, **PLAN | {"prompt": 2048 + more})
    assert one.first_s <= other.first_s * (1 + 1e-9)
    short = pass_seconds(decoder, machine, rows, rows + before)
    assert short <= pass_seconds(decoder, machine, rows, rows + before + more) * (1 + 1e-9)


@settings(deadline=None)  # the machine may be busy
@given(rates, st.integers(0, 2))
def test_a_measured_number_of_rows_takes_what_was_measured(machine: Rates, index: int) -> None:
    """Or what fewer rows took, if that was longer."""
    measured = [rows / rate for rows, rate in zip(ROWS, machine.products, strict=True)]
    assert product_seconds(machine, ROWS[index]) == pytest.approx(max(measured[: index + 1]))


@settings(deadline=None)  # the machine may be busy
@given(decoders(), rates)
def test_an_edit_takes_no_longer_than_a_new_prompt(decoder: Decoder, machine: Rates) -> None:
    found = cost(decoder, machine, **PLAN | {"edited": 10_000})
    assert found.edit_s == found.first_s
    assert cost(decoder, machine, **PLAN).edit_s <= found.first_s


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan"), float("inf")])
def test_what_cannot_have_been_measured_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="rates"):
        Rates((1.0, 1.0, wrong), (1.0, 1.0), 1.0, (0.0, 0.0))
    with pytest.raises(ValueError, match="rates"):
        Rates((1.0, 1.0), (1.0, 1.0), 1.0, (0.0, 0.0))
    if wrong:
        with pytest.raises(ValueError, match="times"):
            Rates((1.0, 1.0, 1.0), (1.0, 1.0), 1.0, (0.0, wrong))


@pytest.mark.parametrize("family", ["qwen2", "llama", "starcoder2"])
def test_a_model_on_disk_needs_what_its_sizes_say(family: str, tmp_path: Path) -> None:
    """Parameters, cache and memory, as `memory` has them of the files."""
    from guiderail.model.info import read_config

    folder = tiny_folder(family)
    info, config = read_info(folder, "tiny"), read_config(folder)
    heads = config["num_attention_heads"]
    is_starcoder = family == "starcoder2"
    decoder = Decoder(
        architecture=info.architecture, vocabulary=config["vocab_size"], hidden=config["hidden_size"],
        inner=config["intermediate_size"], layers=config["num_hidden_layers"], heads=heads,
        kv_heads=config["num_key_value_heads"], head_dim=config.get("head_dim") or config["hidden_size"] // heads,
        context=config["max_position_embeddings"], tied=bool(config.get("tie_word_embeddings")),
        gated=not is_starcoder, biases="all" if is_starcoder else "qkv" if family == "qwen2" else "none",
        norm_biases=is_starcoder,
    )  # fmt: skip
    assert (decoder.parameters, decoder.cache_width) == (info.parameters, info.cache_width)
    for dtype in ("float32", "bfloat16", "int8"):
        assert memory.needed_on("cpu", decoder.info("tiny"), dtype) == memory.needed_on("cpu", info, dtype)


@pytest.mark.parametrize("model", published(), ids=lambda model: model.name)
def test_the_sizes_of_a_published_model_make_its_parameters(model) -> None:
    """Two facts of each, from different places, that agree; and a file of that size."""
    decoder = model.decoder
    stored_twice = decoder.parameters - model.parameters
    assert stored_twice in (0, decoder.table)
    bits = 8.5 if model.file == "Q8_0" else 32 if decoder.architecture.startswith("Starcoder2") else 16
    assert decoder.parameters * bits / 8 == pytest.approx(model.bytes, rel=0.02)


def test_the_table_of_published_models_is_sound() -> None:
    models = published()
    assert [model.parameters for model in models] == sorted(model.parameters for model in models)
    assert len({model.hub for model in models}) == len(models)
    assert models[0].parameters > 4e8
    assert models[-1].parameters < 15e9
    research = next(model for model in models if model.name == "Qwen2.5-Coder 3B")
    assert (research.licence, research.free) == ("qwen-research", False)
