"""``guiderail doctor``: runs what a completion needs, step by step, and says what to do about each step that fails."""

import json
import math
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from guiderail import programs
from guiderail.cli.options import resolved, setting_flags
from guiderail.cli.output import wants_colour
from guiderail.cli.terminal import visible
from guiderail.errors import GuiderailError
from guiderail.model.checksums import SUMS, compare, digests
from guiderail.model.store import EMBEDDED, is_hub_id
from guiderail.resolution import Resolved
from guiderail.settings import Settings, names_server

if TYPE_CHECKING:
    from guiderail.model.model import Model

SAMPLE = "def größe(x):\n\treturn x.name  # 🙂\r\n"

NAME_PYTHON = "Name an interpreter or an environment that exists, or leave python empty: then it is found"
MEASURE = "Measure it, in some seconds: guiderail models recommend"

QUICK_BYTES = 512 * 2**20  # compared with their digests without --full: about a second


@dataclass(frozen=True)
class Check:
    """The outcome of one step."""

    name: str
    status: Literal["ok", "note", "failed"]
    detail: str
    remedy: str = ""


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--full", is_flag=True, help="Compare all of the model's files with their checksums, however large.")
@setting_flags("model", "api_key_env", "device", "dtype", "threads", "monitors", "analyser", "python", "trust")
def doctor(file: Path | None, as_json: bool, full: bool, **flags: Any) -> None:
    """Check that everything works on this machine, and say what is found of the project of FILE (or of this folder).

    The exit code is 1 when a check fails; each failure comes with its remedy.
    """
    checks: list[Check] = []
    colour = wants_colour(sys.stdout)
    for check in examine(flags, full, file):
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


def examine(flags: dict[str, Any], full: bool = False, file: Path | None = None) -> Iterator[Check]:
    """Run the checks one after the other; what depends on a failed step is left out.

    Parameters
    ----------
    flags
        Settings given on the command line.
    full
        Whether to read all of a large model's files.
    file
        The file or folder whose project is looked at; the current folder by default.
    """
    yield _python()
    settings: list[Resolved] = []
    yield _guarded("settings", lambda: _settings(flags, settings))
    yield _guarded("torch", _torch)
    yield _guarded("memory", _memory)
    if settings:
        yield from _model_checks(settings[0], full)
        yield _guarded("models", lambda: _models(settings[0].settings))
        yield _guarded("imports", lambda: _imports(settings[0].settings, file))
        yield _guarded("analysers", lambda: _analysers(settings[0]))


def _model_checks(now: Resolved, full: bool) -> Iterator[Check]:
    if names_server(now.settings.model):
        yield _guarded("model server", lambda: _server(now.settings))
        return
    folders: list[Path] = []
    models: list[Model] = []
    yield _guarded("model files", lambda: _files(now, folders, full))
    if not folders:
        return
    yield _guarded("model", lambda: _load(now, models))
    if not models:
        return
    yield _guarded("tokenizer", lambda: _tokenizer(models[0]))
    yield _guarded("forward pass", lambda: _forward(models[0]))
    yield _guarded("live cache", lambda: _cache(models[0]))


def _server(settings: Settings) -> Check:
    """Whether the model server answers, what it can do, and where the code goes that it is sent."""
    from guiderail.remote.model import RemoteModel

    model = RemoteModel.load(settings.model, settings.api_key_env)
    address, info = model.server.connection.address, model.info
    fim = f"{info.fim.name} fill-in-the-middle" if info.fim else "no fill-in-the-middle"
    detail = f"{model.device}, {info.family}, {fim}, {info.context_length} tokens; {model.leaves}"
    if address.is_readable:
        return Check("model server", "note", detail, "Others on the way can read your code: use https")
    return Check("model server", "ok", detail)


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    """Turn any exception into a failed check."""
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
    detail = f"set by {', '.join(changed)}" if changed else "all defaults"
    if now.problems:
        return Check("settings", "note", f"{detail}; left out: {'; '.join(now.problems)}")
    return Check("settings", "ok", detail)


def _torch() -> Check:
    import torch

    from guiderail.model.memory import readable

    parts = [torch.__version__, f"{torch.get_num_threads()} threads", _processor(torch)]
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        parts.append(f"CUDA {torch.version.cuda}: {properties.name}, {readable(properties.total_memory)}")
        parts.append("bf16" if torch.cuda.is_bf16_supported() else "no bf16")
    elif programs.find("nvidia-smi"):
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


def _files(now: Resolved, found: list[Path], full: bool) -> Check:
    from guiderail.model.gguf.file import shard_paths
    from guiderail.model.load import resolve
    from guiderail.model.memory import readable

    reference = now.settings.model
    place = resolve(reference)
    found.append(place)
    folder, files = (place, None) if place.is_dir() else (place.parent, shard_paths(place))
    size = sum(path.stat().st_size for path in files or folder.rglob("*") if path.is_file())
    detail = f"{reference}: {readable(size)} in {place}"
    wanted = digests(folder)
    if files:
        wanted = {path.name: wanted[path.name] for path in files if path.name in wanted}
    if not wanted:
        return _undocumented(reference, detail)
    came = compare(folder, wanted, math.inf if full else QUICK_BYTES)
    if came.broken:
        return Check(
            "model files", "failed", f"{detail}; damaged or missing: {', '.join(came.broken)}", _again(reference)
        )
    if came.unread:
        left = f"{detail}; {len(came.same)} files are right, not compared: {', '.join(came.unread)}"
        return Check("model files", "note", left, "Compare all: guiderail doctor --full")
    return Check("model files", "ok", f"{detail}, checksums right")


