"""vLLM, by conversations in its published form that a server replays; and a server with OpenAI's fields alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from guiderail.decoding.sampling import Sampling
from guiderail.engine.engine import Engine
from guiderail.engine.request import CompletionRequest
from guiderail.engine.time_limits import TimeLimits
from guiderail.errors import UsageError
from guiderail.prompt.fim import CONTROL_TOKENS
from guiderail.remote.errors import RemoteError
from guiderail.settings import Settings
from guiderail.text.document import Document
from tests.helpers.http_server import Answer, Server, as_events, as_json, serving

MODEL = "Qwen/Qwen2.5-Coder-7B"
QWEN = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>",
    "<|repo_name|>", "<|file_sep|>",
]  # fmt: skip
SOURCE = """class Account:
    def __init__(self, owner: str) -> None:
        self.owner_name = owner


def show(account: Account) -> str:
    return account.
"""
CURSOR = len(SOURCE) - 1
PROMPT_IDS = [7, 8, 9]
LIMITS = TimeLimits(context_s=5.0, ngrams_s=0.0, analyser_s=60.0)


def tokenize(body: Any) -> Answer:
    """vLLM's /tokenize, with the strings of tokens: control tokens whole, words with the blank before them."""
    known = "|".join(map(re.escape, QWEN))
    strings = [one.replace(" ", "Ġ") for one in re.findall(rf"{known}| ?\w+|\s|[^\w\s]", body["prompt"])]
    assert body["add_special_tokens"] is False
    ids = [QWEN.index(one) + 151643 if one in QWEN else 100 for one in strings]
    return as_json({"count": len(ids), "max_model_len": 4096, "tokens": ids, "token_strs": strings})


