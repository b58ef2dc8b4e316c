"""The offer of a model: whom it is made to, when, and what each answer does; the hub is one on this machine."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from gguf import GGMLQuantizationType as Kind

from guiderail.lsp import model_offer
from guiderail.lsp.model_offer import LATER, MACHINES, MEASURE, NEVER, TAKE, may_ask, remember
from guiderail.model import catalogue, memory
from guiderail.settings import Settings, user_file
from tests.helpers.gguf import write_gguf
from tests.helpers.hub import Hub, serving
from tests.helpers.tiny import tiny_model_folder
from tests.lsp.client import Client, connected
from tests.lsp.fakes import FakeEngine

pytestmark = pytest.mark.asyncio

HUB_ID = "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF"
ASKS: dict[str, Any] = {
    "window": {"showMessage": {"messageActionItem": {"additionalPropertiesSupport": True}}, "workDoneProgress": True},
    "workspace": {"configuration": True},
}
QUESTION = "window/showMessageRequest"
MEASURED = (*MEASURE, "--device", "auto", "--threads", "0")

# So fast that the smallest published model is quick enough, and no other is.
_MEASURED = """
from guiderail.model.estimate import Rates
from guiderail.model.machine import Machine, remember
rates = Rates((60e9, 250e9, 250e9), (50e9, 200e9), 1e11, (1e-5, 1e-5))
remember(Machine("test", "cpu", 2, 0, 5e10, {"int8": rates}))
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's folders, with nothing in them, and no time to wait."""
    for name in ("CONFIG", "STATE", "CACHE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    for name in ("CI", "GUIDERAIL_MODEL", "GUIDERAIL_OFFER_MODELS", "HF_HUB_OFFLINE", "HF_TOKEN", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setattr(model_offer, "IDLE_S", 0.01)
    monkeypatch.setattr(model_offer, "POLL_S", 0.01)
    return tmp_path


@pytest.fixture
def measured(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine was measured before, and one model suits it."""
    free = memory.available("cpu")
    if free is not None and free < 2_000_000_000:
        pytest.skip("there is no memory for any published model")
    subprocess.run([sys.executable, "-P", "-c", _MEASURED], check=True)
    # At the lowest priority it would take minutes on a busy machine.
    monkeypatch.setattr(model_offer, "MEASURE", tuple(word for word in MEASURE if word != "--idle"))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the hub has: a tiny model in a GGUF file."""
    folder = tmp_path_factory.mktemp("repository")
    write_gguf(tiny_model_folder("qwen2", tmp_path_factory.mktemp("tiny")), folder / "tiny-q8_0.gguf", Kind.F32)
    return folder


@pytest.fixture
def hub(weights: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serving(Hub(HUB_ID, weights)) as made:
        monkeypatch.setenv("HF_ENDPOINT", made.endpoint)
        yield made


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """A measurement that is there at once; the commands that were run."""
    rows = [
        {
            "name": "Tiny", "licence": "mit", "bytes": 12_000_000, "first_token_after_edit_s": 0.31,
            "tokens_per_s": 24.4, "command": "guiderail models pull owner/tiny --use", "best": True,
        }
    ]  # fmt: skip
    ran: list[tuple[str, ...]] = []

    async def run(*words: str, on_line: Any = None) -> str:
        ran.append(words)
        return json.dumps({"rows": rows})

    monkeypatch.setattr(model_offer.subcommand, "run", run)
    return ran


@asynccontextmanager
async def conversation(answer: str | None, **more: Any) -> AsyncIterator[Client]:
    answers = {QUESTION: {"title": answer} if answer else None}
    async with connected(capabilities=ASKS, answers=answers, **more) as client:
        yield client


async def until(true: Any, seconds: float = 120) -> None:
    """Wait until something holds; the machine may be slow."""
    end = asyncio.get_running_loop().time() + seconds
    while not true():
        assert asyncio.get_running_loop().time() < end, "it did not happen"
        await asyncio.sleep(0.01)


async def quiet(client: Client) -> bool:
    """Whether the client is not asked, in the time in which all else would have happened."""
    await asyncio.sleep(0.3)
    return QUESTION not in client.asked


async def test_the_question_has_three_answers_and_says_what_it_is_about(ready: list[tuple[str, ...]]) -> None:
    async with conversation(None) as client:
        await until(lambda: QUESTION in client.asked)
        (params,) = [params for name, params in client.questions if name == QUESTION]
        assert [action["title"] for action in params["actions"]] == [TAKE, LATER, NEVER]
        text = params["message"]
        assert "\n" not in text
        assert all(part in text for part in ("Tiny", "12.0 MB", "mit", "0.3 s", "24 tokens/s"))
        await client.settle()
        assert ready == [MEASURED]


async def test_the_machine_is_measured_as_the_editor_says(ready: list[tuple[str, ...]]) -> None:
    """Device and threads of the editor's settings are those of which the model must suit."""
    async with conversation(None, settings={"device": "cpu", "threads": 2}) as client:
        await until(lambda: QUESTION in client.asked)
    assert ready == [(*MEASURE, "--device", "cpu", "--threads", "2")]


@pytest.mark.parametrize("answer", [LATER, None])
async def test_not_now_lasts_until_other_models_are_published(
    ready: list[tuple[str, ...]], answer: str | None, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing the question without an answer is one; on another machine the question is another."""
    async with conversation(answer) as client:
        await until(lambda: QUESTION in client.asked)
        await asyncio.sleep(0.2)
        assert client.asked.count(QUESTION) == 1
    async with conversation(TAKE) as client:
        assert await quiet(client)
    assert ready == [MEASURED]
    assert not user_file().exists()
    with monkeypatch.context() as patched:
        patched.setattr(model_offer.platform, "node", lambda: "another")
        assert may_ask()
        remember(LATER)
        assert not may_ask()
    assert not may_ask()
    other = home / "catalogue.toml"
    other.write_text(catalogue.FILE.read_text() + "\n# one more")
    monkeypatch.setattr(catalogue, "FILE", other)
    assert may_ask()


async def test_what_is_remembered_has_a_bound(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(MACHINES + 10):
        monkeypatch.setattr(model_offer.platform, "node", lambda number=number: f"m{number}")
        remember(LATER)
    (file,) = home.rglob("offer.json")
    assert len(json.loads(file.read_text())["asked"]) == MACHINES
    assert not may_ask()


async def test_never_is_for_good(ready: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    async with conversation(NEVER) as client:
        await until(lambda: QUESTION in client.asked)
        await until(lambda: model_offer._answers()["answer"] == NEVER)  # that it was asked is kept before
    monkeypatch.setattr(catalogue, "FILE", Path(__file__))
    async with conversation(TAKE) as client:
        assert await quiet(client)
    assert len(ready) == 1


async def test_what_is_remembered_wrongly_does_no_harm(home: Path) -> None:
    """A file that is damaged, or of an older version, asks again; the file is the person's alone."""
    remember(LATER)
    (file,) = home.rglob("offer.json")
    assert file.stat().st_mode & 0o077 == 0
    for text in ("[]", "{", '{"answer": 3}', '{"answer": "Not now", "at": "yesterday"}', '{"asked": ["2999"]}'):
        file.write_text(text)
        assert may_ask()
        remember(LATER)
        assert not may_ask()


async def _refused(client: Client, ready: list[tuple[str, ...]]) -> None:
    assert await quiet(client)
    assert ready == []


async def test_a_client_that_can_show_no_question_is_not_asked(ready: list[tuple[str, ...]]) -> None:
    async with connected(capabilities={"window": {"workDoneProgress": True}}) as client:
        await _refused(client, ready)


async def test_a_shared_server_asks_nobody(ready: list[tuple[str, ...]]) -> None:
    async with conversation(TAKE, shared=Settings()) as client:
        await _refused(client, ready)


@pytest.mark.parametrize("value", ["1", "true", "yes"])
async def test_nobody_is_asked_in_ci(ready: list[tuple[str, ...]], value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", value)
    async with conversation(TAKE) as client:
        await _refused(client, ready)


async def test_the_person_can_turn_the_offer_off(ready: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    """In their own file or by the environment; not by an editor, whose settings a workspace can hold."""
    monkeypatch.setenv("GUIDERAIL_OFFER_MODELS", "false")
    async with conversation(TAKE) as client:
        await _refused(client, ready)
    monkeypatch.delenv("GUIDERAIL_OFFER_MODELS")
    user_file().parent.mkdir(parents=True)
    user_file().write_text("offer_models = false\n")
    async with conversation(TAKE, settings={"offerModels": True}) as client:
        await _refused(client, ready)
        assert any("offer_models is not taken from an editor" in text for text in client.messages())


@pytest.mark.parametrize("model", ["embedded", "owner/other"])
async def test_who_chose_a_model_is_not_asked(
    ready: list[tuple[str, ...]], model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether in a file, by a variable or in the editor; the embedded one can be chosen too."""
    async with conversation(TAKE, settings={"model": model}) as client:
        await _refused(client, ready)
    monkeypatch.setenv("GUIDERAIL_MODEL", model)
    async with conversation(TAKE) as client:
        await _refused(client, ready)
    monkeypatch.delenv("GUIDERAIL_MODEL")
    user_file().parent.mkdir(parents=True)
    user_file().write_text(f'model = "{model}"\n')
    async with conversation(TAKE) as client:
        await _refused(client, ready)


async def test_a_project_neither_makes_nor_prevents_the_offer(ready: list[tuple[str, ...]], home: Path) -> None:
    root = home / "project"
    root.mkdir()
    (root / "pyproject.toml").write_text('[tool.guiderail]\noffer_models = false\nmodel = "owner/evil"\n')
    async with conversation(None, roots=(root,)) as client:
        await until(lambda: QUESTION in client.asked)
    (root / "pyproject.toml").write_text("[tool.guiderail]\noffer_models = true\n")
    remember(NEVER)
    async with conversation(TAKE, roots=(root,)) as client:
        assert await quiet(client)


async def test_while_somebody_types_nothing_is_asked(
    ready: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_offer, "IDLE_S", 1.0)
    async with conversation(None) as client:
        uri = client.open("x = \n")
        for _ in range(20):
            client.change(uri, 0, 4, 4, "a")
            await asyncio.sleep(0.1)
            assert ready == []
        await until(lambda: QUESTION in client.asked)


async def test_without_a_model_that_suits_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []

    async def run(*words: str, on_line: Any = None) -> str:
        ran.append(words)
        return json.dumps({"rows": [{"best": False}]})

    monkeypatch.setattr(model_offer.subcommand, "run", run)
    async with conversation(TAKE) as client:
        await until(lambda: ran)
        assert await quiet(client)


@pytest.mark.usefixtures("measured")
@pytest.mark.e2e
async def test_take_it_fetches_the_model_and_switches_to_it(hub: Hub) -> None:
    """With the real commands and the real hub client: progress, the person's settings, the text as it was."""
    async with conversation(TAKE) as client:
        uri = client.open("x = ")
        client.change(uri, 0, 4, 4, "y")
        await until(lambda: client.state.worker.health.model == HUB_ID)
        await until(client.messages)
        assert client.messages() == ["guiderail: Qwen2.5-Coder 0.5B is your model now"]
        await client.ghost(uri, 0, 5)
        assert client.engine.asked[-1] == "x = y"
    assert f'model = "{HUB_ID}"' in user_file().read_text()
    assert any(path.endswith("tiny-q8_0.gguf") for method, path, _ in hub.requests if method == "GET")
    kinds = [params["value"]["kind"] for name, params in client.heard if name == "$/progress"]
    assert kinds.count("begin") == kinds.count("end") >= 1
    shown = [p["value"].get("percentage") for n, p in client.heard if n == "$/progress" and "percentage" in p["value"]]
    assert shown == sorted(shown)
    assert shown[-1] == 100


@pytest.mark.usefixtures("measured")
@pytest.mark.e2e
async def test_without_a_yes_the_hub_hears_nothing(hub: Hub) -> None:
    for answer in (LATER, NEVER):
        async with conversation(answer) as client:
            await until(lambda client=client: QUESTION in client.asked)
            await asyncio.sleep(0.2)
        (file,) = Path(user_file().parents[2] / "state").rglob("offer.json")
        file.unlink()
    assert hub.requests == []
    assert not user_file().exists()


@pytest.mark.usefixtures("measured")
@pytest.mark.e2e
async def test_what_goes_wrong_is_said_in_one_line(hub: Hub) -> None:
    """A hub that lies: the model stays, and so do the person's settings."""
    hub.headers = {"ETag": '"../../../pwned"'}
    async with conversation(TAKE) as client:
        await until(client.messages)
        (text,) = client.messages()
        assert "\n" not in text
        assert "could not be taken" in text
        assert "refused" in text
        assert "guiderail models pull" in text
        assert client.state.worker.health.model == "embedded"
        uri = client.open("x = ")
        assert await client.ghost(uri, 0, 4)
    assert not user_file().exists()


@pytest.mark.usefixtures("measured")
@pytest.mark.e2e
async def test_a_transfer_can_be_given_up(hub: Hub) -> None:
    """By the button of its progress bar; the process is gone, and nothing is changed."""

    def stand_still(handler: Any) -> bool:
        if handler.command == "GET" and "/resolve/" in handler.path:
            held.append(handler.path)
            while not gone:
                handler.rfile.raw._sock.settimeout(0.05)
                try:
                    gone.append(not handler.rfile.raw._sock.recv(1))
                except TimeoutError:
                    continue
                except OSError:
                    gone.append(True)
            handler.close_connection = True
            return True
        return False

    held, gone = list[str](), list[bool]()
    hub.instead = stand_still
    async with conversation(TAKE) as client:
        await until(lambda: held)
        bars = [p for name, p in client.heard if name == "$/progress" and p["value"].get("cancellable")]
        client.tell("window/workDoneProgress/cancel", {"token": bars[-1]["token"]})
        await until(client.messages)
        assert "was not taken" in client.messages()[0]
        await until(lambda: gone)
    assert not user_file().exists()


async def test_a_model_that_cannot_be_loaded_is_said_with_the_way_back(
    ready: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Choosy(FakeEngine):
        def load(self, settings: Settings) -> None:
            if settings.model != "embedded":
                raise model_offer.GuiderailError("it does not fit", "Choose another")
            super().load(settings)

    real = model_offer.subcommand.run

    async def run(*words: str, on_line: Any = None) -> str:
        if words[1] == "pull":
            user_file().parent.mkdir(parents=True)
            user_file().write_text('model = "owner/tiny"\n')
        return await real(*words)

    monkeypatch.setattr(model_offer.subcommand, "run", run)
    async with conversation(TAKE, engine=Choosy()) as client:
        await until(client.messages)
        (text,) = client.messages()
        back = "guiderail models use embedded --dtype auto"
        assert text == f"guiderail: Tiny cannot be loaded: it does not fit. To go back: {back}"
    assert ready[-1] == ("models", "pull", "owner/tiny", "--use", "--report")
