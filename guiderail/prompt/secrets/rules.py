"""The rules of gitleaks: the forms of tokens and keys, and what only looks like one.

``gitleaks.toml`` is its file as it is (github.com/gitleaks/gitleaks, MIT licence in ``LICENSE.gitleaks``): a newer one
takes its place unchanged.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import Any

from guiderail.prompt.secrets.regex import python_pattern

# These describe a command or a document around any password, and take more than linear time in Python.
LEFT_OUT = frozenset({"curl-auth-header", "curl-auth-user", "kubernetes-secret-yaml", "nuget-config-password"})
# The one form that we add: a password in the URL of a database or a service.
URL_PASSWORD = r"://[^\s:/@\"'`<>{}]{0,64}:(?!\$|\*+@)((?:[^\s/@\"'`<>{}%]|%[0-9A-Fa-f]{2}){3,512})@[\w\[]"
GENERIC = "generic-api-key"  # anything random that is assigned to a name like `key`: no form of its own

# Literal characters at the beginning, which are searched for quickly; a boundary before them is looked at after.
_LITERAL = re.compile(r"(?P<boundary>\\b)?(?P<group>\((?:\?:)?)?(?P<first>[A-Za-z0-9][\w-])(?![?*+{])(?![^|(\[\\]*\|)")

_STEM = 4  # characters of a keyword that its expression has if it is a part of that


@dataclass(frozen=True)
class Allowed:
    """What a rule may match without being a secret.

    Parameters
    ----------
    target
        What `regexes` are searched in: "secret", "match" or "line".
    """

    regexes: tuple[str, ...]
    stopwords: tuple[str, ...]
    target: str

    @cached_property
    def _patterns(self) -> list[re.Pattern[str]]:
        return [re.compile(python_pattern(one), re.ASCII) for one in self.regexes]

    def allows(self, secret: str, match: str, line: str) -> bool:
        """Whether a match is allowed, and no secret."""
        text = {"match": match, "line": line}.get(self.target, secret)
        if any(pattern.search(text) for pattern in self._patterns):
            return True
        lower = secret.lower()
        return any(word in lower for word in self.stopwords)


@dataclass(frozen=True)
class Rule:
    """One form of secret.

    Parameters
    ----------
    name
        Its identifier in gitleaks' file.
    source
        The regular expression, in Python's syntax.
    keywords
        Lower case; a text that has none of them has no such secret.
    entropy
        Bits of a character that a secret has more than.
    group
        The group of the expression that is the secret; 0 where the file names none.
    """

    name: str
    source: str
    keywords: tuple[str, ...]
    entropy: float
    group: int
    allowed: tuple[Allowed, ...]

    @cached_property
    def is_everywhere(self) -> bool:
        """Whether a whole text is searched, and not only the lines with a keyword.

        So it is where that is quick, since the expression begins with literal characters, and where a keyword only
        says what the text is about.
        """
        if self.source.startswith("(?i:-----") or _LITERAL.match(self.source):
            return True
        known = self.source.lower().replace("\\", "")
        return not all(keyword[:_STEM] in known for keyword in self.keywords)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The expression."""
        found = _LITERAL.match(self.source)
        if found is None or not found["boundary"]:
            return re.compile(self.source, re.ASCII)
        first = found["first"]
        head = f"{found['group'] or ''}{first}(?<!\\w{first})"
        return re.compile(head + self.source[found.end() :], re.ASCII)

    def span(self, match: re.Match[str]) -> tuple[int, int]:
        """Where the secret is in a match: from the first group to the last."""
        if self.group:
            return match.span(self.group)
        groups = [match.span(number) for number in range(1, match.re.groups + 1) if match.group(number)]
        if not groups:
            return match.span()
        return min(begin for begin, _ in groups), max(end for _, end in groups)

    def is_secret(self, text: str, match: re.Match[str]) -> bool:
        """Whether a match is random enough and not on a list of allowed ones."""
        begin, end = self.span(match)
        secret = text[begin:end]
        if self.entropy and entropy(secret) <= self.entropy:
            return False
        allowed = (*self.allowed, *_everywhere())
        if not allowed:
            return True
        line_begin = text.rfind("\n", 0, match.start()) + 1
        line_end = text.find("\n", match.end())
        line = text[line_begin : line_end if line_end >= 0 else len(text)]
        return not any(one.allows(secret, match[0], line) for one in allowed)


def entropy(text: str) -> float:
    """Shannon's entropy of a text's characters, in bits."""
    shares = [count / len(text) for count in Counter(text).values()]
    return -sum(share * math.log2(share) for share in shares)


@cache
def rules() -> tuple[Rule, ...]:
    """All rules for text; those for the names of binary files are left out."""
    listed = (_rule(table) for table in _file()["rules"] if "regex" in table and table["id"] not in LEFT_OUT)
    return (*listed, Rule("url-password", URL_PASSWORD, ("://",), 0.0, 1, ()))


@cache
def _everywhere() -> tuple[Allowed, ...]:
    return _allowed([_file()["allowlist"]])


@cache
def _file() -> Mapping[str, Any]:
    file = resources.files("guiderail.prompt.secrets").joinpath("gitleaks.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))


def _rule(table: Mapping[str, Any]) -> Rule:
    return Rule(
        name=table["id"],
        source=python_pattern(table["regex"]),
        keywords=tuple(word.lower() for word in table["keywords"]),
        entropy=table.get("entropy", 0.0),
        group=table.get("secretGroup", 0),
        allowed=_allowed(table.get("allowlists", ())),
    )


def _allowed(tables: Sequence[Mapping[str, Any]]) -> tuple[Allowed, ...]:
    """The lists that hold for every file; those that hold in some, which a rule cannot see, are left out."""
    return tuple(
        Allowed(tuple(t.get("regexes", ())), tuple(t.get("stopwords", ())), t.get("regexTarget", "secret"))
        for t in tables
        if t.get("condition") != "AND"
    )
