"""What a message or a key costs on the event loop, as work that is counted: it has a bound, whatever comes."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from guiderail.errors import UsageError
from guiderail.lsp.place import place_at
from guiderail.monitors import lex_state
from guiderail.monitors.lex_cache import MOST_READ, LexCache, lex_cache
from guiderail.text import language, syntax
from guiderail.text.document import Document
from tests.lsp.client import connected

LISTS = {
    "workspace/didChangeWatchedFiles": lambda wrong: {"changes": wrong},
    "workspace/didDeleteFiles": lambda wrong: {"files": wrong},
    "workspace/didRenameFiles": lambda wrong: {"files": wrong},
    "workspace/didChangeWorkspaceFolders": lambda wrong: {"event": {"added": wrong, "removed": []}},
}


@pytest.mark.asyncio
@pytest.mark.parametrize("method", LISTS)
@pytest.mark.parametrize("kind", ["numbers", "text"])
async def test_the_first_wrong_item_of_a_list_ends_it(method: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of thousands that are wrong was described, which took minutes for a message of a megabyte."""
    import cattrs.errors

    described: list[Any] = []
    real = cattrs.errors.BaseValidationError.__new__
    monkeypatch.setattr(
        cattrs.errors.BaseValidationError,
        "__new__",
        lambda kind, *rest: described.append(kind) or real(kind, *rest),
    )
    wrong = [0] * 2000 if kind == "numbers" else "x" * 2000
    async with connected() as client:
        body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": LISTS[method](wrong)}
        client.raw(json.dumps(body).encode())
        await asyncio.sleep(0)
        assert client.replies[-1]["error"]["code"] == -32602
        assert len(described) < 10


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("javascript", "{"),
        ("javascript", "a.b(c);"),
        ("c", '"""\n'),
        ("java", "}\n"),
        ("python", "f(x, [1])\n"),
        ("go", "`a` "),
    ],
)
def test_a_key_reads_a_bounded_part_of_the_text(name: str, unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the cursor is in is asked at each key, also in a file of which nothing is known, or that is one line."""
    read = []
    real = lex_state._ends_statement
    monkeypatch.setattr(lex_state, "_ends_statement", lambda *given: read.append(1) or real(*given))
    document = Document(unit * (400_000 // len(unit)), Path(f"/nowhere/long.{name}"), name)
    lex_cache.cache_clear()
    for _ in range(3):
        read.clear()
        place_at(document, len(document.text))
        assert len(read) <= MOST_READ


def test_a_long_file_is_known_after_some_keys() -> None:
    """Each key goes on where the one before ended."""
    text = "f(x, [1])\n" * 20_000 + '"""Words of prose, here'
    document = Document(text, Path("/nowhere/known.py"), "python")
    lex_cache.cache_clear()
    found = [place_at(document, len(text)) for _ in range(10)]
    assert found[0] == "code"
    assert found[-1] == "prose"


def test_what_is_read_bit_by_bit_is_what_is_read_at_once() -> None:
    text = "def f(x):\n    '''a (b\n'''\n    y = [1,\n 2]\n" * 3000 + "f(x, '"
    slow, soon = LexCache("python"), LexCache("python")
    while (found := soon.state_soon(text)) is None:
        pass
    assert found == slow.state(text) == lex_state.lex_state(text, "python")


def test_nobody_waits_for_a_thread_that_reads_the_file() -> None:
    """The model's thread may read all of a long file just then."""
    cache = LexCache("python")
    with cache._lock:
        assert cache.state_soon("x = 1\n") is None
    assert cache.state_soon("x = 1\n") is not None


def test_a_name_of_no_language_is_compared_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a client calls a language: what it may have meant is looked for in little of it."""
    compared: list[str] = []
    real = language.difflib.get_close_matches
    monkeypatch.setattr(
        language.difflib, "get_close_matches", lambda name, *rest, **more: compared.append(name) or real(name, *rest)
    )
    with pytest.raises(UsageError) as refused:
        language.language_named("a/" * 200_000)
    assert max(map(len, compared)) <= 100
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize("text", ["class A:\n" + "    a = 1\n" * 20_000, "f(" + "g(1), " * 30_000 + ")\n"])
def test_a_query_reads_little_of_a_file_at_once(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it does, no other thread runs: a file of a megabyte held the event loop for half a second."""
    found, real = [], syntax.QueryCursor

    class Counting:
        def __init__(self, query: Any) -> None:
            self._cursor = real(query)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._cursor, name)

        def captures(self, node: Any) -> Any:
            captured = self._cursor.captures(node)
            found.append(sum(map(len, captured.values())))
            return captured

    monkeypatch.setattr(syntax, "QueryCursor", Counting)
    root = syntax.parse(text.encode(), "python")
    nodes = syntax.find(root, "python", "[(assignment) (call)] @it")
    assert len(nodes) > 15_000
    assert max(found) < 6000
