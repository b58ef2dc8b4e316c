"""A prompt as text: control tokens by their names, and no text that happens to spell one."""

from __future__ import annotations

import re

from guiderail.prompt.fim import CONTROL_TOKENS
from guiderail.prompt.prompt import Prompt

_SPELT = re.compile("|".join(map(re.escape, sorted(CONTROL_TOKENS, key=len, reverse=True))))


def parts_of(prompt: Prompt) -> list[str]:
    """The prompt's segments, to be tokenised apart.

    Servers read the name of a control token in a text as that token. So a blank is put into such a name in the text of
    a file: the model reads something slightly wrong there, instead of taking it for the end of the file.
    """
    return [one.text if one.kind == "special" else plain(one.text) for one in prompt.segments if one.text]


def plain(text: str) -> str:
    """A text in which nothing spells a control token."""
    return _SPELT.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)
