"""Superposed decoding against the paper's formulas over transformers' own model."""

import math
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from guiderail.decoding.method import DecodeRequest, FinishedEvent, TokenEvent
from guiderail.decoding.methods.superposed import UNSEEN, WEIGHTS, Superposed, ngram_probability
from guiderail.decoding.session import Session
from guiderail.decoding.stages.ngram_counts import NgramCounts
from guiderail.decoding.stops import NeverStop
from tests.helpers.models import tiny_model

PROMPT = [7, 8, 9, 10, 7, 8, 11, 9, 10, 12, 7, 8]


def frequency(texts: list[list[int]], context: list[int], token: int) -> float:
    """The weighted n-gram frequency, counted anew."""
    total = 0.0
    for order, weight in WEIGHTS.items():
        places = [(t, i) for t in texts for i in range(order, len(t)) if t[i - order : i] == context[-order:]]
        if places:
            total += weight * sum(t[i] == token for t, i in places) / len(places)
    return total


def reference(family: str, k: int, alpha: float, temperature: float, steps: int, project: list[int]):
    """The paper's algorithm: every pass runs the whole sequence of embeddings through transformers' module."""
    model = tiny_model(family)
    module: Any = AutoModelForCausalLM.from_pretrained(model.info.folder, attn_implementation="eager").eval()
    vocabulary = len(model.tokenizer.token_bytes)
    with torch.no_grad():
        table = module.get_input_embeddings()(torch.arange(vocabulary))
    inputs = table[PROMPT]
    drafts: list[tuple[list[int], float]] = [([], 0.0)]
    for step in range(steps):
        with torch.no_grad():
            logits = module(inputs_embeds=inputs[None]).logits[0, -1, :vocabulary]
        shared = (logits.log_softmax(-1) / temperature).log_softmax(-1)
        best = shared.topk(3 * k)
        grown = []
        for ids, weight in drafts:
            for token, logprob in zip(best.indices.tolist(), best.values.tolist(), strict=True):
                score = logprob
                if step:
                    p = frequency([PROMPT, project], PROMPT + ids, token)
                    score = (1 - alpha) * logprob + (alpha * math.log(p) if p else UNSEEN)
                grown.append(([*ids, token], weight + score))
        drafts = sorted(grown, key=lambda item: -item[1])[:k]
        gamma = torch.tensor([weight for _, weight in drafts]).softmax(-1)
        inputs = torch.cat((inputs, (gamma @ table[[ids[-1] for ids, _ in drafts]])[None]))
    return [ids for ids, _ in drafts]


def run(family: str, method: Superposed, n: int, tokens: int):
    model = tiny_model(family)
    texts = [b"x"] * len(model.tokenizer.token_bytes)
    session = Session(model)
    logits = session.feed(PROMPT)
    assert logits is not None
    request = DecodeRequest(token_bytes=texts, stop=NeverStop(), max_tokens=tokens, n=n)
    found, tokens_of = [], []
    for event in method.decode(session, logits, request, ()):
        if isinstance(event, TokenEvent):
            tokens_of.append(event)
        elif isinstance(event, FinishedEvent):
            found.append(tokens_of)
            tokens_of = []
    return found, session


@pytest.mark.parametrize("family", ["qwen3", "gemma", "granite"])
def test_it_is_the_papers_algorithm(family: str) -> None:
    """The same texts as over a full forward pass of blended embeddings, families that scale embeddings among them."""
    project = NgramCounts()
    other = [8, 30, 31, 32, 8, 30, 33, 9]
    project.set_text("other", other)
    expected = reference(family, 3, 0.5, 0.3, 5, other)
    found, session = run(family, Superposed(3, 0.5, 0.3, 5, project), 3, 9)
    assert sorted([event.id for event in text] for text in found) == sorted(expected)
    assert session.ids == PROMPT


def test_texts_are_ranked_by_their_exact_probability() -> None:
    """The log-probabilities are those of feeding each text alone, and the best mean comes first."""
    found, _ = run("qwen3", Superposed(4, 0.5, 0.3, 5), 4, 9)
    means = []
    for text in found:
        session = Session(tiny_model("qwen3"))
        logits, total = session.feed(PROMPT), 0.0
        for event in text:
            assert logits is not None
            logprob = float(logits[: len(session.model.tokenizer.token_bytes)].log_softmax(-1)[event.id])
            assert event.logprob == pytest.approx(logprob, abs=1e-4)
            total, logits = total + logprob, session.feed([event.id])
        means.append(total / len(text))
    assert means == sorted(means, reverse=True)


def test_a_token_costs_one_pass_for_all_texts_and_one_scores_them() -> None:
    _, session = run("qwen3", Superposed(3, 0.5, 0.3, 6), 3, 6)
    assert session.passes == 1 + 5 + 1


def test_frequencies_are_counted_over_all_texts() -> None:
    one, other = NgramCounts(), NgramCounts()
    one.set_text("a", PROMPT)
    other.set_text("b", [8, 9, 9, 10])
    for context in ([7, 8], [9, 10, 7], [5, 9]):
        for token in range(5, 14):
            expected = frequency([PROMPT, [8, 9, 9, 10]], context, token)
            assert ngram_probability((one, other), context, token) == pytest.approx(expected)


def test_a_tree_of_blends_cannot_be_kept() -> None:
    """Its keys are no token's: they never become part of a sequence."""
    from guiderail.cache.tree import TokenTree

    session = Session(tiny_model("qwen3"))
    session.feed(PROMPT)
    tree = TokenTree.chain([3])
    session.feed_tree(tree, session.model.embed(torch.tensor([3])))
    with pytest.raises(ValueError, match="only a path"):
        session.keep([0])
