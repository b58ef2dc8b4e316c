"""What is read of LSP's answers."""

from pathlib import Path

import pytest

from guiderail.monitors.analysis.answers import (
    Diagnostic,
    NoAnswer,
    members_of,
    read_completions,
    read_diagnostics,
    read_hover,
    read_places,
    read_signatures,
)


def span(line: int, start: int, end: int) -> dict:
    return {"start": {"line": line, "character": start}, "end": {"line": line, "character": end}}


def test_completions() -> None:
    """The edit goes before inserted text before the label; a snippet ends at its first hole; blanks go."""
    items = [
        {"label": "a", "insertText": "b", "textEdit": {"newText": "c"}},
        {"label": "f(x)", "insertText": "f(${1:x})", "insertTextFormat": 2},
        {"label": " • g", "insertText": "g"},
        {"label": " h"},
        {"label": "if", "kind": 14},
        {"label": "key=", "kind": 6},
        {"kind": 3},
    ]
    answer = read_completions({"isIncomplete": False, "items": items})
    assert [item.name for item in answer.items] == ["c", "f(", "g", "h", "if", "key="]
    assert answer.complete
    assert read_completions(items[:1]).items[0].name == "c"
    assert not read_completions(None).items


def test_members() -> None:
    """After a dereference keywords, words of the file and snippets are no names, and brackets are no part of one."""
    items = [
        {"label": "if", "kind": 14},
        {"label": "word", "kind": 1},
        {"label": "match", "kind": 15},
        {"label": "f(x)", "kind": 2},
        {"label": "Map<K, V>", "kind": 7},
        {"label": "$el"},
    ]
    assert [item.name for item in members_of(read_completions(items)).items] == ["f", "Map", "$el"]


def test_a_list_that_is_not_all() -> None:
    """A list is incomplete at the server's limit, or when the server says so and means it."""
    items = [{"label": "a"}, {"label": "b"}]
    assert not read_completions({"items": items}, limit=2).complete
    assert read_completions({"items": items}, limit=3).complete
    assert not read_completions({"isIncomplete": True, "items": items}).complete
    assert read_completions({"isIncomplete": True, "items": items}, flag_counts=False).complete


@pytest.mark.parametrize("reply", [{"items": 7}, {"items": ["a"]}, {}, 7])
def test_nonsense_is_no_list(reply: object) -> None:
    """What is no list of completions is no answer."""
    with pytest.raises(NoAnswer, match="garbage"):
        read_completions(reply)


def test_signatures() -> None:
    """Parameters come as words or as UTF-16 offsets of the label."""
    reply = {
        "signatures": [
            {"label": "f(𝒳: int, b)", "parameters": [{"label": [2, 9]}, {"label": "b"}]},
            {"label": "f()", "documentation": {"kind": "plaintext", "value": "Does."}},
        ],
    }
    assert [s.parameters for s in read_signatures(reply).items] == [("𝒳: int", "b"), ()]
    assert not read_signatures(None).items
    with pytest.raises(NoAnswer):
        read_signatures({"signatures": [7]})


@pytest.mark.parametrize("content", ["x", {"value": "x"}, ["x"], [{"language": "c", "value": "x"}, ""]])
def test_hover(content: object) -> None:
    """Every shape of a hover's content is read as text."""
    assert read_hover({"contents": content}) == "x"
    assert not read_hover(None)


def test_diagnostics() -> None:
    """Diagnostics come by place, an error where no severity is said."""

    def offset(position: dict) -> int:
        return 100 * position["line"] + position["character"]

    found = [{"range": span(1, 0, 1), "severity": 2, "code": 5, "message": "b"}, {"range": span(0, 3, 4)}]
    assert read_diagnostics(found, offset) == (
        Diagnostic(3, 4, "error", "", ""),
        Diagnostic(100, 101, "warning", "5", "b"),
    )


def test_an_address_is_unquoted_once() -> None:
    """A file's name may look quoted itself."""
    place = Path("/project/a%20b c.py")
    reply = {"uri": place.as_uri(), "range": {"start": {"line": 0, "character": 0}}}
    assert [path for path, _ in read_places(reply)] == [place]
