"""Laws of what teaches little: tables, bindings, boilerplate."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from types import ModuleType

import pytest

from training.quality import constant_share, is_worth_reading, repetition

BINDING = '''
def get_{0}(self, timeout: float | None = None) -> "{0}":
    """Get the {0} of this object from the remote side."""
    reply = self._channel.call("get_{0}", timeout=timeout)
    if reply.status != Status.OK:
        raise RemoteError(reply.status, reply.message)
    return {0}.from_reply(reply)
'''
NAMES = ["width", "height", "depth", "colour", "border", "margin", "shadow", "title", "parent", "layout", "cursor"]
BINDINGS = "".join(BINDING.format(name + suffix) for name in NAMES for suffix in ("", "_hint", "_max", "_min"))
TABLE = "CODES = {\n" + "".join(f'    "{name}": {i},\n' for i, name in enumerate(NAMES * 4)) + "}\n"
CONSTANTS = "".join(f"{name.upper()}_{i} = {len(name) * 7 + i * 31}\n" for name in NAMES for i in range(3))


def worth(text: str) -> bool:
    return is_worth_reading(text, ast.parse(text))


@pytest.mark.parametrize("module", [textwrap, json.decoder, inspect, ast])
def test_code_that_people_wrote_stays(module: ModuleType):
    """Modules of the standard library are far from both limits."""
    assert worth(inspect.getsource(module))


@pytest.mark.parametrize("text", [BINDINGS, TABLE, CONSTANTS, "class Keys:\n" + textwrap.indent(CONSTANTS, "    ")])
def test_bindings_and_tables_are_dropped(text: str):
    """Boilerplate many times over, a literal table and a run of constants, in a class too, are not worth reading."""
    assert not worth(text)


def test_each_rule_stands_alone():
    """Bindings hold no constants, and a table of distinct values need not repeat itself."""
    assert constant_share(ast.parse(BINDINGS)) == 0
    assert repetition(CONSTANTS) < 6.5 < repetition(BINDINGS)


def test_a_few_literals_are_code():
    """Short lists, calls with many arguments and tables of names are not tables of constants."""
    text = "STATES = [1, 2, 3]\nHANDLERS = {" + ", ".join(f'"{n}": {n}' for n in NAMES * 2) + "}\n"
    assert constant_share(ast.parse(text)) == 0
    assert constant_share(ast.parse("")) == 0


def test_the_share_counts_lines_once():
    """A table inside a table is one table, and a file of nothing else is all of it."""
    rows = ",\n".join("[" + ", ".join(map(str, range(20))) + "]" for _ in range(10))
    assert constant_share(ast.parse(f"GRID = [\n{rows}\n]\n")) == 1.0
