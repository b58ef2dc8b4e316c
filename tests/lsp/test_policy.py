"""Which documents get suggestions."""

from dataclasses import replace
from pathlib import Path

import pytest

from guiderail.lsp.buffer import Buffer
from guiderail.lsp.configuration import Preferences
from guiderail.lsp.policy import Policy, canonical
from guiderail.settings import Settings


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / ".git").mkdir(parents=True)
    (root / ".gitignore").write_text("generated/\n")
    return root


def buffer(path: Path | str, text: str = "x = 1\n", language: str = "python") -> Buffer:
    uri = path.as_uri() if isinstance(path, Path) else path
    return Buffer(uri, language, text, 0, "utf-16")


def policy(*roots: Path, **preferences) -> Policy:
    return Policy(Preferences(settings=Settings(), **preferences), list(roots))


def test_usual_files_get_suggestions(project: Path) -> None:
    """A project's source, a file without a project, and an untitled buffer are all allowed."""
    rules = policy(project)
    for place in (project / "a.py", project.parent / "alone.py", "untitled:Untitled-1"):
        assert rules.disabled_reason(buffer(place)) == ""


@pytest.mark.parametrize("name", [".env", "generated/a.py", "id_rsa", "node_modules/a.js", "secrets/a.py"])
def test_ignored_and_secret_files_get_none(project: Path, name: str) -> None:
    """What git ignores and what may hold secrets is refused, even when it was switched on by hand."""
    rules, document = policy(project), buffer(project / name)
    assert "ignored" in rules.disabled_reason(document)
    rules.file_overrides[document.uri] = True
    assert "ignored" in rules.disabled_reason(document)


def test_a_secret_file_outside_any_project_gets_none(tmp_path: Path) -> None:
    """A file's name alone can tell that it holds secrets."""
    assert policy().disabled_reason(buffer(tmp_path / ".env")) != ""


@pytest.mark.parametrize("line", range(6))
def test_a_file_can_say_off_in_its_first_five_lines(line: int) -> None:
    """`guiderail: off` counts in lines one to five only."""
    text = "\n" * line + "# guiderail: off\n" + "x = 1\n" * 9
    assert bool(policy().disabled_reason(buffer("untitled:1", text))) == (line < 5)


def test_a_file_that_is_too_large_says_so() -> None:
    """Above the size limit a file is refused, with the limit in the reason."""
    assert "10 MB" in policy().disabled_reason(buffer("untitled:1", "x" * 10_000_001))


def test_languages_are_allowed_and_denied() -> None:
    """An allow-list excludes all others; a deny-list excludes its own; prose needs to be named."""
    assert policy(enable_languages=("rust",)).disabled_reason(buffer("untitled:1"))
    assert not policy(enable_languages=("py",)).disabled_reason(buffer("untitled:1"))
    assert policy(disable_languages=("Python",)).disabled_reason(buffer("untitled:1"))
    assert policy().disabled_reason(buffer("untitled:1", language="markdown"))
    assert not policy(enable_languages=("md", "*")).disabled_reason(buffer("untitled:1", language="markdown"))


@pytest.mark.parametrize("language", ["python", "py", "markdown", "md", "git-commit", "MyOwn"])
@pytest.mark.parametrize("enabled", [(), ("*",), ("py",), ("sql",), ("*", "markdown"), ("md", "sql"), ("myown",)])
@pytest.mark.parametrize("disabled", [(), ("Python",), ("sql", "md"), ("MYOWN", "git-commit")])
def test_a_language_is_turned_by_settings_alone(
    language: str, enabled: tuple[str, ...], disabled: tuple[str, ...]
) -> None:
    """With the settings that the server names a language is the other way round, prose and nicknames too, and with what
    it names then as before; no other language changes."""
    rules = policy(enable_languages=enabled, disable_languages=disabled)
    others = [one for one in ("python", "markdown", "git-commit", "myown", "rust") if one != canonical(language)]
    before, unchanged = rules.is_language_enabled(language), [rules.is_language_enabled(one) for one in others]
    for expected in (not before, before):
        turned = {key: tuple(names) for key, names in rules.settings_to_toggle(language).items()}
        rules.configure(replace(rules.preferences, **turned))
        assert rules.is_language_enabled(language) is expected
        assert [rules.is_language_enabled(one) for one in others] == unchanged


