"""The places are found by real analysers, in the languages that the documentation names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from guiderail.monitors.analysis.analyser import ServerAnalyser
from guiderail.monitors.analysis.server import Server
from guiderail.monitors.analysis.unsaved import UnsavedDocuments
from guiderail.next_edit.files import Files
from guiderail.next_edit.finder import Finder
from guiderail.next_edit.proposal import applied
from guiderail.text.document import Document
from tests.monitors.analysis.conftest import installed, private_home

__all__ = ["installed", "private_home"]  # fixtures

pytestmark = pytest.mark.e2e

PYTHON = (
    "def price(net, tax): ...\n\n\nclass Cart:\n    def add(self, item, count=1): ...\n",
    "def cost(tax, net): ...\n\n\nclass Basket:\n    def put(self, item, count=1): ...\n",
    'from shop import Cart, price\n\ncart = Cart()\ncart.add("é", 2)\nprice(1, 2)\nprice(tax=2, net=1)\n',
    'from shop import Basket, cost\n\ncart = Basket()\ncart.put("é", 2)\ncost(2, 1)\ncost(tax=2, net=1)\n',
)
TYPESCRIPT = (
    "export function price(net: number, tax: number) { return net * tax; }\n"
    "export class Cart {\n  add(item: string, count = 1) { return [item, count]; }\n}\n",
    "export function cost(tax: number, net: number) { return net * tax; }\n"
    "export class Basket {\n  put(item: string, count = 1) { return [item, count]; }\n}\n",
    'import { Cart, price } from "./shop";\nconst cart = new Cart();\ncart.add("é", 2);\n'
    "console.log(price(1, 2), { price });\n",
    'import { Basket, cost } from "./shop";\nconst cart = new Basket();\ncart.put("é", 2);\n'
    "console.log(cost(2, 1), { price: cost });\n",
)


@pytest.mark.parametrize(
    ("server", "language", "ending", "texts"),
    [
        ("ty", "python", "py", PYTHON),
        ("basedpyright", "python", "py", PYTHON),
        ("tsc", "typescript", "ts", TYPESCRIPT),
        ("typescript-language-server", "typescript", "ts", TYPESCRIPT),
    ],
)
def test_a_function_a_class_and_a_method_are_followed(
    installed: Callable[[str], Server],
    tmp_path: Path,
    server: str,
    language: str,
    ending: str,
    texts: tuple[str, str, str, str],
) -> None:
    """Renamed all at once, one of them with its parameters swapped: the other file follows as a whole."""
    before, after, used, wanted = texts
    shop, app = (tmp_path / f"{name}.{ending}" for name in ("shop", "app"))
    shop.write_text(after, encoding="utf-8")
    app.write_text(used, encoding="utf-8")
    (tmp_path / "tsconfig.json").write_text('{"compilerOptions": {"strict": true, "module": "esnext"}}')
    unsaved = UnsavedDocuments()
    analyser = ServerAnalyser(installed(server), tmp_path, unsaved=unsaved)
    try:
        earlier, later = (Document(text, shop, language) for text in (before, after))
        found = Finder(analyser, Files(tmp_path, {})).find(earlier, later)
    finally:
        analyser.stop()
    edits = [one.edit for one in found.edits if one.path == app]
    assert (applied(Document(used), edits).text, found.left) == (wanted, ())
