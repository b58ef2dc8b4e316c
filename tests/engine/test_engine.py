"""Laws of the completion service, with tiny models."""

import gc
import math
import shutil
import threading
import weakref
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from guiderail.choices import CachePolicy
from guiderail.decoding.drafting import pass_cost
from guiderail.decoding.drafting.pass_cost import PassCosts
from guiderail.decoding.drafting.suffix import IndexedText
from guiderail.decoding.methods.calibration import NotCalibratedError
from guiderail.engine.analysers import POOLS, AnalyserPools
from guiderail.engine.completer import Completer
from guiderail.engine.engine import Engine, NotLoadedError
from guiderail.engine.request import CompletionRequest
from guiderail.engine.stream import TextStream
from guiderail.engine.time_limits import BATCH, TYPING, WAITING, TimeLimits
from guiderail.errors import GuiderailError
from guiderail.settings import Settings
from guiderail.text.document import Document
from tests.helpers.models import tiny_folder

SOURCE = "import os\n\n\ndef size(path):\n    return os.sta\n\n\ndef main():\n    pass\n"
CURSOR = SOURCE.index("os.sta") + len("os.sta")


@pytest.fixture(scope="module")
def engine() -> Engine:
    made = Engine(TYPING, stays=True)
    made.load(Settings(model=str(tiny_folder("guiderail")), device="cpu", threads=1))
    return made


def wish(text: str = SOURCE, offset: int = CURSOR, **changes) -> CompletionRequest:
    settings = Settings(max_tokens=12, until="tokens", monitors=False, verdict="off")
    defaults = {"uri": "untitled:1", "root": None, "settings": settings}
    return CompletionRequest(document=Document(text, language="python"), offset=offset, **(defaults | changes))


def never() -> bool:
    return False


def test_preparing_leaves_only_the_decoding(engine: Engine) -> None:
    """After a prepared prompt a request encodes nothing but its last token, and preparing twice does no work."""
    engine.prepare(wish(), never)
    answer = engine.complete(wish(), never, TextStream())
    timings = answer.suggestions[0].timings
    assert timings.reused_tokens == timings.prompt_tokens - 1


def test_what_is_written_can_be_watched(engine: Engine) -> None:
    """While the model writes, its text so far is known, without the half-typed word that it writes again."""
    engine.recover()  # else all of it is drafted from what was written before, and comes at once
    written, seen = TextStream(), []

    def cancelled() -> bool:
        seen.append(written.text)
        return False

    answer = engine.complete(wish(), cancelled, written)
    assert all(answer.suggestions[0].text.startswith(text.rstrip("\ufffd")) for text in seen if text)
    assert any(seen)


def test_a_cancel_ends_between_two_tokens(engine: Engine) -> None:
    """A cancelled request runs no further forward pass, and the next one is right."""
    whole = engine.complete(wish(), never, TextStream()).suggestions[0]
    written = TextStream()
    cut = engine.complete(wish(), lambda: bool(written._data), written)
    assert not cut.is_whole
    assert cut.suggestions[0].token_ids == whole.token_ids[:1]
    assert engine.complete(wish(), never, TextStream()).suggestions[0].token_ids == whole.token_ids


def test_what_a_cancel_ended_is_never_whole(engine: Engine) -> None:
    """Nor is it where the cancel came before the first token, or when all was written and nothing judged yet."""
    assert not engine.complete(wish(), lambda: True).is_whole
    written, tokens = TextStream(), len(engine.complete(wish()).suggestions[0].token_ids)
    engine.recover()  # else all of it is drafted at once
    whole = engine.complete(wish(), stream=written)
    assert whole.is_whole and tokens == len(whole.suggestions[0].token_ids)
    last, again = written.text, TextStream()
    assert not engine.complete(wish(), lambda: again.text == last, again).is_whole