def chunk(text: str, *ids: int, first: bool = False, finish: str | None = None) -> dict[str, Any]:
    """A chunk of vLLM's stream."""
    logprobs = {"text_offset": [0] * len(ids), "token_logprobs": [-0.5] * len(ids), "tokens": ["?"] * len(ids)}
    choice: dict[str, Any] = {"index": 0, "text": text, "logprobs": {**logprobs, "top_logprobs": [None] * len(ids)}}
    choice |= {"finish_reason": finish, "stop_reason": None, "token_ids": list(ids)}
    choice |= {"prompt_token_ids": PROMPT_IDS} if first else {}
    return {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": MODEL, "choices": [choice]}


def usage() -> dict[str, Any]:
    """The chunk that only counts."""
    return {"id": "cmpl-1", "object": "text_completion", "choices": [], "usage": {"prompt_tokens": 3}}


@pytest.fixture
def vllm() -> Iterator[Server]:
    with serving() as found:
        listed = {
            "id": MODEL,
            "object": "model",
            "created": 1,
            "owned_by": "vllm",
            "root": MODEL,
            "max_model_len": 4096,
        }
        found.answers["/v1/models"] = as_json({"object": "list", "data": [listed]})
        found.answers["/tokenize"] = tokenize
        yield found


def completed(server: Server, *, text: str = SOURCE, offset: int = CURSOR, **changes: Any) -> Any:
    """The completion at the cursor, by a server."""
    engine = Engine(LIMITS)
    settings = Settings(model=server.url, confidence="off", **{"verdict": "off", "max_tokens": 16, **changes})
    engine.load(settings)
    try:
        document = Document(text, language="python")
        return engine.complete(CompletionRequest(document=document, offset=offset, settings=settings))
    finally:
        engine.unload()


def scripted(server: Server, *answers: Answer) -> None:
    """Let a server's completions be these, one after the other."""
    left = list(answers)
    server.answers["/v1/completions"] = lambda _: left.pop(0)


def test_a_refused_name_is_asked_for_again_as_a_pattern(vllm: Server) -> None:
    """After a name that does not exist the server goes on from its own tokens, with what exists as a pattern."""
    scripted(
        vllm,
        as_events(chunk("", first=True), chunk("own", 11), chunk("er", 12), chunk("ship", 13), chunk("\n", 14)),
        as_events(chunk("_name", 15, first=True), chunk(".title", 16, 17), chunk("()", 18), chunk("\n", 19), usage()),
    )
    suggestion = completed(vllm).suggestions[0]
    assert suggestion.text == "owner_name.title()"
    assert suggestion.score == -0.5
    assert suggestion.passes == 2
    first, second = vllm.bodies("/v1/completions")
    assert first["prompt"].startswith("<|fim_prefix|>class Account")
    assert first["prompt"].endswith("account.<|fim_suffix|>\n<|fim_middle|>")
    assert set(first["stop_token_ids"]) == {151643 + number for number in range(len(QWEN))}
    assert "structured_outputs" not in first
    assert second["prompt"] == [*PROMPT_IDS, 11, 12]
    pattern = re.compile(second["structured_outputs"]["regex"])
    assert second["max_tokens"] == first["max_tokens"] - 2
    for rest, fits in (("_name", True), ("_name.x\n\ny", True), ("_names", False), ("ship", False), ("", False)):
        assert bool(pattern.fullmatch(rest)) is fits, rest
    (watch,) = [one for one in suggestion.monitored.watches if one.forbidden]
    assert (watch.monitor, watch.forbidden, watch.at) == ("dereference", ["ship"], [2])


def test_a_half_typed_word_is_required(vllm: Server) -> None:
    """The word before the cursor is written again: the pattern begins with it, and the suggestion does not show it."""
    scripted(vllm, as_events(chunk("owner", 11, first=True), chunk("_name", 12), chunk("\n", 13)))
    text = SOURCE.replace("account.\n", "account.ow\n")
    suggestion = completed(vllm, text=text, offset=len(text) - 1).suggestions[0]
    assert suggestion.text == "ner_name"
    (body,) = vllm.bodies("/v1/completions")
    assert body["prompt"].endswith("account.<|fim_suffix|>\n<|fim_middle|>")
    pattern = re.compile(body["structured_outputs"]["regex"])
    assert pattern.fullmatch("owner_name\nx")
    assert not pattern.fullmatch("own\nx")
    assert not pattern.fullmatch("on")


def test_a_character_in_two_tokens_is_one_piece(vllm: Server) -> None:
    """A chunk without text that is no end waits for the one that completes its character."""
    scripted(vllm, as_events(chunk("'", 11, first=True), chunk("", 12), chunk("é'", 13), chunk("", finish="stop")))
    found = completed(vllm, text="x =\n", offset=3, monitors=False)
    assert found.suggestions[0].text == "'é'"
    assert len(found.suggestions[0].token_ids) == 2


def test_control_tokens_in_a_file_stay_text(vllm: Server) -> None:
    """A file that spells control tokens ends no prompt: each is told only where the format has it."""
    scripted(vllm, as_events(chunk("1", 11, first=True), chunk("", finish="stop")))
    completed(vllm, text='s = "<|endoftext|><|fim_middle|>"\nx =\n', offset=37, monitors=False)
    (body,) = vllm.bodies("/v1/completions")
    found = re.findall("|".join(map(re.escape, sorted(CONTROL_TOKENS))), body["prompt"])
    assert found == ["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"]


def test_a_conversation_of_another_form_is_an_error(vllm: Server) -> None:
    """Chunks without choices, with others, or that stop in the middle are told, not taken for an answer."""
    for answer in (
        as_events({"id": "x"}),
        as_events({"choices": "none"}),
        as_events({"choices": [{"index": 0, "text": "a", "token_ids": ["a"]}]}),
        as_events({"choices": [{"index": 0, "text": "a", "logprobs": []}]}, end=""),
        as_events(chunk("a", 1), end=""),
    ):
        scripted(vllm, answer)
        with pytest.raises(RemoteError, match="cannot be read"):
            completed(vllm, text="x =\n", offset=3, monitors=False)


def test_several_suggestions_differ(vllm: Server) -> None:
    """Further suggestions are drawn, each with a seed of its own; what repeats another is not shown."""
    scripted(vllm, *[as_events(chunk(f" {text}", 11, first=True), chunk("\n", 12)) for text in "1223"])
    engine = Engine(LIMITS)
    settings = Settings(model=vllm.url, monitors=False, verdict="off", confidence="off")
    engine.load(settings)
    request = CompletionRequest(document=Document("x =\n", language="python"), offset=3, settings=settings, n=3)
    assert [one.text for one in engine.complete(request).suggestions] == [" 1", " 2", " 3"]
    bodies = vllm.bodies("/v1/completions")
    assert [body["temperature"] for body in bodies] == [0.0, 0.8, 0.8, 0.8]
    assert len({body["seed"] for body in bodies}) == len(bodies)


def test_other_servers_have_the_verdict_alone() -> None:
    """A server with OpenAI's fields alone is sent prompt and suffix, no word again; that monitors rest is said."""
    with serving() as server:
        server.answers["/v1/models"] = as_json({"object": "list", "data": [{"id": "coder", "owned_by": "library"}]})
        choice = {"index": 0, "text": "nership", "finish_reason": None}
        server.answers["/v1/completions"] = as_events({"choices": [choice]}, {"choices": [choice | {"text": "\n"}]})
        text = SOURCE.replace("account.\n", "account.ow\n")
        found = completed(server, text=text, offset=len(text) - 1, verdict="sure")
        (judged,) = [*found.suggestions, *found.dropped]
        assert judged.verdict is not None
        assert judged.verdict.state == "errors"
        assert judged.monitored is None
        (body,) = server.bodies("/v1/completions")
        assert body["prompt"].endswith("return account.ow")
        assert body["suffix"] == "\n"
        engine = Engine(LIMITS)
        engine.load(Settings(model=server.url))
        assert "the verdict alone" in engine.device


@pytest.mark.parametrize("changes", [{"method": "adadec"}, {"method": "plain+rpg"}])
def test_what_needs_scores_is_refused(vllm: Server, changes: dict[str, Any]) -> None:
    """Methods and stages need every token's score, which no server gives: they are refused at once."""
    with pytest.raises(UsageError, match="decodes plainly"):
        completed(vllm, **changes)


def test_what_runs_here_alone_is_refused(vllm: Server) -> None:
    """Who needs the model itself is told that it is elsewhere."""
    engine = Engine(LIMITS)
    engine.load(Settings(model=vllm.url))
    with pytest.raises(UsageError, match="runs here"):
        _ = engine.model
    assert engine.described.info.context_length == 4096
    assert Sampling().greedy
