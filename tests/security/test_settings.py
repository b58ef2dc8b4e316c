"""What a project may set, and that nothing it says runs, loads or stops anything."""

import json
import shutil
import time
from pathlib import Path

import pytest

from guiderail.cli.main import run
from guiderail.errors import UsageError
from guiderail.lsp.configuration import ClientConfig, read, settle
from guiderail.model import store
from guiderail.model.load import UnknownModelError, load
from guiderail.model.load import resolve as model_folder
from guiderail.resolution import resolve
from guiderail.settings import KEYS, Settings, SettingsError, default_of, names_path, rule_of
from tests.helpers.models import tiny_folder
from tests.lsp.client import connected
from tests.lsp.fakes import FakeEngine

PERSONS = {
    "confidence": '"off"', "api_key_env": '"AWS_SECRET_ACCESS_KEY"',
    "method": '"pg-td"', "parameters": '"pg-td.tests=x.py"', "model": '"./model"', "device": '"cuda"',
    "dtype": '"float16"', "threads": "1024", "log_level": '"debug"', "trust": '"always"', "analyser": '"jdtls"',
    "drafter": '"off"', "draft_model": '"./model"', "cache_mb": "1000000", "cache_policy": '"patch"',
    "prompt_tokens": "1000000",
    "only_monitors": '"none"', "layout": '"efim"', "temperature": "1.0", "top_k": "1", "top_p": "0.5",
    "min_p": "0.5", "seed": "1", "offer_models": "false", "python": '"/elsewhere/python"',
}  # fmt: skip
HARMLESS = {
    "until": "block", "end_loops": False, "max_tokens": 256, "suggestions": 4, "context": False,
    "context_tokens": 2048, "project_ngrams": "off", "monitors": False, "verdict": "drop",
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))


def project(tmp_path: Path, text: str) -> Path:
    root = tmp_path / "project"
    (root / ".git").mkdir(parents=True, exist_ok=True)
    (root / "pyproject.toml").write_text(f"[tool.guiderail]\n{text}\n", encoding="utf-8")
    return root


def test_every_setting_has_an_owner() -> None:
    """These lists are all there are: a new setting is decided here too."""
    assert {key for key in KEYS if rule_of(key).owner == "person"} == set(PERSONS)
    assert {key for key in KEYS if rule_of(key).owner == "both"} == set(HARMLESS)


@pytest.mark.parametrize("key", PERSONS)
def test_what_is_the_persons_is_named_once_and_left_out(tmp_path: Path, key: str) -> None:
    """The problem names the file and the key, and says where it belongs."""
    root = project(tmp_path, f"{key} = {PERSONS[key]}\nuntil = 'block'")
    found = resolve({}, {}, root)
    assert found.value(key) == default_of(key)
    assert found.value("until") == "block"
    (problem,) = found.problems
    assert problem.startswith(f"{key} is not for a project to decide ({root / 'pyproject.toml'} [tool.guiderail])")
    assert "config.toml" in problem


def test_parameters_of_methods_are_the_persons(tmp_path: Path) -> None:
    """[tool.guiderail.methods.NAME] is left out like `parameters`."""
    found = resolve({}, {}, project(tmp_path, "[tool.guiderail.methods.pg-td]\ntests = 'x.py'"))
    assert found.settings == Settings()
    assert "methods is not for a project to decide" in found.problems[0]


def test_a_project_decides_what_is_harmless(tmp_path: Path) -> None:
    """Its values count up to what it may set."""
    text = "\n".join(f"{key} = {json.dumps(value)}" for key, value in HARMLESS.items())
    found = resolve({}, {}, project(tmp_path, text))
    assert {key: found.value(key) for key in HARMLESS} == HARMLESS
    assert found.problems == ()


@pytest.mark.parametrize(
    ("text", "key", "own"),
    [
        ("max_tokens = 4096", "max_tokens", 64),
        ("suggestions = 16", "suggestions", 1),
        ("context_tokens = 1000000", "context_tokens", 512),
        ("monitors = true", "monitors", False),
        ("context = true", "context", False),
    ],
)
def test_a_project_does_not_take_more_than_is_modest(tmp_path: Path, text: str, key: str, own: object) -> None:
    """Large numbers, and what the person switched off, are left out; what the person allows is no excess."""
    file = tmp_path / "config.toml"
    file.write_text(f"{key} = {json.dumps(own)}\n", encoding="utf-8")
    root = project(tmp_path, text)
    found = resolve({}, {}, root, file)
    assert found.value(key) == own
    assert len(found.problems) == 1
    file.write_text(text, encoding="utf-8")
    assert resolve({}, {}, root, file).problems == ()


