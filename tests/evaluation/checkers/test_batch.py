"""New errors: found by a real type checker, wherever they stand."""

from __future__ import annotations

from guiderail.evaluation.checkers.batch import errors_of_variants
from guiderail.evaluation.packages import SourceFile

HELPER = SourceFile("p", "pkg/b.py", "class B:\n    def f(self) -> int:\n        return 1\n")
TRUTH = "import missing\nfrom pkg.b import B\n\n\ndef g(b: B) -> int:\n    return b.f()\n"


def test_only_what_the_author_has_not_counts() -> None:
    """Other files of the package are known; what was wrong before, or only moved, is not new."""
    texts = {
        TRUTH: 0,
        TRUTH.replace("\n\n\n", "\n\n\n\n\n"): 0,
        TRUTH.replace("b.f()", "b.h()"): 1,
        TRUTH.replace("b.f()", "b.f"): 1,
        TRUTH.replace("import missing\n", ""): 0,
    }
    found = errors_of_variants([SourceFile("p", "pkg/a.py", TRUTH), HELPER], {"pkg/a.py": list(texts)})
    assert {text: len(found["pkg/a.py", text]) for text in texts} == texts
    broken = TRUTH.replace("b.f()", "b.f(")
    assert errors_of_variants([SourceFile("p", "pkg/a.py", TRUTH), HELPER], {"pkg/a.py": [broken]})["pkg/a.py", broken]
