"""One request from a cursor to suggestions."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.decoding.method import Event
from guiderail.decoding.methods.plain import Plain
from guiderail.decoding.partial_text import decoded
from guiderail.decoding.pipeline import PLAIN, Pipeline, build_pipeline
from guiderail.decoding.sampling import Sampling
from guiderail.decoding.session import Session
from guiderail.decoding.spec import BuildContext, Metadata, MethodSpec
from guiderail.decoding.stops import stop_rule
from guiderail.decoding.suffix_stop import stop_at_suffix
from guiderail.engine.completer import Completer
from guiderail.engine.plan import CompletionPlan
from guiderail.engine.run import WIDEST
from guiderail.engine.suggestion import Timings
from guiderail.errors import UsageError
from guiderail.prompt.snippet import Snippet
from guiderail.text.document import Document
from guiderail.text.fitting import FittedText, fit_text
from tests.helpers.models import FAMILIES, tiny_model

SOURCE = 'import os\n\n\ndef size(path):\n    """Bytes of a file."""\n    return os.sta\n\n\ndef main():\n    pass\n'
CURSOR = SOURCE.index("os.sta") + len("os.sta")


def request(source: str = SOURCE, offset: int = CURSOR, **changes) -> CompletionPlan:
    defaults = {"until": "tokens", "max_tokens": 12}
    return CompletionPlan(document=Document(source, language="python"), offset=offset, **(defaults | changes))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("layout", ["auto", "spm", "prefix"])
def test_greedy_text_is_the_models_own(family: str, layout) -> None:
    """A suggestion holds the tokens that the bare session decodes after the same prompt, in every family."""
    model = tiny_model(family)
    fim = model.info.fim
    if layout == "spm" and (fim is None or fim.spm is None):
        pytest.skip(f"{family} was not trained on this layout")
    completer = Completer(model)
    asked = request(heal=False, layout=layout)
    (suggestion,) = completer.complete(asked)
    session = Session(model)
    logits, ids = session.feed(model.tokenizer.encode_prompt(completer.prompts.build(asked))), []
    for _ in suggestion.token_ids:
        assert logits is not None
        ids.append(int(logits[: len(model.tokenizer.token_bytes)].argmax()))
        logits = session.feed(ids[-1:])
    assert suggestion.token_ids == tuple(ids)
    written = b"".join(model.tokenizer.token_bytes[i] for i in ids)
    assert written.startswith(suggestion.text.encode())
    assert suggestion.finish in {"length", "eos"}


@settings(max_examples=30, deadline=None)
@given(st.text(alphabet="ab_é𝒳1", min_size=1, max_size=12), st.integers(0, 3))
def test_a_half_typed_word_is_written_again(word: str, seed: int) -> None:
    """With healing the tokens spell the half-typed word first, and the text begins after it."""
    model = tiny_model("qwen3")
    source = f"x = {word}"
    asked = request(source, len(source), sampling=Sampling(temperature=1.0, seed=seed), max_tokens=40)
    completer = Completer(model)
    typed = completer.prompts.build(asked).typed.encode()
    (suggestion,) = completer.complete(asked)
    written = b"".join(model.tokenizer.token_bytes[i] for i in suggestion.token_ids)
    assert typed.endswith(word.encode())
    assert written.startswith(typed)
    assert written[len(typed) :].decode(errors="ignore").startswith(suggestion.text)


def test_several_suggestions_differ_and_the_first_is_the_single_one() -> None:
    """n suggestions are at most n, all different, the first one what a single request gives; a seed repeats them."""
    completer = Completer(tiny_model("qwen3"))
    (single,) = completer.complete(request())
    several = completer.complete(request(n=4))
    assert several[0].text == single.text
    assert 1 < len(several) <= 4
    assert len({s.text for s in several}) == len(several)
    assert [s.text for s in completer.complete(request(n=4))] == [s.text for s in several]


@pytest.mark.parametrize("pipeline", [PLAIN, build_pipeline("rpg", drafter="auto", greedy=False)], ids=["plain", "rpg"])
@pytest.mark.parametrize("temperature", [0.0, 0.9])
def test_suggestions_drawn_side_by_side_are_those_drawn_one_by_one(
    pipeline: Pipeline, temperature: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever watches a request's first tokens come gets the same suggestions; stages and half-typed words included."""
    asked = request(n=4, sampling=Sampling(temperature=temperature, seed=5), pipeline=pipeline)
    together = Completer(tiny_model("qwen3")).complete(asked)
    watched = Completer(tiny_model("qwen3")).complete(asked, on_token=lambda _: None)
    monkeypatch.setattr("guiderail.engine.run.Run._batch_size", lambda *_: 1)
    alone = Completer(tiny_model("qwen3")).complete(asked)
    assert [s.token_ids for s in together] == [s.token_ids for s in alone] == [s.token_ids for s in watched]
    assert len(together) == 4


