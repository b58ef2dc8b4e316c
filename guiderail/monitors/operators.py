"""The operators monitor: after a name and a blank an expression ends, or goes on with an operator or a keyword.

It asks no analyser: this is Python's grammar. Where a name that a model wants is forbidden, some write a legal one and
the wanted one after a blank.
"""

from __future__ import annotations

import keyword
import re

from guiderail.monitors.cursor_context import Snapshot, tail_of
from guiderail.monitors.monitor import Restriction, Trigger
from guiderail.text.languages.table import PYTHON_STATEMENTS

# A name, or what closes a call or an index, with blanks after it, and what is written of the next word.
_AFTER = re.compile(r"(?P<front>(?<!\w)\w++|[)\]])[ \t]++(?P<written>(?:[^\W\d]\w*+)?)\Z")
FRONT_READ = 300  # characters
# Words after which a name may stand: keywords that are no values, and those that are keywords at the beginning.
_OPENING = frozenset(keyword.kwlist) - {"None", "True", "False"}
_FIRST = frozenset({"match", "case", "type", "print", "exec"})  # the last two of Python 2
_SHELL = ("%", "!", "?")  # commands of notebooks
FOLLOWING = frozenset({"and", "or", "in", "is", "not", "if", "else", "for", "as", "async", "import", "from"})


class Operators:
    """The monitor of what follows a name and a blank, in Python."""

    name, soft, endings = "operators", False, b" "
    languages = PYTHON_STATEMENTS

    def trigger(self, snapshot: Snapshot) -> Trigger | None:
        """See `Monitor.trigger`."""
        found = _AFTER.search(snapshot.text, max(0, len(snapshot.text) - FRONT_READ))
        if found is None or snapshot.lex_state.in_string_or_comment or not _is_read(found, snapshot):
            return None
        written = found["written"]

        def allows(truth: str) -> bool:
            name = written + tail_of(truth)
            return not name or name[0].isdigit() or name in FOLLOWING

        def interpret(_: None) -> Restriction:
            legal = any(word.startswith(written + snapshot.upcoming) for word in FOLLOWING)
            return Restriction(
                lambda masks: masks.names_or_none(FOLLOWING, snapshot.cursor.tail),
                len(FOLLOWING),
                None if legal else "no such name",
                allows,
            )

        return Trigger(found[0].strip(), None, snapshot.question(len(snapshot.text)), interpret, written)


def _is_read(found: re.Match[str], snapshot: Snapshot) -> bool:
    """Whether the word before the blank is the end of an expression, and no keyword."""
    statement, front = snapshot.text[snapshot.lex_state.statement_start :].lstrip(), found["front"]
    if statement.startswith(_SHELL) or front in _OPENING or not statement.endswith(found[0]):
        return False
    return front not in _FIRST or statement != found[0]
