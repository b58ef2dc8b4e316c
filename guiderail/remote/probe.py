"""Questions that tell what a server and its model are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from guiderail.prompt.fim import CONTROL_TOKENS, FimFormat, find_fim
from guiderail.remote.connection import Connection
from guiderail.remote.errors import RemoteError
from guiderail.remote.server import TokenHabits

SHOWN = 8  # models that a message names
LONGEST_ID = 200  # characters of a model's id
CONTEXT = 8192  # tokens, where a server does not say
MOST_CONTEXT = 1 << 30
# Code of an ordinary kind, to see how long tokens are.
SAMPLE = '''class Reader:
    """Reads records from a file, one for each line."""

    def __init__(self, path: Path, limit: int = 100) -> None:
        self.path = path
        self.limit = limit

    def records(self) -> Iterator[dict[str, str]]:
        with self.path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines):
                if number >= self.limit or not line.strip():
                    return
                key, _, value = line.partition("=")
                yield {key.strip(): value.strip()}
'''


def models_of(connection: Connection) -> list[dict[str, Any]]:
    """The models that the server lists."""
    listed = connection.found("/v1/models").get("data")
    models = listed if isinstance(listed, list) else []
    return [one for one in models if isinstance(one, dict) and _is_id(one.get("id"))]


def length_of(value: int) -> int:
    """The tokens that a server says it has room for; `CONTEXT` where it says a number that cannot be."""
    return int(value) if 0 < value <= MOST_CONTEXT else CONTEXT


def _is_id(value: object) -> bool:
    """Whether this can be a model's id: it is shown to a person."""
    return isinstance(value, str) and 0 < len(value) <= LONGEST_ID and value.isprintable()


def one_of(connection: Connection, models: Sequence[dict[str, Any]] | None = None) -> str:
    """The id of the model that the address names, or of the only one.

    Raises
    ------
    RemoteError
        There are several, or not the one that is named.
    """
    ids = [one["id"] for one in (models_of(connection) if models is None else models)]
    wanted = connection.address.model
    if wanted and (wanted in ids or not ids):
        return wanted
    if len(ids) == 1 and not wanted:
        return ids[0]
    if not ids:
        return ""
    shown = ", ".join(ids[:SHOWN]) + (f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else "")
    what = f"no model {wanted}" if wanted else f"{len(ids)} models"
    remedy = f"Write one after #, as in {connection.address.base}#{ids[0]}; it has: {shown}"
    raise RemoteError(f"the model server at {connection.address.place} has {what}", remedy)


def format_in(pieces: Callable[[str], Sequence[str]]) -> FimFormat | None:
    """The fill-in-the-middle format of a model, by which names of control tokens its tokenizer knows as one token.

    Parameters
    ----------
    pieces
        The tokens of a text, control tokens by their names.
    """
    return find_fim(CONTROL_TOKENS.intersection(pieces("\n".join(sorted(CONTROL_TOKENS)))))


def habits_in(pieces: Sequence[str]) -> TokenHabits:
    """How a tokenizer cuts code, by its tokens of `SAMPLE`; none if they are not known."""
    if not pieces:
        return TokenHabits()
    # Every "return" of the sample is after an indentation.
    return TokenHabits(len(SAMPLE) / len(pieces), joins_indent="return" not in pieces)
