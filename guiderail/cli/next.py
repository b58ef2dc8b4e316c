"""``guiderail next``: what follows from a change in the rest of the project."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from guiderail.cli.git import Revision
from guiderail.cli.options import resolved, setting_flags
from guiderail.cli.terminal import visible
from guiderail.errors import GuiderailError, UsageError
from guiderail.text.document import Document
from guiderail.text.edit import Edit

if TYPE_CHECKING:
    from guiderail.next_edit.proposal import Consequences, Proposal
    from guiderail.next_edit.values import Write
    from guiderail.settings import Settings

HEAD = "HEAD"
UTF8_MARK = b"\xef\xbb\xbf"


@click.command(name="next")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--since", metavar="REVISION", help=f"The git revision that is compared with.  [default: {HEAD}]")
@click.option(
    "--before", metavar="OLD", type=click.Path(path_type=Path), help="A file with the text before the change."
)
@click.option(
    "--line", type=click.IntRange(1), metavar="L", help="Only what follows from the change of what FILE declares in it."
)
@click.option("--apply", is_flag=True, help="Make the edits, in place of only listing them.")
@click.option("--values", is_flag=True, help="Let the model write the values that new parameters need.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@setting_flags("analyser", "python", "trust", "model", "confidence")
def next_edits(
    file: Path | None,
    since: str | None,
    before: Path | None,
    line: int | None,
    apply: bool,
    values: bool,
    as_json: bool,
    **flags: Any,
) -> None:
    """List what follows from a change of FILE, or of all files since a revision: the uses of what was renamed, and
    the calls of functions whose parameters changed. An analyser finds them, and each is checked to bring no errors.

    \b
    guiderail next shop.py
    guiderail next shop.py --line 12
    guiderail next --since v1.2 --apply
    guiderail next shop.py --before shop.old.py --json
    """
    from guiderail.monitors.analysis.pool import ServerPool
    from guiderail.next_edit.finder import InterruptedSearchError
    from guiderail.next_edit.summary import consequences
    from guiderail.prompt.project import find_root

    if before is not None and (file is None or since is not None):
        raise UsageError("--before is the earlier text of one FILE", "Name FILE, and leave --since out")
    if line is not None and file is None:
        raise UsageError("--line is a line of one FILE", "Name FILE")
    if file is not None and file.is_dir():
        raise UsageError(f"{file} is a folder", "Name a file, or leave FILE out: then all changed files are looked at")
    file = file and Path(os.path.realpath(file.parent)) / file.name
    settings = resolved(flags, file).settings
    start = file or Path(os.path.realpath(Path.cwd()))
    root = find_root(start) or (start.parent if file else start)
    then = Revision(root, since or HEAD) if before is None else _head(root)
    changes = [_given(file, before)] if file and before else list(_since(then, file)) if then else []
    _check_line(line, changes)
    earlier = partial(_then, then) if then is not None else None
    pool = ServerPool(settings.analyser, trust=settings.trust, python=settings.python)
    engine = _writer(settings, root) if values else nullcontext()
    try:
        with engine as write:
            found = consequences(pool, root, _whole(changes), earlier, None if line is None else line - 1, write)
    except InterruptedSearchError as error:
        raise GuiderailError(f"the analyser gives no answer ({error})", "Try guiderail analysers check") from error
    finally:
        pool.stop()
    if apply:
        found = _apply(found, root)
    _show(found, root, as_json=as_json, is_applied=apply)


@contextmanager
def _writer(settings: Settings, root: Path) -> Iterator[Write]:
    """What the model writes at an offset of a text, monitors on."""
    from guiderail.cli.loading import load_engine
    from guiderail.engine.request import CompletionRequest
    from guiderail.next_edit.values import request_at, texts

    engine = load_engine(settings)

    def write(document: Document, hole: int) -> list[str]:
        asked = request_at(
            CompletionRequest(document=document, offset=hole, root=root, settings=settings), document, hole
        )
        return texts(engine.complete(asked).suggestions, document, hole)

    try:
        yield write
    finally:
        engine.unload()


def _whole(changes: Iterable[tuple[Document, Document]]) -> Iterator[tuple[Document, Document]]:
    """The changes of texts without errors of syntax; the others are named."""
    from guiderail.next_edit.source_tree import read
    from guiderail.text.syntax import has_grammar

    for before, after in changes:
        broken = [one for one in (before, after) if has_grammar(one.language) and read(one) is None]
        if broken:
            text = "the earlier text of " if broken[0] is before else ""
            click.echo(
                visible(f"{text}{after.path} has errors of syntax, or is too long: its changes are not looked at"),
                err=True,
            )
        else:
            yield before, after


def _check_line(line: int | None, changes: Sequence[tuple[Document, Document]]) -> None:
    for _, after in changes:
        if line is not None and line > after.line_count:
            raise UsageError(f"{after.path} has no line {line}", f"Name one from 1 to {after.line_count}")


def _head(root: Path) -> Revision | None:
    """The last commit, if there is one."""
    try:
        return Revision(root, HEAD)
    except UsageError:
        return None


def _then(then: Revision, path: Path) -> Document | None:
    """What a file held at a revision, if it can be read."""
    from guiderail.text.source import read_stream

    try:
        data = then.text(path)
        return read_stream(io.BytesIO(data), None, path) if data is not None else None
    except UsageError:  # it was too large, or no text
        return None


def _given(file: Path, before: Path) -> tuple[Document, Document]:
    """The earlier and the present text of a file."""
    from guiderail.text.source import read_source

    after = read_source(file.absolute())
    return replace(after, text=read_source(before, after.language).text), after


def _since(then: Revision, file: Path | None) -> Iterator[tuple[Document, Document]]:
    """The earlier and the present texts of the files that changed since a revision."""
    from guiderail.text.source import SourceError, read_source, read_stream

    if file is not None:
        after, before = read_source(file), _then(then, file)
        if before is None:
            raise UsageError(f"{file} is not in the revision", "Give its earlier text with --before")
        yield before, after
        return
    for path, now in then.changed():
        before = _then(then, path)
        try:
            after = read_stream(io.BytesIO(now), None, path)
        except SourceError as error:
            click.echo(visible(f"left out: {error.message}"), err=True)
            continue
        if before is not None:
            yield before, after


def _by_file(edits: Sequence[Proposal]) -> dict[Path, list[Proposal]]:
    files: dict[Path, list[Proposal]] = {}
    for one in edits:
        files.setdefault(one.path, []).append(one)
    return files


def _certain(found: Consequences) -> Consequences:
    """Those without like places: that they are meant too is for a person to say, one by one."""
    certain = tuple(one for one in found.edits if one.kind != "like")
    if count := len(found.edits) - len(certain):
        click.echo(f"{count} like places are left as they are: guiderail next without --apply lists them", err=True)
    return replace(found, edits=certain)


def _apply(found: Consequences, root: Path) -> Consequences:
    """Write the certain edits, and return them; nothing is written unless all files hold what was read, in UTF-8."""
    from guiderail import projectfile
    from guiderail.next_edit.proposal import applied
    from guiderail.text.source import SIZE_LIMIT

    found, texts = _certain(found), {}
    for path, own in _by_file(found.edits).items():
        before = own[0].document
        data = projectfile.read_bytes(path, root, limit=SIZE_LIMIT) or b""
        mark = UTF8_MARK if data.startswith(UTF8_MARK) else b""
        if data != mark + before.text.encode("utf-8", "surrogatepass"):
            raise GuiderailError(f"{path} has changed meanwhile, or is not in UTF-8", "Run it again, or edit by hand")
        texts[path] = data, mark + applied(before, [one.edit for one in own]).text.encode("utf-8", "surrogatepass")
    for path, (data, new) in texts.items():
        projectfile.overwrite(path, root, data, new)
    return found


def _mark(path: Path) -> str:
    """The byte order mark that a file begins with, if it does."""
    with path.open("rb") as stream:
        return "\ufeff" if stream.read(len(UTF8_MARK)) == UTF8_MARK else ""


def _show(found: Consequences, root: Path, *, as_json: bool, is_applied: bool) -> None:
    """Print the edits, as JSON or as a patch; what is left to do goes to standard error."""
    from guiderail.cli import output

    if as_json:
        left = [{"file": str(one.path), "line": one.line + 1, "why": one.why} for one in found.left]
        output.write(json.dumps({"edits": [_row(one) for one in found.edits], "left": left}, indent=2))
        return
    files = _by_file(found.edits)
    for path, own in files.items():
        patch = _patch(path, own, root)
        output.write(visible(patch) if sys.stdout.isatty() else patch)
    made = "made" if is_applied else "proposed"
    click.echo(f"{_count(len(found.edits), 'edit')} in {_count(len(files), 'file')} {made}", err=True)
    for one in found.left:
        click.echo(visible(f"{one.path}:{one.line + 1}: left alone: {one.why}"), err=True)


def _patch(path: Path, own: Sequence[Proposal], root: Path) -> str:
    from guiderail.cli.patch import patch_of

    name = path.relative_to(root) if path.is_relative_to(root) else path
    document, mark = own[0].document, _mark(path)
    edits = [Edit(one.edit.start + len(mark), one.edit.end + len(mark), one.edit.text) for one in own]
    return patch_of(replace(document, text=mark + document.text), edits, name.as_posix())


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _row(one: Proposal) -> dict[str, Any]:
    start, end = (one.document.position_at(offset) for offset in (one.edit.start, one.edit.end))
    return {
        "file": str(one.document.path),
        "range": {"start": {"line": start[0] + 1, "column": start[1]}, "end": {"line": end[0] + 1, "column": end[1]}},
        "text": one.edit.text,
        "kind": one.kind,
        "reason": one.reason,
    }
