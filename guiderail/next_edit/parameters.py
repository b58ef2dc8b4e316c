"""A function as its callers see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# How an argument may be given. "rest" takes any number by position, "keywords" by keyword.
ParameterKind = Literal["positional", "either", "keyword", "rest", "keywords"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a function; `start` is where its name begins."""

    name: str
    kind: ParameterKind
    is_optional: bool
    start: int


@dataclass(frozen=True, slots=True)
class Signature:
    """A function as its callers see it.

    Parameters
    ----------
    path
        The names of the classes and functions that it is in, and its own.
    start
        Where its name begins; of a constructor that a class gets from its fields, the name of the class.
    parameters
        Without the receiver, if it has one.
    owner
        Where the name of its class begins; None outside a class.
    is_bound
        Whether it is called on something that fills a parameter which is not listed.
    is_of_class
        Whether that may be its class.
    is_constructor
        Whether a call of its class runs it.
    """

    path: tuple[str, ...]
    start: int
    parameters: tuple[Parameter, ...]
    owner: int | None = None
    is_bound: bool = False
    is_of_class: bool = False
    is_constructor: bool = False

    @property
    def is_of_fields(self) -> bool:
        """Whether it is the constructor that a class gets from its fields."""
        return self.start == self.owner

    @property
    def shape(self) -> tuple[tuple[str, ParameterKind, bool], ...]:
        """What callers have to know of the parameters."""
        return tuple((one.name, one.kind, one.is_optional) for one in self.parameters)
