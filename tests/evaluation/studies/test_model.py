"""How well models write code: every system answers the same tasks."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from guiderail.engine.completer import Completer
from guiderail.engine.plan import CompletionPlan
from guiderail.engine.suggestion import Suggestion
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.studies import model as study
from guiderail.evaluation.studies.model import MEASURES, LineSample, Plan, TextSample, evaluate, materials, rows
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
def samples() -> list[study.Sample]:
    return list(evaluate({"tiny": tiny_model("qwen3")}, materials(FILES, PLAN), PLAN))


def test_every_system_has_the_same_tasks_and_texts(samples: list[study.Sample]) -> None:
    asked = {
        system: [(s.package, s.path, getattr(s, "kind", "text"), getattr(s, "start", 0)) for s in own]
        for system in dict.fromkeys(s.system for s in samples)
        if (own := [s for s in samples if s.system == system])
    }
    assert set(asked) == {"tiny", *study.variants("tiny"), study.FILE_NGRAMS, study.PROJECT_NGRAMS}
    assert all(sorted(one) == sorted(other) for one, other in pairwise(asked.values()))
    assert Counter(kind for _, _, kind, _ in asked["tiny"]) == {"text": 2, "next_line": 4, "fim_line": 4}


def test_the_number_of_samples_is_known_beforehand(samples: list[study.Sample]) -> None:
    assert study.units(materials(FILES, PLAN), 1) == len(samples)


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
    paths = [task.path for own in material for task in own.tasks for _ in range(3)]
    assert len(asked) == len(paths)
    for request, path in zip(asked, paths, strict=True):
        segments = Completer(model, prompt_tokens=PLAN.prompt_tokens).prompt(request).segments
        assert [s.text for s in segments if s.kind == "context"] == [f"{path}\n"]
        assert segments[0].text == "<|file_sep|>"


def test_a_second_run_gives_the_same_answers(samples: list[study.Sample]) -> None:
    again = list(evaluate({"tiny": tiny_model("qwen3")}, materials(FILES, PLAN), PLAN))
    for one, other in zip(samples, again, strict=True):
        if isinstance(one, LineSample) and isinstance(other, LineSample):
            assert (one.system, one.answer, one.exact) == (other.system, other.answer, other.exact)
        else:
            assert one == other


def test_the_project_makes_a_repetitive_package_cheaper(samples: list[study.Sample]) -> None:
    bits = Counter[str]()
    for sample in samples:
        if isinstance(sample, TextSample):
            bits[sample.system] += round(sample.bits)
    mixed, _ = study.variants("tiny")
    assert bits[study.PROJECT_NGRAMS] < bits[study.FILE_NGRAMS] < bits["tiny"]
    assert bits[mixed] < bits["tiny"]


def test_judgements_follow_from_the_recorded_answer(samples: list[study.Sample]) -> None:
    for sample in samples:
        if isinstance(sample, LineSample):
            assert sample.exact == (sample.answer.split() == sample.truth.split())
            assert not sample.exact or (sample.parses and sample.similarity == 1)


def test_rows_follow_from_samples(samples: list[study.Sample]) -> None:
    [row, *_] = rows(samples, seed=0, bases={})
    assert row["model"] == "tiny" and row["n"] == 8 and row["packages"] == 2


def test_two_models_share_the_n_gram_baselines() -> None:
    models = {"one": tiny_model("qwen3"), "two": tiny_model("starcoder2")}
    found = Counter(s.system for s in evaluate(models, materials(FILES, PLAN), PLAN))
    assert len(found) == 3 + 3 + 2 and len(set(found.values())) == 1


def line(system: str, package: str, kind: str, *, exact: bool, similarity: float = 0.5) -> LineSample:
    where = {"package": package, "path": "a.py", "start": 3, "kind": kind, "truth": "truth", "answer": "answer"}
    scores = {"exact": exact, "similarity": similarity, "parses": exact, "tokens": 5, "decode_s": 0.5}
    return LineSample(system=system, **where, **scores)  # pyright: ignore[reportArgumentType]


def made(system: str, gain: float = 0.0) -> list:
    found: list = []
    for number, package in enumerate(("a", "b", "c", "d")):
        found.append(TextSample(system, package, "a.py", 100.0 * (number + 1) - 50 * gain, 50))
        found.append(line(system, package, "next_line", exact=number < 1 + 2 * gain))
        found.append(line(system, package, "fim_line", exact=number < 2))
    return found


def test_a_row_has_every_figure_and_its_interval() -> None:
    [row] = rows(made("m"), seed=0, bases={})
    assert row["model"] == "m"
    assert row["bits_per_byte"] == pytest.approx(1000 / 200)
    assert (row["next_line_em"], row["next_line_es"], row["fim_line_em"], row["parse_rate"]) == (0.25, 0.5, 0.5, 0.5)
    assert (row["n"], row["n_text_bytes"], row["packages"]) == (8, 200, 4)
    assert row["tokens_per_s"] == pytest.approx(8.0)
    for name in MEASURES:
        low, high = row["intervals"][name]
        assert low <= row[name] <= high
    assert "against" not in row


def test_differences_are_paired_with_the_base() -> None:
    _, better = rows([*made("m"), *made("m2", gain=1.0)], seed=0, bases={"m2": "m"})
    against = better["against"]
    assert against["model"] == "m"
    assert against["bits_per_byte"]["difference"] == pytest.approx(-1.0)
    # every package gains the same, so the paired interval has no width although the packages differ
    assert against["bits_per_byte"]["interval"] == pytest.approx((-1.0, -1.0))
    assert against["next_line_em"]["difference"] == pytest.approx(0.5)


def test_what_was_not_measured_has_no_figure() -> None:
    [row] = rows([line("m", "a", "next_line", exact=True)], seed=0, bases={})
    assert row["bits_per_byte"] is None and row["fim_line_em"] is None
    assert set(row["intervals"]) == {"next_line_em", "next_line_es"}
