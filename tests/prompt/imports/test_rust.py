"""Rust use declarations lead to the items after them."""

from pathlib import Path

import pytest

from tests.prompt.projects import definitions, write

FILES = {
    "Cargo.toml": "[package]\n",
    "src/lib.rs": "pub mod shapes;\npub mod util;\npub fn top(a: i32) -> i32 { a }\n",
    "src/shapes/mod.rs": "pub mod circle;\npub trait Shape { fn area(&self) -> f64; }\n",
    "src/shapes/circle.rs": """/// Round.
#[derive(Debug)]
pub struct Circle { pub radius: f64 }
impl Circle {
    pub fn new(radius: f64) -> Self { Self { radius } }
    fn hidden(&self) {}
}
impl Shape for Circle { fn area(&self) -> f64 { 1.0 } }
pub fn unit() -> Circle { Circle::new(1.0) }
""",
    "src/util.rs": "pub use crate::shapes::circle::Circle as Round;\npub fn clamp(x: f64) -> f64 { x }\n",
    "crates/other-one/src/lib.rs": "pub fn far() {}\n",
}
CIRCLE = """// Round.
pub struct Circle { pub radius: f64 }
impl Circle {
    pub fn new(radius: f64) -> Self;
}
impl Shape for Circle {
    fn area(&self) -> f64;
}
"""
TRAIT = "pub trait Shape {\n    fn area(&self) -> f64;\n}\n"
CLAMP = "pub fn clamp(x: f64) -> f64\n"
FILE = "src/shapes/circle.rs"


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("src/main.rs", "use crate::shapes::circle::Circle;\nCircle::‸", {FILE: CIRCLE}),
        ("src/main.rs", "use crate::shapes::circle::Circle as C;\nC::‸", {FILE: CIRCLE}),
        ("src/main.rs", "use crate::shapes::{Shape, circle::{self}};\nShape‸", {"src/shapes/mod.rs": TRAIT}),
        ("src/main.rs", "use crate::shapes::circle;\ncircle::unit(‸", {FILE: "pub fn unit() -> Circle\n"}),
        ("src/main.rs", "use crate::shapes::circle::*;\nunit(‸", {FILE: "pub fn unit() -> Circle\n"}),
        ("src/main.rs", "use crate::util::Round;\nRound::‸", {FILE: CIRCLE}),
        ("src/main.rs", "use crate::top;\ntop(‸", {"src/lib.rs": "pub fn top(a: i32) -> i32\n"}),
        ("src/main.rs", "use other_one::far;\nfar(‸", {"crates/other-one/src/lib.rs": "pub fn far()\n"}),
        ("src/main.rs", "mod util;\nutil::clamp(‸", {"src/util.rs": CLAMP}),
        ("src/shapes/square.rs", "use super::circle::Circle;\nCircle‸", {FILE: CIRCLE}),
        ("src/shapes/x.rs", "use super::super::util::clamp;\nclamp(‸", {"src/util.rs": CLAMP}),
        ("src/shapes/mod.rs", "use self::circle::Circle;\nCircle‸", {FILE: CIRCLE}),
        ("src/main.rs", "use std::fmt;\nuse serde::Serialize;\nfmt::‸", {}),
    ],
)  # fmt: skip
def test_rust(tmp_path: Path, path: str, text: str, expected: dict[str, str]) -> None:
    write(tmp_path, FILES)
    found = definitions(tmp_path, path, text)
    assert set(found) >= set(expected)
    assert expected or not found
    for file, declared in expected.items():
        assert declared in found[file]


def test_an_endlessly_nested_use_tree_ends(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    assert definitions(tmp_path, "src/main.rs", "use crate::{" + "a::{" * 3000 + "b" + "}" * 3001 + ";‸") == {}
