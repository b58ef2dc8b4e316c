"""Laws of choosing among imported declarations."""

import math
from pathlib import Path

from guiderail.prompt.definitions import Declared, by_file, declared_by_imports
from guiderail.prompt.index import ProjectIndex, deadline
from guiderail.text.document import Document
from tests.prompt.projects import CURSOR, write

MODULE = "".join(f"def {name}(): ...\n" for name in ("near", "far", "unused", "middle"))


def scores(root: Path, text: str, seconds: float = math.inf) -> dict[str, float]:
    offset = text.index(CURSOR)
    document = Document(text.replace(CURSOR, ""), root / "main.py", "python")
    found = declared_by_imports(document, offset, "main.py", ProjectIndex(root), deadline(seconds))
    assert found == sorted(found, key=lambda each: (-each.score, each.path, each.order))
    return {each.text.split("(")[0].removeprefix("def "): each.score for each in found}


def test_names_used_nearer_to_the_cursor_score_higher(tmp_path: Path) -> None:
    write(tmp_path, {"lib.py": MODULE})
    text = "from lib import near, far, unused, middle\n" + "far()\n" + "\n" * 50 + "middle()\n\n\nnear(‸\n"
    found = scores(tmp_path, text)
    assert list(found) == ["near", "middle", "far", "unused"]
    assert found["near"] == 1.0
    assert 0.05 < found["far"] < found["middle"] < 1.0


def test_a_use_before_the_cursor_counts_more_than_one_as_far_behind(tmp_path: Path) -> None:
    write(tmp_path, {"lib.py": MODULE})
    found = scores(tmp_path, "from lib import near, far\n" + "near()\n\n‸\n\nfar()\n")
    assert found["near"] > found["far"]


def test_a_half_typed_word_is_a_use_of_what_it_begins(tmp_path: Path) -> None:
    write(tmp_path, {"lib.py": MODULE})
    assert scores(tmp_path, "from lib import near, far\nx = mid + ne‸")["near"] == 1.0
    assert scores(tmp_path, "from lib import near, far\nx = ‸")["near"] < 1.0


def test_import_lines_are_no_uses(tmp_path: Path) -> None:
    write(tmp_path, {"lib.py": MODULE})
    assert scores(tmp_path, "from lib import near\n‸") == {"near": 0.05}


def test_circular_re_exports_end(tmp_path: Path) -> None:
    write(
        tmp_path, {"a.py": "from b import thing\nfrom b import *\n", "b.py": "from a import thing\nfrom a import *\n"}
    )
    assert scores(tmp_path, "from a import thing\nthing(‸") == {}


def test_a_file_that_imports_itself_is_not_shown(tmp_path: Path) -> None:
    write(tmp_path, {"main.py": "def mine(): ...\n"})
    assert scores(tmp_path, "from main import mine\nimport main\nmine(‸") == {}


def test_no_time_means_no_search(tmp_path: Path) -> None:
    write(tmp_path, {"lib.py": MODULE})
    assert scores(tmp_path, "from lib import near\nnear(‸", seconds=0.0) == {}


def test_groups_are_in_source_order() -> None:
    declared = [Declared("a", 2, "", 0.9), Declared("b", 0, "", 0.8), Declared("a", 1, "", 0.1)]
    groups = by_file(declared)
    assert {path: [each.order for each in group] for path, group in groups.items()} == {"a": [1, 2], "b": [0]}
