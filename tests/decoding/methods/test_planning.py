"""PG-TD: its rule of choice, its caches, and the search against trying everything."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.decoding.constraints.vocabulary import Vocabulary
from guiderail.decoding.method import DecodeRequest, FinishedEvent, TokenEvent
from guiderail.decoding.methods.planning import BASE, Planning, PlanningSpec, _Node
from guiderail.decoding.sandbox.project_tests import ProjectTests, UntestableError
from guiderail.decoding.spec import BuildContext
from guiderail.decoding.stops import NeverStop
from guiderail.text.document import Document
from tests.decoding.methods.test_alignment import PROMPT, TABLE, Model
from tests.helpers.models import tiny_model

TEXTS = ["".join(bits) for n in range(4) for bits in itertools.product("01", repeat=n)]


def search(seed: int, wanted: str, rollouts: int, width: int = 3) -> tuple[str, list[str], Model, list[TokenEvent]]:
    """The text that is found, the texts that were tried, in order, and what it cost."""
    tried: list[str] = []

    def reward(text: str) -> float:
        tried.append(text)
        return float(text == wanted)

    session = Model(seed)
    method = Planning(PlanningSpec(rollouts=rollouts, width=width), reward)
    request = DecodeRequest(token_bytes=TABLE, stop=NeverStop(), max_tokens=3)
    *tokens, end = method.decode(session, session.scores(PROMPT), request, [])  # pyright: ignore
    assert isinstance(end, FinishedEvent)
    return end.text, tried, session, [t for t in tokens if isinstance(t, TokenEvent)]


def greedy(seed: int) -> str:
    session, text = Model(seed), ""
    while len(text) < 3 and (token := int(session.scores(session.ids).argmax())):
        text += TABLE[token].decode()
        session.ids.append(token)
    return text


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0.01, 1), st.integers(0, 20)), min_size=1, max_size=4),
    st.floats(0, 5),
)
def test_a_child_is_chosen_by_the_papers_rule(rows: list[tuple[float, float, int]], explore: float) -> None:
    best, priors, tried = (list(column) for column in zip(*rows, strict=True))
    node = _Node(list(range(len(rows))), priors)
    node.best, node.tried, node.visits = best, tried, 1 + sum(tried)
    beta = math.log((node.visits + BASE + 1) / BASE) + explore
    worth = [q + beta * p * math.sqrt(math.log(node.visits)) / (1 + n) for q, p, n in rows]
    assert worth[node.choose(explore)] == pytest.approx(max(worth))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("wanted", ["000", "10", "", "011"])
def test_with_room_for_all_texts_the_best_is_found(seed: int, wanted: str) -> None:
    assert search(seed, wanted, rollouts=9000)[0] == wanted


@pytest.mark.parametrize("seed", range(6))
def test_one_rollout_is_greedy_decoding(seed: int) -> None:
    """And so is a search that finds nothing better."""
    assert search(seed, "none", rollouts=1)[0] == greedy(seed)
    text, tried, _, _ = search(seed, "222", rollouts=30)
    assert text == tried[0] == greedy(seed)


def test_nothing_is_run_or_tested_twice() -> None:
    """A pass for each beginning at most, a test for each text; and probabilities are the model's own."""
    _, tried, session, tokens = search(2, "none", rollouts=60)
    assert len(tried) == len(set(tried)) <= len(TEXTS)
    assert session.passes <= len(TEXTS)
    ids = list(PROMPT)
    for token in tokens:
        assert token.logprob == pytest.approx(float(session.scores(ids).log_softmax(-1)[token.id]), abs=1e-5)
        ids.append(token.id)


def situation(folder: Path, text: str, root: Path | None = None) -> BuildContext:
    model = tiny_model("guiderail")
    path = folder / "pkg" / "code.py"
    path.parent.mkdir(exist_ok=True)
    (folder / "pkg" / "__init__.py").touch()
    path.write_text(text, encoding="utf-8")
    document = Document(text, path, "python")
    vocabulary = Vocabulary(model.tokenizer.token_bytes)
    return BuildContext(model=model, vocabulary=vocabulary, document=document, offset=text.index("# here"), root=root)


BODY = 'def double(x):\n    """Twice.\n\n    >>> double(2)\n    4\n    >>> double(0)\n    0\n    """\n    # here\n'


def trial(where: BuildContext, tests: str) -> ProjectTests:
    try:
        return ProjectTests(where, tests, seconds=120, megabytes=2048)
    except UntestableError as error:
        if "sandbox" in str(error):
            pytest.skip(str(error))
        raise


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("text", "share"), [("return 2 * x", 1.0), ("return 4", 0.5), ("return", 0.0), ("return (", 0.0), ("exit(0)", 0.0)]
)
def test_doctests_say_what_share_passes(tmp_path: Path, text: str, share: float) -> None:
    assert trial(situation(tmp_path, BODY), "doctest").share_passed(text + "\n    ") == share


@pytest.mark.e2e
def test_the_projects_own_tests_say_what_share_passes(tmp_path: Path) -> None:
    """The project itself is left as it was."""
    where = situation(tmp_path, BODY, root=tmp_path)
    tests = "from pkg.code import double\ndef test_a(): assert double(3) == 6\ndef test_b(): assert double(1) > 1\n"
    (tmp_path / "test_code.py").write_text(tests)
    judge = trial(where, "test_code.py")
    assert judge.share_passed("return 2 * x\n    ") == 1.0
    assert judge.share_passed("return x + 1\n    ") == 0.5
    assert (tmp_path / "pkg" / "code.py").read_text() == BODY


def test_what_cannot_be_tested_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UntestableError, match="no tests"):
        ProjectTests(situation(tmp_path, BODY, root=tmp_path), "missing.py", seconds=1, megabytes=256)
