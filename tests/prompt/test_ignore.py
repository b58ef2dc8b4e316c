"""Laws of what must never be read."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from guiderail.prompt.ignore import FOREIGN_FOLDERS, SECRET_FILES, SECRET_FOLDERS, Ignore
from tests.prompt.projects import write

SECRETS = [
    ".env", ".env.local", "prod.env", ".envrc", "server.pem", "tls.KEY", "id_rsa", "id_rsa.bak", "id_ed25519",
    "credentials", "credentials.json", "Credentials.yaml", "secrets.yml", "secrets.py", "cert.p12", "x.pfx",
    "release.keystore", ".npmrc", ".pypirc", ".netrc", ".git-credentials", "terraform.tfstate",
    "terraform.tfstate.backup", "prod.tfvars", "client_secret_1.json", "service-account.json", ".htpasswd",
    ".aws/config", "deploy/.ssh/config", "deep/.kube/x.py", ".bash_history", "kubeconfig.yaml", ".pgpass",
]  # fmt: skip

RULES = {
    ".gitignore": "*.log\n!keep.log\n/top.py\nout/\ndoc/**/gen.py\n\\\n# note\n*.tmp \nspace\\ \n",
    "sub/.gitignore": "*.py\n!public.py\n/only_here.txt\nlater.log\n",
    "sub/deep/.gitignore": "!again.py\r\n",
    ".git/info/exclude": "private/\n",
}
PATHS = [
    "a.log", "keep.log", "top.py", "sub/top.py", "out/x.py", "sub/out/y.txt", "doc/gen.py", "doc/a/b/gen.py",
    "sub/a.py", "sub/public.py", "sub/only_here.txt", "sub/deep/only_here.txt", "sub/deep/again.py",
    "sub/deep/other.py", "sub/keep.log", "sub/later.log", "private/x.c", "a.tmp", "b.txt", "space ", "doc/x.txt",
]  # fmt: skip


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_are_never_read(tmp_path: Path, name: str) -> None:
    write(tmp_path, {name: "token"})
    assert Ignore(tmp_path)(tmp_path / name)


@pytest.mark.parametrize("name", ["main.py", "environment.py", "keys.py", "certificate.go", "src/secretary.rs"])
def test_ordinary_names_are_read(tmp_path: Path, name: str) -> None:
    write(tmp_path, {name: "code"})
    assert not Ignore(tmp_path)(tmp_path / name)


def test_the_lists_say_nothing_twice_in_whatever_case() -> None:
    assert len(SECRET_FILES) >= 40
    for patterns in (SECRET_FILES, SECRET_FOLDERS, FOREIGN_FOLDERS):
        assert len({pattern.lower() for pattern in patterns}) == len(patterns)


FOREIGN = [
    "node_modules", "pkg/__pycache__", ".git", "dist", "build", "x.egg-info", "CVS", "cvs", "DerivedData",
]  # fmt: skip


@pytest.mark.parametrize("folder", FOREIGN)
def test_what_is_not_the_projects_own_is_not_read(tmp_path: Path, folder: str) -> None:
    write(tmp_path, {f"{folder}/a.py": "code"})
    assert Ignore(tmp_path)(tmp_path / folder / "a.py")


@pytest.mark.parametrize("mark", ["pyvenv.cfg", "CACHEDIR.TAG"])
def test_an_environment_or_cache_under_any_name_is_not_read(tmp_path: Path, mark: str) -> None:
    write(tmp_path, {f"odd/{mark}": "", "odd/lib/a.py": "code", "even/a.py": "code"})
    matcher = Ignore(tmp_path)
    assert matcher(tmp_path / "odd/lib/a.py")
    assert not matcher(tmp_path / "even/a.py")


@pytest.mark.skipif(shutil.which("git") is None, reason="compares with git itself")
def test_nested_gitignore_files_mean_what_git_takes_them_to_mean(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    write(tmp_path, RULES | dict.fromkeys(PATHS, "x"))
    matcher = Ignore(tmp_path)
    command = ["git", "-C", str(tmp_path), "check-ignore", "--no-index", "-z", "--stdin"]
    answer = subprocess.run(command, input="\0".join(PATHS), capture_output=True, text=True, check=True)
    by_git = {path for path in answer.stdout.split("\0") if path}
    assert {path for path in PATHS if matcher(Path(path))} == by_git
    assert 5 < len(by_git) < len(PATHS) - 5


def test_a_negated_rule_does_not_reach_into_an_ignored_folder(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "gen/\n!gen/keep.py\n", "gen/keep.py": ""})
    assert Ignore(tmp_path)(Path("gen/keep.py"))


def test_links_are_read_only_if_they_lead_to_what_may_be_read(tmp_path: Path) -> None:
    root = write(tmp_path / "root", {"lib/a.py": "x", "secrets.py": "x", "node_modules/b.py": "x"})
    outside = write(tmp_path / "outside", {"c.py": "x"})
    (root / "good.py").symlink_to(root / "lib/a.py")
    (root / "to_secret.py").symlink_to(root / "secrets.py")
    (root / "to_foreign.py").symlink_to(root / "node_modules/b.py")
    (root / "to_outside.py").symlink_to(outside / "c.py")
    (root / "folder").symlink_to(outside)
    (root / "loop.py").symlink_to(root / "loop.py")
    (root / ".env.py").symlink_to(root / "lib/a.py")
    matcher = Ignore(root)
    assert not matcher(Path("good.py"))
    for name in ("to_secret.py", "to_foreign.py", "to_outside.py", "folder/c.py", "loop.py", ".env.py"):
        assert matcher(Path(name)), name
    assert matcher(Path("../outside/c.py"))
    assert matcher(outside / "c.py")


def test_a_root_reached_by_a_link_is_the_root_itself(tmp_path: Path) -> None:
    root = write(tmp_path / "root", {"a.py": "x"})
    (tmp_path / "link").symlink_to(root)
    matcher = Ignore(tmp_path / "link")
    assert not matcher(tmp_path / "link/a.py")
    assert not matcher(root / "a.py")


def test_rules_are_read_once_until_they_change(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "a.py\n"})
    os.utime(tmp_path / ".gitignore", (1_000, 1_000))
    matcher = Ignore(tmp_path)
    assert [matcher(Path(name)) for name in ("a.py", "b.py")] == [True, False]
    chain = matcher.chain("")
    matcher.refresh()
    assert matcher.chain("") == chain
    write(tmp_path, {".gitignore": "b.py\n"})
    matcher.refresh()
    assert [matcher(Path(name)) for name in ("a.py", "b.py")] == [False, True]
