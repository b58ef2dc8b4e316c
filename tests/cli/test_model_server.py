"""`guiderail complete` with a model on a server."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Result
from tests.helpers.http_server import Server, as_events, as_json, serving

Run = Callable[..., Result]


@pytest.fixture
def server() -> Iterator[Server]:
    """A server with OpenAI's fields alone, that completes everything with a call."""
    with serving() as found:
        found.answers["/v1/models"] = as_json({"object": "list", "data": [{"id": "coder", "object": "model"}]})
        texts = [{"choices": [{"index": 0, "text": text, "finish_reason": None}]} for text in ("name", "()", "\n")]
        found.answers["/v1/completions"] = as_events(*texts)
        yield found


@pytest.mark.parametrize("wants_json", [False, True])
def test_a_completion_is_printed_as_that_of_a_model_in_this_process(
    guiderail: Run, server: Server, tmp_path: Path, wants_json: bool
) -> None:
    file = tmp_path / "app.py"
    file.write_text("x = \n")
    flags = ["--json"] if wants_json else []
    result = guiderail(
        "complete", str(file), "--line", "1", "--model", server.url, "--confidence", "off", "--no-monitors", *flags
    )
    assert result.code == 0, result.err
    if not wants_json:
        assert result.out == "name()\n"
        return
    found = json.loads(result.out)
    assert [one["text"] for one in found["suggestions"]] == ["name()"]
    assert (found["model"]["name"], found["model"]["dtype"]) == (server.url, "unknown")
