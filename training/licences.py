"""Which declared licences the corpus accepts, and how to read the declaration of a wheel."""

from __future__ import annotations

import re
from email.message import Message

#: Families allowed in the corpus, by SPDX identifier (without `-only`, `-or-later`).
ALLOWED = frozenset(
    {
        "MIT",
        "MIT-0",
        "MIT-CMU",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "0BSD",
        "Apache-2.0",
        "ISC",
        "PSF-2.0",
        "Python-2.0",
        "Python-2.0.1",
        "BSD",
    }
)
_ALLOWED_FOLDED = {name.lower() for name in ALLOWED}

_CLASSIFIERS = {
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "BSD License": "BSD",
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "Python Software Foundation License": "PSF-2.0",
}
_NOISE = {
    "the",
    "license",
    "licence",
    "licensed",
    "software",
    "version",
    "clause",
    "new",
    "modified",
    "simplified",
    "style",
}
_FREE_TEXT = {
    "mit": "MIT",
    "bsd": "BSD", "bsd 3": "BSD-3-Clause", "3 bsd": "BSD-3-Clause", "bsd 2": "BSD-2-Clause", "2 bsd": "BSD-2-Clause",
    "apache": "Apache-2.0", "apache 2": "Apache-2.0", "apache 2.0": "Apache-2.0", "apache v2": "Apache-2.0",
    "apache v2.0": "Apache-2.0", "asl 2.0": "Apache-2.0",
    "isc": "ISC",
    "psf": "PSF-2.0", "psf 2.0": "PSF-2.0", "python foundation": "PSF-2.0",
}  # fmt: skip


def declared_licence(metadata: Message) -> str:
    """The licence a package declares, as an SPDX-like expression; "" when it declares none we can read.

    PEP 639's expression wins over classifiers and these over the free-text field, since that is how exact
    they are; several classifiers are read as AND, the cautious reading.
    """
    expression = metadata.get("License-Expression")
    if expression:
        return str(expression).strip()
    classified = [
        text.split("::")[-1].strip()
        for text in map(str, metadata.get_all("Classifier", []))
        if text.startswith("License ::") and text.strip() != "License :: OSI Approved"
    ]
    if classified:
        return " AND ".join(_CLASSIFIERS.get(text, "LicenseRef-" + re.sub(r"\W+", "-", text)) for text in classified)
    return _from_free_text(str(metadata.get("License") or "").strip())


def _from_free_text(text: str) -> str:
    """A licence named in the old free-text field; only short, known names count."""
    if text.lower() in _ALLOWED_FOLDED:
        return text
    words = re.findall(r"[a-z0-9.]+", text.lower())
    return _FREE_TEXT.get(" ".join(word for word in words if word not in _NOISE), "")


def is_allowed(expression: str) -> bool:
    """Whether an SPDX expression can be met with allowed licences alone (AND binds tighter than OR)."""
    tokens = re.findall(r"[()]|[^\s()]+", expression)
    if not tokens:
        return False
    verdict, rest = _either(tokens)
    return verdict and not rest


def _either(tokens: list[str]) -> tuple[bool, list[str]]:
    verdict, tokens = _both(tokens)
    while tokens and tokens[0].upper() == "OR":
        other, tokens = _both(tokens[1:])
        verdict = verdict or other
    return verdict, tokens


def _both(tokens: list[str]) -> tuple[bool, list[str]]:
    verdict, tokens = _single(tokens)
    while tokens and tokens[0].upper() == "AND":
        other, tokens = _single(tokens[1:])
        verdict = verdict and other
    return verdict, tokens


def _single(tokens: list[str]) -> tuple[bool, list[str]]:
    if not tokens:
        return False, tokens
    if tokens[0] == "(":
        verdict, rest = _either(tokens[1:])
        return (verdict, rest[1:]) if rest[:1] == [")"] else (False, rest)
    return tokens[0].lower() in _ALLOWED_FOLDED, tokens[1:]
