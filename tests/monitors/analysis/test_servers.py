"""Real language servers, language by language: the dereference monitor's question, answered and judged."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from guiderail.monitors.analysis.analyser import ServerAnalyser
from guiderail.monitors.analysis.requests import DIAGNOSTICS, MEMBERS, SIGNATURES, Question
from guiderail.monitors.analysis.servers import known, may_start, server_named
from guiderail.monitors.cursor_context import CursorContext
from guiderail.monitors.dereference import Dereference
from guiderail.monitors.monitor import Restriction
from guiderail.text.document import Document

pytestmark = pytest.mark.e2e
HERE = Path(__file__).parent
ANSWER_S = 120  # the first answer on a busy machine


@dataclass(frozen=True)
class Sample:
    """A project of one language in which ``left`` is a member and ``wrong`` is none.

    Parameters
    ----------
    analysers
        Who is asked.
    file
        The file, before the places.
    places
        What is written, where all names of ``left`` must be legal.
    unknown
        What is written where the type is not known.
    broken
        A line that is an error.
    call
        A call's beginning, and how many parameters it takes.
    """

    analysers: tuple[str, ...]
    language: str
    file: str
    text: str
    rest: str
    places: tuple[str, ...]
    unknown: str
    broken: str
    call: tuple[str, int]
    beside: dict[str, str] = field(default_factory=dict)


SAMPLES = (
    Sample(
        ("tsc", "typescript-language-server"),
        "typescript",
        "sample.ts",
        'import { Point } from "./other";\nfunction add(a: number, b: number) { return a + b; }\n'
        "function f(p: Point, q?: Point) {\n",
        "\n}\n",
        ("return p.", "q?.", "q!.", "add(p.", "p.next().", "const x = [p].map((é𝒳) => é𝒳."),
        "(p as any).",
        "const bad: number = 'x';",
        ("add(1, ", 2),
        {"other.ts": "export class Point {\n  left = 1;\n  #own = 2;\n  next(): Point { return this; }\n}\n"},
    ),
    Sample(
        ("clangd",),
        "cpp",
        "sample.cpp",
        '#include "other.hpp"\n#include <string>\nint add(int a, int b);\nvoid f(Point p, Point *q) {\n  ',
        "\n}\n",
        ("p.", "q->", "add(p.", "p.next()\n    .", "auto x = [&] { return q->"),
        "nothing.",
        'int bad = "x";',
        ("add(1, ", 2),
        {"other.hpp": "struct Point {\n  int left;\n  Point next();\n private:\n  int own;\n};\n"},
    ),
    Sample(
        ("clangd",),
        "c",
        "sample.c",
        '#include "other.h"\nint add(int a, int b);\nvoid f(struct point p, struct point *q) {\n  ',
        "\n}\n",
        ("p.", "q->", "add(q->next->"),
        "nothing.",
        'int bad = nothing;',
        ("add(1, ", 2),
        {"other.h": "struct point {\n  int left;\n  struct point *next;\n};\n"},
    ),
    Sample(
        ("gopls",),
        "go",
        "sample.go",
        'package main\n\nimport "fmt"\n\nfunc add(a, b int) int { return a + b }\n\n'
        "func f(p Point, q *Point) {\n\tfmt.Println()\n\t",
        "\n}\n",
        ("p.", "q.", "_ = add(p.", "p.next()."),
        "nothing.",
        'var bad int = "x"; _ = bad',
        ("add(1, ", 2),
        {"other.go": "package main\n\ntype Point struct{ left int }\n\nfunc (p Point) next() Point { return p }\n"},
    ),
    Sample(
        ("javac", "jdtls"),
        "java",
        "src/main/java/shop/Sample.java",
        "package shop;\n\nimport java.util.*;\n\nclass Sample {\n  static int add(int a, int b) { return a + b; }\n"
        "  void f(Point p, List<Point> all) {\n    ",
        "\n  }\n}\n",
        ("p.", "add(p.", "p.next()\n      .", "all.stream().map(q -> q.", "if (p.", "for (Point q : all) { int i = q."),
        "nothing.",
        'int bad = "x";',
        ("add(1, ", 2),
        {"src/main/java/shop/Point.java": "package shop;\n\npublic class Point {\n  public int left;\n"
         "  private int own;\n"
         "  public Point next() { return this; }\n}\n"},
    ),
    Sample(
        ("rust-analyzer", "multilspy-rust"),
        "rust",
        "src/lib.rs",
        "mod other;\nuse other::Point;\nfn add(a: i32, b: i32) -> i32 { a + b }\n"
        "fn f(p: Point, q: Option<Point>) -> Option<()> {\n    ",
        "\n    None\n}\n",
        ("p.", "q?.", "add(p."),
        "nothing.",
        'let bad: i32 = "x";',
        ("add(1, ", 2),
        {"src/other.rs": "pub struct Point {\n    pub left: i32,\n    own: i32,\n}\n",
         "Cargo.toml": '[package]\nname = "sample"\nversion = "0.1.0"\nedition = "2021"\n'},
    ),
    Sample(
        ("csharp-ls", "omnisharp", "multilspy-csharp"),
        "csharp",
        "Sample.cs",
        "class Sample {\n  static int Add(int a, int b) => a + b;\n  void F(Point p, Point? q) {\n    ",
        "\n  }\n}\n",
        ("p.", "q?.", "Add(p."),
        "nothing.",
        'int bad = "x";',
        ("Add(1, ", 2),
        {"Point.cs": "class Point {\n  public int left;\n  int own;\n}\n",
         "sample.csproj": '<Project Sdk="Microsoft.NET.Sdk"><PropertyGroup><TargetFramework>net8.0</TargetFramework>'
         "</PropertyGroup></Project>\n"},
    ),
)  # fmt: skip
PAIRS = [pytest.param(sample, name, id=f"{name}-{sample.language}") for sample in SAMPLES for name in sample.analysers]


@pytest.fixture
def ask(shared: Callable[[str], ServerAnalyser]) -> Callable[..., Restriction]:
    """What the monitor makes of the analyser's answer after a text."""

    def asked(sample: Sample, name: str, text: str) -> Restriction:
        analyser, path = prepared(shared(name), sample)
        document = Document(sample.text + text + sample.rest, language=sample.language)
        snapshot = CursorContext(document, len(sample.text + text), path, root=analyser.root).snapshot()
        trigger = Dereference().trigger(snapshot)
        assert trigger is not None
        assert trigger.request is MEMBERS
        return trigger.interpret(analyser.ask(MEMBERS, trigger.question).result(ANSWER_S))

    return asked


