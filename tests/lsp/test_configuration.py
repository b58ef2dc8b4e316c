"""Settings from the editor, among the others."""

from pathlib import Path

import pytest

from guiderail.lsp.configuration import read


@pytest.fixture(autouse=True)
def no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))


def test_the_editor_stands_between_environment_and_project(tmp_path: Path) -> None:
    """Flags and environment go before the editor's settings, these before the project's."""
    (tmp_path / "pyproject.toml").write_text("[tool.guiderail]\nmax_tokens = 5\nuntil = 'block'\n")
    options = {"maxTokens": 9, "top_k": 8, "temperature": 1, "model": "mine"}
    found = read(options, {"model": "flag"}, {"GUIDERAIL_TOP_K": "6"}, tmp_path)
    settings = found.settings
    assert (settings.model, settings.top_k, settings.max_tokens, settings.until) == ("flag", 6, 9, "block")
    assert settings.temperature == 1.0
    assert found.problems == ()


def test_own_settings_are_read_in_both_spellings() -> None:
    """camelCase and underscores both work; null and the editor's own keys are passed over."""
    options = {
        "enable": False, "enableLanguages": ["python"], "disable_paths": ["*.gen.py"], "debounceMs": 0,
        "maxSuggestions": 5, "menu": True, "speculate": False, "path": "/bin/guiderail", "model": None,
        "trace": {"server": "off"},
    }  # fmt: skip
    found = read(options, {}, {}, None)
    assert (found.enable, found.enable_languages, found.disable_paths) == (False, ("python",), ("*.gen.py",))
    assert (found.debounce_ms, found.max_suggestions, found.menu, found.speculate) == (0, 5, True, False)
    assert found.settings.model == "embedded"
    assert found.problems == ()


@pytest.mark.parametrize(
    "options",
    [
        {"maxTokens": "many"},
        {"temperature": -1},
        {"device": "tpu"},
        {"debounceMs": True},
        {"disableLanguages": "python"},
        {"enable": "yes"},
        {"maxSuggestions": 0},
    ],
)
def test_a_wrong_value_is_named_and_left_out(options: dict[str, object]) -> None:
    """A wrong value leaves the default in place and names itself among the problems."""
    found = read(options, {}, {}, None)
    assert len(found.problems) == 1
    assert "editor" in found.problems[0]
    assert read({}, {}, {}, None).settings == found.settings


def test_a_broken_project_file_does_not_stop_the_server(tmp_path: Path) -> None:
    """A project whose settings cannot be read is reported, and the others count."""
    (tmp_path / "pyproject.toml").write_text("[tool.guiderail]\nmax_token = 5\n")
    found = read({"maxTokens": 9}, {}, {}, tmp_path)
    assert found.settings.max_tokens == 9
    assert "max_token" in found.problems[0]


@pytest.mark.parametrize("options", [None, [], "x", 3])
def test_anything_may_come_instead_of_an_object(options: object) -> None:
    """What is no object of settings counts as none."""
    assert read(options, {}, {}, None).problems == ()
