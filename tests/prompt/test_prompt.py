"""Laws of prompts: order, budget, contiguity, what is left for healing."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guiderail.errors import UsageError
from guiderail.prompt.fim import FORMATS, FimFormat
from guiderail.prompt.prompt import EARLY, LONGEST_TYPED, Layout, Prompt, build_prompt, half_typed
from guiderail.prompt.snippet import Snippet
from guiderail.text.document import Document

FORMAT = {form.name: form for form in FORMATS}
OURS = FORMAT["guiderail"]
LAYOUTS = [
    (form, layout)
    for form in FORMATS
    for layout in ("psm", "spm", "efim", "prefix")
    if layout == "prefix" or (layout != "spm" and form.spm != "native") or (layout == "spm" and form.spm is not None)
] + [(None, "prefix")]
PIECES = ["a", "é", "_", "1", " ", ".", "\n", "\r\n", "👍", "<|fim_middle|>"]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)
SNIPPETS = st.lists(
    st.builds(Snippet, st.sampled_from(["a.py", "b/c.py"]), TEXTS, st.just("similar"), st.just(0.5)), max_size=3
)


def count(text: str) -> int:
    return -(-len(text) // 3)


def size(prompt: Prompt) -> int:
    return 1 + sum(1 if part.kind == "special" else count(part.text) for part in prompt.segments)


def build(text: str, offset: int, form: FimFormat | None = OURS, layout: Layout = "psm", **options) -> Prompt:
    snippets = options.pop("snippets", ())
    options = {"budget": 1000, "count": count} | options
    path = options.pop("path", None)
    return build_prompt(Document(text, path, "python"), offset, snippets, form, layout=layout, **options)


def shown(prompt: Prompt) -> list[str]:
    return [segment.text for segment in prompt.segments]


@given(TEXTS, st.data(), st.sampled_from(LAYOUTS), SNIPPETS, st.integers(8, 200), st.booleans())
def test_prefix_typed_and_suffix_are_one_stretch_around_the_cursor_within_the_budget(
    text, data, layout, snippets, budget, heal
) -> None:
    form, name = layout
    offset = data.draw(st.integers(0, len(text)))
    prompt = build(text, offset, form, name, snippets=snippets, budget=budget, heal=heal, path=Path("x.py"))
    before = prompt.text_of("prefix") + prompt.typed
    after = prompt.text_of("suffix")
    assert text[:offset].endswith(before)
    assert text[offset:].startswith(after)
    assert size(prompt) <= budget
    document = Document(text)
    line, _ = document.position_at(offset)
    head = text[document.line_start(line) : offset]
    tail = text[offset : document.line_end(line)] if name != "prefix" else ""
    specials = 0 if name == "prefix" or form is None else 2 + bool(form.middle) + (name == "efim")
    if count(head.removesuffix(prompt.typed)) + count(tail) + specials + 1 <= budget:
        assert before.endswith(head)
        assert after.startswith(tail)


@given(TEXTS, st.data(), st.sampled_from(LAYOUTS), SNIPPETS)
def test_a_document_that_fits_beside_its_context_is_whole(text, data, layout, snippets) -> None:
    form, name = layout
    offset = data.draw(st.integers(0, len(text)))
    prompt = build(text, offset, form, name, snippets=snippets)
    assert prompt.text_of("prefix") + prompt.typed == text[:offset]
    assert prompt.text_of("suffix") == ("" if name == "prefix" else text[offset:])


@given(TEXTS, st.data(), st.sampled_from(LAYOUTS), SNIPPETS)
def test_special_segments_are_sentinels_of_the_format_and_nothing_else(text, data, layout, snippets) -> None:
    form, name = layout
    offset = data.draw(st.integers(0, len(text)))
    prompt = build(text, offset, form, name, snippets=snippets, root=Path("/repo"), path=Path("/repo/x.py"))
    sentinels = form.sentinels if form else ()
    specials = [segment.text for segment in prompt.segments if segment.kind == "special"]
    assert set(specials) <= set(sentinels)
    if form and name != "prefix":
        assert [specials.count(mark) for mark in (form.prefix, form.suffix)] == [1, 1]


@given(TEXTS, st.integers(0, 3))
def test_the_half_typed_word_is_the_end_of_the_line(before: str, most: int) -> None:
    def joins(line: str) -> int:
        return min(most, len(line) - len(line.rstrip(" ")))

    line = before.rpartition("\n")[2]
    for typed in (half_typed(line), half_typed(line, joins)):
        word = typed.lstrip(" ")
        assert line.endswith(typed)
        assert len(word) <= LONGEST_TYPED
        assert word == "" or f"_{word}".isidentifier()
    assert len(half_typed(line)) <= LONGEST_TYPED + 1


@pytest.mark.parametrize(
    ("before", "typed"),
    [
        ("", ""),
        ("foo", "foo"),
        ("self.va", "va"),
        ("x = fo", " fo"),
        ("x =  fo", "fo"),
        ("    fo", "fo"),
        (" fo", " fo"),
        ("\t fo", "fo"),
        ("x = ", " "),
        ("x =  ", ""),
        ("    ", ""),
        (" ", " "),
        ("f(", ""),
        ("naïve变量", "naïve变量"),
        ("e\u0301te", "e\u0301te"),
        ("x" * 70, "x" * 64),
    ],
)
def test_typed_examples(before: str, typed: str) -> None:
    assert half_typed(before) == typed
    prompt = build(before, len(before))
    assert prompt.typed == typed
    assert prompt.text_of("prefix") + typed == before
    assert build(before, len(before), heal=False).typed == ""


@pytest.mark.parametrize(
    ("before", "typed"), [("    ", " "), ("    fo", " fo"), ("x =  fo", " fo"), ("fo", "fo"), ("f(", ""), ("", "")]
)
def test_blanks_that_the_tokenizer_joins_with_the_word_go_with_it(before: str, typed: str) -> None:
    prompt = build(before, len(before), joins=lambda line: int(line.endswith(" ")))
    assert prompt.typed == typed
    assert prompt.text_of("prefix") + typed == before


def test_layouts_of_a_lone_text() -> None:
    def parts(name: str, layout: Layout) -> list[str]:
        return shown(build("ab\ncd", 3, FORMAT[name], layout))

    assert parts("StarCoder", "psm") == ["<fim_prefix>", "ab\n", "<fim_suffix>", "cd", "<fim_middle>"]
    assert parts("StarCoder", "spm") == ["<fim_prefix>", "<fim_suffix>", "cd", "<fim_middle>", "ab\n"]
    assert parts("Codestral", "spm") == ["[SUFFIX]", "cd", "[PREFIX]", "ab\n"]
    assert parts("Seed-Coder", "spm") == ["<[fim-suffix]>", "cd", "<[fim-prefix]>", "ab\n", "<[fim-middle]>"]
    assert shown(build("ab\ncd", 3, None, "prefix")) == ["ab\n"]


def test_typing_in_the_efim_layout_only_appends() -> None:
    """What is typed in a block of `EARLY` lines stands after the middle sentinel; the rest stays as it is."""
    above, below = "".join(f"line {n}\n" for n in range(2 * EARLY)), "\n".join("rest")
    written = "first = 1\nsecond = call(\n    third,"
    shapes = []
    for size in range(len(written) + 1):
        prompt = build(above + written[:size] + "\n" + below, len(above) + size, OURS, "efim")
        *fixed, end = shown(prompt)
        assert end + prompt.typed == written[:size]
        shapes.append(fixed)
    assert shapes[0] == ["<|fim_prefix|>", above, "<|fim_suffix|>", "\n" + below, "<|fim_middle|>"]
    assert all(shape == shapes[0] for shape in shapes)


def test_repository_format_names_the_repository_and_every_file() -> None:
    snippets = [
        Snippet("a.py", "A = 1\n", "similar", 0.2),
        Snippet("lib/b.py", "def b(): ...", "definition", 0.9),
    ]
    options = {"snippets": snippets, "root": Path("/home/repo"), "path": Path("/home/repo/pkg/x.py")}
    before = ["<|repo_name|>", "repo\n", "<|file_sep|>", "a.py\nA = 1\n"]
    before += ["<|file_sep|>", "lib/b.py\ndef b(): ...\n", "<|file_sep|>", "pkg/x.py\n"]
    prompt = build("P", 0, OURS, "spm", **options)
    assert shown(prompt) == [*before, "<|fim_prefix|>", "<|fim_suffix|>", "P", "<|fim_middle|>", ""]
    assert [s.source for s in prompt.segments if s.kind == "context"] == [None, "a.py", "lib/b.py", "pkg/x.py"]
    assert shown(build("P", 0, OURS, "psm", **options))[:8] == before
    assert shown(build("P.", 2, OURS, "prefix", **options)) == [*before, "P."]


def test_without_files_in_the_format_context_is_comments_in_front_of_the_prefix() -> None:
    snippets = [Snippet("a.py", "A = 1\n\nB = 2\n", "similar", 0.2)]
    comment = "# a.py\n# A = 1\n#\n# B = 2\n"
    pairs: list[tuple[str, Layout]] = [("DeepSeek-Coder", "psm"), ("StarCoder", "spm"), ("Codestral", "spm")]
    for name, layout in pairs:
        parts = shown(build("x.", 2, FORMAT[name], layout, snippets=snippets))
        assert parts[parts.index(comment) + 1] == "x."
    assert shown(build("x.", 2, None, "prefix", snippets=snippets)) == [comment, "x."]


def test_the_least_useful_snippets_go_first_and_context_takes_at_most_half() -> None:
    snippets = [Snippet(f"{number}.py", "x" * 300, "similar", 0.1) for number in range(9)]
    prompt = build("y" * 90, 90, OURS, budget=600, snippets=snippets, path=Path("x.py"))
    kept = [s.source for s in prompt.segments if s.kind == "context"]
    assert kept == ["7.py", "8.py", "x.py"]


def test_impossible_wishes_are_refused_with_a_remedy() -> None:
    wishes: list[tuple[FimFormat | None, Layout]] = [
        (None, "psm"),
        (FORMAT["CodeGemma"], "spm"),
        (FORMAT["Codestral"], "psm"),
    ]
    for form, layout in wishes:
        with pytest.raises(UsageError) as caught:
            build("x", 1, form, layout)
        assert "layout" in caught.value.remedy
    with pytest.raises(UsageError, match="no room for text"):
        build("x", 1, OURS, budget=4)