@pytest.mark.parametrize(
    "content",
    [
        b"[tool.guiderail", b"\xff\xfe\x00", b"[tool]\nguiderail = 3", b"[tool.guiderail]\nmethods = 3\nmodel = 3",
        b"[tool.guiderail]\n" + b"\n".join(b"k%d = 1" % i for i in range(9000)),
        b"[tool.guiderail]\n" + b"k" * 200_000 + b" = 1",
        b"[tool.guiderail]\nuntil = '" + b"x" * 200_000 + b"'",
        b"[tool.guiderail]\nmax_tokens = " + b"9" * 4000,
        b"[tool.guiderail]\n\"\\u001b]0;title\\u0007\" = 1",
        b"a = " + b"[" * 50_000,
        b"[%b]\n[%b]\n" % (b"k" * 100_000, b"k" * 100_000),
        b"a = { %b = 1, %b = 2 }" % (b"k" * 100_000, b"k" * 100_000),
    ],
)  # fmt: skip
def test_whatever_a_project_writes_costs_no_time_and_few_words(tmp_path: Path, content: bytes) -> None:
    """A broken or overlong file is named in a few short lines, without control characters, and the rest works."""
    root = project(tmp_path, "")
    (root / "pyproject.toml").write_bytes(content)
    began = time.monotonic()
    found = resolve({}, {}, root)
    assert time.monotonic() - began < 5
    assert found.settings == Settings()
    assert 1 <= len(found.problems) <= 4
    assert all(len(problem) < 1000 and problem.isprintable() for problem in found.problems)


def test_the_command_line_works_in_a_broken_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is 0, the result is whole, and one line on standard error names what was left out."""
    root = project(tmp_path, "")
    monkeypatch.chdir(root)
    (root / "pyproject.toml").write_text("[tool.guiderail", encoding="utf-8")
    assert run(["config", "show", "--json"]) == 0
    shown = capsys.readouterr()
    assert set(json.loads(shown.out)) == set(KEYS)
    assert shown.err.count("not valid TOML") == len(shown.err.splitlines()) == 1
    project(tmp_path, "method = 'pg-td'")
    assert run(["models", "use", "embedded"]) == 0  # settles the settings several times
    assert capsys.readouterr().err.count("method is not for a project to decide") == 1


@pytest.mark.asyncio
async def test_the_server_names_it_once_and_serves(tmp_path: Path) -> None:
    """A hostile file is told of in one message, however often settings come, and suggestions come with defaults."""
    root = project(tmp_path, "method = 'pg-td'\nmodel = './model'\nmax_tokens = 4096")
    async with connected(FakeEngine(), roots=(root,)) as client:
        for _ in range(3):
            client.tell("workspace/didChangeConfiguration", {"settings": {"guiderail": {"speculate": False}}})
            await client.settle()
        uri = client.open("x = ", (root / "a.py").as_uri())
        assert await client.ghost(uri, 0, 4)
        (settings,) = client.engine.settings
        assert (settings.method, settings.model, settings.max_tokens) == ("plain", "embedded", 64)
        shown = [params["message"] for method, params in client.heard if method == "window/showMessage"]
        assert len([text for text in shown if "method, model are not for a project" in text]) == 1
        assert len([text for text in shown if "max_tokens above 256" in text]) == 1
        assert len(shown) == 2


LINK = "[Fix](command:workbench.action.terminal.sendSequence)"


@pytest.mark.asyncio
@pytest.mark.parametrize("content", [f"['{LINK}']\n" * 2, f"[tool.guiderail]\n'{LINK}' = 1\nuntil = '{LINK}'\n"])
async def test_no_message_holds_a_link_to_a_command(tmp_path: Path, content: str) -> None:
    """VS Code makes links of messages, and a click on one would run the command that a repository has chosen."""
    (tmp_path / "pyproject.toml").write_text(content)
    async with connected(FakeEngine(), roots=(tmp_path,)) as client:
        await client.settle()
        shown = [params["message"] for method, params in client.heard if method == "window/showMessage"]
    assert any("[Fix]" in text for text in shown)
    assert not any("](" in text for text in shown)


def test_a_second_root_cannot_choose_the_model_either(tmp_path: Path) -> None:
    """What is the person's is left out of every root's file."""
    one, two = tmp_path / "one", project(tmp_path, "model = 'owner/other'")
    one.mkdir()
    first, others = settle(ClientConfig(), [one, two], {}, {})
    assert others[two].settings.model == first.settings.model == "embedded"
    assert len(others[two].problems) == 1


def test_an_editor_is_the_persons_but_not_for_trust(tmp_path: Path) -> None:
    """What an editor sends counts, but trust, which a workspace's settings for the editor could raise."""
    found = read({"model": "owner/mine", "method": "beam", "trust": "always"}, {}, {}, tmp_path)
    assert (found.settings.model, found.settings.method, found.settings.trust) == ("owner/mine", "beam", "listed")
    assert len(found.problems) == 1