def test_what_drawn_texts_share_is_said() -> None:
    """Passes of texts that were drawn together are those of all, and each says how many they are."""
    completer, sampling = Completer(tiny_model("qwen3")), Sampling(temperature=0.9)
    found = completer.complete(request(n=20, sampling=sampling, distinct=False))
    assert [s.shared_by for s in found] == [WIDEST] * WIDEST + [20 - WIDEST] * (20 - WIDEST)
    assert len({s.passes for s in found[:WIDEST]}) == len({s.passes for s in found[WIDEST:]}) == 1
    assert found[0].passes <= max(len(s.token_ids) for s in found[:WIDEST])


@pytest.mark.parametrize("pipeline", ["uscd", "plain"])
def test_texts_are_drawn_one_by_one_where_that_is_better(pipeline: str) -> None:
    """A stage that follows one text at a time, and drafts that are to be measured, leave no text beside another."""
    drafter = "suffix" if pipeline == "plain" else "off"
    chosen = build_pipeline(pipeline, drafter=drafter, greedy=False)
    asked = request(n=3, sampling=Sampling(temperature=0.9), distinct=False, pipeline=chosen)
    assert [s.shared_by for s in Completer(tiny_model("qwen3")).complete(asked)] == [1, 1, 1]


def test_draws_that_need_not_differ_are_independent() -> None:
    """As many come as were wanted, whatever they say: nearly certain draws are all the same."""
    asked = request(n=3, sampling=Sampling(temperature=1e-4), distinct=False)
    found = Completer(tiny_model("qwen3")).complete(asked)
    assert [s.text for s in found] == [found[0].text] * 3


def test_a_cancelled_request_ends_within_one_step_and_leaves_no_trace() -> None:
    """A cancel ends decoding before the next forward pass; the next request gives what a fresh completer gives."""
    completer = Completer(tiny_model("qwen3"))
    written: list[bytes] = []
    (cut,) = completer.complete(request(), cancelled=lambda: len(written) >= 3, on_token=written.append)
    assert cut.finish == "cancelled"
    assert len(cut.token_ids) == 3
    again, fresh = completer.complete(request()), Completer(tiny_model("qwen3")).complete(request())
    assert [s.token_ids for s in again] == [s.token_ids for s in fresh]


def test_the_next_request_keeps_the_shared_prefix() -> None:
    """A request after the same text encodes only what differs, and says how much it kept."""
    completer = Completer(tiny_model("qwen3"))
    first = completer.complete(request())[0].timings
    second = completer.complete(request())[0].timings
    assert first.reused_tokens == 0
    assert second.reused_tokens == second.prompt_tokens - 1


def test_a_suggestion_says_whether_its_cache_was_exact() -> None:
    """After a patched prompt a suggestion is marked; once the cache is healed it is the fresh completer's again."""
    completer = Completer(tiny_model("qwen3"), cache_policy="patch")
    above = "# above\n" * 120
    (first,) = completer.complete(request(above + SOURCE, len(above) + CURSOR, heal=False))
    edited = request("import sys\n" + above + SOURCE, 11 + len(above) + CURSOR, heal=False)
    (patched,) = completer.complete(edited)
    assert (first.cache_exact, patched.cache_exact) == (True, False)
    assert patched.timings.reused_tokens > 100
    assert completer.heal()
    (healed,), (fresh,) = completer.complete(edited), Completer(tiny_model("qwen3")).complete(edited)
    assert healed.cache_exact and fresh.cache_exact
    assert healed.token_ids == fresh.token_ids


def test_a_line_ends_with_the_line() -> None:
    """Until "line" no line break stands inside what is shown, whatever the model writes."""
    completer = Completer(tiny_model("qwen3"))
    for seed in range(20):
        sampling = Sampling(temperature=1.5, seed=seed)
        (suggestion,) = completer.complete(request(until="line", max_tokens=60, sampling=sampling))
        assert "\n" not in suggestion.text.strip()
        assert suggestion.finish in {"line", "length", "eos"}


def test_context_files_are_part_of_the_prompt() -> None:
    """Snippets stand in the prompt before the file."""
    completer = Completer(tiny_model("qwen3"))
    snippet = Snippet(path="util.py", text="def helper():\n    return 41\n", reason="definition", score=1.0)
    prompt = completer.prompts.build(request(snippets=(snippet,)))
    text = "".join(segment.text for segment in prompt.segments)
    assert text.index("def helper") < text.index("def size")


def test_bytes_that_are_no_text_end_it() -> None:
    """A suggestion is valid text: it ends before bytes that begin no character, and waits for whole ones."""
    assert decoded("aé".encode() + b"\xc3", 0) == ("aé", True)
    assert decoded(b"a\xffb", 0) == ("a", False)
    assert decoded("xyé".encode(), 2) == ("é", True)


def test_more_tokens_than_the_context_are_refused() -> None:
    """Asking for more tokens than the model's context holds is an error that says how many it holds."""
    model = tiny_model("qwen3")
    with pytest.raises(UsageError, match=str(model.info.context_length)):
        Completer(model).complete(request(max_tokens=model.info.context_length))


def test_times_are_of_this_request() -> None:
    """Time to first token includes encoding the prompt; the score is a mean log-probability."""
    (suggestion,) = Completer(tiny_model("qwen3")).complete(request())
    times = suggestion.timings
    assert 0 < times.prompt_s <= times.ttft_s
    assert times.decode_s > 0
    assert times.tokens_per_s == pytest.approx((len(suggestion.token_ids) - 1) / times.decode_s)
    assert suggestion.score < 0


