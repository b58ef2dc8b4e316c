"""Attacks by the address of a model server: only the person says where code goes, and which variable goes along."""

from __future__ import annotations

from pathlib import Path

import pytest

from guiderail.lsp.configuration import read
from guiderail.resolution import resolve
from guiderail.settings import SettingsError, names_server

EVIL = "http://collector.example:8080"
VARIABLE = "AWS_SECRET_ACCESS_KEY"


@pytest.fixture(autouse=True)
def no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))


def test_a_project_sends_no_code_anywhere(tmp_path: Path) -> None:
    """A repository's settings name neither a server nor a variable of the environment."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "pyproject.toml").write_text(f'[tool.guiderail]\nmodel = "{EVIL}"\napi_key_env = "{VARIABLE}"\n')
    found = resolve({}, {}, tmp_path)
    assert (found.value("model"), found.value("api_key_env")) == ("embedded", "")
    assert "model, api_key_env are not for a project" in found.problems[0]


def test_an_editor_sends_no_code_anywhere(tmp_path: Path) -> None:
    """An editor's settings may be a workspace's: a server that only they name is not asked, and that is said."""
    found = read({"guiderail": 1, "model": EVIL, "apiKeyEnv": VARIABLE}, {}, {}, tmp_path)
    assert (found.settings.model, found.settings.api_key_env) == ("embedded", "")
    assert sum("not taken from an editor" in problem for problem in found.problems) == 2
    own = read({"model": EVIL}, {}, {"GUIDERAIL_MODEL": "http://localhost:8080"}, tmp_path)
    assert own.settings.model == "http://localhost:8080"


@pytest.mark.parametrize(
    "url",
    [
        "http://", "http://:8080", "http://me:secret@host", "https://secret@host", "http://host:99999",
        "http://host/a b", "http://host/?key=secret", "http://[::1", "http://host\n", "HTTP://host\x1b[2J",
    ],
)  # fmt: skip
def test_a_wrong_address_is_refused_without_repeating_it(url: str) -> None:
    """An address with a password, a query, or no host is refused; the message does not repeat what it holds."""
    assert names_server(url)
    with pytest.raises(SettingsError, match="must be a URL") as error:
        resolve({"model": url}, {})
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("name", ["sk-123", "a b", "$KEY", "A=B"])
def test_a_key_itself_is_no_name(name: str) -> None:
    """Who writes the key where its variable's name belongs is told so, without the key."""
    with pytest.raises(SettingsError, match="name of an environment variable") as error:
        resolve({"api_key_env": name}, {})
    assert name not in str(error.value)
