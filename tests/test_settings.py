"""The laws of settings: who wins, what is refused, and what the refusal says."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail import settings
from guiderail.resolution import resolve
from guiderail.settings import KEYS, Settings, SettingsError, Source, checked, default_of, rule_of


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text("[tool.guiderail]\nmax_tokens = 3\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def user(tmp_path: Path) -> Path:
    file = tmp_path / "config.toml"
    file.write_text("max_tokens = 2\n", encoding="utf-8")
    return file


def test_each_source_beats_the_ones_below_it(project: Path, user: Path) -> None:
    """Flag, environment, project, user file, default: the first that has a value wins."""
    env = {"GUIDERAIL_MAX_TOKENS": "4"}
    layers = [
        ({"max_tokens": "5"}, env, project, user, 5, "flag --max-tokens"),
        ({}, env, project, user, 4, "environment GUIDERAIL_MAX_TOKENS"),
        ({}, {}, project, user, 3, f"{project / 'pyproject.toml'} [tool.guiderail]"),
        ({}, {}, None, user, 2, str(user)),
        ({}, {}, None, None, 64, "default"),
    ]
    for *sources, value, source in layers:
        found = resolve(*sources)
        assert (found.value("max_tokens"), str(found.source("max_tokens"))) == (value, source)


def test_a_flag_that_was_not_given_says_nothing(user: Path) -> None:
    """None is not a value: it leaves the next source its turn."""
    assert resolve({"max_tokens": None}, {}, None, user).value("max_tokens") == 2


def test_defaults_pass_their_own_check() -> None:
    """Every default is a value that a person could have written."""
    for key in KEYS:
        assert checked(key, default_of(key), Source("user", "x")) == default_of(key)
    assert resolve({}, {}).settings == Settings()


def test_missing_files_are_no_error(tmp_path: Path) -> None:
    """Neither file needs to exist."""
    assert resolve({}, {}, tmp_path / "none", tmp_path / "none.toml").settings == Settings()


def test_an_unknown_key_in_a_file_names_the_nearest_key_and_the_file(user: Path) -> None:
    """A misspelt key in a file is an error, not silence."""
    user.write_text("max_token = 2\n", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        resolve({}, {}, None, user)
    assert "'max_token'" in str(caught.value)
    assert "'max_tokens'" in caught.value.remedy
    assert str(user) in caught.value.message


def test_a_table_under_ours_is_a_wrong_value(project: Path, user: Path) -> None:
    """[tool.guiderail.until] and [model] are refused like any other wrong value."""
    (project / "pyproject.toml").write_text("[tool.guiderail.until]\nname = 1\n", encoding="utf-8")
    (problem,) = resolve({}, {}, project).problems
    assert problem.startswith("until must be one of line, block, tokens, not {'name': 1}")
    user.write_text("[model]\nname = 1\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="model must be a text"):
        resolve({}, {}, None, user)


def test_a_misspelt_variable_is_an_error_and_a_foreign_one_is_not() -> None:
    """GUIDERAIL_MODLE is a mistake; GUIDERAIL_BUILD_CACHE_URL is somebody else's."""
    with pytest.raises(SettingsError, match="GUIDERAIL_MODLE"):
        resolve({}, {"GUIDERAIL_MODLE": "x"})
    assert resolve({}, {"GUIDERAIL_BUILD_CACHE_URL": "x", "HOME": "/"}).settings == Settings()


@pytest.mark.parametrize("name", ["GUIDERAIL_TOKEN", "GUIDERAIL_API_KEY"])
def test_a_servers_secret_in_the_environment_is_no_mistyped_setting(name: str) -> None:
    """However near to a setting's name it is: other commands run with it too."""
    assert resolve({}, {name: "x"}).settings == Settings()


@pytest.mark.parametrize(
    ("key", "raw", "says"),
    [
        ("max_tokens", "many", "an integer from 1 to 4096"),
        ("max_tokens", "0", "an integer from 1 to 4096"),
        ("max_tokens", "1.5", "an integer from 1 to 4096"),
        ("max_tokens", "5000", "an integer from 1 to 4096"),
        ("temperature", "nan", "a number from 0 to 10"),
        ("temperature", "inf", "a number from 0 to 10"),
        ("top_p", "0", "a number above 0 to 1"),
        ("context", "perhaps", "true or false"),
        ("until", "page", "one of line, block, tokens"),
        ("model", "  ", "a text that is not empty"),
    ],
)
def test_a_wrong_value_names_the_allowed_range_and_the_source(key: str, raw: str, says: str) -> None:
    """The message has the key, what is allowed, what was given, and where."""
    variable = f"GUIDERAIL_{key.upper()}"
    with pytest.raises(SettingsError) as caught:
        resolve({}, {variable: raw})
    assert caught.value.message == f"{key} must be {says}, not {raw!r} (environment {variable})"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("value", ['"3"', "true", "3.0", "[3]"])
def test_toml_values_have_the_right_type_already(user: Path, value: str) -> None:
    """A file's text, truth or list is never taken for a number."""
    user.write_text(f"max_tokens = {value}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="max_tokens must be an integer"):
        resolve({}, {}, None, user)


def test_a_whole_number_stands_for_a_fraction(user: Path) -> None:
    """temperature = 1 in a file means 1.0."""
    user.write_text("temperature = 1\n", encoding="utf-8")
    value = resolve({}, {}, None, user).value("temperature")
    assert value == 1.0
    assert isinstance(value, float)


@pytest.mark.parametrize("content", [b"max_tokens =", b"\xff\xfe", b"a = 1\na = 2\n"])
def test_a_broken_file_is_named(user: Path, content: bytes) -> None:
    """A file that is not TOML fails with its path."""
    user.write_bytes(content)
    with pytest.raises(SettingsError, match="not valid TOML") as caught:
        resolve({}, {}, None, user)
    assert str(user) in caught.value.message


def test_tool_guiderail_must_be_a_table(project: Path) -> None:
    """`guiderail = 3` under [tool] is named and left out."""
    (project / "pyproject.toml").write_text("[tool]\nguiderail = 3\n", encoding="utf-8")
    found = resolve({}, {}, project)
    assert "must be a table" in found.problems[0]
    assert found.settings == Settings()


@pytest.mark.parametrize(("word", "value"), [("1", True), ("Yes", True), ("off", False), ("FALSE", False)])
def test_words_of_truth(word: str, value: bool) -> None:
    """The usual words mean true and false in the environment."""
    assert resolve({}, {"GUIDERAIL_CONTEXT": word}).value("context") is value


@given(st.sampled_from(KEYS), st.text(max_size=12))
def test_any_text_is_a_value_in_range_or_a_settings_error(key: str, raw: str) -> None:
    """No text reaches the engine unchecked, and none fails in another way."""
    try:
        value = checked(key, raw, Source("environment", "X"))
    except SettingsError:
        return
    rule = rule_of(key)
    assert type(value) is type(default_of(key))
    assert not rule.choices or value in rule.choices
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        low = rule.low if rule.low is not None else rule.above
        assert low is not None
        assert rule.high is not None
        assert low <= value <= rule.high
        assert not math.isnan(value)


def test_an_unknown_key_cannot_be_asked_for() -> None:
    """value() and source() know the same keys as the files."""
    found = resolve({}, {})
    with pytest.raises(SettingsError, match="unknown setting 'modle'"):
        found.value("modle")


def test_the_user_file_has_its_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The person's own file lies in the platform's configuration folder."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert settings.user_file().name == "config.toml"
    assert "guiderail" in settings.user_file().parts