class Together(Plain):
    """Tells of all its tokens at the end, as decoding does that waited for an analyser."""

    def decode(self, session, logits, request, constraints) -> Iterator[Event]:
        """See `Method.decode`."""
        yield from list(super().decode(session, logits, request, constraints))


@dataclass(frozen=True, kw_only=True)
class TogetherSpec(MethodSpec):
    """Plain decoding that tells of its tokens at the end."""

    metadata = Metadata(summary="all at once", paper="", cost="one pass a token")

    def build(self, context: BuildContext) -> Together:
        """See `MethodSpec.build`."""
        return Together(context.sampling)


def test_tokens_that_come_together_have_the_time_of_their_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """However late tokens are told of, the decoding time holds every forward pass after the prompt."""
    spent, feed = 0.0, Session.feed

    def timed(session: Session, *args, **kwargs):
        nonlocal spent
        began = time.perf_counter()
        found = feed(session, *args, **kwargs)
        spent += time.perf_counter() - began
        return found

    monkeypatch.setattr(Session, "feed", timed)
    completer, asked = Completer(tiny_model("qwen3")), request(pipeline=Pipeline(method=TogetherSpec()))
    (suggestion,) = completer.complete(asked)
    assert suggestion.passes > 1
    assert suggestion.timings.decode_s > spent > 0
    assert suggestion.timings.tokens_per_s < len(suggestion.token_ids) / spent


def test_files_keep_their_caches() -> None:
    """With memory for other files, going back to one encodes only the last token; a new one keeps what both share."""
    completer = Completer(tiny_model("qwen3"), cache_bytes=2**24)
    texts = {"a.py": "import os\n\n\ndef size(path):\n    return ", "b.py": "class Other:\n    value = "}

    def ask(name: str) -> Timings:
        document = Document(texts[name], Path(name), "python")
        request = CompletionPlan(document=document, offset=len(texts[name]), max_tokens=4, layout="prefix")
        return completer.complete(request)[0].timings

    for name in texts:
        ask(name)
    for name in texts:
        timings = ask(name)
        assert timings.reused_tokens == timings.prompt_tokens - 1


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("until", ["line", "tokens"])
def test_a_fitted_text_is_the_models_own_fitted(family: str, until: str) -> None:
    """Nothing else is decoded: the text is cut where what follows begins, and what stands twice is left out."""
    completer = Completer(tiny_model(family))
    plain = request(layout="prefix", heal=False, until=until)
    (free,) = completer.complete(plain)
    for size in range(len(free.text) + 1):
        # In the layout "prefix" what follows is not shown, so that it cannot change what is written.
        source = SOURCE[:CURSOR] + free.text[size:] + SOURCE[CURSOR:]
        asked = request(source, layout="prefix", heal=False, until=until, fit=True)
        (found,) = completer.complete(asked)
        before, after = "    return os.sta", source[CURSOR:]
        assert found.token_ids == free.token_ids[: len(found.token_ids)]
        rule = stop_at_suffix(stop_rule(asked.until, before), before, after, "python")
        written = free.text[: rule.end(free.text)] if found.finish == until else free.text
        shaped = fit_text(written, before, after) or FittedText("")
        assert (found.text, found.end) == (shaped.text, CURSOR + shaped.covers)
        assert replace(asked, fit=False) == request(source, layout="prefix", heal=False, until=until)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("typed", ["", "re"])
def test_what_is_written_again_is_what_the_prompt_leaves_out(family: str, typed: str) -> None:
    """As many blanks as the model's own tokenizer joins with a word; no front end shows them."""
    completer = Completer(tiny_model(family))
    source = f"def f():\n    {typed}\n"
    asked = request(source, len(source) - 1)
    prompt = completer.prompts.build(asked)
    assert completer.prompts.typed(asked) == prompt.typed
    assert completer.prompts.typed(replace(asked, heal=False)) == ""
    (found,) = completer.complete(asked)
    written = b"".join(completer.model.tokenizer.token_bytes[i] for i in found.token_ids)
    assert written.startswith(prompt.typed.encode())
    assert written[len(prompt.typed) :].decode(errors="ignore").startswith(found.text)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_indentation_is_lengthened_where_a_block_begins_alone(family: str) -> None:
    """Models with random weights write blanks as often as anything: after an indentation none is shown."""
    completer, compared = Completer(tiny_model(family)), 0
    for seed in range(20):
        sampling = Sampling(temperature=2.0, seed=seed)
        source = f"def f{seed}(x):\n    y = x\n    "
        (found,) = completer.complete(request(source, len(source), fit=True, sampling=sampling))
        assert found.text[:1] not in {" ", "\t"} or not found.text.split("\n")[0].strip()
        (free,) = completer.complete(request(source, len(source), sampling=sampling))
        if free.text[:1] not in {" ", "\t"}:  # else another token was drawn in place of the blanks
            assert found.text.split() == free.text.split()[: len(found.text.split())]
            compared += 1
    assert compared > 5
