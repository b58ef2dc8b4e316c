"""A piece of another file, shown to the model as context."""

from dataclasses import dataclass
from typing import Literal

Reason = Literal["definition", "similar"]


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of another file.

    Parameters
    ----------
    path
        Where it comes from: POSIX path relative to the project's root.
    text
        Whole lines, the last one ended.
    reason
        ``"definition"``: declares what the file imports. ``"similar"``: looks like the lines before the cursor.
    score
        How much it promises, from 0 to 1; comparable among snippets of one reason.
    """

    path: str
    text: str
    reason: Reason
    score: float


def shown(name: str) -> str:
    """The name of a file as one line that can be encoded: a name may be any bytes, and hold line breaks."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in name)