def _undocumented(reference: str, detail: str) -> Check:
    """There are no checksums: a fault in the shipped model, and only a note for another folder."""
    if reference == EMBEDDED:
        return Check("model files", "failed", f"{detail}; its {SUMS} is missing", "Install guiderail again")
    return Check("model files", "note", f"{detail}; neither a {SUMS} nor the hub's cache says what they must be")


def _again(reference: str) -> str:
    """How to fetch the files again; a pull alone fetches nothing that exists."""
    if reference == EMBEDDED:
        return "Install guiderail again"
    hub_id = reference.partition("@")[0]
    if is_hub_id(hub_id) and not Path(reference).expanduser().exists():
        return f"Fetch it again: guiderail models rm {hub_id}, then guiderail models pull {reference}"
    return "Copy these files again from where they came from"


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
        f"{model.precision}, loaded in {seconds:.2f} s"
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


def _cache(model: "Model") -> Check:
    from guiderail.cache.rotation import Refusal, length_limit, rotation_of

    rotation = rotation_of(model)
    if isinstance(rotation, Refusal):
        return Check("live cache", "note", f"what follows an edit is encoded again: {rotation.reason}")
    limit = length_limit(model)
    bound = f", up to {limit[1]} tokens ({limit[0]} positions)" if limit else ""
    return Check("live cache", "ok", f"follows edits{bound}; moving a key leaves an error of {rotation.error:.0e}")


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


def _analysers(now: Resolved) -> Check:
    """Which of the language servers that guiderail can ask are installed; it works without any."""
    from guiderail.monitors.analysis.servers import candidates, known, may_start, server_named
    from guiderail.monitors.analysis.workspaces import is_trusted
    from guiderail.prompt.project import find_root

    settings = now.settings
    trusted = is_trusted(Path.cwd(), settings.trust)
    untrusted = None if trusted else find_root(Path.cwd()) or Path.cwd()
    installed = [server for server in known() if server.find(untrusted)]
    languages = dict.fromkeys(language for server in (known()[0], *installed) for language in server.languages)
    parts, remedy = [], ""
    for language in languages:
        names = [server.name for server in installed if language in server.languages]
        able = candidates(language, settings.analyser, untrusted) if settings.monitors else ()
        asked = next((server for server in able if may_start(server, trusted)), None)
        who = f"{asked.name} is asked" if asked else "nobody is asked"
        parts.append(f"{language}: {', '.join(names) or 'none'} installed, {who}")
    if not settings.monitors:
        parts.append("monitors are off")
    elif settings.analyser != "auto" and server_named(settings.analyser).find(untrusted) is None:
        remedy = f"Install {settings.analyser}: {server_named(settings.analyser).obtain}"
    elif not installed:
        remedy = f"For names that are sure to exist: {known()[0].obtain}"
    return Check("analysers", "note", "; ".join(parts), remedy)


def _imports(settings: Settings, file: Path | None) -> Check:
    """Where the modules of a Python file come from, and a warning where nobody can tell."""
    from guiderail.monitors.python.description import surroundings
    from guiderail.monitors.python.interpreter import named
    from guiderail.prompt.project import find_root

    place = (file or Path()).absolute()
    folder = place if place.is_dir() else place.parent
    if settings.python and not list(named(settings.python)):
        return Check("imports", "failed", f"{settings.python}, the setting python, does not exist", NAME_PYTHON)
    found = surroundings(find_root(folder) or folder, folder, settings.python, settings.trust)
    detail = f"{found}; {found.doubt}: no module is forbidden" if found.doubt else str(found)
    return Check("imports", "note" if found.doubt else "ok", detail, found.remedy)


def _models(settings: Settings) -> Check:
    """Which published model suits this machine, if it was measured before: that takes longer than a check may."""
    from guiderail.cli.recommend import advice
    from guiderail.engine.recommendation import recommend
    from guiderail.model.machine import remembered

    machine = remembered(settings.device, settings.threads)
    if machine is None:
        return Check("models", "note", "not measured yet which model suits this machine", MEASURE)
    return Check("models", "note", advice(recommend(machine)))


def _line(check: Check) -> str:
    colours = {"ok": "green", "note": "cyan", "failed": "red"}
    status = click.style(f"{check.status:<6}", fg=colours[check.status], bold=True)
    remedy = f"\n{'':<22}{check.remedy}" if check.remedy else ""
    return f"{status}  {check.name:<12}  {visible(check.detail + remedy)}"
