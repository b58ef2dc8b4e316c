"""What the value of one setting, or of a parameter, may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_LARGE = 2**53  # no setting goes as far, and from 2**1024 on an integer is no float

# Who decides a setting. None is the project's alone: what a person says goes before it everywhere.
Owner = Literal["person", "both"]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What one setting may be.

    Parameters
    ----------
    help
        One line for ``--help`` and ``guiderail config show``.
    choices
        The only words allowed; empty when any text is.
    low, high
        Inclusive bounds of a number.
    above
        Exclusive lower bound of a number.
    empty
        Whether a text may be empty.
    owner
        Who decides it: the person alone, or ``both``, the project where the person does not. A project's files may
        come from anybody, so a setting is the person's unless whatever value it has is harmless.
    project_most
        The most that a project may set, unless the person set more; None where any value is harmless.
    from_editors
        Whether it is taken from an editor, whose settings a workspace can hold.
    """

    help: str
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    above: float | None = None
    empty: bool = False
    owner: Owner = "person"
    project_most: int | None = None
    from_editors: bool = True


def in_words(rule: Rule, default: Any) -> str:
    """The values that ``rule`` allows, in words; the default tells their type."""
    if rule.choices:
        return "one of " + ", ".join(rule.choices)
    if isinstance(default, bool):
        return "true or false"
    if isinstance(default, str):
        return "a text" if rule.empty else "a text that is not empty"
    noun = "an integer" if isinstance(default, int) else "a number"
    start = f"from {rule.low:g}" if rule.above is None else f"above {rule.above:g}"
    return f"{noun} {start} to {rule.high}"


def fitting(rule: Rule, default: Any, raw: object, *, typed: bool) -> Any:
    """The value that ``raw`` stands for, of the default's type; None when it does not fit the rule.

    ``typed`` says that it has its type already, and is no text to be read.
    """
    value = _typed(default, raw) if typed else _parsed(default, raw)
    return None if value is None or not _in_range(rule, value) else value


def _parsed(default: Any, raw: object) -> Any:
    """Read a flag or an environment variable; None when it cannot be read."""
    if not isinstance(raw, str):
        return _typed(default, raw)
    if isinstance(default, bool):
        word = raw.strip().lower()
        return True if word in _TRUE else False if word in _FALSE else None
    try:
        return type(default)(raw)
    except ValueError:
        return None


def _typed(default: Any, raw: object) -> Any:
    """Take a value that has a type already; None when the type is wrong."""
    if isinstance(default, float) and isinstance(raw, int) and not isinstance(raw, bool):
        return float(raw) if abs(raw) < _LARGE else None
    return raw if type(raw) is type(default) else None


def _in_range(rule: Rule, value: Any) -> bool:
    if isinstance(value, bool):
        return True
    if isinstance(value, str):
        return value in rule.choices if rule.choices else rule.empty or bool(value.strip())
    # Every number has a lower bound, so NaN, for which every comparison is false, is refused.
    return (
        (rule.low is None or value >= rule.low)
        and (rule.high is None or value <= rule.high)
        and (rule.above is None or value > rule.above)
    )
