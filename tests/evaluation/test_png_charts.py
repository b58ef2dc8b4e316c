"""The pictures of the cache."""

from pathlib import Path

import pytest

from guiderail.evaluation import png_charts
from guiderail.evaluation.png_charts import draw_divergence, draw_times


def test_times_are_drawn_for_the_longest_sequences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line for each way that was measured, of the first and the last model's longest, through all of its places.

    The size of the edit is one that every length has.
    """
    shape = {"full_s": 1.0, "truncate_s": 0.5, "patch_s": 0.1, "pie_s": 0.05, "llama_cpp_s": None}
    rows = [
        {**shape, "model": "a", "tokens": n, "changed": changed, "edit_at": at}
        for n, changed in ((1024, 8), (1024, 1), (2048, 8), (2048, 1))
        for at in (0.9, 0.1, 0.5)
    ]
    rows += [{**row, "model": "b", "tokens": 4096, "llama_cpp_s": 2.0} for row in rows[:3]]
    drawn = {}
    save = png_charts._save
    monkeypatch.setattr(
        png_charts, "_save", lambda file, figure, axes: drawn.update(axes=axes) or save(file, figure, axes)
    )
    draw_times(tmp_path / "times.png", rows)
    lines = drawn["axes"].get_lines()
    assert len(lines) == 4 + 5
    assert all(list(line.get_xdata()) == [0.1, 0.5, 0.9] for line in lines)
    data = (tmp_path / "times.png").read_bytes()
    assert data.startswith(b"\x89PNG") and len(data) < 100_000


def test_methods_without_divergence_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Full encoding has no divergence to draw on a logarithmic axis."""
    classes = [
        {"method": method, "from": low, "to": 2 * low, "n": 3, "kl_mean": kl}
        for method, kl in (("full", 0.0), ("pie", 1e-3))
        for low in (64, 128)
    ]
    drawn = {}
    save = png_charts._save
    monkeypatch.setattr(
        png_charts, "_save", lambda file, figure, axes: drawn.update(axes=axes) or save(file, figure, axes)
    )
    draw_divergence(tmp_path / "kl.png", classes)
    assert [line.get_label() for line in drawn["axes"].get_lines()] == ["pie", "aim: 2e-4"]
