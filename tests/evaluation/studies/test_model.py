"""How well models write code: every system answers the same tasks."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from guiderail.engine.plan import CompletionPlan
from guiderail.engine.prompt_builder import PromptBuilder
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.studies import model as study
from guiderail.evaluation.studies.model import MEASURES, Plan, evaluate, materials, named, rows
from guiderail.evaluation.tables import grouped
from guiderail.evaluation.worker import Row
from guiderail.prompt.prompt import Prompt
from tests.evaluation.runs import worker
from tests.helpers.models import tiny_folder

PLAN = Plan(lines=4, texts=1, text_characters=300, window=64, prompt_tokens=96, max_tokens=6)


def package(name: str, files: int = 3) -> list[SourceFile]:
    body = "".join(f"    {name}_{i} = compute_{name}({i}, argument)\n" for i in range(12))
    return [
        SourceFile(name, f"{name}/{i}.py", f"def run_{i}(argument):\n{body}    return {name}_{i}\n")
        for i in range(files)
    ]


FILES = {name: package(name) for name in ("alpha", "beta")}


def measured(folder: Path, *families: str) -> list[Row]:
    """The rows of a study of tiny models."""
    with worker(families[0], PLAN) as (who, config):
        models = tuple(str(tiny_folder(family)) for family in families)
        return list(evaluate(who, replace(config, models=models), materials(FILES, PLAN, folder), PLAN))


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    return measured(tmp_path_factory.mktemp("samples"), "qwen3")


TINY = str(tiny_folder("qwen3"))


def test_every_system_has_the_same_tasks_and_texts(samples: list[Row]) -> None:
    asked = {
        system: [(s["package"], s["path"], s.get("kind", "text"), s.get("start", 0)) for s in own]
        for system, own in grouped(samples, named).items()
    }
    assert set(asked) == {TINY, *study.variants(TINY), study.FILE_NGRAMS, study.PROJECT_NGRAMS}
    assert all(sorted(one) == sorted(other) for one, other in pairwise(asked.values()))
    assert Counter(kind for _, _, kind, _ in asked[TINY]) == {"text": 2, "next_line": 4, "fim_line": 4}


def test_the_number_of_samples_is_known_beforehand(samples: list[Row], tmp_path: Path) -> None:
    assert study.units(materials(FILES, PLAN, tmp_path), 1) == len(samples)


def test_a_prompt_names_its_file_and_shows_no_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As the product's prompts do; what other files say is never in one."""
    shown: list[Prompt] = []
    build = PromptBuilder.build

    def listening(self: PromptBuilder, plan: CompletionPlan) -> Prompt:
        shown.append(build(self, plan))
        return shown[-1]

    monkeypatch.setattr(PromptBuilder, "build", listening)
    measured(tmp_path, "guiderail")
    paths = [task.path for own in materials(FILES, PLAN, tmp_path) for task in own.tasks for _ in range(3)]
    assert len(shown) == len(paths)
    for found, path in zip(shown, paths, strict=True):
        assert found.text_of("context").splitlines()[-1] == path
        assert "def run" not in found.text_of("context")


def test_a_second_run_gives_the_same_answers(samples: list[Row], tmp_path: Path) -> None:
    again = measured(tmp_path, "qwen3")
    kept = ("task", "system", "variant", "bits", "answer", "exact")
    assert [[s.get(key) for key in kept] for s in again] == [[s.get(key) for key in kept] for s in samples]


def test_the_project_makes_a_repetitive_package_cheaper(samples: list[Row]) -> None:
    bits = Counter[str]()
    for sample in samples:
        bits[named(sample)] += round(sample.get("bits", 0))
    mixed, _ = study.variants(TINY)
    assert bits[study.PROJECT_NGRAMS] < bits[study.FILE_NGRAMS] < bits[TINY]
    assert bits[mixed] < bits[TINY]


def test_judgements_follow_from_the_recorded_answer(samples: list[Row], tmp_path: Path) -> None:
    truths = {task.id: task.truth for own in materials(FILES, PLAN, tmp_path) for task in own.tasks}
    lines = [sample for sample in samples if "answer" in sample]
    assert len(lines) == 8 * 5
    for row in lines:
        assert row["exact"] == (row["answer"].split() == truths[row["task"]].split())
        assert not row["exact"] or (row["parses"] and row["similarity"] == 1)


def test_rows_follow_from_samples(samples: list[Row]) -> None:
    [row, *_] = rows(samples, seed=0, bases={})
    assert row["model"] == TINY and row["n"] == 8 and row["packages"] == 2


def test_two_models_share_the_n_gram_baselines(tmp_path: Path) -> None:
    found = Counter(map(named, measured(tmp_path, "qwen3", "starcoder2")))
    assert len(found) == 3 + 3 + 2 and len(set(found.values())) == 1


def line(system: str, package: str, kind: str, *, exact: bool, similarity: float = 0.5) -> Row:
    scores = {"exact": exact, "similarity": similarity, "parses": exact, "tokens": 5, "decode_s": 0.5}
    return {"system": system, "package": package, "kind": kind, **scores}


def made(system: str, gain: float = 0.0) -> list:
    found: list = []
    for number, package in enumerate(("a", "b", "c", "d")):
        bits = 100.0 * (number + 1) - 50 * gain
        found.append({"variant": system, "package": package, "bits": bits, "bytes": 50})
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
