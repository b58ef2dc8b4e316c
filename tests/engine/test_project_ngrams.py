"""What a project lends to a small model."""

import math
import os
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from guiderail.decoding.stages.ngram_counts import NgramCounts
from guiderail.engine.completer import Completer
from guiderail.engine.plan import CompletionPlan
from guiderail.engine.project_ngrams import ProjectNgrams, is_wanted
from guiderail.prompt.index import ProjectIndex, SourceFile
from guiderail.text.document import Document
from tests.helpers.models import tiny_model

NAMES = "def frobnicate_the_widget(widget):\n    return widget.frobnicated\n"


def project(root: Path) -> Path:
    (root / "pyproject.toml").write_text("")
    (root / "names.py").write_text(NAMES * 3)
    (root / "app.py").write_text("import names\n\nnames.frob")
    (root / ".env").write_text("TOKEN = 'frobnicate_the_secret'\n")
    return root


def counts_of(ngrams: ProjectNgrams) -> NgramCounts:
    return ngrams.counts


def test_the_projects_other_files_are_counted(tmp_path: Path) -> None:
    """The counts are those of all readable files but the one being completed; secrets are never among them."""
    model = tiny_model("guiderail")
    ngrams = ProjectNgrams(model, ProjectIndex(project(tmp_path)))
    ngrams.stage("app.py", "python", seconds=math.inf)
    assert ngrams.paths == ["names.py"]
    brute = NgramCounts()
    brute.set_text("names.py", model.tokenizer.encode(NAMES * 3))
    assert counts_of(ngrams) == brute


def test_counts_follow_the_disk_and_the_cursor(tmp_path: Path) -> None:
    """A changed file is counted anew, and a file that is being completed no longer counts."""
    model = tiny_model("guiderail")
    ngrams = ProjectNgrams(model, ProjectIndex(project(tmp_path)))
    ngrams.stage("app.py", "python", seconds=math.inf)
    (tmp_path / "names.py").write_text(NAMES)
    ngrams.stage("app.py", "python", seconds=math.inf)
    brute = NgramCounts()
    brute.set_text("names.py", model.tokenizer.encode(NAMES))
    assert counts_of(ngrams) == brute
    ngrams.stage("names.py", "python", seconds=math.inf)
    assert ngrams.paths == ["app.py"]


def test_a_deleted_file_counts_no_more(tmp_path: Path) -> None:
    """When a file goes, as after a change of branch, so do its n-grams."""
    ngrams = ProjectNgrams(tiny_model("guiderail"), ProjectIndex(project(tmp_path)))
    ngrams.stage("app.py", "python", seconds=math.inf)
    (tmp_path / "names.py").unlink()
    ngrams.stage("app.py", "python", seconds=math.inf)
    assert ngrams.paths == []
    assert counts_of(ngrams) == NgramCounts()


def test_what_the_project_repeats_is_suggested(tmp_path: Path) -> None:
    """Where the model knows nothing (all scores equal), a name that the project uses is completed from its n-grams."""
    model = tiny_model("guiderail")
    ngrams = ProjectNgrams(model, ProjectIndex(project(tmp_path)))
    text = NAMES + "\n\ndef main(widget):\n    return frobnicate_the_"
    request = CompletionPlan(
        document=Document(text, path=Path("app.py"), language="python"),
        offset=len(text),
        max_tokens=24,
        stages=(lambda logits, _: torch.zeros_like(logits), ngrams.stage("app.py", "python", seconds=math.inf)),
    )
    (suggestion,) = Completer(model).complete(request)
    assert suggestion.text.startswith("widget")


def test_no_time_means_no_counting(tmp_path: Path) -> None:
    """Without time nothing is counted, and the stage still works on the prompt."""
    ngrams = ProjectNgrams(tiny_model("guiderail"), ProjectIndex(project(tmp_path)))
    ngrams.stage("app.py", "python", seconds=0)
    assert ngrams.paths == []


