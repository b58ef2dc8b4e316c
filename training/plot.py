"""The picture of a run: training loss, validation bits per byte and the learning rate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The records of a run; after a resume the later record of a step counts."""
    records: dict[int, dict[str, Any]] = {}
    for line in (folder / "log.jsonl").read_text().splitlines():
        record = json.loads(line)
        records[record["step"]] = records.get(record["step"], {}) | record
    return [records[step] for step in sorted(records)]


def _seen(record: dict[str, Any]) -> int:
    """Tokens read by the weights; logs of before there were warm starts hold those of the run alone."""
    return record.get("seen", record["tokens"])


def smooth(values: np.ndarray, width: int) -> np.ndarray:
    """Running mean with shrinking windows at the ends."""
    kernel = np.ones(width)
    return np.convolve(values, kernel, "same") / np.convolve(np.ones(len(values)), kernel, "same")


def draw(folder: Path, target: Path) -> None:
    """Draw the loss curve of the run in a folder."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    records = read_log(folder)
    steps = [record for record in records if "loss" in record]
    tokens = np.array([_seen(record) for record in steps]) / 1e6
    loss = np.array([record["loss"] for record in steps])
    figure, axis = plt.subplots(figsize=(7, 3.6), dpi=90)
    axis.plot(tokens, smooth(loss, max(1, len(loss) // 100)), label="training loss, nats a token")
    axis.set(xlabel="tokens (millions)", ylim=(max(0.0, loss.min() - 0.2), np.percentile(loss, 97)))
    other = axis.twinx()
    checks = [record for record in records if "validation_bpb" in record]
    other.plot(
        [_seen(record) / 1e6 for record in checks],
        [record["validation_bpb"] for record in checks],
        "o-",
        color="tab:orange",
        markersize=3,
        label="validation, bits a byte",
    )
    other.plot(
        tokens, [record["lr"] for record in steps], color="tab:gray", linewidth=0.8, label="learning-rate factor"
    )
    other.set_ylim(0, 3)
    handles = [line for part in (axis, other) for line in part.get_lines()]
    axis.legend(handles, [str(line.get_label()) for line in handles], fontsize=8)
    figure.tight_layout()
    figure.savefig(target)
    plt.close(figure)