def test_an_engine_leaves_the_analysers_that_others_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading and unloading a model ends its own analysers alone."""
    ended: list[str] = []

    class Pool:
        def __init__(self, wanted: str, trust: str, python: str) -> None: ...

        def get(self, language: str, folder: Path) -> None: ...

        def stop(self) -> None:
            ended.append("stopped")

    monkeypatch.setattr("guiderail.monitors.analysis.pool.ServerPool", Pool)
    shared, settings = AnalyserPools(), Settings(model=str(tiny_folder("guiderail")), device="cpu", threads=1)
    shared.of(settings)
    engine = Engine(analysers=shared)
    engine.load(settings)
    engine.unload()
    assert ended == []
    shared.stop()
    assert ended == ["stopped"]


@pytest.mark.parametrize(("limits", "policy"), [(BATCH, "exact"), (WAITING, "auto"), (TYPING, "auto")])
def test_who_is_in_no_hurry_has_exact_caches(limits: TimeLimits, policy: CachePolicy) -> None:
    """Else what is measured would depend on what was asked before, and on how fast the machine is."""
    assert limits.cache_policy("auto") == policy
    assert limits.cache_policy("patch") == "patch"


def test_line_ends_are_the_documents(engine: Engine) -> None:
    """A document with carriage returns gets the same suggestion as one without, with its own line ends."""
    plain = engine.complete(wish(), never, TextStream()).suggestions[0].text
    text, offset = SOURCE.replace("\n", "\r\n"), CURSOR + SOURCE[:CURSOR].count("\n")
    found = engine.complete(wish(text, offset), never, TextStream()).suggestions[0].text
    assert found == plain.replace("\n", "\r\n")


def test_context_stays_while_the_cursor_does(engine: Engine, tmp_path: Path) -> None:
    """Snippets of other files stay on key strokes, and are chosen anew in idle time after a save."""
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "tools.py").write_text("def helper(value):\n    return value + 1\n")
    text = "from tools import helper\n\nx = helper("
    path = tmp_path / "main.py"

    def asked() -> CompletionRequest:
        document = Document(text, path, "python")
        return CompletionRequest(
            uri=path.as_uri(),
            document=document,
            offset=len(text),
            root=tmp_path,
            settings=Settings(max_tokens=4, monitors=False),
        )

    def seen() -> str:
        return "".join(one.text for one in engine.complete(asked(), never, TextStream()).snippets)

    assert "def helper" in seen()
    (tmp_path / "tools.py").write_text("def helper(value, other):\n    return value + other\n")
    assert "other" not in seen()
    engine.files_changed()
    assert "other" not in seen()
    engine.prepare(asked(), never)
    assert "other" in seen()


def test_a_project_lends_its_ngrams_once_there_was_time_to_read_it(engine: Engine, tmp_path: Path) -> None:
    """A request reads no file for them; after idle time it is given the counts of the project's other files."""
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "tools.py").write_text("def helper(value):\n    return value + 1\n")
    path, settings = tmp_path / "main.py", Settings(max_tokens=4, monitors=False, context=True, project_ngrams="on")
    document = Document("import tools\n\ntools.", path, "python")
    asked = CompletionRequest(
        uri=path.as_uri(), document=document, offset=len(document.text), root=tmp_path, settings=settings
    )

    def lent() -> bool:
        request = engine.plan(asked)
        assert request.project is not None
        assert request.stages
        return list(request.project.texts) == ["tools.py"]

    engine.complete(asked, never, TextStream())
    assert not lent()
    engine.prepare(asked, never)
    assert lent()