def test_counting_ends_at_the_next_slice_and_goes_on_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelled at every look, each call counts one slice or tokenises one part, and in the end all is counted as at
    once; a file that is given up, in the midst or at the end, is taken back in the same way and leaves nothing."""
    monkeypatch.setattr("guiderail.engine.project_ngrams.PART", 40)
    monkeypatch.setattr("guiderail.decoding.stages.ngram_counts.SLICE", 7)
    model, work = tiny_model("guiderail"), list[int]()
    ngrams = ProjectNgrams(model, index := ProjectIndex(project(tmp_path)))
    os.utime(tmp_path / "names.py", (0, 0))  # a file that was written just now is read again at every look
    monkeypatch.setattr(index, "around", lambda near, language, expired: [index.file("names.py")])
    count, encode = NgramCounts.count, type(model.tokenizer).encode
    monkeypatch.setattr(NgramCounts, "count", lambda self, ids, start, end, *, sign=1: (
        work.append(end - start), count(self, ids, start, end, sign=sign)))  # fmt: skip
    monkeypatch.setattr(
        type(model.tokenizer), "encode", lambda self, text: (work.append(len(text)), encode(self, text))[1]
    )

    def calls(own: str, done: Callable[[], bool], most: float = math.inf) -> int:
        for number in range(1, 1000):
            work.clear()
            ngrams.read(own, "python", 1.0, cancelled=lambda: True)
            assert len(work) <= 1 and sum(work) <= 40 + len("    return widget.frobnicated\n")
            if done() or number >= most:
                return number
        raise AssertionError("never done")

    number = calls("app.py", lambda: bool(ngrams.paths))
    assert number > 10
    whole = NgramCounts()
    whole.set_text("names.py", model.tokenizer.encode(NAMES * 3))
    assert ngrams.counts == whole
    monkeypatch.setattr(index, "around", lambda near, language, expired: [])
    assert calls("names.py", lambda: ngrams.counts == NgramCounts()) > 5
    monkeypatch.setattr(index, "around", lambda near, language, expired: [index.file("names.py")])
    calls("app.py", lambda: False, number - 2)
    assert ngrams.counts not in (whole, NgramCounts())
    monkeypatch.setattr(index, "around", lambda near, language, expired: [])
    assert calls("names.py", lambda: ngrams.counts == NgramCounts()) > 1


def test_going_into_a_counted_file_counts_nothing_before_there_is_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request in a file that was counted does not wait until it is taken back, and is lent nothing meanwhile."""
    ngrams = ProjectNgrams(tiny_model("guiderail"), ProjectIndex(project(tmp_path)))
    ngrams.stage("app.py", "python", seconds=math.inf)
    (tmp_path / "more.py").write_text("more = 1\n")
    with monkeypatch.context() as patch:
        patch.setattr(NgramCounts, "count", lambda *_, **__: pytest.fail("counted in a request"))
        assert ngrams.stage("names.py", "python", seconds=0).project is ngrams.available
        assert len(ngrams.available) == len(ngrams.available.texts) == 0
    assert ngrams.stage("names.py", "python", seconds=math.inf).project is ngrams.available is ngrams.counts
    assert sorted(ngrams.paths) == ["app.py", "more.py"] == sorted(ngrams.counts.texts)


def test_listing_the_files_never_takes_all_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where looking at the project takes all the time it is given, some of its files are counted nevertheless."""
    index = ProjectIndex(project(tmp_path))
    ticks = count()
    monkeypatch.setattr("guiderail.engine.project_ngrams.time", SimpleNamespace(monotonic=lambda: next(ticks) / 100))
    around = index.around

    def slow(near: str, language: str | None, expired: Callable[[], bool]) -> list[SourceFile]:
        while not expired():
            pass
        return around(near, language, lambda: False)

    monkeypatch.setattr(index, "around", slow)
    ngrams = ProjectNgrams(tiny_model("guiderail"), index)
    ngrams.stage("app.py", "python", seconds=1.0)
    assert ngrams.paths == ["names.py"]


def test_no_more_is_counted_than_may_be_wherever_the_cursor_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files far from the cursor make room for near ones, and a file that is too long hides no other."""
    (tmp_path / "pyproject.toml").write_text("")
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for name in ("own", "one", "two"):
            (tmp_path / folder / f"{name}.py").write_text(f"{folder}_{name} = 1\n" * 4)
        (tmp_path / folder / "long.py").write_text("long = 1\n" * 100)
    monkeypatch.setattr("guiderail.engine.project_ngrams.CHARACTERS", 100)
    ngrams = ProjectNgrams(tiny_model("guiderail"), ProjectIndex(tmp_path))
    for folder in ("a", "b"):
        ngrams.stage(f"{folder}/own.py", "python", seconds=math.inf)
        assert sorted(ngrams.paths) == [f"{folder}/one.py", f"{folder}/two.py"]
    assert set(ngrams.counts.texts) == set(ngrams.paths)


def test_models_with_a_format_without_middle_are_served() -> None:
    """A family whose format has no middle sentinel (Codestral) gets a stage as well."""
    assert ProjectNgrams(tiny_model("mistral")).stage(None, None) is not None


def test_only_the_embedded_model_is_lent_to_by_default() -> None:
    """The weights were fitted for the embedded model; others are left alone unless a person wants it."""
    model = tiny_model("guiderail")
    assert not is_wanted("auto", model)
    assert is_wanted("on", model)
    embedded = SimpleNamespace(info=SimpleNamespace(name="embedded"))
    assert is_wanted("auto", embedded)  # type: ignore[arg-type]
    assert not is_wanted("off", embedded)  # type: ignore[arg-type]
