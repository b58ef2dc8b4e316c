"""The real command: a process, the `openai` client, and what it refuses."""

import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from guiderail.cli.serve import serve as command
from guiderail.errors import UsageError
from tests.editors.serving import MEMBERS, WRONG, Serving, project
from tests.editors.shapes import SHAPES

KEY = "correct horse"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return project(tmp_path_factory.mktemp("project") / "shapes")


@pytest.fixture(scope="module")
def serving(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    home = tmp_path_factory.mktemp("serve")
    server = Serving(home, root, variables={"GUIDERAIL_API_KEY": KEY})
    yield server
    assert server.close() == 0
    written = "".join(path.read_text(encoding="utf-8") for path in home.rglob("*.log*"))
    assert "class Box" not in written
    assert KEY not in written


@pytest.mark.e2e
def test_the_openai_client_gains_monitors(serving: Serving) -> None:
    """In a file of the project a member is suggested and what was forbidden is told; elsewhere what the model says."""
    openai = pytest.importorskip("openai")
    with openai.OpenAI(base_url=f"{serving.url}/v1", api_key=KEY) as client:
        model = client.models.list().data[0].id

        def ask(prompt: str):
            return client.completions.create(model=model, prompt=prompt, suffix="\n", max_tokens=16)

        alone = ask("def paint(box):\n    return box.")
        assert alone.choices[0].text == WRONG
        assert alone.model_extra["guiderail"]["file"] is None
        found = ask(SHAPES.rstrip("\n") + ".")
        while not any(one["forbidden"] for one in found.model_extra["guiderail"]["monitors"]["triggers"]):
            found = ask(SHAPES.rstrip("\n") + ".")  # the analyser is starting
        assert MEMBERS.match(found.choices[0].text)
        assert found.model_extra["guiderail"]["file"] == "shapes.py"
        stream = client.completions.create(model=model, prompt="def paint(box):\n    return box.", stream=True)
        assert "".join(chunk.choices[0].text for chunk in stream) == WRONG
        with pytest.raises(openai.BadRequestError, match="'n' must be from 1"):
            client.completions.create(model=model, prompt="x", n=100)
    stranger = openai.OpenAI(base_url=f"{serving.url}/v1", api_key="wrong", max_retries=0)
    with stranger, pytest.raises(openai.AuthenticationError):
        stranger.models.list()


@pytest.mark.e2e
def test_the_model_is_described(serving: Serving) -> None:
    """By name, context and tokens, as llama.cpp's clients ask."""
    import json

    def get(path: str, data: bytes | None = None):
        asked = urllib.request.Request(f"{serving.url}{path}", data, {"Authorization": f"Bearer {KEY}"})
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return json.load(answer)

    assert get("/props")["default_generation_settings"]["n_ctx"] > 0
    assert get("/v1/models")["data"][0]["id"] == "model"
    tokens = get("/tokenize", b'{"content": "import os", "with_pieces": true}')["tokens"]
    assert "".join(token["piece"] for token in tokens) == "import os"
    assert get("/tokenize", b'{"content": "import os"}')["tokens"] == [token["id"] for token in tokens]


@pytest.mark.e2e
def test_many_at_once_are_all_answered(serving: Serving) -> None:
    """Each by its own text."""
    answers: dict[int, int] = {}

    def ask(number: int) -> None:
        body = b'{"prompt": "def f%d(box):\\n    return box."}' % number
        asked = urllib.request.Request(f"{serving.url}/completion", body, {"X-Api-Key": KEY})
        with urllib.request.urlopen(asked, timeout=120) as answer:
            answers[number] = WRONG in answer.read().decode()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(answers[number] for number in range(12))


def called(*arguments: str) -> None:
    command.main([*arguments], standalone_mode=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.org"])
def test_others_need_a_key(host: str) -> None:
    """A server that others can reach does not start without."""
    with pytest.raises(UsageError, match="must show a key"):
        called("--host", host)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--root", "/no/such/folder"), "no folder"),
        (("--api-key-file", "/no/such/file"), "cannot read"),
        (("--api-key-file", "/dev/null"), "empty"),
        (("--api-key", " "), "empty"),
        (("--api-key", "a", "--api-key-file", "b"), "exclude"),
        (("--host", "192.0.2.1", "--api-key", "x"), "cannot listen"),
    ],
)
def test_what_cannot_be_served_is_refused_in_one_line(arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        called(*arguments)


def test_without_its_libraries_it_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one command."""
    monkeypatch.setattr("guiderail.cli.serve.NEEDED", ("no_such_library",))
    with pytest.raises(UsageError, match="pip install no_such_library"):
        called()


def test_help_needs_no_server() -> None:
    """The list of commands imports neither the HTTP server nor its libraries."""
    code = "import sys\nfrom guiderail.cli.main import cli\ncli(['--help'], standalone_mode=False)\n"
    code += "assert not {'starlette', 'uvicorn', 'anyio'} & sys.modules.keys()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "serve" in done.stdout


@pytest.mark.e2e
def test_it_is_the_model_of_another_guiderail(
    serving: Serving, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What one person's engine asks is completed there, by the text alone; the prompt is all that is sent."""
    from guiderail.engine.engine import Engine
    from guiderail.engine.request import CompletionRequest
    from guiderail.settings import Settings
    from guiderail.text.document import Document

    monkeypatch.setenv("TEAM_KEY", KEY)
    settings = Settings(model=serving.url, api_key_env="TEAM_KEY", verdict="off", monitors=False)
    engine, text = Engine(), "def paint(box):\n    return box."
    engine.load(settings)
    request = CompletionRequest(
        document=Document(text, tmp_path / "a.py", "python"), offset=len(text), settings=settings
    )
    assert [one.text for one in engine.complete(request).suggestions] == [WRONG]
    assert "OpenAI" in engine.device
