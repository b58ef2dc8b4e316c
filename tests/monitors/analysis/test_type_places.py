"""Where the types of a receiver are defined, from a server that may refuse to say."""

import asyncio
from pathlib import Path
from types import SimpleNamespace

import pytest

from guiderail.monitors.analysis import requests
from guiderail.monitors.analysis.requests import Question

PLACE = [{"uri": Path("/project/b.py").as_uri(), "range": {"start": {"line": 3}, "end": {"line": 3}}}]


class Refused(Exception):
    """An answer with one of LSP's error codes."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def types(*replies: object):
    """The places that are read of these replies, errors among them."""
    left = list(replies)

    async def type_definition(offset: int) -> object:
        reply = left.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    client = SimpleNamespace(locates_types=True, server=SimpleNamespace(marks=True), type_definition=type_definition)
    return asyncio.run(requests._types(client, Question(Path("/project/a.py"), "python", "abc.", 4)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "replies",
    [(PLACE, Refused(-32603)), (Refused(-32603), PLACE), (Refused(requests.OUTDATED[0]), PLACE, None)],
    ids=["second", "first", "outdated"],
)
def test_one_answer_is_enough(replies: tuple[object, ...]) -> None:
    """An error about one place does not lose what is said of the other."""
    assert [(place.path, place.line) for place in types(*replies)] == [(Path("/project/b.py"), 3)]


def test_without_any_answer_nothing_is_known() -> None:
    """Rather than that nobody adds members."""
    with pytest.raises(Refused):
        types(None, Refused(-32603))