@pytest.mark.parametrize("by_hand", [True, False])
@pytest.mark.parametrize("language", ["python", "markdown"])
def test_turning_a_language_in_the_settings_goes_before_a_switch_by_hand(language: str, by_hand: bool) -> None:
    """However it was switched by hand, a language is as the settings say once these turn it; other switches stay."""
    rules = policy(disable_languages=("sql",))
    rules.language_overrides |= {language: by_hand, "rust": False}
    rules.configure(replace(rules.preferences, max_suggestions=2), {Path("/one"): rules.preferences})
    assert rules.is_language_enabled(language) is by_hand
    for _ in range(2):
        wanted = not rules.is_language_enabled_in_settings(language)
        turned = {key: tuple(names) for key, names in rules.settings_to_toggle(language).items()}
        rules.configure(replace(rules.preferences, **turned))
        assert rules.is_language_enabled(language) is wanted
    assert rules.language_overrides == {"rust": False}


def test_paths_are_denied_by_pattern(project: Path) -> None:
    """disablePaths are .gitignore patterns relative to the root."""
    rules = policy(project, disable_paths=("tests/", "*.gen.py"))
    assert rules.disabled_reason(buffer(project / "tests" / "a.py"))
    assert rules.disabled_reason(buffer(project / "src" / "a.gen.py"))
    assert not rules.disabled_reason(buffer(project / "src" / "a.py"))


def test_switches_thrown_by_hand_go_before_settings(project: Path) -> None:
    """Global, language and file switches turn on and off; changed settings take the global one back."""
    rules, document = policy(project, disable_languages=("python",)), buffer(project / "a.py")
    assert rules.disabled_reason(document)
    rules.language_overrides["python"] = True
    assert not rules.disabled_reason(document)
    rules.file_overrides[document.uri] = False
    assert "this file" in rules.disabled_reason(document)
    rules.file_overrides.clear()
    rules.override = False
    assert "switched off" in rules.disabled_reason(document)
    rules.configure(Preferences(settings=Settings(), enable=False))
    rules.configure(Preferences(settings=Settings(), enable=True))
    assert rules.enabled


def test_the_innermost_root_is_a_files_project(project: Path) -> None:
    """With several roots a file belongs to the deepest that holds it; outside of all, to what is found above it."""
    inner = project / "packages" / "one"
    inner.mkdir(parents=True)
    rules = policy(project, inner)
    assert rules.root_of(inner / "a.py") == inner
    assert rules.root_of(project / "a.py") == project
    assert policy().root_of(inner / "a.py") == project
    assert rules.root_of(None) is None


@pytest.mark.parametrize(
    ("target", "is_free"),
    [
        ("project/own.py", True),
        ("other/shared.py", True),
        ("other/.env", False),
        ("other/credentials.json", False),
        ("other/.git/hook.py", False),
        ("project/build/made.py", False),
    ],
)
def test_a_link_is_judged_by_what_it_leads_to(tmp_path: Path, target: str, is_free: bool) -> None:
    """In the workspace or out of it: the person opened it."""
    root = tmp_path / "project"
    (tmp_path / target).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / target).touch()
    (root / "sub").mkdir(parents=True)
    (root / ".git").mkdir()
    (root / ".gitignore").write_text("build/\n")
    (root / "sub" / "innocent.py").symlink_to(tmp_path / target)
    assert (policy(root).disabled_reason(buffer(root / "sub" / "innocent.py")) == "") is is_free
