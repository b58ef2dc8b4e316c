"""Laws of .gitignore: it means what git takes it to mean, and no pattern takes long."""

import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guiderail.lsp.buffer import Buffer
from guiderail.lsp.configuration import read
from guiderail.lsp.policy import Policy
from guiderail.prompt.gitignore import PatternLimitError, Patterns
from guiderail.prompt.ignore import Ignore
from guiderail.prompt.project import Project
from tests.prompt.projects import write

SOON = 2.0  # seconds; the patterns of these tests took minutes or never ended
STARS = [
    "*a" * 30 + "*b", "a*" * 30 + "b", "**/a" * 20 + "/b", "a/**/" * 20 + "b", "*/" * 30 + "b", "*?" * 30 + "b",
    "**/*a*a*a*a*a*a*a*a*b/**/*a*a*a*a*a*a*a*c", "*[ab]" * 30 + "c",
]  # fmt: skip
pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="compares with git itself")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    return folder


def by_git(repository: Path, rules: str, paths: list[str]) -> set[str]:
    (repository / ".gitignore").write_bytes(rules.encode())
    command = ["git", "-C", str(repository), "check-ignore", "--no-index", "-z", "--stdin"]
    answer = subprocess.run(command, input="\0".join(paths).encode(), capture_output=True, check=False)
    assert answer.returncode in (0, 1), answer.stderr
    return {path for path in answer.stdout.decode().split("\0") if path}


_pieces = st.sampled_from(
    ["a", "b", "ab", "/", "/", "*", "**", "**/", "/**", "***", "?", "[ab]", "[!a]", "[^b]", "[a-b]", "[]a]", "[a/b]",
     "[[:alpha:]]", "[[:nope:]]", "[a", "\\", "\\*", "\\a", "\\/", "!", "#", " ", "\\ ", ".", "é", "-", "[a-]",
     "[\\]a]"]
)  # fmt: skip
# Limits (`gitignore`): git takes stars after the literal beginning of a name for ** between slashes, and escaped
# slashes for several things.
_QUIRK = re.compile(r"!?[^*?\[\\]*[^*?\[\\/!]\*\*|.*\\/")
_lines = st.lists(_pieces, min_size=1, max_size=6).map("".join).filter(lambda line: not _QUIRK.match(line))
_rules = st.lists(st.one_of(_lines, _lines.map("!{}".format), st.sampled_from(["*", "a/", "*.b"])), max_size=4)
_names = st.text("ab.é-*] ", min_size=1, max_size=3).filter(lambda name: name not in (".", ".."))
_paths = st.lists(_names, min_size=1, max_size=4).map("/".join)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(_rules, st.lists(_paths, min_size=1, max_size=12, unique=True))
def test_patterns_mean_what_git_takes_them_to_mean(repository: Path, rules: list[str], paths: list[str]) -> None:
    patterns = Patterns("\n".join(rules))
    assert {path for path in paths if patterns.hides(path)} == by_git(repository, "\n".join(rules), paths)


@pytest.mark.parametrize("pattern", STARS)
def test_many_stars_are_matched_at_once(tmp_path: Path, pattern: str) -> None:
    names = ["a" * 200, "/".join(["a"] * 100), "/".join(["a" * 40] * 50), "ab" * 100]
    write(tmp_path, {".gitignore": f"{pattern}\n", "main.py": "code", "a" * 200: "code"})
    began = time.thread_time()
    patterns = Patterns(pattern)
    for name in names:
        patterns.hides(name)
    assert "main.py" in Project(tmp_path).names("")
    policy = Policy(read({"disablePaths": [pattern]}, {}, {}, None), [tmp_path])
    assert policy.disabled_reason(Buffer((tmp_path / ("a" * 200)).as_uri(), "python", "", 0, "utf-16")) == ""
    assert time.thread_time() - began < SOON


@pytest.mark.parametrize(
    "rules",
    ["a*b\n" * 100_000, "name\n" * 250_000, "*" * 1_000_000, "a/" * 500_000, "\\*" * 500_000, "[a-z]x?" * 10_000],
    ids=["wild", "literal", "stars", "folders", "escapes", "line"],
)
def test_a_file_that_says_too_much_hides_all_in_its_folder(tmp_path: Path, rules: str) -> None:
    """What cannot be judged stays unread: silent rather than wrong."""
    write(tmp_path, {"sub/.gitignore": rules, "sub/a.py": "code", "b.py": "code"})
    began = time.thread_time()
    with pytest.raises(PatternLimitError):
        Patterns(rules)
    ignore = Ignore(tmp_path)
    assert ignore(Path("sub/a.py"))
    assert not ignore(Path("b.py"))
    assert time.thread_time() - began < SOON


def test_a_long_list_of_names_is_no_burden(tmp_path: Path) -> None:
    rules = "".join(f"gen/{n}/file_{n}.py\n*.{n}\n" for n in range(1500)) + "!gen/7/file_7.py\n"
    write(tmp_path, {".gitignore": rules, **{f"gen/{n}/file_{n}.py": "code" for n in range(20)}})
    ignore = Ignore(tmp_path)
    began = time.thread_time()
    assert [n for n in range(20) if not ignore(Path(f"gen/{n}/file_{n}.py"))] == [7]
    assert time.thread_time() - began < SOON