@pytest.mark.parametrize("key", ["enable", "disablePaths", "debounceMs", "model", "until", "unheardOf"])
@pytest.mark.parametrize("value", ["\x1b" * 200_000, ["x" * 200_000, 1], {"k" * 200_000: 1}, 10**300])
def test_a_wrong_value_of_an_editor_costs_few_words(tmp_path: Path, key: str, value: object) -> None:
    """A workspace's settings may be where it came from."""
    found = read({key: value}, {}, {}, tmp_path)
    assert all(len(problem) < 1000 and problem.isprintable() for problem in found.problems)


def test_a_linked_file_of_the_person_is_read_and_stays_a_link(tmp_path: Path) -> None:
    """Many keep their settings in a repository of their own, and link to them."""
    real, file = tmp_path / "dotfiles.toml", tmp_path / "config.toml"
    real.write_text("max_tokens = 7\n", encoding="utf-8")
    file.symlink_to(real)
    assert resolve({}, {}, None, file).value("max_tokens") == 7
    store.use("owner/mine", file)
    assert file.is_symlink()
    assert resolve({}, {}, None, file).value("model") == "owner/mine"
    real.write_text("a = " + "[" * 50_000, encoding="utf-8")
    for work in (lambda: store.use("embedded", file), lambda: resolve({}, {}, None, file)):
        with pytest.raises(UsageError, match="not valid TOML"):
            work()


class TestModels:
    @pytest.mark.parametrize("name", ["Qwen/Qwen2.5", "model", "a@main"])
    def test_a_name_is_never_a_folder_of_the_repository(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        """A folder of a hub id's name in the current folder is not looked at; it must be written as a path."""
        shutil.copytree(tiny_folder("guiderail"), tmp_path / name)
        monkeypatch.chdir(tmp_path)
        with pytest.raises(UnknownModelError) as caught:
            load(name)
        assert f"write ./{name}" in caught.value.remedy
        assert model_folder(f"./{name}") == tmp_path / name

    @pytest.mark.parametrize("path", ["./model", "../model", ".model", "~nobody-of-this-name/model"])
    def test_a_relative_path_is_for_the_command_line_alone(self, tmp_path: Path, path: str) -> None:
        """In a file, the environment or an editor it would mean another folder in each workspace."""
        assert names_path(path)
        file = tmp_path / "config.toml"
        file.write_text(f"model = '{path}'", encoding="utf-8")
        for env, user in (({"GUIDERAIL_MODEL": path}, None), ({}, file)):
            with pytest.raises(SettingsError, match="relative path"):
                resolve({}, env, None, user)
        found = read({"model": path}, {}, {}, None)
        assert found.settings.model == "embedded"
        assert "relative path" in found.problems[0]
        assert resolve({"model": path}, {}).value("model") == path
        assert resolve({}, {"GUIDERAIL_MODEL": str(tmp_path)}).value("model") == str(tmp_path)


@pytest.mark.parametrize("path", [".venv", "./.venv/bin/python", "python3.12", "~nobody-of-this-name/python"])
def test_the_python_is_a_whole_path(tmp_path: Path, path: str) -> None:
    """Another would be looked for nowhere, without a word."""
    for flags, env in (({"python": path}, {}), ({}, {"GUIDERAIL_PYTHON": path})):
        with pytest.raises(SettingsError, match="whole path"):
            resolve(flags, env)
    found = read({"python": path}, {}, {}, None)
    assert found.settings.python == ""
    assert "whole path" in found.problems[0]
    assert resolve({"python": str(tmp_path)}, {}).value("python") == str(tmp_path)
