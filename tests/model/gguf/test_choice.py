"""Which GGUF file is taken of several."""

from pathlib import Path

import pytest

from guiderail.errors import UsageError
from guiderail.model.errors import ModelFolderError
from guiderail.model.gguf.choice import best, named, only_file, stated_type, variants

GB = 10**9
QWEN = {
    f"qwen2.5-coder-1.5b-instruct-{kind}.gguf": size
    for kind, size in {
        "fp16": 3_560_000_000, "q2_k": 753_000_000, "q3_k_m": 924_000_000, "q4_0": 1_070_000_000,
        "q4_k_m": 1_120_000_000, "q5_k_m": 1_290_000_000, "q6_k": 1_460_000_000, "q8_0": 1_890_000_000,
    }.items()
}  # fmt: skip


@pytest.mark.parametrize(
    ("free", "kind"),
    [(16 * GB, "q8_0"), (3 * GB, "q6_k"), (2_400_000_000, "q4_k_m"), (1_600_000_000, "q2_k"), (None, "q8_0")],
)
def test_the_most_exact_that_leaves_half_of_the_memory_is_taken(free: int | None, kind: str) -> None:
    assert best(variants(QWEN), free).name == f"qwen2.5-coder-1.5b-instruct-{kind}.gguf"


def test_where_none_fits_the_least_is_named() -> None:
    with pytest.raises(UsageError, match=r"the smallest, .*q2_k\.gguf, has 753 MB") as caught:
        best(variants(QWEN), GB)
    assert "--file qwen2.5-coder-1.5b-instruct-q2_k.gguf" in caught.value.remedy


def test_two_models_in_one_repository_are_a_question() -> None:
    sizes = {"a-Q8_0.gguf": 5, "b-Q8_0.gguf": 5, "a-Q4_0.gguf": 3}
    with pytest.raises(UsageError, match=r"Which file is wanted of a-Q8_0\.gguf, b-Q8_0\.gguf\?"):
        best(variants(sizes), None)
    with pytest.raises(UsageError, match="several files"):
        named(variants(sizes), "Q8_0")
    with pytest.raises(UsageError, match=r"Which file is wanted of one\.gguf, two\.gguf\?"):
        best(variants({"one.gguf": 1, "two.gguf": 1}), None)


@pytest.mark.parametrize("name", ["qwen2.5-coder-1.5b-instruct-q4_k_m.gguf", "Q4_K_M", "q4_k_m"])
def test_a_file_is_named_by_its_name_or_its_type(name: str) -> None:
    assert named(variants(QWEN), name).kind == "Q4_K_M"


def test_a_file_that_is_not_there_is_said_with_those_that_are() -> None:
    with pytest.raises(UsageError, match=r"There is no file Q9_9 among qwen"):
        named(variants(QWEN), "Q9_9")


def test_shards_are_one_offer_and_incomplete_ones_none() -> None:
    whole = {f"m-q8_0-{n:05}-of-00003.gguf": 10 for n in (3, 1, 2)}
    (variant,) = variants(whole | {"m-f16-00001-of-00002.gguf": 5, "mmproj-m-f16.gguf": 1, "README.md": 1})
    assert (variant.name, variant.size, variant.kind) == ("m-q8_0-00001-of-00003.gguf", 30, "Q8_0")
    assert variant.files == tuple(sorted(whole))


@pytest.mark.parametrize(
    ("name", "kind"),
    [("Model-7B.Q4_K_M.gguf", "Q4_K_M"), ("m-IQ4_XS.gguf", "IQ4_XS"), ("m-f16.gguf", "F16"), ("q8_0/m.gguf", ""),
     ("m-Q4_0_4_4.gguf", ""), ("F32-model-bf16.gguf", "BF16")],
)  # fmt: skip
def test_the_type_is_what_the_name_states(name: str, kind: str) -> None:
    assert stated_type(name) == kind


def test_a_folder_with_one_model_needs_no_choice_and_one_with_two_does(tmp_path: Path) -> None:
    assert only_file(tmp_path) is None
    for name in ("a-00002-of-00002.gguf", "a-00001-of-00002.gguf"):
        (tmp_path / name).touch()
    assert only_file(tmp_path) == tmp_path / "a-00001-of-00002.gguf"
    (tmp_path / "b.gguf").touch()
    with pytest.raises(ModelFolderError, match=r"several models: a-00001-of-00002\.gguf, b\.gguf"):
        only_file(tmp_path)
    assert only_file(tmp_path, "b.gguf") == tmp_path / "b.gguf"
    with pytest.raises(ModelFolderError):
        only_file(tmp_path, "../a-00001-of-00002.gguf")


def test_of_a_model_in_one_file_and_in_shards_the_one_file_is_taken() -> None:
    """Some repositories have both, for old and new clients; neither hides the other."""
    shards = {f"m-q8_0-{n:05}-of-00003.gguf": 10 for n in (3, 1, 2)}
    for sizes in (shards | {"m-q8_0.gguf": 30}, {"m-q8_0.gguf": 30} | shards):
        assert [variant.files for variant in variants(sizes)] == [("m-q8_0.gguf",)]
    assert [variant.size for variant in variants({"m-q8_0-00001-of-00002.gguf": 15} | shards)] == [30]
