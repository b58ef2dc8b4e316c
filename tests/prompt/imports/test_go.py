"""Go imports lead to the packages of the module."""

from pathlib import Path

from tests.prompt.projects import definitions, write

FILES = {
    "go.mod": "// a module\nmodule example.com/shop\n\ngo 1.22\n",
    "store/item.go": """package store

// Item is for sale.
type Item struct {
	Name string
}

func (i *Item) Price(quantity int) (float64, error) { return 0, nil }
""",
    "store/new.go": "package store\n\nfunc New(name string) *Item { return nil }\n",
    "store/item_test.go": "package store\n\nfunc Helper() {}\n",
    "cmd/peer.go": "package main\n\nfunc peer(n int) {}\n",
}
ITEM = """// Item is for sale.
type Item struct {
	Name string
}
func (i *Item) Price(quantity int) (float64, error)
"""
NEW = "func New(name string) *Item\n"


def test_a_package_of_the_module_under_its_name_or_an_alias(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    for spec, local in (('"example.com/shop/store"', "store"), ('s "example.com/shop/store"', "s")):
        text = f'package main\nimport (\n\t{spec}\n\t"fmt"\n)\nfunc f(x *{local}.Item) {{ {local}.New(‸'
        assert definitions(tmp_path, "cmd/main.go", text) == {"store/item.go": ITEM, "store/new.go": NEW}


def test_a_dot_import_gives_the_used_names(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    text = 'package main\nimport . "example.com/shop/store"\nfunc f() { New(‸'
    assert definitions(tmp_path, "cmd/main.go", text) == {"store/new.go": NEW}


def test_the_other_files_of_the_package_need_no_import(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    text = "package main\nfunc f() { peer(‸"
    assert definitions(tmp_path, "cmd/main.go", text) == {"cmd/peer.go": "func peer(n int)\n"}


def test_packages_of_other_modules_lead_nowhere(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    text = 'package x\nimport "example.com/shopping/store"\nfunc f() { store.New(‸'
    assert definitions(tmp_path, "x/main.go", text) == {}


def test_the_modules_own_folder_is_a_package_like_any_other(tmp_path: Path) -> None:
    write(tmp_path, FILES | {"shop.go": "package shop\n\nfunc Open(n int) {}\n"})
    expected = {"shop.go": "func Open(n int)\n"}
    text = 'package main\nimport "example.com/shop"\nfunc f() { shop.Open(‸'
    assert definitions(tmp_path, "cmd/main.go", text) == expected
    assert definitions(tmp_path, "more.go", "package shop\nfunc f() { Open(‸") == expected