def prepared(analyser: ServerAnalyser, sample: Sample) -> tuple[ServerAnalyser, Path]:
    """The analyser with the sample's other files in its project, and where the open file is."""
    for name, content in (sample.beside | {sample.file: sample.text + sample.rest}).items():
        path = analyser.root / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
    return analyser, analyser.root / sample.file


@pytest.mark.parametrize(("sample", "name"), PAIRS)
def test_members(ask: Callable[..., Restriction], sample: Sample, name: str) -> None:
    """Members from another file are legal in every kind of place, others and private ones are not."""
    for text in sample.places:
        restriction = ask(sample, name, text)
        assert restriction.reason is None, text
        assert restriction.allows("left"), text
        assert restriction.allows("left()"), text
        assert not restriction.allows("wrong"), text
        assert not restriction.allows("own"), text


@pytest.mark.parametrize(("sample", "name"), PAIRS)
def test_an_unknown_type(ask: Callable[..., Restriction], sample: Sample, name: str) -> None:
    """Where the type is not known the monitor abstains."""
    assert ask(sample, name, sample.unknown).reason is not None


@pytest.mark.parametrize(("sample", "name"), PAIRS)
def test_signatures_and_diagnostics(shared: Callable[[str], ServerAnalyser], sample: Sample, name: str) -> None:
    """A call's parameters are known, and an error is found at its place."""
    analyser, path = prepared(shared(name), sample)
    begin, parameters = sample.call
    text = sample.text + begin
    question = Question(path, sample.language, text + ")" + sample.rest, len(text))
    (signature,) = analyser.ask(SIGNATURES, question).result(ANSWER_S).items
    assert len(signature.parameters) == parameters
    text = sample.text + sample.broken + sample.rest
    found = analyser.ask(DIAGNOSTICS, Question(path, sample.language, text, 0)).result(ANSWER_S)
    errors = [one for one in found if one.severity == "error"]
    assert any(len(sample.text) <= one.start < len(sample.text + sample.broken) for one in errors)


@pytest.mark.parametrize("name", ["tsc", "typescript-language-server"])
def test_index_signatures_take_any_name(ask: Callable[..., Restriction], name: str) -> None:
    """A type with an index signature is dynamic, of whatever type its values are."""
    for value in ("number", "any"):
        sample = SAMPLES[0]
        text = f"let r: {{ [key: string]: {value}; a: number }} = {{ a: 1 }};\nr."
        assert ask(sample, name, text).reason == "dynamic"


@pytest.mark.parametrize(("name", "language"), [("rust-analyzer", "rust"), ("omnisharp", "csharp")])
def test_conversations(tmp_path: Path, request: pytest.FixtureRequest, name: str, language: str) -> None:
    """The protocol as these servers are known to speak it is understood (written by hand, not recorded)."""
    replay = (sys.executable, str(HERE / "replay_server.py"), str(HERE / "conversations" / f"{name}.json"))
    server = replace(server_named(name), command=replay, needs=(), check=())
    analyser = ServerAnalyser(server, tmp_path)
    request.addfinalizer(analyser.stop)
    (sample,) = (one for one in SAMPLES if one.language == language)
    document = Document("\n\n    p.", language=language)
    trigger = Dereference().trigger(CursorContext(document, 8, tmp_path / sample.file, root=tmp_path).snapshot())
    assert trigger is not None
    restriction = trigger.interpret(analyser.ask(MEMBERS, trigger.question).result(ANSWER_S))
    assert restriction.reason is None
    assert restriction.allows("left")
    assert not restriction.allows("wrong")
    assert not restriction.allows("if p")


def test_what_may_start_in_a_workspace_that_is_not_trusted() -> None:
    """Whoever runs programs of the project stays out, unless it can be kept from it."""
    assert all(may_start(server, trusted=True) for server in known())
    for name in ("rust-analyzer", "jdtls", "csharp-ls", "jedi", "basedpyright"):
        assert not may_start(server_named(name), trusted=False)
    for name in ("ty", "tsc", "clangd", "gopls", "javac"):
        assert may_start(server_named(name), trusted=False)
