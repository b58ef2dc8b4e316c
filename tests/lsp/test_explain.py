"""What `guiderail.explain` says where nothing was suggested."""

from dataclasses import replace

import pytest

from guiderail.engine.completion import Completion
from guiderail.engine.faults import REPEATS, TOGETHER
from guiderail.lsp.explain import explanation
from guiderail.lsp.scheduler import Counts
from guiderail.lsp.suggestion_log import SuggestionLog
from tests.lsp.fakes import BLANK

ONE = replace(BLANK, text="end(3)", verdict=TOGETHER)


@pytest.mark.parametrize(
    ("answer", "reasons"),
    [
        (None, None),
        (Completion([BLANK], [ONE]), ["dropped: new errors: it runs into the word after it"]),
        (
            Completion([], [ONE, replace(ONE, verdict=REPEATS), ONE], withheld=1),
            [
                "dropped: new errors: it runs into the word after it",
                "dropped: new errors: it only repeats what follows",
                "dropped: it holds a token or key",
            ],
        ),
        (Completion([BLANK]), ["the model has nothing to suggest here"]),
        (Completion([ONE], [ONE]), None),
    ],
)
def test_it_says_why_there_is_nothing(answer: Completion | None, reasons: list[str] | None) -> None:
    assert explanation(SuggestionLog(), None, Counts(), None, answer)["nothing"] == reasons


def test_what_is_dropped_is_counted_by_what_is_wrong_with_it() -> None:
    counts = Counts()
    counts.add(Completion([], [ONE, replace(ONE, verdict=REPEATS)], withheld=1))
    counts.add(Completion([], [ONE]))
    assert counts == Counts(decoded=2, secret=1, dropped={"word": 2, "repeats": 1})
