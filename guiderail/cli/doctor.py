"""``guiderail doctor``: runs what a completion needs, step by step, and says what to do about each step that fails."""

import hashlib
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from guiderail.cli.options import resolved, setting_flags
from guiderail.cli.output import wants_colour
from guiderail.errors import GuiderailError
from guiderail.settings import Resolved

if TYPE_CHECKING:
    from guiderail.model.model import Model

CHECKSUMS = "SHA256SUMS"
SAMPLE = "def größe(x):\n\treturn x.name  # 🙂\r\n"

# Programs that guiderail can ask about code, by language; informational as long as nothing needs them.
ANALYSERS = {
    "Python": ("ty", "pyrefly", "basedpyright-langserver", "pyright-langserver", "jedi-language-server", "pylsp"),
    "TypeScript": ("typescript-language-server", "tsc"),
    "C and C++": ("clangd",),
    "Go": ("gopls",),
    "Rust": ("rust-analyzer",),
    "Java": ("jdtls", "javac"),
}


@dataclass(frozen=True)
class Check:
    """The outcome of one step."""

    name: str
    status: Literal["ok", "note", "failed"]
    detail: str
    remedy: str = ""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@setting_flags("model", "device", "dtype", "threads")
def doctor(as_json: bool, **flags: Any) -> None:
    """Check that everything works on this machine.

    The exit code is 1 when a check fails; each failure comes with its remedy.
    """
    checks: list[Check] = []
    colour = wants_colour(sys.stdout)
    for check in examine(flags):
        checks.append(check)
        if not as_json:
            click.echo(_line(check), color=colour)
            sys.stdout.flush()
    failed = sum(check.status == "failed" for check in checks)
    if as_json:
        click.echo(json.dumps({"ok": not failed, "checks": [asdict(check) for check in checks]}, indent=2))
    else:
        click.echo(f"\n{failed} of {len(checks)} checks failed" if failed else "\neverything works")
    if failed:
        raise click.exceptions.Exit(1)


def examine(flags: dict[str, Any]) -> Iterator[Check]:
    """Run the checks one after the other; what depends on a failed step is left out."""
    yield _python()
    settings: list[Resolved] = []
    yield _guarded("settings", lambda: _settings(flags, settings))
    yield _guarded("torch", _torch)
    yield _guarded("memory", _memory)
    if settings:
        yield from _model_checks(settings[0])
    yield _analysers()


def _model_checks(now: Resolved) -> Iterator[Check]:
    folders: list[Path] = []
    models: list[Model] = []
    yield _guarded("model files", lambda: _files(now, folders))
    if not folders:
        return
    yield _guarded("model", lambda: _load(now, models))
    if not models:
        return
    yield _guarded("tokenizer", lambda: _tokenizer(models[0]))
    yield _guarded("forward pass", lambda: _forward(models[0]))


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    """Turn whatever goes wrong into a failed check: a doctor must not faint."""
    try:
        return check()
    except GuiderailError as error:
        return Check(name, "failed", error.message, error.remedy)
    except Exception as error:
        remedy = "Install guiderail again; if it stays, report it with the output of guiderail doctor --json"
        return Check(name, "failed", f"{type(error).__name__}: {error}", remedy)


def _python() -> Check:
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}, {sys.executable}"
    return Check("python", "ok", detail)


def _settings(flags: dict[str, Any], found: list[Resolved]) -> Check:
    now = resolved(flags)
    found.append(now)
    changed = sorted({str(source) for source in now.sources.values() if source.kind != "default"})
    return Check("settings", "ok", f"set by {', '.join(changed)}" if changed else "all defaults")


def _torch() -> Check:
    import torch

    from guiderail.model.memory import readable

    parts = [torch.__version__, f"{torch.get_num_threads()} threads", _processor(torch)]
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        parts.append(f"CUDA {torch.version.cuda}: {properties.name}, {readable(properties.total_memory)}")
        parts.append("bf16" if torch.cuda.is_bf16_supported() else "no bf16")
    elif shutil.which("nvidia-smi"):
        remedy = 'Install a CUDA build of torch (https://pytorch.org/get-started) or set device = "cpu"'
        return Check("torch", "note", f"{', '.join(parts)}; there is an NVIDIA driver, but torch cannot use it", remedy)
    return Check("torch", "ok", ", ".join(parts))


