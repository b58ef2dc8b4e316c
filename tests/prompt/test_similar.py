"""Laws of ranking windows by their identifiers."""

import math
import re

from hypothesis import given
from hypothesis import strategies as st

from guiderail.prompt.similar import STRIDE, WINDOW, Ranking, Vocabulary

LINES = st.lists(st.sampled_from(["", "alpha beta", "beta(gamma)", "delta = 1", "x = y", "epsilon"]), max_size=45)


def identifiers(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d]\w+", text))


def by_hand(files: list[list[str]], query: str) -> dict[tuple[int, int], float]:
    """Weighted Jaccard of every window, straight from the definition."""
    known = [identifiers("\n".join(lines)) for lines in files]
    weight = {word: math.log1p(len(files) / sum(word in words for words in known)) for words in known for word in words}
    asked = identifiers(query) & set(weight)
    scores = {}
    for number, lines in enumerate(files):
        blocks = max(1, math.ceil(len(lines) / STRIDE) - 1)
        for start in range(0, blocks * STRIDE, STRIDE):
            words = identifiers("\n".join(lines[start : start + WINDOW]))
            union = sum(weight[word] for word in words | asked)
            if words and asked:
                scores[number, start] = sum(weight[word] for word in words & asked) / union
    return scores


@given(st.lists(LINES, max_size=4), st.sampled_from(["alpha gamma", "beta", "nothing known", ""]))
def test_scores_are_weighted_jaccard_and_the_order_is_by_score_then_place(files, query) -> None:
    vocabulary = Vocabulary()
    windows = [vocabulary.windows(lines) for lines in files]
    matches = Ranking(vocabulary).best(query, windows, 0.0)
    found = {(match.file, match.start): match.score for match in matches}
    expected = by_hand(files, query)
    assert found.keys() == expected.keys()
    assert all(abs(found[place] - expected[place]) < 1e-5 for place in found)
    assert matches == sorted(matches, key=lambda match: (-match.score, match.file, match.start))


def test_a_rare_shared_identifier_counts_more_than_a_common_one() -> None:
    vocabulary = Vocabulary()
    files = [["common rare"], ["common usual"], ["common usual"], ["common other"]]
    windows = [vocabulary.windows(lines) for lines in files]
    best = Ranking(vocabulary).best("rare usual", windows, 0.0)
    assert best[0].file == 0


def test_windows_below_the_least_score_are_left_out() -> None:
    vocabulary = Vocabulary()
    windows = [vocabulary.windows(lines) for lines in (["same words"], ["same other thing entirely"], ["none"])]
    best = Ranking(vocabulary).best("same words", windows, 0.5)
    assert [(match.file, match.score) for match in best] == [(0, 1.0)]


def test_every_line_is_in_a_window() -> None:
    for length in range(1, 60):
        windows = Vocabulary().windows([f"name{number}" for number in range(length)])
        covered = {line for start in windows.starts for line in range(start, min(start + WINDOW, length))}
        assert covered == set(range(length))


def test_the_same_files_are_joined_once_and_new_words_join_them_again() -> None:
    vocabulary = Vocabulary()
    ranking = Ranking(vocabulary)
    windows = [vocabulary.windows(["alpha beta"])]
    for _ in range(3):
        ranking.best("alpha", windows, 0.0)
    assert ranking.joins == 1
    windows.append(vocabulary.windows(["gamma"]))
    assert [match.file for match in ranking.best("gamma", windows, 0.1)] == [1]
    assert ranking.joins == 2
