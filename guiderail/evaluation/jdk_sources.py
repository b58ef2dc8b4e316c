"""Java sources that are on this machine anyway: those of a JDK, which comes with them as `lib/src.zip`.

Nothing of them is shipped or kept; where no JDK has its sources there is no Java in the evaluation.
"""

from __future__ import annotations

import os
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path

from guiderail import programs
from guiderail.evaluation.packages import SourceFile

PACKAGES = ("java/util/", "java/io/", "java/nio/", "java/net/", "java/text/", "java/time/")
SMALLEST, LARGEST = 8_000, 100_000  # characters
KEYWORDS = frozenset(
    (
        "abstract", "assert", "boolean", "break", "byte", "case", "catch", "char", "class", "const", "continue",
        "default", "double", "else", "enum", "extends", "final", "finally", "float", "for", "goto", "if", "implements",
        "import", "instanceof", "int", "interface", "long", "native", "new", "null", "package", "private", "protected",
        "public", "return", "short", "static", "super", "switch", "synchronized", "this", "throw", "throws",
        "transient", "true", "false", "try", "var", "void", "volatile", "while", "String", "Object", "Integer",
        "Override",
    )
)  # fmt: skip


def sources() -> Path | None:
    """The first archive of a JDK's sources: JAVA_HOME's, that of the `java` on the path, or any installed one's."""
    homes = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    java = programs.find("java")
    homes += [Path(java).resolve().parent.parent] if java else []
    homes += sorted(Path("/usr/lib/jvm").glob("*"))
    return next((home / "lib" / "src.zip" for home in homes if (home / "lib" / "src.zip").is_file()), None)


def read(archive: Path, count: int, seed: int) -> list[SourceFile]:
    """Up to `count` files of the JDK's base library, in random order, without their licence."""
    with zipfile.ZipFile(archive) as opened:
        names = sorted(n for n in opened.namelist() if _is_wanted(n))
        random.Random(f"{seed}:java").shuffle(names)
        return list(_read(opened, names, count))


def _is_wanted(name: str) -> bool:
    path = name.removeprefix("java.base/")
    return path.startswith(PACKAGES) and path.endswith(".java") and not path.endswith(("package-info.java",))


def _read(opened: zipfile.ZipFile, names: list[str], count: int) -> Iterator[SourceFile]:
    for name in names:
        text = opened.read(name).decode(errors="replace").replace("\r\n", "\n")
        start = text.find("\npackage ") + 1
        if SMALLEST <= len(text) - start <= LARGEST:
            yield SourceFile("jdk", name, text[start:])
            count -= 1
        if not count:
            return
