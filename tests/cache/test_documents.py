"""Edited documents: the cache's tokens are those of the prompt as it is now, each in its place, and heal to exact."""

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from guiderail.cache.live import LiveCache
from guiderail.cache.selection import Effort
from guiderail.prompt.prompt import Layout, build_prompt
from guiderail.text.document import Document
from tests.cache.test_live import assert_first_layer, error, exact_tokens
from tests.helpers.models import tiny_model

# What one key stroke can re-tokenise: indentation, words, several lines, both line ends, characters outside the BMP.
PIECES = st.sampled_from(
    ["x", " ", "    ", "\t", "\n", "\r\n", "\r", "(", "):\n", "def run(self", "return value", "=", "é", "e\u0301",
     "名前", "👍", "👨‍👩‍👧", "\U0001d4b3", "'", "# <|fim_middle|>", "0", "1234", "_", "."]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=30).map("".join)
START = "import os\r\n\r\n\r\ndef size(path):\n    '''Größe 👍'''\n    total = os.stat(path)\n    return total\n" * 2
SMALL = Effort(halo=3, near=8, tail=6, uses=6)


@dataclass(frozen=True)
class Step:
    """One thing that a person does; places are shares of the text's length."""

    kind: str
    at: float
    size: int
    to: float
    text: str
    cursor: float


STEPS = st.builds(
    Step,
    st.sampled_from(["insert", "delete", "replace", "move", "undo", "nothing"]),
    st.floats(0, 1),
    st.integers(0, 40),
    st.floats(0, 1),
    TEXTS,
    st.floats(0, 1),
)


def inserted(text: str, at: int, step: Step) -> str:
    return text[:at] + step.text + text[at:]


def deleted(text: str, at: int, step: Step) -> str:
    return text[:at] + text[at + step.size :]


def replaced(text: str, at: int, step: Step) -> str:
    return text[:at] + step.text + text[at + step.size :]


def moved(text: str, at: int, step: Step) -> str:
    rest, piece = text[:at] + text[at + step.size :], text[at : at + step.size]
    to = round(step.to * len(rest))
    return rest[:to] + piece + rest[to:]


EDITS: dict[str, Callable[[str, int, Step], str]] = {
    "insert": inserted, "delete": deleted, "replace": replaced, "move": moved, "nothing": lambda text, _at, _step: text,
}  # fmt: skip


def versions(script: list[Step]) -> list[tuple[str, int]]:
    """The text and the cursor after each step; an undo goes back to the text before the last edit."""
    history, found = [START], []
    for step in script:
        if step.kind == "undo":
            history = history[:-1] or [START]
        else:
            history.append(EDITS[step.kind](history[-1], round(step.at * len(history[-1])), step))
        found.append((history[-1], round(step.cursor * len(history[-1]))))
    return found


@settings(max_examples=20, deadline=None)
@given(
    st.lists(STEPS, min_size=1, max_size=6),
    st.sampled_from(["guiderail", "starcoder2", "codellama"]),
    st.sampled_from(["psm", "spm", "efim", "prefix"]),
)
def test_edited_documents_are_followed(script: list[Step], family: str, layout: Layout) -> None:
    """After every edit and every move of the cursor the ids are a fresh tokenisation's, what the ledger calls exact is
    exact, no position is there twice or missing, and healing gives a fresh encoding."""
    model = tiny_model(family)
    cache = LiveCache(model, policy="patch", effort=SMALL)
    count = lambda text: len(model.tokenizer.encode(text))  # noqa: E731
    for text, cursor in versions(script):
        document = Document(text, language="python")
        prompt = build_prompt(document, cursor, (), model.info.fim, layout=layout, budget=600, count=count)
        ids = model.tokenizer.encode_prompt(prompt) or [0]
        report = cache.fit(ids)
        assert cache.ids == ids
        assert report.kept + report.encoded == cache.length == len(ids)
        assert not cache.missing
        assert_first_layer(cache)
        assert error(cache, exact_tokens(cache)) < 1e-5
    cache.heal()
    assert cache.is_exact
    assert error(cache) < 1e-5
