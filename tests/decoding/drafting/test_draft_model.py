"""The embedded model as a drafter: what it proposes is text, and nothing is decoded differently because of it."""

from functools import cache

import pytest

from guiderail.decoding import registry
from guiderail.decoding.constraints.vocabulary import Vocabulary
from guiderail.decoding.drafting.by_text import around
from guiderail.decoding.drafting.draft_model import DraftModel, DraftModelSpec
from guiderail.decoding.drafting.growth import SHAPES, Shape
from guiderail.decoding.drafting.pass_cost import PassCosts
from guiderail.decoding.drafting.writer import Writer
from guiderail.decoding.pipeline import Pipeline, build_pipeline
from guiderail.decoding.spec import BuildContext
from guiderail.engine.completer import Completer
from guiderail.engine.plan import CompletionPlan
from guiderail.errors import GuiderailError
from guiderail.model.load import load
from guiderail.model.model import Model
from guiderail.text.document import Document
from tests.helpers.models import tiny_model

FREE = PassCosts((1, 2), (1000.0, 1000.0))  # so slow that everything pays
SOURCE = "import os\n\n\ndef size(path):\n    found = os.stat(path)\n    return found.st_size\n\n\nsize('é')\n"
CURSORS = [SOURCE.index(text) + len(text) for text in ("os.st", "return ", "def size(", "('é", "\n\n\n", "size('é')\n")]
FAMILIES = ("qwen2", "llama", "codellama", "starcoder2")


@cache
def small() -> Model:
    return load("embedded", device="cpu", dtype="float32", threads=1)


def drafter_for(model: Model, drafts: Model) -> DraftModel:
    drafter = DraftModel(model.tokenizer, model.info.fim, FREE)
    drafter.start(lambda: drafts)
    drafter.wait()
    return drafter


def complete(model: Model, offset: int, drafter: DraftModel | None) -> tuple[tuple[int, ...], int]:
    completer, part = Completer(model), DraftModelSpec()
    completer.store |= {part: drafter, PassCosts: FREE}
    recipe = Pipeline(drafters=(part,)) if drafter else Pipeline()
    request = CompletionPlan(
        document=Document(SOURCE, language="python"), offset=offset, until="tokens", max_tokens=12, pipeline=recipe
    )
    (suggestion,) = completer.complete(request)
    return suggestion.token_ids, suggestion.passes


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("offset", CURSORS)
def test_greedy_tokens_are_the_same_whoever_drafts(family: str, offset: int) -> None:
    """Also after half a word, within a line, and between tokenizers that cut text differently."""
    model = tiny_model(family)
    expected, _ = complete(model, offset, None)
    assert complete(model, offset, drafter_for(model, small()))[0] == expected


def test_a_model_that_drafts_for_itself_is_right() -> None:
    """What a model writes with drafts of its own takes a fraction of the passes."""
    model = small()
    plain = [complete(model, offset, None) for offset in CURSORS]
    drafted = [complete(model, offset, drafter_for(model, model)) for offset in CURSORS]
    assert [ids for ids, _ in drafted] == [ids for ids, _ in plain]
    assert sum(passes for _, passes in drafted) < 0.6 * sum(passes for _, passes in plain)


@pytest.mark.parametrize("layout", ["psm", "spm", "efim", "prefix"])
@pytest.mark.parametrize("family", ["guiderail", "starcoder2"])
def test_the_text_around_the_cursor_is_read_from_a_prompt(family: str, layout) -> None:
    """In every layout it is the file's own, whatever other files come before it."""
    model = tiny_model(family)
    completer = Completer(model)
    for offset in CURSORS:
        document = Document(SOURCE, language="python")
        prompt = completer.prompts.build(CompletionPlan(document=document, offset=offset, layout=layout))
        before, after = around(model.tokenizer.encode_prompt(prompt), model.tokenizer, model.info.fim)
        wanted = SOURCE[: offset - len(prompt.typed)]
        assert before.endswith(wanted)
        assert after == ("" if layout == "prefix" else SOURCE[offset:])
        assert layout == "prefix" or before == wanted


@pytest.mark.parametrize("required", ["", "siz", "zeta", "  é", "return x\ny"])
@pytest.mark.parametrize("written", ["", "os.", "os.path.jo", "é", "x = 1\n    re"])
def test_a_draft_begins_with_what_is_required(written: str, required: str) -> None:
    """Its bytes do, or are a part of it; the word before it may end in the same token, and is not written twice."""
    writer = Writer(small())
    writer.open("import os\n\ndef f(path):\n    ", "\n")
    pieces = writer.write(written.encode(), required.encode(), 8, lambda _: True)
    data = b"".join(piece.data for piece in pieces)
    assert data.startswith(required.encode()) or required.encode().startswith(data)
    assert all(0 < piece.chance <= 1 for piece in pieces)
    assert data.count(b"\n") <= required.count("\n") + 1


