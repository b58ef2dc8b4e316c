"""Laws of the table of fill-in-the-middle formats."""

import pytest

from guiderail.prompt.fim import CONTROL_TOKENS, FORMATS, FimFormat, find_fim
from tests.helpers.tiny import FAMILIES

EXPECTED = {
    "llama": "DeepSeek-Coder",
    "codellama": "CodeLlama",
    "seed-coder": "Seed-Coder",
    "guiderail": "guiderail",
    "qwen2": "Qwen2.5-Coder",
    "qwen3": "Qwen2.5-Coder",
    "starcoder2": "StarCoder2",
    "gemma": "CodeGemma",
    "gemma2": None,
    "mistral": "Codestral",
    "granite": "StarCoder",
    "phi": None,
    "stablelm": "StarCoder2",
}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_format_follows_from_the_special_tokens(family: str) -> None:
    tiny = FAMILIES[family]
    found = find_fim([tiny.eos, *tiny.specials])
    assert (found.name if found else None) == EXPECTED[family]


def test_the_embedded_model_is_told_from_qwen_by_its_lack_of_chat_tokens() -> None:
    sentinels = ["<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"]
    ours, qwen = find_fim(["<|endoftext|>", *sentinels]), find_fim(["<|im_start|>", *sentinels])
    assert ours is not None and qwen is not None
    assert (ours.name, ours.spm, qwen.name, qwen.spm) == ("guiderail", "standard", "Qwen2.5-Coder", None)


def test_a_lone_prefix_token_is_not_a_format() -> None:
    assert find_fim(["<fim_prefix>", "<|endoftext|>"]) is None
    assert find_fim([]) is None


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_every_sentinel_stops_a_completion(form) -> None:
    """A model that writes a sentinel has finished the middle, whichever sentinel it is."""
    assert set(form.sentinels) <= set(form.stops) <= CONTROL_TOKENS


def test_only_a_native_layout_may_lack_the_middle_sentinel() -> None:
    assert all(form.middle or form.spm == "native" for form in FORMATS)


def test_names_are_unique() -> None:
    assert len({form.name for form in FORMATS}) == len(FORMATS)


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_the_preferred_layout_is_one_that_the_family_knows(form: FimFormat) -> None:
    """The layout taken by default is never one that would be refused."""
    assert form.preferred in {"native": {"spm"}, "standard": {"psm", "spm"}, None: {"psm"}}[form.spm]
