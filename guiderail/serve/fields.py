"""Reads the fields of a request's body: what is known is checked, what is unknown is passed over."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from guiderail.serve.faults import RequestFault, wrong_field

LIST_LIMIT = 256  # entries of a list that are read


class Fields:
    """The fields of one object; null counts as not given.

    Parameters
    ----------
    values
        The object.
    name
        How errors call it: empty for the body itself.
    """

    def __init__(self, values: Mapping[str, Any], name: str = "") -> None:
        self._values = values
        self._name = name

    @classmethod
    def of_body(cls, data: bytes) -> Fields:
        """The fields of a body; raises RequestFault where it is no JSON object in UTF-8."""
        try:
            values = json.loads(data.decode())  # of bytes it would guess the encoding
        except (ValueError, RecursionError) as error:
            raise RequestFault(400, "the body is not JSON in UTF-8") from error
        if not isinstance(values, dict):
            raise RequestFault(400, "the body must be a JSON object")
        return cls(values)

    def get(self, name: str) -> Any:
        """The value of a field as it came; None if it is missing."""
        return self._values.get(name)

    def text(self, name: str, default: str = "") -> str:
        """A string; a lone half of a character, which no tokenizer takes, is U+FFFD in it."""
        value = self.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise wrong_field(self._full(name), "a string")
        return whole_characters(value)

    def flag(self, name: str, default: bool = False) -> bool:
        """A truth value."""
        value = self.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise wrong_field(self._full(name), "true or false")
        return value

    def number(self, name: str) -> float | None:
        """A finite number; None if it is missing."""
        value = self.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e300 or math.isnan(value):
            raise wrong_field(self._full(name), "a number")
        return float(value)

    def whole(self, name: str) -> int | None:
        """A whole number; None if it is missing."""
        value = self.number(name)
        if value is None:
            return None
        if not value.is_integer():
            raise wrong_field(self._full(name), "a whole number")
        return int(value)

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings, or one string."""
        value = self.get(name)
        if value is None:
            return ()
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise wrong_field(self._full(name), "a string or a list of strings")
        return tuple(whole_characters(one) for one in found[:LIST_LIMIT])

    def objects(self, name: str) -> list[Fields]:
        """A list of objects."""
        value = self.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise wrong_field(self._full(name), "a list of objects")
        return [Fields(one, f"{self._full(name)}[{index}]") for index, one in enumerate(value[:LIST_LIMIT])]

    def object(self, name: str) -> Fields:
        """An object; one without fields if it is missing."""
        value = self.get(name)
        if value is not None and not isinstance(value, dict):
            raise wrong_field(self._full(name), "an object")
        return Fields(value or {}, self._full(name))

    def _full(self, name: str) -> str:
        return f"{self._name}.{name}" if self._name else name


def whole_characters(text: str) -> str:
    """A text in which pairs of surrogates are characters, and lone ones U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
