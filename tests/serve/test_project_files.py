"""The laws of finding the file that a request is about."""

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from guiderail.serve import project_files
from guiderail.serve.faults import RequestFault
from guiderail.serve.project_files import Hole, ProjectFiles
from guiderail.serve.query import Query

SHAPES = "".join(
    f"class Shape{number}:\n    edge_{number}: float\n    depth_{number}: float\n\n\n" for number in range(9)
)


def write(root: Path, name: str, text: str = SHAPES) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")
    old = time.time() - 60  # what was written just now is read twice
    os.utime(path, (old, old))
    return path


def asked(text: str = SHAPES, line: int = 12, typed: str = "", lines: int = 8) -> Query:
    """What a plug-in asks at the end of a line, with some lines around it."""
    found = text.split("\n")
    before = "\n".join(found[max(0, line - lines) : line + 1])
    return Query(before=before + typed, after="\n".join(["", *found[line + 1 : line + 1 + lines]]) + "\n")


def found(root: Path, query: Query) -> Hole:
    return ProjectFiles([root]).hole(query)


def test_the_file_is_found_and_the_rest_of_it_added(root: Path) -> None:
    """The document is the whole file with what was typed in it, and the cursor is where it was typed."""
    write(root, "lib/shapes.py")
    write(root, "lib/other.py", "import os\n" * 20)
    hole = found(root, asked(typed="  # x"))
    lines = SHAPES.split("\n")
    lines[12] += "  # x"
    assert hole.document.text == "\n".join(lines)
    assert hole.document.text[: hole.offset].endswith("  # x")
    assert (hole.file, hole.document.language, hole.root) == ("lib/shapes.py", "python", root)


@pytest.mark.parametrize("names", [("a.py", "b.py"), ("a.py", "deep/down/a.py"), ("a.py", "a.ts", "b.js")])
def test_equal_files_are_not_told_apart(root: Path, names: tuple[str, ...]) -> None:
    """Where several files hold the text, none is taken, and the text alone is completed."""
    for name in names:
        write(root, name)
    query = asked()
    hole = found(root, query)
    assert (hole.file, hole.root, hole.document.text) == (None, None, query.before + query.after)


def test_of_similar_files_the_nearest_is_taken(root: Path) -> None:
    """A copy with one other line in the window is another file, whichever of the two is edited."""
    other = SHAPES.replace("edge_3", "edge_4")
    write(root, "a.py")
    write(root, "b.py", other)
    assert found(root, asked()).file == "a.py"
    assert found(root, asked(other)).file == "b.py"


def test_files_that_differ_outside_the_window_alone_are_not_told_apart(root: Path) -> None:
    """The window says nothing of what is outside."""
    write(root, "a.py")
    write(root, "b.py", SHAPES.replace("edge_8", "side_8"))
    assert found(root, asked(line=7, lines=6)).file is None


def test_what_the_editor_held_last_is_remembered(root: Path) -> None:
    """A class that was typed since the file was saved is part of the next request's file, also outside its window."""
    write(root, "a.py")
    files = ProjectFiles([root])
    typed = SHAPES.replace("class Shape2:", "class New:\n    pass\n\n\nclass Shape2:")
    files.hole(asked(typed, 12))
    hole = files.hole(asked(typed, 35))
    assert hole.document.text == typed
    assert hole.file == "a.py"


def test_a_file_that_was_written_since_counts_again(root: Path) -> None:
    """What an editor held before another tool wrote the file is forgotten."""
    path = write(root, "a.py")
    files = ProjectFiles([root])
    files.hole(asked(SHAPES.replace("depth_8", "height_8"), 12, lines=40))
    changed = SHAPES.replace("depth_8", "width_8")
    path.write_text(changed, encoding="utf-8")
    later = time.time() + 5
    os.utime(path, (later, later))
    assert files.hole(asked(line=12)).document.text == changed


def test_a_line_that_is_new_does_not_bring_a_similar_file_nearer(root: Path) -> None:
    """Once a file is found, its text in the editor is compared, not that on the disk alone."""
    write(root, "a.py")
    write(root, "b.py", SHAPES.replace("edge_3", "edge_4"))
    files, text = ProjectFiles([root]), SHAPES
    for number in range(12):
        text = text.replace("    depth_3: float\n", f"    depth_3: float\n    more_{number}: int\n")
        assert files.hole(asked(text, 18, lines=16)).file == "a.py"


@pytest.mark.parametrize("client_breaks", ["\n", "\r\n"])
def test_line_ends_do_not_matter(root: Path, client_breaks: str) -> None:
    """A file with carriage returns is found by a text without, and the document has the client's line ends."""
    write(root, "a.py", SHAPES.replace("\n", "\r\n"))
    query = asked()
    query = replace(
        query, before=query.before.replace("\n", client_breaks), after=query.after.replace("\n", client_breaks)
    )
    hole = found(root, query)
    assert hole.file == "a.py"
    assert hole.document.text == SHAPES.replace("\n", client_breaks)


@pytest.mark.parametrize("name", [".env.py", "build/a.py", "node_modules/x/a.js", "skipped/a.py", ".git/a.py"])
def test_hidden_files_are_never_read(root: Path, name: str) -> None:
    """What git ignores and what belongs to tools is not found, and nothing is completed in it by name."""
    (root / ".gitignore").write_text("skipped/\n.env*\n", encoding="utf-8")
    write(root, name)
    files = ProjectFiles([root])
    assert files.hole(asked()).file is None
    hole = files.hole(replace(asked(), file=name, is_file_sure=True))
    assert hole.refusal
    assert hole.document.text == ""
    assert files.reads == 0


