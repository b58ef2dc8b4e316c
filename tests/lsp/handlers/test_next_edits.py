"""What follows from a change is proposed, one edit at a time, until nothing follows any more."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guiderail.engine.request import CompletionRequest, DocumentName
from guiderail.lsp import next_edits
from guiderail.monitors.analysis.analyser import Analyser
from guiderail.monitors.analysis.pool import ServerPool
from guiderail.monitors.analysis.servers import server_named
from guiderail.text.document import Document
from guiderail.text.edit import Edit
from tests.lsp.client import Client, connected
from tests.lsp.fakes import FakeEngine

pytestmark = [pytest.mark.asyncio, pytest.mark.e2e]

SHOP = "def price(cart, tax):\n    return cart * tax\n\n\nprint(price(3, tax=2))\n"
APP = "from shop import price\n\nprint(price(1, tax=5))\n"


class Analysed(FakeEngine):
    """An engine whose analyser is a real one, which sees open documents."""

    def __init__(self, pool: ServerPool, root: Path) -> None:
        super().__init__()
        self._unsaved = pool.unsaved
        self.finder = pool.reference_finder("python", root)

    def edited(self, name: DocumentName, document: Document | None) -> None:
        if document is None:
            self._unsaved.forget(name)
        else:
            self._unsaved.take(name, document)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of two files."""
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'shop'\n")
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


@pytest.fixture
def engine(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEngine]:
    """An engine whose analyser is a real one."""
    if server_named("ty").find() is None:
        pytest.skip("ty is not installed: pip install ty")
    monkeypatch.setattr(next_edits, "REST_S", 0.01)
    monkeypatch.setattr(next_edits, "SETTLED_S", 60.0)
    pool = ServerPool(trust="always")
    yield Analysed(pool, project)
    pool.stop()


def uri(project: Path, name: str) -> str:
    return (project / name).as_uri()


def replace(client: Client, project: Path, name: str, old: str, new: str) -> None:
    """The person replaces the first occurrence of a text."""
    buffer = client.state.buffers[uri(project, name)]
    start = buffer.text.index(old)
    client.edit(buffer.uri, _change(client, buffer.uri, Edit(start, start + len(old), new)))


def _change(client: Client, name: str, edit: Edit) -> dict[str, Any]:
    buffer = client.state.buffers[name]
    ends = [buffer.position(at) for at in (edit.start, edit.end)]
    start, end = ({"line": one.line, "character": one.character} for one in ends)
    return {"range": {"start": start, "end": end}, "text": edit.text}


async def asked(client: Client, project: Path, name: str = "shop.py", line: int = 0) -> Any:
    params = {"textDocument": {"uri": uri(project, name)}, "position": {"line": line, "character": 0}}
    return await client.ask("guiderail/nextEdit", params, seconds=90)


def accept(client: Client, edit: dict[str, Any]) -> None:
    """Make an edit, in a file that may have to be opened for it, as an editor does."""
    name = edit["textDocument"]["uri"]
    if name not in client.state.buffers:
        client.open(Path(name.removeprefix("file://")).read_text(), name)
    else:
        assert edit["textDocument"]["version"] == client.state.buffers[name].version
    client.edit(name, {"range": edit["range"], "text": edit["text"]})


def text(client: Client, project: Path, name: str) -> str:
    return client.state.buffers[uri(project, name)].text


async def test_a_renamed_parameter_is_renamed_everywhere(project: Path, engine: FakeEngine) -> None:
    """Tab after Tab the uses follow, in this file and in one that was not open; then nothing is left."""
    async with connected(engine, roots=(project,)) as client:
        client.open(SHOP, uri(project, "shop.py"))
        replace(client, project, "shop.py", "tax", "rate")
        counts = []
        while (reply := await asked(client, project))["edit"]:
            counts.append(reply["count"])
            accept(client, reply["edit"])
        assert counts == [3, 2, 1]
        assert text(client, project, "shop.py") == SHOP.replace("tax", "rate")
        assert text(client, project, "app.py") == APP.replace("tax", "rate")


