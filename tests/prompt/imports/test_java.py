"""Java imports lead to the classes after them."""

from pathlib import Path

import pytest

from tests.prompt.projects import definitions, write

FILES = {
    "src/main/java/com/acme/model/Item.java": """package com.acme.model;
/** Something for sale. */
public class Item extends Thing {
    public static final int MAX = 3;
    private int hidden;
    public Item(String name) { this.hidden = 1; }
    @Override public String title() { return ""; }
}
""",
    "src/main/java/com/acme/model/Kind.java": "package com.acme.model;\npublic enum Kind { BIG, SMALL }\n",
    "src/main/java/com/acme/app/Peer.java": "package com.acme.app;\nclass Peer { int age() { return 1; } }\n",
}
ITEM = """// Something for sale.
public class Item extends Thing {
    public static final int MAX = 3;
    public Item(String name);
    @Override public String title();
}
"""
ITEM_FILE, _, PEER_FILE = FILES
PEER = "class Peer {\n    int age();\n}\n"


@pytest.mark.parametrize(
    ("imports", "use", "expected"),
    [
        ("import com.acme.model.Item;", "Item", {ITEM_FILE: ITEM}),
        ("import static com.acme.model.Item.MAX;", "MAX", {ITEM_FILE: ITEM}),
        ("import static com.acme.model.Item.*;", "Item", {ITEM_FILE: ITEM}),
        ("import com.acme.model.*;", "Item", {ITEM_FILE: ITEM}),
        ("import java.util.List;", "List", {}),
        ("", "Peer", {PEER_FILE: PEER}),
    ],
)
@pytest.mark.parametrize("place", ["main", "test"])
def test_java(tmp_path: Path, imports: str, use: str, expected: dict[str, str], place: str) -> None:
    write(tmp_path, FILES)
    text = f"package com.acme.app;\n{imports}\nclass Main {{ void f() {{ {use}‸ }} }}\n"
    found = definitions(tmp_path, f"src/{place}/java/com/acme/app/Main.java", text)
    assert {path: found[path] for path in expected} == expected
    assert (ITEM_FILE in found) == (ITEM_FILE in expected)
