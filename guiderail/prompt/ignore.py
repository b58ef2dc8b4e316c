"""Decides which files must never be read as context: secrets, ignored files, and what is not the project's own.

The lists are data; a file is excluded if any of them, or a .gitignore, matches it.
"""

import codecs
import logging
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import translate
from pathlib import Path

from guiderail import projectfile
from guiderail.projectfile import ProjectFileError
from guiderail.prompt.file_cache import FileCache, status_of
from guiderail.prompt.gitignore import MOST_LINES, MOST_WILD, PatternLimitError, Patterns

log = logging.getLogger(__name__)

# File names, without regard to case, that commonly hold keys, passwords or tokens.
SECRET_FILES = (
    ".env*", "*.env", ".dev.vars*", "dev.vars", "secrets.*", "secret.*", "*.secret", "*.secrets", "*-secrets.*",
    "credentials*", ".credentials*", "*.credentials", ".git-credentials", "client_secret*", "service-account*",
    "service_account*", "passwords*", ".htpasswd", ".pgpass", ".my.cnf", ".netrc", "_netrc", ".npmrc", ".pypirc",
    ".yarnrc*", ".dockercfg", ".s3cfg", ".boto", ".vault-token", "kubeconfig*", "id_rsa*", "id_dsa*", "id_ecdsa*",
    "id_ed25519*", "*.pem", "*.key", "*.p8", "*.p12", "*.pfx", "*.pkcs12", "*.keystore", "*.jks", "*.kdbx", "*.ppk",
    "*.cer", "*.crt", "*.cert", "*.der", "*.asc", "*.gpg", "*.pgp", "*.ovpn", "*.tfstate", "*.tfstate.*",
    "*.tfvars", "*.tfvars.*", "wp-config*.php", "local.settings.json", ".*_history", "*.env.*", "*token*.json",
    "*.token", ".token*", "auth.json", "*secret*.json", "*secret*.y*ml", "*secret*.toml", "*secret*.properties",
    "*credential*.json", "*credential*.y*ml", "*credential*.ini", "*service-account*.json", "*service_account*.json",
    "*serviceaccount*.json", "*firebase-adminsdk*.json", "google-services.json", "googleservice-info.plist",
    "vault.y*ml", "vault.json", "*.vault", "*vault?pass*", "*-vault.y*ml", "*_vault.y*ml", "application-*.y*ml",
    "application-*.properties", "appsettings.*.json", "database.yml", "*.kubeconfig", "kube.config", "*.kdb",
    "*.psafe3", "*.agilekeychain", "*.keychain", "*.keychain-db", "*.bks", "*.mobileprovision", "*.rdp",
    ".terraformrc", "terraform.rc", ".mylogin.cnf", ".rclone.conf", "rclone.conf", "pip.conf", "nuget.config",
    "sftp.json", "sftp-config.json", ".ftpconfig", "filezilla.xml", ".esmtprc", ".msmtprc", ".fetchmailrc",
    "htpasswd", "shadow", "*.ppk.*", "*.pem.*", "*.key.*",
)  # fmt: skip

# Folders whose whole content is secret.
SECRET_FOLDERS = (
    ".aws", ".ssh", ".gnupg", ".azure", ".gcloud", ".kube", ".docker", ".terraform", ".vault", ".secrets",
    "secrets", ".password-store",
)  # fmt: skip

# Folders of tools, environments and build products: not the project's own source.
FOREIGN_FOLDERS = (
    ".git", ".hg", ".svn", ".jj", "CVS", "node_modules", "bower_components", "jspm_packages", ".yarn", ".pnpm-store",
    "__pycache__", "__pypackages__", "site-packages", ".venv", "venv", ".virtualenv", ".tox", ".nox", ".eggs",
    "*.egg-info", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".ipynb_checkpoints", ".cache",
    "dist", "build", ".next", ".nuxt", ".svelte-kit", ".parcel-cache", ".turbo", ".gradle", ".idea", ".vs",
    "coverage", "htmlcov", "DerivedData", ".direnv",
)  # fmt: skip

# A folder that contains one of these is a virtual environment or a cache (Cargo's target, pip's, …).
FOREIGN_MARKS = ("pyvenv.cfg", "CACHEDIR.TAG", "conda-meta")

# Files that a program wrote, and that teach nothing about how this project is written.
GENERATED_FILES = ("*.min.*", "*.bundle.*", "*-min.js", "*.map", "*_pb2.py", "*_pb2.pyi", "*_pb2_grpc.py", "*.pb.go")

MOST_KEPT = 300_000  # lines of all .gitignore files, and characters of their patterns with wildcards: some 100 MB
MOST_TRIES = 500_000  # of patterns with wildcards for the names of a path, or of a folder; more take seconds

_KEY_FILE = r"id_[^.]+\Z"  # what ssh-keygen makes, whatever the kind of key; id_map.py is code


def _any_of(patterns: tuple[str, ...], *others: str) -> re.Pattern[str]:
    return re.compile("|".join([*(translate(pattern.lower()) for pattern in patterns), *others]))


_FILES = _any_of(SECRET_FILES + GENERATED_FILES, _KEY_FILE)
_FOLDERS = _any_of(SECRET_FOLDERS + FOREIGN_FOLDERS)


def is_apart(names: Iterable[str]) -> bool:
    """Whether one of the folders of these names is secret or not the project's own source, for its name alone."""
    return any(_FOLDERS.match(name.lower()) for name in names)


@dataclass(frozen=True, eq=False, slots=True)
class Rules:
    """The .gitignore of one folder; equal only to itself, so that chains of them compare quickly.

    Parameters
    ----------
    folder
        POSIX path, relative to the root.
    patterns
        What it says; None if it says too much to be judged, so that nothing in the folder may be read.
    """

    folder: str
    patterns: Patterns | None