async def test_a_name_typed_in_bursts_is_one_rename(project: Path, engine: FakeEngine) -> None:
    """What was proposed for half a name is not what is proposed for the whole one."""
    async with connected(engine, roots=(project,)) as client:
        client.open(SHOP, uri(project, "shop.py"))
        for old, new in (("price", "pri"), ("pri(", "co("), ("co(", "cost(")):
            replace(client, project, "shop.py", old, new)
            reply = await asked(client, project)
        assert {reply["edit"]["text"], reply["edit"]["reason"]} == {"cost", "price → cost"}


async def test_an_adapted_call_is_not_adapted_again(project: Path, engine: FakeEngine) -> None:
    """Swapped arguments would be swapped back, again and again."""
    (project / "app.py").write_text(APP.replace("tax=5", "5"))
    async with connected(engine, roots=(project,)) as client:
        client.open(SHOP, uri(project, "shop.py"))
        replace(client, project, "shop.py", "cart, tax", "tax, cart")
        texts = []
        while (reply := await asked(client, project))["edit"] and len(texts) < 5:
            texts.append(reply["edit"]["text"])
            accept(client, reply["edit"])
        assert texts == ["cart=3, tax=2", "5, 1"]
        assert "price(5, 1)" in text(client, project, "app.py")


async def test_the_last_change_comes_first_and_an_earlier_one_is_not_lost(project: Path, engine: FakeEngine) -> None:
    async with connected(engine, roots=(project,)) as client:
        client.open(SHOP, uri(project, "shop.py"))
        client.open("def hello(name): ...\n\n\nhello(name=1)\n", uri(project, "other.py"))
        replace(client, project, "shop.py", "tax", "rate")
        assert (await asked(client, project))["edit"]["reason"] == "tax → rate"
        replace(client, project, "other.py", "name", "who")
        assert (await asked(client, project, "other.py"))["edit"]["reason"] == "name → who"
        await client.command("dismissNextEdit")
        assert (await asked(client, project))["edit"]["reason"] == "tax → rate"