def test_a_draft_goes_on_as_long_as_it_is_wanted() -> None:
    writer = Writer(small())
    writer.open("import os\n\nx = ", "\n")
    assert len(writer.write(b"", b"", 8, lambda chances: len(chances) < 3)) <= 3
    assert writer.write(b"", b"", 0, lambda _: True) == []


def test_until_its_model_is_there_it_is_silent() -> None:
    """Not asked, and without an answer if it is; so it stays where the model cannot be loaded."""

    def broken() -> Model:
        raise GuiderailError("no memory")

    model = tiny_model("qwen2")
    drafter = DraftModel(model.tokenizer, model.info.fim, FREE)
    assert drafter.promise == 0
    drafter.begin([1, 2], None)
    assert drafter.propose([1, 2], (), 5) is None
    drafter.start(broken)
    drafter.wait()
    assert drafter.promise == 0
    assert drafter.propose([1, 2], (), 5) is None


def test_a_model_that_comes_in_the_middle_drafts_from_the_prompt() -> None:
    """It is shown the prompt though it was not there when the text began, also where nothing but a word was written."""
    model = tiny_model("qwen2")
    ids, word = model.tokenizer.encode("import os\nx = "), model.tokenizer.encode("os")
    drafter = DraftModel(model.tokenizer, None, FREE)
    drafter.begin(ids, None)
    drafter.start(small)
    drafter.wait()
    late = drafter.propose([*ids, *word], (), 9)
    early = drafter_for(model, small())
    early.begin(ids, None)
    expected = early.propose([*ids, *word], (), 9)
    assert (late and late.tree.tokens) == (expected and expected.tree.tokens)


def test_a_drafter_that_fails_is_silent_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model("qwen2")
    drafter = drafter_for(model, small())
    monkeypatch.setattr(Writer, "write", lambda *_: 1 / 0)
    drafter.begin([1, 2], None)
    assert drafter.propose([1, 2], (), 5) is None
    assert drafter.promise == 0


@pytest.mark.parametrize("name", ["embedded", "tiny"])
def test_it_loads_nothing_for_a_model_of_its_own_size(name: str) -> None:
    model = small() if name == "embedded" else tiny_model("qwen2")
    context = BuildContext(model=model, vocabulary=Vocabulary(model.tokenizer.token_bytes), store={PassCosts: FREE})
    drafter = DraftModelSpec().build(context)
    drafter.wait()
    assert drafter.promise == 0


def test_a_model_that_is_not_there_is_refused_before_anything_is_loaded() -> None:
    with pytest.raises(GuiderailError, match="no-such-model"):
        DraftModelSpec(model="./no-such-model").check(tiny_model("qwen2").info)


@pytest.mark.parametrize("tree", SHAPES)
def test_a_model_of_the_same_vocabulary_drafts_by_tokens(tree: str) -> None:
    """Also after half a word, which its first token must go on with; and the text stays the same."""
    model, passes = small(), {}
    for offset in CURSORS:
        expected, alone = complete(model, offset, None)
        drafter = DraftModel(model.tokenizer, model.info.fim, FREE, Shape(tree=tree, nodes=8), stop=0.9)
        drafter.start(lambda: model)
        drafter.wait()
        ids, drafted = complete(model, offset, drafter)
        assert ids == expected
        passes[offset] = drafted / alone
    assert sum(passes.values()) < 0.5 * len(passes)


@pytest.mark.parametrize(
    ("drafter", "expected"),
    [
        ("off", []),
        ("suffix", ["suffix", "draft-model"]),
        ("draft-model", ["draft-model"]),
        ("embedded", ["draft-model"]),
    ],
)
def test_a_draft_model_drafts_beside_the_named_drafters(drafter: str, expected: list[str]) -> None:
    """Unless nothing is to draft; and the setting decides which model it is."""
    found = build_pipeline("plain", "draft-model.tree=rsd", drafter, draft_model="./small").drafters
    assert [type(one) for one in found] == [registry.find(name).load() for name in expected]
    if expected:
        assert isinstance(found[-1], DraftModelSpec)
        assert (found[-1].model, found[-1].tree) == ("./small", "rsd")


def test_a_former_name_still_means_the_part() -> None:
    """In the choice and in its parameters."""
    (now,) = build_pipeline("plain", "draft-model.length=3", "draft-model").drafters
    (before,) = build_pipeline("plain", "embedded.length=3", "embedded").drafters
    assert before == now


def test_the_default_drafters_are_joined_by_a_draft_model() -> None:
    plain, joined = build_pipeline("plain", "", "auto"), build_pipeline("plain", "", "auto", draft_model="./small")
    assert joined.drafters[:-1] == plain.drafters
    assert build_pipeline("beam", "", "auto", draft_model="./small").drafters == ()
