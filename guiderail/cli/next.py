"""``guiderail next``: what follows from a change in the rest of the project."""

from __future__ import annotations

import difflib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from guiderail.cli.git import Revision
from guiderail.cli.options import resolved, setting_flags
from guiderail.cli.terminal import visible
from guiderail.errors import GuiderailError, UsageError
from guiderail.text.document import Document

if TYPE_CHECKING:
    from guiderail.next_edit.proposal import Proposal
    from guiderail.next_edit.summary import Consequences

HEAD = "HEAD"
UTF8_MARK = b"\xef\xbb\xbf"


@click.command(name="next")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--since", metavar="REVISION", help=f"The git revision that is compared with.  [default: {HEAD}]")
@click.option(
    "--before", metavar="OLD", type=click.Path(path_type=Path), help="A file with the text before the change."
)
@click.option("--apply", is_flag=True, help="Make the edits, in place of only listing them.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@setting_flags("analyser", "python", "trust")
def next_edits(
    file: Path | None,
    since: str | None,
    before: Path | None,
    apply: bool,
    as_json: bool,
    **flags: Any,
) -> None:
    """List what follows from a change of FILE, or of all files since a revision: uses of what was renamed, calls of
    what takes other parameters. An analyser finds them, and each is checked to bring no errors.

    \b
    guiderail next shop.py
    guiderail next --since v1.2 --apply
    guiderail next shop.py --before shop.old.py --json
    """
    from guiderail.monitors.analysis.pool import ServerPool
    from guiderail.next_edit.finder import InterruptedSearchError
    from guiderail.next_edit.source_tree import read
    from guiderail.next_edit.summary import consequences
    from guiderail.prompt.project import find_root
    from guiderail.text.syntax import has_grammar

    settings = resolved(flags, file).settings
    start = (file or Path.cwd()).absolute()
    root = find_root(start) or (start.parent if file else start)
    if before is not None and (file is None or since is not None):
        raise UsageError("--before is the earlier text of one FILE", "Name FILE, and leave --since out")
    changes = [_given(file, before)] if file and before else list(_since(root, since or HEAD, file))
    for _, after in changes:
        if read(after) is None and has_grammar(after.language):
            click.echo(visible(f"{after.path} has errors of syntax: nothing is said of its changes"), err=True)
    pool = ServerPool(settings.analyser, trust=settings.trust, python=settings.python)
    try:
        found = consequences(pool, root, changes)
    except InterruptedSearchError as error:
        raise GuiderailError(f"the analyser gives no answer ({error})", "Try guiderail analysers check") from error
    finally:
        pool.stop()
    if apply:
        _apply(found)
    _show(found, root, as_json=as_json, is_applied=apply)


def _given(file: Path, before: Path) -> tuple[Document, Document]:
    """The earlier and the present text of a file."""
    from guiderail.text.source import read_source

    after = read_source(file.absolute())
    return replace(after, text=read_source(before, after.language).text), after


def _since(root: Path, revision: str, file: Path | None) -> Iterator[tuple[Document, Document]]:
    """The earlier and the present texts of the files that changed since a revision."""
    import io

    from guiderail.text.source import read_source, read_stream

    then = Revision(root, revision)
    if file is None:
        yield from _all_since(then)
        return
    after = read_source(file.absolute())
    data = then.text(file.absolute())
    if data is None:
        raise UsageError(f"{file.absolute()} is not in {revision}", "Give its earlier text with --before")
    yield read_stream(io.BytesIO(data), after.language, after.path), after


def _all_since(then: Revision) -> Iterator[tuple[Document, Document]]:
    """Both texts of each changed file that can be read as source text."""
    import io

    from guiderail.text.source import read_stream

    for path, now in then.changed():
        try:
            after = read_stream(io.BytesIO(now), None, path)
            yield read_stream(io.BytesIO(then.text(path) or b""), after.language, path), after
        except UsageError:
            continue  # an image, or a text that was binary or too large


def _by_file(edits: Sequence[Proposal]) -> dict[Path, tuple[Document, Document]]:
    """Each file's text without and with its edits."""
    from guiderail.next_edit.finder import applied

    files: dict[Path, list[Proposal]] = {}
    for one in edits:
        assert one.document.path is not None, "proposals are for files"
        files.setdefault(one.document.path, []).append(one)
    own = {path: found[0].document for path, found in files.items()}
    return {path: (own[path], applied(own[path], [one.edit for one in found])) for path, found in files.items()}


def _apply(found: Consequences) -> None:
    """Write the edits; nothing is written unless all files still hold what was read, in UTF-8."""
    texts = {}
    for path, (before, after) in _by_file(found.edits).items():
        data = path.read_bytes()
        mark = UTF8_MARK if data.startswith(UTF8_MARK) else b""
        if data != mark + before.text.encode("utf-8", "surrogatepass"):
            raise GuiderailError(f"{path} has changed meanwhile, or is not in UTF-8", "Run it again, or edit by hand")
        texts[path] = mark + after.text.encode("utf-8", "surrogatepass")
    for path, data in texts.items():
        path.write_bytes(data)


def _show(found: Consequences, root: Path, *, as_json: bool, is_applied: bool) -> None:
    """Print the edits, as JSON or as a patch; what is left to do goes to standard error."""
    from guiderail.cli import output

    if as_json:
        rows = {kind: [_row(one) for one in getattr(found, kind)] for kind in ("edits", "open", "dropped")}
        output.write(json.dumps(rows, indent=2))
        return
    files = _by_file(found.edits)
    for path, (before, after) in files.items():
        name = path.relative_to(root) if path.is_relative_to(root) else path
        old, new = (document.text.splitlines(keepends=True) for document in (before, after))
        patch = "".join(difflib.unified_diff(old, new, _quoted(f"a/{name}"), _quoted(f"b/{name}")))
        output.write(visible(patch) if sys.stdout.isatty() else patch)
    made = "made" if is_applied else "proposed"
    click.echo(f"{_count(len(found.edits), 'edit')} in {_count(len(files), 'file')} {made}", err=True)
    for one in found.open:
        names = ", ".join(parameter.name for parameter in one.missing)
        click.echo(visible(f"{one.document.path}:{one.line + 1}: needs a value for {names}"), err=True)
    for one in found.dropped:
        click.echo(visible(f"{one.document.path}:{one.line + 1}: not proposed, {one.reason} brings errors"), err=True)


def _quoted(name: str) -> str:
    """A name as git writes it in a patch: one with a line end could hold another patch."""
    if name.isprintable() and not set(name) & set('"\\'):
        return name
    octal = (chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\' else f"\\{byte:03o}" for byte in os.fsencode(name))
    return f'"{"".join(octal)}"'


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
        "missing": [parameter.name for parameter in one.missing],
    }
