"""The rule that keeps some packages out of training for ever.

A benchmark on code the model has read measures memory, so a quarter of all package names is set aside by a
rule that nobody can bend afterwards: the SHA-256 of the PEP 503 name.  The rule runs twice, when the manifest
is made and when the corpus is read, because a hand-edited manifest must not get round it.
"""

from __future__ import annotations

import hashlib
import re

HELD_OUT_DIGITS = frozenset("0123")


def normalise(name: str) -> str:
    """The PEP 503 form, under which every spelling of one package is the same package."""
    return re.sub(r"[-_.]+", "-", name).lower()


def name_digit(name: str) -> str:
    """The first hexadecimal digit of the SHA-256 of the normalised name."""
    return hashlib.sha256(normalise(name).encode()).hexdigest()[0]


def is_held_out(name: str) -> bool:
    """Whether this package may never be trained on."""
    return name_digit(name) in HELD_OUT_DIGITS


class HeldOutPackage(ValueError):
    """A held-out package was about to enter the training data."""


def refuse_held_out(name: str) -> None:
    """Stop at once: a leaked held-out package would make every later figure worthless."""
    if is_held_out(name):
        raise HeldOutPackage(f"{name} is held out by rule (SHA-256 of its name begins with {name_digit(name)})")
