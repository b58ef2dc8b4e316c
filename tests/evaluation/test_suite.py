"""The suite: every system answers the same tasks."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from guiderail.engine.completer import Completer
from guiderail.engine.plan import CompletionPlan
from guiderail.engine.suggestion import Suggestion
from guiderail.evaluation import report, suite
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.suite import LineSample, Plan, TextSample, evaluate, materials
from tests.helpers.models import tiny_model

PLAN = Plan(lines=4, texts=1, text_characters=300, window=64, prompt_tokens=96, max_tokens=6)


def package(name: str, files: int = 3) -> list[SourceFile]:
    body = "".join(f"    {name}_{i} = compute_{name}({i}, argument)\n" for i in range(12))
    return [
        SourceFile(name, f"{name}/{i}.py", f"def run_{i}(argument):\n{body}    return {name}_{i}\n")
        for i in range(files)
    ]


FILES = {name: package(name) for name in ("alpha", "beta")}


@pytest.fixture(scope="module")
def samples() -> list[suite.Sample]:
    return list(evaluate({"tiny": tiny_model("qwen3")}, materials(FILES, PLAN), PLAN))


def test_every_system_has_the_same_tasks_and_texts(samples: list[suite.Sample]) -> None:
    asked = {
        system: [(s.package, s.path, getattr(s, "kind", "text"), getattr(s, "start", 0)) for s in own]
        for system in dict.fromkeys(s.system for s in samples)
        if (own := [s for s in samples if s.system == system])
    }
    assert set(asked) == {"tiny", *suite.variants("tiny"), suite.FILE_NGRAMS, suite.PROJECT_NGRAMS}
    assert all(sorted(one) == sorted(other) for one, other in pairwise(asked.values()))
    assert Counter(kind for _, _, kind, _ in asked["tiny"]) == {"text": 2, "next_line": 4, "fim_line": 4}


def test_the_number_of_samples_is_known_beforehand(samples: list[suite.Sample]) -> None:
    assert suite.units(materials(FILES, PLAN), 1) == len(samples)


def test_a_prompt_names_its_file_and_shows_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the product's prompts do; what other files say is never in one."""
    asked: list[CompletionPlan] = []
    complete = Completer.complete

    def listening(self: Completer, request: CompletionPlan) -> list[Suggestion]:
        asked.append(request)
        return complete(self, request)

    monkeypatch.setattr(Completer, "complete", listening)
    model, material = tiny_model("guiderail"), materials(FILES, PLAN)
    list(evaluate({"tiny": model}, material, PLAN))
    paths = [task.file.path for own in material for task in own.tasks for _ in range(3)]
    assert len(asked) == len(paths)
    for request, path in zip(asked, paths, strict=True):
        segments = Completer(model, prompt_tokens=PLAN.prompt_tokens).prompt(request).segments
        assert [s.text for s in segments if s.kind == "context"] == [f"{path}\n"]
        assert segments[0].text == "<|file_sep|>"


def test_a_second_run_gives_the_same_answers(samples: list[suite.Sample]) -> None:
    again = list(evaluate({"tiny": tiny_model("qwen3")}, materials(FILES, PLAN), PLAN))
    for one, other in zip(samples, again, strict=True):
        if isinstance(one, LineSample) and isinstance(other, LineSample):
            assert (one.system, one.answer, one.exact) == (other.system, other.answer, other.exact)
        else:
            assert one == other


def test_the_project_makes_a_repetitive_package_cheaper(samples: list[suite.Sample]) -> None:
    bits = Counter[str]()
    for sample in samples:
        if isinstance(sample, TextSample):
            bits[sample.system] += round(sample.bits)
    mixed, _ = suite.variants("tiny")
    assert bits[suite.PROJECT_NGRAMS] < bits[suite.FILE_NGRAMS] < bits["tiny"]
    assert bits[mixed] < bits["tiny"]


def test_judgements_follow_from_the_recorded_answer(samples: list[suite.Sample]) -> None:
    for sample in samples:
        if isinstance(sample, LineSample):
            assert sample.exact == (sample.answer == sample.truth)
            assert not sample.exact or (sample.parses and sample.similarity == 1)


def test_rows_follow_from_samples(samples: list[suite.Sample]) -> None:
    [row, *_] = report.rows(samples, seed=0, bases={})
    assert row["model"] == "tiny" and row["n"] == 8 and row["packages"] == 2


def test_two_models_share_the_n_gram_baselines() -> None:
    models = {"one": tiny_model("qwen3"), "two": tiny_model("starcoder2")}
    found = Counter(s.system for s in evaluate(models, materials(FILES, PLAN), PLAN))
    assert len(found) == 3 + 3 + 2 and len(set(found.values())) == 1
