"""The laws of `guiderail stats`."""

import json
from collections.abc import Callable

from guiderail.lsp.feedback import Feedback, Lesson
from guiderail.lsp.usage import UsageFile
from tests.cli.conftest import Result

Run = Callable[..., Result]


def test_stats_is_a_table_with_the_largest_first_and_a_sum(guiderail: Run) -> None:
    """Nothing counted is said in words; then each language and model has a line."""
    assert guiderail("stats") == Result(0, "Nothing has been counted yet.\n", "")
    file = UsageFile()
    file.count("go", "/home/me/models/coder", shown=2, partly=1)
    file.count("python", "embedded", shown=8, accepted=4, partly=2)
    file.save()
    result = guiderail("stats")
    rows = [line.split() for line in result.out.splitlines()[3:]]
    assert rows == [
        ["python", "embedded", "8", "4", "2", "75"],
        ["go", "coder", "2", "0", "1", "50"],
        ["all", "10", "4", "3", "70"],
    ]
    (go,) = [row for row in json.loads(guiderail("stats", "--json").out)["rows"] if row["language"] == "go"]
    assert go == {"language": "go", "model": "coder", "shown": 2, "accepted": 0, "partly": 1}


def test_stats_says_what_was_learned(guiderail: Run) -> None:
    feedback = Feedback()
    feedback.learn(Lesson("embedded", 0.5, right=False))
    feedback.save()
    assert "Suggestions of embedded are taken for less likely" in guiderail("stats").out
    assert json.loads(guiderail("stats", "--json").out)["confidence"]["embedded"]["outcomes"] == 1


def test_reset_forgets_all(guiderail: Run) -> None:
    file, feedback = UsageFile(), Feedback()
    file.count("python", "embedded", shown=1)
    file.save()
    feedback.learn(Lesson("embedded", 0.5, right=False))
    feedback.save()
    assert guiderail("stats", "reset") == Result(0, "", "all counts are forgotten\n")
    assert not file.path.exists()
    assert not feedback.path.exists()
    assert guiderail("stats", "reset").code == 0
    assert guiderail("stats").out == "Nothing has been counted yet.\n"