def test_a_link_to_the_outside_is_not_followed(root: Path, tmp_path: Path) -> None:
    """Neither when files are looked for, nor when one is named."""
    outside = write(tmp_path, "outside/a.py")
    (root / "link.py").symlink_to(outside)
    assert found(root, asked()).file is None
    with pytest.raises(RequestFault, match="none of the folders"):
        found(root, replace(asked(), file="link.py", is_file_sure=True))


@pytest.mark.parametrize("name", ["../outside.py", "/etc/passwd", "a/../../x.py", "\0", "x\0.py"])
def test_a_named_file_must_be_in_a_root(root: Path, name: str) -> None:
    """Else the request is refused; a name that is only a hint is passed over."""
    with pytest.raises(RequestFault) as caught:
        found(root, replace(asked(), file=name, is_file_sure=True))
    assert caught.value.status == 400
    assert found(root, replace(asked(), file=name)).file is None


def test_a_named_file_need_not_be_on_the_disk(root: Path) -> None:
    """A file that was never saved has a name, and so a language and imports."""
    query = Query(before="import os\nos.", file="new/module.py", is_file_sure=True)
    hole = found(root, query)
    assert (hole.file, hole.document.language, hole.document.text) == ("new/module.py", "python", "import os\nos.")


def test_the_name_tells_equal_files_apart(root: Path) -> None:
    """By relative or whole path, as hint or for sure."""
    write(root, "a.py")
    write(root, "b.py")
    for name in ("b.py", str(root / "b.py")):
        for is_sure in (False, True):
            hole = found(root, replace(asked(typed="x"), file=name, is_file_sure=is_sure))
            assert hole.file == "b.py"
            assert len(hole.document.text) == len(SHAPES) + 1


def two_roots(root: Path) -> list[Path]:
    """Two projects, neither in the other."""
    roots = [root / "app", root / "lib"]
    for each in roots:
        each.mkdir()
    return roots


@pytest.mark.parametrize("is_sure", [False, True])
def test_a_named_file_is_in_the_root_that_has_it(root: Path, is_sure: bool) -> None:
    """Not in the first; in that one if none has it yet."""
    app, lib = two_roots(root)
    write(lib, "only_lib.py")
    files = ProjectFiles([app, lib])
    hole = files.hole(replace(asked(), file="only_lib.py", is_file_sure=is_sure))
    assert (hole.root, hole.document.path) == (lib, lib / "only_lib.py")
    if is_sure:
        assert files.hole(replace(asked(), file="new.py", is_file_sure=True)).document.path == app / "new.py"


@pytest.mark.parametrize("is_outer_first", [False, True])
@pytest.mark.parametrize("name", ["", "a.py", "lib/a.py", "lib/new.py"])
def test_of_nested_roots_the_innermost_counts(root: Path, is_outer_first: bool, name: str) -> None:
    """Its settings are those of the file, whether it is named or found."""
    lib = root / "lib"
    write(lib, "a.py")
    files = ProjectFiles([root, lib] if is_outer_first else [lib, root])
    hole = files.hole(replace(asked(), file=name and str(lib / Path(name).name), is_file_sure=bool(name)))
    assert (hole.root, hole.file) == (lib, Path(name or "a.py").name)
    if (lib / Path(name).name).is_file():
        assert files.hole(replace(asked(), file=name, is_file_sure=True)).root == lib


@pytest.mark.parametrize("name", [".", "", "lib", "lib/", "new/", "lib/a.py/x", "a.py/x/y", "./lib/.."])
def test_a_folder_is_no_file(root: Path, name: str) -> None:
    """Nor is anything in a file."""
    write(root, "a.py")
    write(root, "lib/a.py", "import os\n")
    files = ProjectFiles([root])
    if name:
        with pytest.raises(RequestFault, match="a folder"):
            files.hole(replace(asked(), file=name, is_file_sure=True))
    assert files.hole(replace(asked(), file=name)).file == "a.py"


def test_a_file_may_say_that_it_wants_none(root: Path) -> None:
    """Its first lines count, though the window is far below them."""
    write(root, "a.py", "# guiderail: off\n" + SHAPES)
    assert "guiderail: off" in found(root, asked(line=30)).refusal
    assert "guiderail: off" in found(root, Query(before="# guiderail: off\nx = ")).refusal


def test_a_second_search_reads_nothing(root: Path) -> None:
    """The cost of a key stroke is a look at the folders, not at the files."""
    for number in range(50):
        write(root, f"{number % 5}/{number}.py", f"import os\nx = {number}\n")
    write(root, "a.py")
    files = ProjectFiles([root])
    files.hole(asked())
    reads = files.reads
    assert reads == 51
    assert files.hole(asked(typed="x")).file == "a.py"
    assert files.reads == reads


def test_a_search_that_takes_too_long_finds_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether another file would fit as well is not known then."""
    write(root, "a.py")
    monkeypatch.setattr(project_files, "SEARCH_S", 0.0)
    assert found(root, asked()).file is None


def test_few_texts_are_remembered(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was asked about longest ago is given up, and said to be closed."""
    monkeypatch.setattr(project_files, "OPEN", 2)
    closed: list[Path] = []
    files = ProjectFiles([root], lambda path, _: closed.append(path))
    for name in ("a.py", "b.py", "a.py", "c.py", "d.py"):
        files.hole(Query(before="x", file=name, is_file_sure=True))
    assert closed == [root / "b.py", root / "a.py"]


def test_the_innermost_text_is_in_no_file_without_roots() -> None:
    """A server without a project completes texts."""
    hole = ProjectFiles([]).hole(Query(before="#!/usr/bin/env python\nx", language=""))
    assert (hole.file, hole.document.language) == (None, "python")
    assert ProjectFiles([]).hole(Query(before="x", language="ts")).document.language == "typescript"