def _processor(torch: Any) -> str:
    """The CPU's vector width, and whether it computes bfloat16 itself (without, float32 is many times faster)."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return torch.backends.cpu.get_cpu_capability()
    units = [name for name in ("avx512_bf16", "amx_bf16", " bf16") if name in flags]
    return f"CPU {torch.backends.cpu.get_cpu_capability()}, {'bf16 units' if units else 'no bf16 units'}"


def _memory() -> Check:
    from guiderail.model.memory import available, readable

    free = available("cpu")
    if free is None:
        return Check("memory", "note", "this system does not say how much is free")
    return Check("memory", "ok", f"{readable(free)} free")


def _files(now: Resolved, found: list[Path]) -> Check:
    from guiderail.model.load import resolve
    from guiderail.model.memory import readable

    reference = now.settings.model
    folder = resolve(reference)
    found.append(folder)
    files = [path for path in folder.rglob("*") if path.is_file()]
    detail = f"{reference}: {len(files)} files, {readable(sum(path.stat().st_size for path in files))}"
    sums = folder / CHECKSUMS
    if not sums.exists():
        return Check("model files", "note", f"{detail}, in {folder}; it has no {CHECKSUMS}, so none was compared")
    wrong = list(broken_files(folder, sums.read_text(encoding="utf-8")))
    if wrong:
        remedy = (
            "Install guiderail again"
            if reference == "embedded"
            else f"Fetch it again: guiderail models pull {reference}"
        )
        return Check("model files", "failed", f"damaged or missing: {', '.join(wrong)} in {folder}", remedy)
    return Check("model files", "ok", f"{detail}, checksums right")


def broken_files(folder: Path, sums: str) -> Iterator[str]:
    """Names of the files that are missing or differ from ``sha256sum``'s lines."""
    for line in sums.splitlines():
        digest, _, name = line.partition("  ")
        file = folder / name
        if not file.is_file():
            yield name
            continue
        with file.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != digest:
                yield name


def _load(now: Resolved, found: "list[Model]") -> Check:
    from guiderail.model.load import load

    settings = now.settings
    began = time.perf_counter()
    model = load(settings.model, device=settings.device, dtype=settings.dtype, threads=settings.threads)
    seconds = time.perf_counter() - began
    found.append(model)
    info = model.info
    fim = (
        f"{info.fim.name} fill-in-the-middle"
        if info.fim
        else "no fill-in-the-middle: it sees only the text before the cursor"
    )
    detail = (
        f"{info.architecture}, {info.parameters / 1e6:.1f} M parameters, {fim}, {model.device}, "
        f"{str(model.dtype).removeprefix('torch.')}, loaded in {seconds:.2f} s"
    )
    return Check("model", "ok", detail)


def _tokenizer(model: "Model") -> Check:
    tokenizer = model.tokenizer
    ids = tokenizer.encode(SAMPLE)
    if tokenizer.decode(ids) != SAMPLE:
        return Check(
            "tokenizer",
            "failed",
            f"a text of {len(SAMPLE)} characters does not come back the same from its tokens",
            "Fetch the model again, or choose another one",
        )
    return Check("tokenizer", "ok", f"{tokenizer.vocab_size} tokens, a text comes back the same")


def _forward(model: "Model") -> Check:
    from guiderail.decoding.session import Session

    session = Session(model)
    ids = model.tokenizer.encode(SAMPLE)
    began = time.perf_counter()
    session.feed(ids)
    middle = time.perf_counter()
    logits = session.feed(ids[-1:])
    after = time.perf_counter()
    if logits is None or not bool(logits.isfinite().all()):
        remedy = 'Use dtype = "float32"; if that does not help, fetch the model again'
        return Check("forward pass", "failed", "the model's scores are not numbers", remedy)
    detail = f"{len(ids)} tokens in {(middle - began) * 1000:.0f} ms, one more in {(after - middle) * 1000:.0f} ms"
    return Check("forward pass", "ok", detail)


def _analysers() -> Check:
    search = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    found = {
        language: [name for name in names if shutil.which(name, path=search)] for language, names in ANALYSERS.items()
    }
    parts = [f"{language}: {', '.join(names)}" for language, names in found.items() if names]
    return Check("analysers", "note", "; ".join(parts) or "none found")


def _line(check: Check) -> str:
    colours = {"ok": "green", "note": "cyan", "failed": "red"}
    status = click.style(f"{check.status:<6}", fg=colours[check.status], bold=True)
    remedy = f"\n{'':<22}{check.remedy}" if check.remedy else ""
    return f"{status}  {check.name:<12}  {check.detail}{remedy}"
