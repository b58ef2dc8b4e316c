"""What the evaluation measures is what people run."""

import json
from collections.abc import Callable
from pathlib import Path

from guiderail.evaluation import config as configs
from guiderail.evaluation import runner
from guiderail.evaluation.worker import Worker
from guiderail.text.document import Document
from tests.cli.conftest import Result
from tests.evaluation.runs import Quiet, written


def test_a_task_and_the_same_cursor_on_the_command_line_give_the_same_text(
    guiderail: Callable[..., Result], tmp_path: Path
) -> None:
    """With the defaults of both: context and n-grams of the project's other files, and loops that are ended."""
    shared = 'check = false\nproject_ngrams = "on"\n'
    config = configs.read(written(tmp_path, functions=3, settings=shared))
    (greedy,) = [system for system in config.systems() if system.method.is_greedy]
    flags = ["--model", greedy.model, "--device", "cpu", "--dtype", "float32", "--threads", 1, "--no-monitors"]
    flags += ["--max-tokens", 6, "--prompt-tokens", 64, "--project-ngrams", "on", "--json"]
    worker, texts = Worker(config), []
    for task in runner.collect(config, Quiet(), lambda words: None):
        (row,) = worker.answer(task, greedy)
        assert task.root is not None
        file, text = task.root / task.path, task.prefix + task.suffix
        whole = file.read_text()
        file.write_text(text)
        line, column = Document(text).position_at(len(task.prefix))
        found = guiderail("complete", file, "--line", line + 1, "--column", column, *flags)
        file.write_text(whole)
        (suggestion,) = json.loads(found.out)["suggestions"]
        assert row["output"] == suggestion["text"]
        texts.append(row["output"])
    assert any(texts)