class Ignore:
    """Says of any path whether it must stay unread.

    Parameters
    ----------
    root
        The project's root; nothing outside it may be read.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._top = str(self.root)
        self._read: FileCache[Rules] = FileCache(self._read_rules)
        self._chains: dict[str, tuple[Rules, ...]] = {}
        self._excessive: dict[str, Rules] = {}
        self._kept: dict[str, int] = {}  # how much each file says that was read
        self._kept_in_all = 0
        self._refused: set[str] = set()  # files for which there was no room

    def __call__(self, path: Path) -> bool:
        """Whether a path (absolute, or relative to the root) must not be read, for itself or for a parent.

        A symbolic link counts as the path and as what it leads to: both must be readable.
        """
        named = self.root / path
        try:
            real = named.resolve()
        except (OSError, RuntimeError):  # a loop of links
            return True
        forms = {form for form in (named, real) if form.is_relative_to(self.root)}
        if real not in forms:
            return True
        is_folder = os.path.isdir(real)  # noqa: PTH112 (Path's raises where it may not look)
        return any(self._excluded(form.relative_to(self.root).parts, is_folder) for form in forms)

    def refresh(self) -> None:
        """Look at the .gitignore files again: those that changed since are read again."""
        self._chains.clear()
        if self._refused:
            self._make_room()

    def chain(self, folder: str) -> tuple[Rules, ...]:
        """The .gitignore files that apply in a folder (POSIX, relative, "" is the root), outermost first."""
        missing: list[str] = []  # no recursion: a path may have thousands of parts
        while (chain := self._chains.get(folder)) is None:
            missing.append(folder)
            if not folder:
                chain = self._rules("", ".git/info/exclude")
                break
            folder = folder.rpartition("/")[0]
        for place in reversed(missing):
            chain = self._chains[place] = self._bounded(chain, place)
        return chain

    def _bounded(self, parent: tuple[Rules, ...], folder: str) -> tuple[Rules, ...]:
        """A folder's chain; where that says more than one file may say, all in the folder is hidden."""
        if parent and parent[-1].patterns is None:
            return parent  # nothing below is read anyhow
        chain = parent + self._rules(folder, ".gitignore")
        patterns = [rules.patterns for rules in chain if rules.patterns]
        if sum(one.lines for one in patterns) <= MOST_LINES and sum(one.wild for one in patterns) <= MOST_WILD:
            return chain
        if folder not in self._excessive:
            log.warning("%s/%s: .gitignore files are too large together; nothing in it is read", self._top, folder)
        return (*parent, self._excessive.setdefault(folder, Rules(folder, None)))

    def hides(self, folder: str, name: str, is_folder: bool) -> bool:
        """Whether an entry of a readable folder must not be read."""
        if (_FOLDERS if is_folder else _FILES).match(name.lower()):
            return True
        path = f"{folder}/{name}" if folder else name
        if is_folder and any(status_of(f"{self._top}/{path}/{mark}") for mark in FOREIGN_MARKS):
            return True
        for rules in reversed(self.chain(folder)):
            inside = path[len(rules.folder) + 1 :] if rules.folder else path
            verdict = rules.patterns.verdict(inside, is_folder=is_folder) if rules.patterns else True
            if verdict is not None:
                return verdict
        return False

    def tries(self, folder: str) -> int:
        """How many patterns with wildcards are tried for each name in a folder."""
        return sum(rules.patterns.tries for rules in self.chain(folder) if rules.patterns)

    def _excluded(self, parts: tuple[str, ...], is_folder: bool) -> bool:
        last = len(parts) - 1
        if len(parts) * self.tries("/".join(parts[:-1])) > MOST_TRIES:
            return True
        return any(self.hides("/".join(parts[:i]), part, is_folder or i < last) for i, part in enumerate(parts))

    def _rules(self, folder: str, name: str) -> tuple[Rules, ...]:
        path = f"{self._top}/{folder}/{name}" if folder else f"{self._top}/{name}"
        try:
            status = os.lstat(path)
        except OSError:
            return ()
        return (self._read.get(path, status),) if stat.S_ISREG(status.st_mode) else ()

    def _read_rules(self, path: str) -> Rules:
        folder = path[len(self._top) + 1 :].rpartition("/")[0]
        return Rules("" if folder == ".git/info" else folder, self._fitting(path, _patterns(path, self.root)))

    def _fitting(self, path: str, patterns: Patterns | None) -> Patterns | None:
        """What a file says, as long as all files together say no more than can be kept."""
        size = patterns.lines + patterns.wild if patterns else 0
        self._kept_in_all -= self._kept.pop(path, 0)
        if self._kept_in_all + size > MOST_KEPT:
            log.warning("%s: .gitignore files are too large together; nothing that this one may cover is read", path)
            self._refused.add(path)
            return None
        self._kept[path] = size
        self._kept_in_all += size
        return patterns

    def _make_room(self) -> None:
        """Forget files that are gone, and have those read that there was no room for."""
        gone = [path for path in self._kept if status_of(path) is None]
        for path in gone:
            self._kept_in_all -= self._kept.pop(path)
        for path in (*gone, *(self._refused if gone else ())):
            self._read.drop(path)
        if gone:
            self._refused.clear()


def _patterns(path: str, root: Path) -> Patterns | None:
    try:
        content = projectfile.read_bytes(Path(path), root) or b""
        # Names of files are bytes to git, in whatever encoding: they must come out as the file system gives them.
        return Patterns(content.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape"))
    except (ProjectFileError, PatternLimitError) as error:  # what it hides is not known, so all of it may be
        log.warning("%s: %s; nothing that it may cover is read", path, error)
        return None
