"""Small projects on disk for the tests of the prompt room."""

import math
from collections.abc import Mapping
from pathlib import Path

from guiderail.prompt.context import gather
from guiderail.prompt.index import ProjectIndex
from guiderail.prompt.snippet import Reason, Snippet
from guiderail.text.document import Document
from guiderail.text.language import language_of

CURSOR = "‸"
ALL: Mapping[Reason, float] = {"definition": 0.0, "similar": 0.1}  # however little they promise


def write(root: Path, files: Mapping[str, str]) -> Path:
    """Write the files under the root; the root."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def words(text: str) -> int:
    """A count of tokens that needs no tokenizer."""
    return len(text.split())


def context_of(
    root: Path,
    name: str,
    text: str,
    *,
    budget: int = 2000,
    index: ProjectIndex | None = None,
    least: Mapping[Reason, float] = ALL,
) -> list[Snippet]:
    """What `gather` gives for a file with a cursor mark, without a limit in time."""
    offset = text.index(CURSOR)
    document = Document(text.replace(CURSOR, ""), root / name, language_of(name))
    return gather(document, offset, root, budget=budget, count=words, index=index, seconds=math.inf, least=least)


def definitions(root: Path, name: str, text: str) -> dict[str, str]:
    """Text of the definition snippets by path, where there are no others."""
    found = context_of(root, name, text, least={**ALL, "similar": math.inf})
    return {snippet.path: snippet.text for snippet in found}
