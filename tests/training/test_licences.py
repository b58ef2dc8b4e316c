from __future__ import annotations

from email.message import Message

import pytest

from training.licences import declared_licence, is_allowed


def metadata(**headers: str | list[str]) -> Message:
    message = Message()
    for name, values in headers.items():
        for value in [values] if isinstance(values, str) else values:
            message[name.replace("_", "-")] = value
    return message


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("apache-2.0", True),
        ("GPL-3.0-or-later", False),
        ("MIT OR GPL-2.0-only", True),
        ("MIT AND GPL-2.0-only", False),
        ("(MIT OR GPL-2.0-only) AND ISC", True),
        ("MIT AND (LGPL-2.1 OR MPL-2.0)", False),
        ("MIT)", False),
        ("MPL-2.0", False),
        ("", False),
    ],
)
def test_an_expression_is_allowed_if_allowed_licences_alone_can_meet_it(expression: str, allowed: bool):
    """OR needs one allowed licence, AND needs all, and what cannot be read is refused."""
    assert is_allowed(expression) == allowed


@pytest.mark.parametrize(
    ("headers", "licence"),
    [
        ({"License_Expression": "ISC", "License": "GPL"}, "ISC"),
        ({"Classifier": "License :: OSI Approved :: MIT License"}, "MIT"),
        ({"License": "Apache License 2.0"}, "Apache-2.0"),
        ({"License": "The MIT License"}, "MIT"),
        ({"License": "BSD-3-Clause"}, "BSD-3-Clause"),
        ({"License": "MIT, except for the parts that are not"}, ""),
        ({}, ""),
    ],
)
def test_the_most_exact_declaration_wins(headers: dict[str, str], licence: str):
    """An expression beats classifiers, classifiers beat free text, and long free text counts for nothing."""
    assert declared_licence(metadata(**headers)) == licence


def test_several_classifiers_must_all_be_allowed():
    """Two licence classifiers are read as AND."""
    both = ["License :: OSI Approved :: MIT License", "License :: OSI Approved :: GNU General Public License (GPL)"]
    assert not is_allowed(declared_licence(metadata(Classifier=both)))
