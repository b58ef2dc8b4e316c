"""Java sources of a JDK."""

import zipfile
from pathlib import Path

import pytest

from guiderail.evaluation import jdk_sources
from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.revisions import TASKS, draw

CLASS = """/* Licence */
package jdk_sources.util;

class Thing {
%s}
"""
METHOD = """    /** Says what it does. */
    int count%d(int limit) {
        int total = limit + %d; // so many
        // nothing to do
        while (total > limit) {
            total = total - limit;
        }
        return total;
    }

"""
TEXT = CLASS % "".join(METHOD % (n, n) for n in range(60))


def archive(folder: Path) -> Path:
    file = folder / "lib" / "src.zip"
    file.parent.mkdir()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("java.base/java/util/Thing.java", TEXT)
        made.writestr("java.base/java/util/package-info.java", TEXT)
        made.writestr("java.desktop/java/awt/Thing.java", TEXT)
    return file


def test_the_base_library_is_read_without_licence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The archive of JAVA_HOME goes first; only classes of the base library are read, from their package line on."""
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    file = archive(tmp_path)
    assert jdk_sources.sources() == file
    (read,) = jdk_sources.read(file, 10, seed=0)
    assert read.path == "java.base/java/util/Thing.java"
    assert read.text.startswith("package jdk_sources.util;")


@pytest.mark.parametrize("task", ["insertion", "rename", "edition"])
def test_java_files_are_edited(task: str) -> None:
    """A revision of a Java file says that it is one."""
    file = SourceFile("jdk", "java.base/java/util/Thing.java", TEXT)
    (revision,) = draw([file], task, 1, 2000, 0, len)
    assert revision.language == "java"
    assert revision.after + revision.truth in TEXT
    assert task in TASKS
