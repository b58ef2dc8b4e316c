"""Laws of the records of languages."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import guiderail
from guiderail.text.languages.known import LANGUAGES
from guiderail.text.languages.table import CALLS, DECLARATIONS, GRAMMARS, INSTANTIABLE, LEXICONS, MEMBERS
from guiderail.text.syntax import grammar, parse

PACKAGE = Path(guiderail.__file__).parent
EXCEPT = ("evaluation", "benchmarks")  # they measure single languages
# doctest and pytest run Python, and nothing else.
ALLOWED = ['decoding/sandbox/project_tests.py: language != "python"']


def test_each_name_has_one_record() -> None:
    """No two records describe one language."""
    assert len({language.name for language in LANGUAGES}) == len(LANGUAGES)


@pytest.mark.parametrize("name", sorted({*MEMBERS, *CALLS, *INSTANTIABLE}))
def test_what_monitors_need_comes_with_a_lexicon(name: str) -> None:
    """A language whose members, calls or instantiations are known can be told apart from strings and comments."""
    assert name in LEXICONS


@pytest.mark.parametrize("name", GRAMMARS)
def test_grammars_exist(name: str) -> None:
    """A grammar can be loaded, and reads a comment in the record's own form as no error."""
    comment = next(language.comment for language in LANGUAGES if language.name == name)
    assert not parse(f"{comment[0]} a {comment[1]}\n".encode(), name).has_error


@pytest.mark.parametrize("name", DECLARATIONS)
def test_declarations_are_nodes_of_a_grammar_of_the_family(name: str) -> None:
    """Every kind of node is one that a grammar of the family has: a misspelt one would be missed silently."""
    family = next(language.family for language in LANGUAGES if language.name == name)
    names = {one.name for one in LANGUAGES if one.family == family} & set(GRAMMARS) if family else {name}
    kinds = {kind for one in names for kind in _kinds(one)}
    assert not set(DECLARATIONS[name]) - kinds


def _kinds(name: str) -> set[str]:
    own = grammar(name)
    return {own.node_kind_for_id(number) or "" for number in range(own.node_kind_count)}


@pytest.mark.parametrize("name", MEMBERS)
def test_the_longest_operator_is_read(name: str) -> None:
    """Before a half-typed name each operator is read whole, not as a shorter one."""
    for operator in MEMBERS[name].operators:
        found = MEMBERS[name].end.search(f"value{operator}na")
        assert found is not None
        assert (found["operator"], found["name"]) == (operator, "na")


@pytest.mark.parametrize("name", LEXICONS)
def test_strings_close(name: str) -> None:
    """Every kind of string is closed by its own end, and its opening quote is what the scanner finds."""
    for string in LEXICONS[name].strings:
        # The quote backwards, without a prefix: r##" is closed by "##.
        closing = re.sub(r"^[^\"'`#]*", "", string.quote)[::-1].replace("$", "").replace("@", "")
        text = {'R"': '(a)"'}.get(string.quote, f"a{closing}")
        assert string.pattern.match(text) is not None, string.quote


# Two languages that do not exist: one with Python's statements, one with braces.
MADE_UP = """
import json
from dataclasses import replace
from pathlib import Path

from guiderail.text.languages import known
from guiderail.text.languages.java import JAVA
from guiderail.text.languages.python import PYTHON

names = {"endings": (".adder",), "aliases": ("ad",), "interpreters": (), "comment": ("%", "")}
known.LANGUAGES += (replace(PYTHON, name="adder", **names), replace(JAVA, name="mocha", endings=(".mocha",)))

from guiderail.monitors.analysis.servers import known as servers
from guiderail.monitors.registry import chosen, for_language
from guiderail.prompt.imports.resolve import bindings_of
from guiderail.prompt.outline import outline
from guiderail.text import language


class Files:
    def is_readable(self, path):
        return path in ("b.py", "b/C.java")

    def names(self, folder):
        return ()


def bound(text, name, path):
    return [file for one in bindings_of(text, name, path, Files(), lambda _: None) for file in one.files]


print(json.dumps({
    "named": [language.language_of("x.adder"), language.language_named("ad"), language.comment_prefix("adder")],
    "imports": [bound("import b\\n", "adder", "a.adder"), bound("import b.C;\\n", "mocha", "A.mocha")],
    "outline": [one.text for one in outline("class A:\\n    def f(self): return 1\\n", "adder")],
    "monitors": {
        name: sorted(one.name for one in for_language(chosen(), name)) for name in ("python", "adder", "java", "mocha")
    },
    "analysers": {
        name: sorted(server.name for server in servers() if name in server.languages)
        for name in ("python", "adder", "java", "mocha")
    },
}))
"""


def test_a_language_needs_nothing_but_its_record() -> None:
    """A language that is added to the list is named, read, outlined, monitored and analysed as its record says."""
    done = subprocess.run([sys.executable, "-c", MADE_UP], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["named"] == ["adder", "adder", "%"]
    assert found["imports"] == [["b.py"], ["b/C.java"]]
    assert found["outline"] == ["class A:\n    def f(self): ...\n"]
    for table in ("monitors", "analysers"):
        assert found[table]["adder"] == found[table]["python"] != []
        assert found[table]["mocha"] == found[table]["java"] != []


def test_no_other_module_knows_a_language_by_its_name() -> None:
    """What differs between languages is in their records; nothing compares a language with a name."""
    names = "|".join(re.escape(language.name) for language in LANGUAGES if language.is_code)
    compared = re.compile(
        rf"""\blanguage\)?\s*(?:[!=]=|(?:not\s+)?in\s*[({{\[])\s*"(?:{names})"|\blanguage\.startswith\("""
    )
    found = [
        f"{path.relative_to(PACKAGE)}: {hit[0]}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.relative_to(PACKAGE).parts[0] not in EXCEPT
        for hit in compared.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == ALLOWED