def test_drafters_read_a_project_in_idle_time(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a prepared prompt a request indexes neither the prompt nor the project's files, of which it may be one."""
    (tmp_path / "pyproject.toml").touch()
    for name in ("tools.py", "more.py"):
        (tmp_path / name).write_text("def helper(value):\n    return value + 1\n")
    settings = Settings(max_tokens=1, monitors=False, context=True, project_ngrams="on", drafter="suffix")

    def asked(name: str) -> CompletionRequest:
        path = tmp_path / name
        document = Document("import tools\n\ntools.helper(1)\ntools.", path, "python")
        return CompletionRequest(
            uri=path.as_uri(), document=document, offset=len(document.text), root=tmp_path, settings=settings
        )

    engine.complete(asked("main.py"), never, TextStream())
    engine.prepare(asked("main.py"), never)
    read: list[int] = []
    extend = IndexedText.extend

    def counted(text: IndexedText, ids: Iterable[int]) -> None:
        read.extend(ids := list(ids))
        extend(text, ids)

    monkeypatch.setattr(IndexedText, "extend", counted)
    engine.complete(asked("main.py"), never, TextStream())
    assert read == []
    engine.prepare(asked("tools.py"), never)
    read.clear()
    engine.complete(asked("tools.py"), never, TextStream())
    assert read == []


def test_analysers_start_when_wanted_and_end_with_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening a document starts its analyser, changes ask it ahead, a verdict asks it once more, and giving the model
    back ends its process."""
    events: list[str] = []

    class Pool:
        def __init__(self, wanted: str, trust: str, python: str) -> None:
            events.append(f"made {wanted}")

        def get(self, language: str, folder: Path) -> None:
            events.append(f"get {language}")

        def stop(self) -> None:
            events.append("stopped")

    monkeypatch.setattr("guiderail.monitors.analysis.pool.ServerPool", Pool)
    engine = Engine()
    engine.load(Settings(model=str(tiny_folder("guiderail")), device="cpu", threads=1))
    engine.warm(wish(), never)
    assert events == []
    watched = wish(settings=Settings(max_tokens=2))
    engine.warm(watched, never)
    engine.prepare(watched, never)
    engine.complete(watched, never, TextStream())
    assert events == ["made auto", *["get python"] * 4]
    engine.unload()
    assert events[-1] == "stopped"


def test_closing_a_document_gives_up_the_analysers_of_its_folder(
    monkeypatch: pytest.MonkeyPatch, engine: Engine, tmp_path: Path
) -> None:
    """The pool is told which folders still have open documents; what it gives up is stopped without waiting for it."""
    needed: list[set[Path]] = []
    stopped = threading.Event()

    class Gone:
        def stop(self) -> None:
            stopped.set()

    class Pool:
        def __init__(self, wanted: str, trust: str, python: str) -> None: ...

        def get(self, language: str, folder: Path) -> None: ...

        def trim(self, folders: set[Path]) -> list[Gone]:
            needed.append(folders)
            return [Gone()]

        def stop(self) -> None: ...

    monkeypatch.setattr("guiderail.monitors.analysis.pool.ServerPool", Pool)
    engine.stop_analysers()
    for name in "ab":
        engine.warm(wish(uri=name, root=tmp_path / name, settings=Settings(context=False)), never)
    engine.forget((0, "a"))
    assert needed == [{tmp_path / "b"}]
    assert stopped.wait(30)
    engine.forget((0, "b"))
    assert needed[-1] == set()
    engine.stop_analysers()


def test_a_client_that_closes_a_file_takes_nothing_from_another(
    monkeypatch: pytest.MonkeyPatch, engine: Engine, tmp_path: Path
) -> None:
    """Of a file that two clients have open, the one's close leaves the other its analyser and its cache."""
    needed: list[set[Path]] = []

    class Pool:
        def __init__(self, wanted: str, trust: str, python: str) -> None: ...

        def get(self, language: str, folder: Path) -> None: ...

        def trim(self, folders: set[Path]) -> list[object]:
            needed.append(folders)
            return []

        def stop(self) -> None: ...

    monkeypatch.setattr("guiderail.monitors.analysis.pool.ServerPool", Pool)
    engine.stop_analysers()
    one, two = (wish(root=tmp_path, settings=Settings(max_tokens=2), client=client) for client in (1, 2))
    for asked in (one, two):
        engine.complete(asked, never, TextStream())
    engine.forget((two.client, two.uri))
    assert needed == [{tmp_path}]
    timings = engine.complete(one, never, TextStream()).suggestions[0].timings
    assert timings.reused_tokens == timings.prompt_tokens - 1
    engine.forget((one.client, one.uri))
    assert needed[-1] == set()
    engine.stop_analysers()


def heard(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> list[list[Path]]:
    """What analysers are told of files from now on; there are none."""
    told: list[list[Path]] = []

    class Pool:
        def __init__(self, wanted: str, trust: str, python: str) -> None: ...

        def get(self, language: str, folder: Path) -> None: ...

        def files_changed(self, paths: list[Path]) -> None:
            told.append(paths)

        def stop(self) -> None: ...

    monkeypatch.setattr("guiderail.monitors.analysis.pool.ServerPool", Pool)
    engine.stop_analysers()
    return told


def test_a_folder_that_comes_is_told_by_its_code(
    monkeypatch: pytest.MonkeyPatch, engine: Engine, tmp_path: Path
) -> None:
    """Of a folder that a client names alone the analysers hear which code is in it, up to a limit; not of secrets."""
    told = heard(monkeypatch, engine)
    folder = tmp_path / "came"
    (folder / "inner").mkdir(parents=True)
    names = ("a.py", "inner/b.py", "notes.md", "secrets.py")
    for name in names:
        (folder / name).write_text("x = 1\n")
    engine.complete(wish(root=tmp_path, settings=Settings(max_tokens=2)), never, TextStream())
    monkeypatch.setattr("guiderail.engine.engine.NEW_FILES_S", math.inf)
    engine.files_changed(folder, folder / "a.py")
    assert told == [[folder, folder / "a.py", folder / "inner" / "b.py"]]
    monkeypatch.setattr("guiderail.engine.engine.NEW_FILES", 0)
    engine.files_changed(folder)
    assert told[1:] == [[folder]]
    engine.stop_analysers()


def test_a_folder_that_is_gone_is_forgotten_with_its_files(
    monkeypatch: pytest.MonkeyPatch, engine: Engine, tmp_path: Path
) -> None:
    """Of a folder's end, told under a link to it too, the analysers hear by the name of each file that was known."""
    told = heard(monkeypatch, engine)
    root, link = tmp_path / "root", tmp_path / "link"
    inner = root / "tools.d" / "inner"
    inner.mkdir(parents=True)
    link.symlink_to(root)
    (inner / "text.py").write_text("def helper(value):\n    return value + 1\n")
    asked = wish("from tools import helper\n\nx = helper(", 36, root=link, settings=Settings(max_tokens=2))
    engine.complete(asked, never, TextStream())
    folder = link / "tools.d"
    assert engine.knows(folder) and not engine.knows(link / "text.d")
    shutil.rmtree(root / "tools.d")
    engine.files_changed(folder)
    assert told == [[folder, inner / "text.py"]]
    assert not engine.knows(folder)
    engine.stop_analysers()


def test_a_request_never_waits_for_analysers_to_end(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> None:
    """One more combination of the analysers' settings than are kept ends the oldest ones' processes behind the scenes;
    giving all up waits until they have ended."""
    may_end, ended = threading.Event(), list[str]()

    class Pool:
        def __init__(self, wanted: str, trust: str, python: str) -> None:
            self.wanted = wanted

        def get(self, language: str, folder: Path) -> None: ...

        def stop(self) -> None:
            assert may_end.wait(30)
            ended.append(self.wanted)

    monkeypatch.setattr("guiderail.monitors.analysis.pool.ServerPool", Pool)
    engine.stop_analysers()
    names = [str(number) for number in range(POOLS + 1)]
    for name in names:
        engine.complete(wish(settings=Settings(max_tokens=2, analyser=name)), never, TextStream())
    assert ended == []
    may_end.set()
    engine.stop_analysers()
    assert sorted(ended) == names


def test_without_a_model_the_remedy_is_named() -> None:
    """An engine that has no model, or gave it back, says what to do; set up anew it answers again."""
    engine = Engine()
    with pytest.raises(NotLoadedError, match="restart"):
        engine.complete(wish(), never, TextStream())
    engine.load(Settings(model=str(tiny_folder("guiderail")), device="cpu", threads=1))
    engine.recover()
    assert engine.complete(wish(), never, TextStream()).suggestions
    engine.unload()
    with pytest.raises(NotLoadedError):
        engine.complete(wish(), never, TextStream())


def test_an_engine_put_back_to_work_is_warm(engine: Engine) -> None:
    """After a failure the drafters' prices are measured at once, as at the start, and not while a request waits."""
    engine.recover()
    assert isinstance(engine._completer, Completer)
    assert PassCosts in engine._completer.store


def test_switching_files_encodes_nothing_again(engine: Engine) -> None:
    """A prepared document stays prepared while another one is worked on, and is dropped when it is closed."""
    other = wish("class Box:\n    def open(self):\n        return self.\n", 48, uri="untitled:2")
    engine.prepare(wish(), never)
    engine.complete(other, never, TextStream())
    timings = engine.complete(wish(), never, TextStream()).suggestions[0].timings
    assert timings.reused_tokens == timings.prompt_tokens - 1
    engine.forget((other.client, other.uri))
    assert isinstance(engine._completer, Completer)
    assert other.name not in engine._completer.pool.keys


def test_collections_pass_over_the_model_until_it_is_unloaded() -> None:
    """No collection looks through what was loaded while people type; it is given back when the model goes."""
    made = Engine(TYPING, stays=True)
    made.load(Settings(model=str(tiny_folder("guiderail")), device="cpu", threads=1))
    gone = weakref.ref(made._loaded())
    assert gc.get_freeze_count() > 0
    made.unload()
    assert gc.get_freeze_count() == 0
    assert gone() is None


def test_what_drafting_costs_is_no_part_of_the_first_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is measured while the model is loaded: the time to the first token is that of a completion."""
    engine = Engine()
    engine.load(Settings(model=str(tiny_folder("guiderail")), device="cpu", threads=1))
    monkeypatch.setattr(pass_cost, "measure", lambda model: pytest.fail("measured while somebody waits"))
    assert engine.complete(wish()).suggestions


def test_a_start_that_fails_leaves_no_analyser(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was started ahead is stopped when the model cannot be loaded."""
    events: list[str] = []

    class Pool:
        def __init__(self, wanted: str, trust: str, python: str) -> None: ...

        def get(self, language: str, folder: Path) -> None:
            events.append("started")

        def stop(self) -> None:
            events.append("stopped")

    monkeypatch.setattr("guiderail.monitors.analysis.pool.ServerPool", Pool)
    with pytest.raises(GuiderailError):
        Engine().load(Settings(model="no such folder"), wish())
    assert events == ["started", "stopped"]


def test_a_model_that_is_not_calibrated_is_refused_before_it_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """AdaDec needs a threshold; with one that is given nothing is asked for."""
    model = str(tiny_folder("guiderail"))
    settings = Settings(model=model, device="cpu", threads=1, monitors=False, max_tokens=2, method="adadec")
    with monkeypatch.context() as patched:
        patched.setattr("guiderail.model.load.configuration", lambda info: pytest.fail("loading began"))
        with pytest.raises(NotCalibratedError):
            Engine().load(settings)
    engine, given = Engine(), replace(settings, parameters="adadec.threshold=1")
    engine.load(given)
    assert engine.complete(wish(settings=given)).suggestions
