"""Files of guiderail's own that are wrong: left out, named, made anew; and weights that are no numbers."""

import asyncio
import json
import logging
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import platformdirs
import pytest
import torch
from safetensors.torch import load_file, save_file

from guiderail.cache import policy
from guiderail.decoding.drafting import pass_cost
from guiderail.decoding.methods import calibration
from guiderail.engine.engine import Engine
from guiderail.errors import GuiderailError
from guiderail.model import store
from guiderail.model.errors import MissingWeightsError
from guiderail.model.fingerprint import fingerprint
from guiderail.model.load import load
from guiderail.monitors.analysis import workspaces
from tests.helpers.models import tiny_folder, tiny_model
from tests.lsp.client import connected
from tests.lsp.fakes import FakeEngine


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG", "STATE", "CACHE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    workspaces._name.cache_clear()


COSTS = {"pass_s": 1e-3, "token_s": 1e-4, "pair_s": 1e-8, "move_s": 1e-7}
PRICES = {"widths": [1, 2, 4], "seconds": [0.1, 0.1, 0.2]}
WRONG: tuple[bytes, ...] = (
    b"", b"{", b"\xff\xfe\x00", b"[]", b"3", b'"x"', b"[" * 100_000,
    *(json.dumps(COSTS | change).encode() for change in ({"pass_s": "x"}, {"token_s": float("nan")}, {"pair_s": -1.0},
      {"move_s": float("inf")}, {"pass_s": None}, {"pass_s": [1.0]}, {"more": 1.0})),
    *(json.dumps(PRICES | change).encode() for change in ({"widths": []}, {"widths": [1, 2]}, {"seconds": "abc"},
      {"seconds": [0.0, 0.0, 0.0]}, {"seconds": [0.1, float("nan"), 0.2]}, {"widths": [4, 2, 1]}, {"widths": 3})),
)  # fmt: skip
KINDS: dict[str, tuple[str, type, Callable[[], object]]] = {
    "costs": ("", policy.Costs, lambda: policy.Costs(*COSTS.values())),
    "pass_costs": ("passes", pass_cost.PassCosts, lambda: pass_cost.PassCosts((1, 2, 4), (0.1, 0.1, 0.2))),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("content", WRONG)
def test_a_wrong_price_cache_is_measured_again(content: bytes, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is named once, replaced, and what is kept then is read."""
    what, cls, make = KINDS[kind]
    model, made = tiny_model("guiderail"), []
    policy.remembered(model, what, cls, lambda _: make())
    (file,) = (platformdirs.user_cache_path("guiderail") / "costs").iterdir()
    file.write_bytes(content)

    def measure(_: object) -> object:
        made.append(1)
        return make()

    with caplog.at_level(logging.WARNING, logger="guiderail"):
        for _ in range(2):
            assert policy.remembered(model, what, cls, measure) == make()
    assert made == [1]
    assert len([record for record in caplog.records if file.name in record.getMessage()]) == 1


def test_a_price_cache_that_is_no_file_is_passed_over() -> None:
    """A folder or FIFO in its place costs a measurement, and no more."""
    model = tiny_model("guiderail")
    policy.remembered(model, "", policy.Costs, lambda _: KINDS["costs"][2]())
    (file,) = (platformdirs.user_cache_path("guiderail") / "costs").iterdir()
    file.unlink()
    file.mkdir()
    assert policy.remembered(model, "", policy.Costs, lambda _: KINDS["costs"][2]()) == KINDS["costs"][2]()


def test_a_wrong_calibration_counts_as_none(caplog: pytest.LogCaptureFixture) -> None:
    """What holds no threshold is named; the model counts as not calibrated."""
    info = tiny_model("guiderail").info
    name = fingerprint(info)
    calibration.write(info, {"threshold": 0.5})
    assert (calibration.read(info) or {})["threshold"] == 0.5
    file = calibration._file(name)
    for content in (
        b"{",
        b"\xff",
        b"[]",
        json.dumps({name: {"threshold": "x"}}).encode(),
        b'{"%s": {"threshold": NaN}}',
    ):
        file.write_bytes(content.replace(b"%s", name.encode()))
        caplog.clear()
        assert calibration.read(info) is None
        assert file.name in caplog.text


def test_wrong_pins_count_as_none() -> None:
    """The commits of pulled models are forgotten where their list is damaged, and what is no commit is left out."""
    file = store._pin_file()
    file.parent.mkdir(parents=True)
    for content in (b"{", b"\xff\xfe", b"[1]", b"[" * 100_000):
        file.write_bytes(content)
        assert store.pins() == {}
    file.write_bytes(b'{"a/b": "c", "d/e": 3, "f/g": null}')
    assert store.pins() == {"a/b": "c"}


class TestTrust:
    def write(self, content: bytes) -> None:
        workspaces.file().parent.mkdir(parents=True, exist_ok=True)
        workspaces.file().write_bytes(content)

    @pytest.mark.parametrize("content", [b"\xff\xfe\x00x\n", b"relative\n", b"\0\n", b"~/x\n", b"/a\0b\n"])
    def test_a_line_that_is_no_folder_is_named_once_and_left_out(
        self, tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The other lines count."""
        self.write(content + os.fsencode(f"{tmp_path}\n"))
        for _ in range(3):
            assert workspaces.is_trusted(tmp_path / "inside")
            assert not workspaces.is_trusted(Path("/elsewhere"))
        assert len([record for record in caplog.records if "trusted-workspaces" in record.getMessage()]) == 1

    def test_a_folder_of_any_name_can_be_trusted(self, tmp_path: Path) -> None:
        """A name in another encoding is kept as the bytes that it is; a separator of text is no end of a line."""
        for name in ("x\u2028y", os.fsdecode(b"caf\xe9")):
            folder = tmp_path / name
            folder.mkdir()
            workspaces.trust(folder)
            assert workspaces.is_trusted(folder)
            assert workspaces.distrust(folder)
            assert workspaces.trusted() == []

    def test_a_name_with_a_line_break_trusts_nothing_else(self, tmp_path: Path) -> None:
        """Trusting a repository in such a folder must not trust what stands after the break."""
        folder = tmp_path / "x\n" / "y"
        folder.mkdir(parents=True)
        with pytest.raises(GuiderailError, match="line break"):
            workspaces.trust(folder)
        assert not workspaces.is_trusted(Path("/y"))

    def test_a_list_that_cannot_be_read_trusts_nobody(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """A folder or a FIFO in its place is named once, and is no error for each analyser."""
        workspaces.file().mkdir(parents=True)
        for _ in range(3):
            assert not workspaces.is_trusted(tmp_path)
        assert caplog.text.count("not a regular file") == 1


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A model with one NaN."""
    folder = tmp_path / "broken"
    shutil.copytree(tiny_folder("guiderail"), folder)
    file = folder / "model.safetensors"
    weights = load_file(file)
    name = next(name for name in weights if "mlp" in name)
    weights[name].view(-1)[3] = torch.nan
    save_file(weights, file, {"format": "pt"})
    return folder


def test_weights_that_are_no_numbers_are_refused_at_load(broken: Path) -> None:
    """One line that names the tensor, with a remedy."""
    with pytest.raises(MissingWeightsError, match=r"mlp\S* are not all numbers") as caught:
        load(str(broken), device="cpu")
    assert caught.value.remedy
    assert load(str(tiny_folder("guiderail")), device="cpu")


@pytest.mark.asyncio
async def test_the_server_stays_and_says_so(broken: Path) -> None:
    """Its status names the fault; a request has no suggestion and no error."""
    engine = FakeEngine()
    for name in ("load", "complete", "prepare", "warm"):  # the engine's own
        setattr(engine, name, getattr(Engine, name).__get__(engine))
    async with connected(engine, options={"model": str(broken), "device": "cpu"}) as client:
        end = time.monotonic() + 60
        while (status := await client.ask("guiderail/status"))["state"] == "loading":
            assert time.monotonic() < end
            await asyncio.sleep(0.05)
        assert status["state"] == "error"
        assert "not all numbers" in json.dumps(status)
        uri = client.open("x = ")
        for _ in range(3):
            assert await client.ghost(uri, 0, 4) == []
        assert (await client.ask("guiderail/status"))["state"] == "error"
        assert [params for method, params in client.heard if method == "window/showMessage"] == []