async def test_a_line_more_starts_no_analyser(
    project: Path, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a change that may have consequences is worth a process."""
    asked_for: list[CompletionRequest] = []
    finder = engine.finder

    def counted(request: CompletionRequest) -> Analyser | None:
        asked_for.append(request)
        return finder

    monkeypatch.setattr(engine, "reference_finder", counted)
    async with connected(engine, roots=(project,)) as client:
        client.open(SHOP, uri(project, "shop.py"))
        replace(client, project, "shop.py", "\n\n\nprint", "\n\n\nx = 1\nprint")
        assert (await asked(client, project))["edit"] is None
        assert asked_for == []
        replace(client, project, "shop.py", "tax", "rate")
        assert (await asked(client, project))["edit"]
        assert asked_for


async def test_broken_text_is_waited_for(project: Path, engine: FakeEngine) -> None:
    """A text with errors of syntax gives nothing, and does not become what is compared with."""
    async with connected(engine, roots=(project,)) as client:
        client.open(SHOP, uri(project, "shop.py"))
        replace(client, project, "shop.py", "price(cart, tax)", "cost(cart, tax")
        assert (await asked(client, project))["edit"] is None
        replace(client, project, "shop.py", "cost(cart, tax", "cost(cart, tax)")
        assert (await asked(client, project))["count"] == 3


async def test_dismissed_is_gone(project: Path, engine: FakeEngine) -> None:
    """What a person dismisses does not come back with the next key."""
    async with connected(engine, roots=(project,)) as client:
        client.open(SHOP, uri(project, "shop.py"))
        replace(client, project, "shop.py", "tax", "rate")
        assert (await asked(client, project))["edit"]
        await client.command("dismissNextEdit")
        assert (await asked(client, project))["edit"] is None
        replace(client, project, "shop.py", "print", "print ")
        assert (await asked(client, project))["edit"] is None


async def test_undone_is_gone(project: Path, engine: FakeEngine) -> None:
    """A change that is taken back has no consequences."""
    async with connected(engine, roots=(project,)) as client:
        client.open(SHOP, uri(project, "shop.py"))
        replace(client, project, "shop.py", "tax", "rate")
        assert (await asked(client, project))["edit"]
        replace(client, project, "shop.py", "rate", "tax")
        assert (await asked(client, project))["edit"] is None


async def test_the_setting_turns_it_off(project: Path, engine: FakeEngine) -> None:
    async with connected(engine, roots=(project,), options={"nextEdits": False}) as client:
        client.open(SHOP, uri(project, "shop.py"))
        replace(client, project, "shop.py", "tax", "rate")
        assert (await asked(client, project))["edit"] is None


async def test_another_client_protocol(project: Path, engine: FakeEngine) -> None:
    """`textDocument/copilotInlineEdit` gives the edits of the document that is asked about, with its version."""
    async with connected(engine, roots=(project,)) as client:
        name = client.open(SHOP, uri(project, "shop.py"))
        replace(client, project, "shop.py", "tax", "rate")
        params = {"textDocument": {"uri": name, "version": 2}, "position": {"line": 4, "character": 0}}
        found = await client.ask("textDocument/copilotInlineEdit", params, seconds=90)
        (edit,) = found["edits"]
        assert edit["textDocument"] == {"uri": name, "version": 2}
        assert (edit["range"]["start"], edit["text"]) == ({"line": 4, "character": 15}, "rate")
        assert Document(SHOP).line_text(4)[15:] == "tax=2))"


async def test_outside_and_ignored_files_stay(project: Path, engine: FakeEngine, tmp_path: Path) -> None:
    """A file that is ignored or cannot be written is not changed."""
    (project / ".gitignore").write_text("app.py\n")
    async with connected(engine, roots=(project,)) as client:
        client.open(SHOP, uri(project, "shop.py"))
        replace(client, project, "shop.py", "tax", "rate")
        reply = await asked(client, project)
        assert reply["count"] == 2
        assert reply["edit"]["textDocument"]["uri"] == uri(project, "shop.py")


async def test_typing_goes_on_while_it_is_looked_for(project: Path, engine: FakeEngine) -> None:
    """A search that is overtaken by a key says nothing of the older text."""
    async with connected(engine, roots=(project,)) as client:
        client.open(SHOP, uri(project, "shop.py"))
        replace(client, project, "shop.py", "tax", "rate")
        await asyncio.sleep(0.03)
        replace(client, project, "shop.py", "rate", "share")
        reply = await asked(client, project)
        assert reply["edit"]["reason"].endswith("share")


@pytest.mark.parametrize("is_found_first", [True, False])
async def test_a_call_typed_after_the_change_is_right_already(
    project: Path, engine: FakeEngine, is_found_first: bool
) -> None:
    """In another open file, whether what follows was shown by then or not; a call of before is adapted."""
    (project / "app.py").write_text(APP.replace("tax=5", "5"))
    other = "from shop import price\n\nprice(1, 2)\n"
    (project / "other.py").write_text(other)
    async with connected(engine, roots=(project,)) as client:
        client.open(SHOP, uri(project, "shop.py"))
        client.open(other, uri(project, "other.py"))
        client.open("from shop import price\n", uri(project, "new.py"))
        replace(client, project, "shop.py", "cart, tax)", "tax, cart=0)")
        if is_found_first:
            assert (await asked(client, project))["edit"]
        replace(client, project, "other.py", "price(1, 2)\n", "price(1, 2)\nprice(7, 8)\n")
        replace(client, project, "new.py", "price\n", "price\n\nprice(7, 8)\n")
        if not is_found_first:
            replace(client, project, "shop.py", "return cart * tax", "return tax * cart")
        texts = []
        while (reply := await asked(client, project))["edit"] and len(texts) < 5:
            texts.append(reply["edit"]["text"])
            accept(client, reply["edit"])
        assert "price(7, 8)" in text(client, project, "new.py")
        assert text(client, project, "other.py") == other.replace("1, 2", "2, 1") + "price(7, 8)\n"
        assert "price(5, 1)" in text(client, project, "app.py")


async def taken(client: Client, project: Path, most: int = 6) -> list[str]:
    """The texts of all edits that are proposed, each made before the next is asked for."""
    texts = []
    while (reply := await asked(client, project))["edit"] and len(texts) < most:
        texts.append(reply["edit"]["text"])
        accept(client, reply["edit"])
    return texts


async def test_a_new_parameter_gets_its_values(project: Path, engine: FakeEngine) -> None:
    """The model writes one at a time, after the edits that are certain; nothing is proposed twice."""
    engine.text = "7, 8)"
    async with connected(engine, roots=(project,)) as client:
        client.open(SHOP, uri(project, "shop.py"))
        client.open(APP, uri(project, "app.py"))
        replace(client, project, "shop.py", "cart, tax", "cart, tax, rate")
        assert await taken(client, project) == [", rate=7", ", rate=7"]
        assert "price(3, tax=2, rate=7)" in text(client, project, "shop.py")
        assert "price(1, tax=5, rate=7)" in text(client, project, "app.py")


async def test_without_a_legal_value_nothing_is_proposed(project: Path, engine: FakeEngine) -> None:
    engine.text = "nobody)"
    async with connected(engine, roots=(project,)) as client:
        client.open(SHOP, uri(project, "shop.py"))
        replace(client, project, "shop.py", "cart, tax", "cart, tax, rate")
        assert await asked(client, project) == {"edit": None, "count": 0}


LINES = "def fetch(a, timeout=1): ...\n\n\nfetch(1)\nfetch(2)\nfetch(3)\nfetch(4)\n"


async def test_what_was_changed_twice_by_hand_is_proposed_at_like_places(project: Path, engine: FakeEngine) -> None:
    """In two steps, each of which has rested; in the open files. What is dismissed does not come again."""
    async with connected(engine, roots=(project,)) as client:
        client.open(LINES, uri(project, "shop.py"))
        client.open(f"from shop import fetch\n\n{LINES[-9:]}", uri(project, "app.py"))
        replace(client, project, "shop.py", "fetch(1)", "fetch(1, timeout=5)")
        assert (await asked(client, project))["edit"] is None
        replace(client, project, "shop.py", "fetch(2)", "fetch(2, timeout=5)")
        reply = await asked(client, project)
        assert (reply["edit"]["kind"], reply["edit"]["text"], reply["count"]) == ("like", "fetch(3, timeout=5)", 3)
        accept(client, reply["edit"])
        assert (await asked(client, project))["count"] == 2
        await client.command("dismissNextEdit")
        assert (await asked(client, project))["edit"] is None
        replace(client, project, "shop.py", "fetch(4)", "fetch(40)")
        assert (await asked(client, project))["edit"] is None


async def test_edits_that_followed_are_no_pattern(project: Path, engine: FakeEngine) -> None:
    """Two accepted ones are not two changes by hand: what has the same name elsewhere is something else."""
    shop = "class A:\n    def old(self): ...\n"
    app = "from shop import A\n\n\ndef f(b):\n    A().old()\n    A().old()\n    b.old()\n"
    (project / "shop.py").write_text(shop)
    (project / "app.py").write_text(app)
    async with connected(engine, roots=(project,)) as client:
        client.open(shop, uri(project, "shop.py"))
        client.open(app, uri(project, "app.py"))
        replace(client, project, "shop.py", "old", "new")
        assert await taken(client, project) == ["new", "new"]
        replace(client, project, "app.py", "def f(b)", "def f(b, c=1)")
        assert (await asked(client, project))["edit"] is None
        assert text(client, project, "app.py").endswith("b.old()\n")
