"""The training loop: resumable at any step, ended by tokens, by the clock or by a file."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from typing import Any

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from tokenizers import Tokenizer
from torch import Tensor

from training.device import pick_device, pick_dtype, settle
from training.model import CompletionModel
from training.optim import MasterOptimizer
from training.pack import load_packed
from training.recipe import Recipe
from training.rows import Rows
from training.schedule import Phase
from training.start import load_start
from training.tokenizer import load_tokenizer
from training.validation import ValidationSet, bits_per_byte

CHECKPOINT = "checkpoint.pt"
COOL_DOWN = "cooldown-now"
STOP = "stop"


class Trainer:
    """One run and everything it must remember."""

    def __init__(self, recipe: Recipe, tokenizer: Tokenizer, clock: Callable[[], float] = time.monotonic) -> None:
        run = recipe.run
        self.recipe, self.run, self.clock = recipe, run, clock
        self.device = pick_device(run.device)
        settle(self.device, run.threads)
        dtype = pick_dtype(run.dtype, self.device)
        self.model = CompletionModel(recipe.model, run.seed)
        self.folder = recipe.run_folder
        self.folder.mkdir(parents=True, exist_ok=True)
        if recipe.start and not (self.folder / CHECKPOINT).exists():
            load_start(self.model, recipe.start, recipe.work / "tokenizer")
        self.model.to(self.device, dtype)
        self.optimizer = MasterOptimizer(self.model, recipe.optim, compiled=run.compile)
        self.schedule = recipe.schedule()
        packed = recipe.work / "packed"
        self.rows = Rows(load_packed(packed / "train"), tokenizer, run.seed, recipe.mixture, run.lanes)
        self.validation = ValidationSet(
            load_packed(packed / "validation"), tokenizer, run.validation_rows, run.validation_context
        )
        self.loss_fn = torch.compile(self.model, dynamic=False) if run.compile else self.model
        self.step, self.tokens, self.seconds = 0, 0, 0.0

    @property
    def progress(self) -> float:
        """From 0 to 1."""
        return self.schedule.progress(self.tokens, self.seconds)

    @property
    def seen(self) -> int:
        """Tokens that the weights have read, those of the runs that they started from included."""
        return self.tokens + (int(self.recipe.start.tokens) if self.recipe.start else 0)

    def micro_batch(self, phase: Phase) -> tuple[Tensor, Tensor, int]:
        """Inputs and labels on the device, and how many labels are learned."""
        inputs, labels = self.rows.batch(phase.rows, phase.context)
        learned = int((labels >= 0).sum())
        return torch.from_numpy(inputs).to(self.device), torch.from_numpy(labels).to(self.device), learned

    def train_step(self) -> dict[str, Any]:
        """One update; returns what the log records, loss and norm still as tensors, so that a GPU need not wait."""
        progress = self.progress
        phase = self.schedule.phase(progress)
        size = phase.rows * phase.context * phase.accumulate
        total = torch.zeros((), device=self.device)
        learned = 0
        for _ in range(phase.accumulate):
            inputs, labels, count = self.micro_batch(phase)
            loss, weighted, z = self.loss_fn(inputs, labels, self.run.loss_chunk, self.run.hole_weight)
            ((weighted + self.run.z_loss * z) / size).backward()
            total += loss.detach()
            learned += count
        factor = self.schedule.factor(self.step, progress)
        norm = self.optimizer.step(factor)
        self.step += 1
        self.tokens += size
        return {
            "step": self.step,
            "tokens": self.tokens,
            "loss": total / learned,
            "lr": factor,
            "norm": norm,
            "context": phase.context,
        }

    def evaluate(self) -> float:
        """Bits per byte on the validation packages."""
        return bits_per_byte(self.model, self.validation)

    def save(self) -> None:
        """Write a checkpoint that replaces the old one only when it is whole."""
        schedule = self.schedule
        state = {
            "optimizer": self.optimizer.state(),
            "rows": self.rows.state(),
            "step": self.step,
            "tokens": self.tokens,
            "seconds": self.seconds,
            "totals": (schedule.total_tokens, schedule.total_seconds),
        }
        partial = self.folder / (CHECKPOINT + ".partial")
        torch.save(state, partial)
        partial.replace(self.folder / CHECKPOINT)

    def resume(self) -> bool:
        """Go on from the checkpoint if there is one."""
        path = self.folder / CHECKPOINT
        if not path.exists():
            return False
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.optimizer.restore(state["optimizer"])
        self.rows.restore(state["rows"])
        self.step, self.tokens, self.seconds = state["step"], state["tokens"], state["seconds"]
        self.schedule.total_tokens, self.schedule.total_seconds = state["totals"]
        return True

    def log(self, record: dict[str, Any]) -> None:
        """Append one line to the run's log."""
        with (self.folder / "log.jsonl").open("a") as stream:
            stream.write(json.dumps(record) + "\n")

    def _asked(self, name: str) -> bool:
        """Whether a file of this name was put in the run's folder; takes it away."""
        path = self.folder / name
        found = path.exists()
        path.unlink(missing_ok=True)
        return found

    def fit(
        self, report: Callable[[dict[str, Any]], None] = lambda record: None, limit_seconds: float = math.inf
    ) -> bool:
        """Train until the schedule ends (True), or a stop file or the limit of this call pauses it (False)."""
        if self.recipe.start and self.step == 0:
            self._record({"step": 0, "tokens": 0, "validation_bpb": self.evaluate()})
        start = last_save = last_evaluation = last = self.clock()
        while self.progress < 1.0 and last - start < limit_seconds and not self._asked(STOP):
            record = self.train_step()
            now = self.clock()
            self.seconds += now - last
            last = now
            if now - last_evaluation >= self.run.evaluate_seconds:
                record["validation_bpb"] = self.evaluate()
                last_evaluation = now
            if self.step % self.run.log_every == 0 or "validation_bpb" in record:
                self._record(record, report)
            if now - last_save >= self.run.checkpoint_seconds:
                self.save()
                last_save = now
            if self._asked(COOL_DOWN):
                self.schedule.cool_down(self.tokens, self.seconds)
        ended = self.progress >= 1.0
        if ended:  # a pause leaves the machine at once, and a validation takes minutes on a busy one
            self._record({"step": self.step, "tokens": self.tokens, "validation_bpb": self.evaluate()})
        self.save()
        return ended

    def _record(self, record: dict[str, Any], report: Callable[[dict[str, Any]], None] | None = None) -> None:
        """Log and show one record; a loss that is no number ends the run before it is saved."""
        plain = {
            key: round(value, 6) if isinstance(value, float) else value
            for key, value in ((key, _plain(value)) for key, value in record.items())
        }
        if not math.isfinite(plain.get("loss", 0.0)):
            raise FloatingPointError(f"loss is not finite at step {self.step}")
        plain |= {"seconds": round(self.seconds, 2), "progress": round(self.progress, 5), "seen": self.seen}
        self.log(plain)
        if report:
            report(plain)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, Tensor) else value


def train(recipe: Recipe, limit_seconds: float = math.inf) -> bool:
    """Train, or go on training, with a progress bar; whether the schedule has ended."""
    trainer = Trainer(recipe, load_tokenizer(recipe.work / "tokenizer"))
    trainer.resume()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>5.1f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns) as bar:
        task = bar.add_task("training", total=1.0)

        def report(record: dict[str, Any]) -> None:
            text = f"step {record['step']}  {record['tokens'] / 1e6:.1f} M tokens  loss {record['loss']:.3f}"
            bar.update(task, completed=record["progress"], description=text)

        return trainer.fit(report, limit_seconds)
