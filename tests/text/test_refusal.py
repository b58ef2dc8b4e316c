"""Where a text stops being the beginning of any right program, in every language with a grammar."""

from collections.abc import Iterator

import pytest
from tree_sitter import LogType, Node

from guiderail.text import refusal
from guiderail.text.languages.table import GRAMMARS
from guiderail.text.refusal import Beginnings
from guiderail.text.syntax import parse

RIGHT = {
    "python": """\
@cached
async def f(a: int, *b, c=1) -> list[str]:
    # één
    try:
        return [x async for x in b if x]
    except E as e:
        raise F(f'{a!r}: {e}') from None
    else:
        a, *b = {**c}, lambda: 0
""",
    "go": """\
package a

import (
	"fmt"
)

type T[K comparable] struct{ m map[K]int }

func (t *T[K]) F(k K) (
	n int, err error,
) {
	if v, ok := t.m[k]; ok && v != 0 {
		return v, nil
	}
	switch x := any(k).(type) {
	case int:
		go func() { fmt.Println(x, 'é') }()
	}
	for i := range t.m {
		defer f(i...)
	}
	return 0, nil
}
""",
    "java": """\
package a;

import java.util.*;

@A(b = 1)
public class B<T extends C> extends D implements E {
    private final Map<String, int[]> m = new HashMap<>();

    @Override
    public int f(T... t) throws X {
        for (var a : t) {
            if (a instanceof String s && !s.isEmpty()) return g(x -> x + 1, B::new);
        }
        try (var r = open()) { r.run(); } catch (X | Y e) { throw e; } finally { }
        return switch (k) { case 1, 2 -> 3; default -> { yield 4; } };
    }
}
""",
    "javascript": """\
import a, { b as c } from 'd';
export class E extends F {
  #g = 1;
  static async *h({ i = 1, ...j }, [k]) {
    for await (const l of j) yield* l?.m ?? `n ${o}`;
    return (p) => ({ [q]: p ** 2 });
  }
}
""",
    "typescript": """\
import type { A } from 'a';
export interface B<T extends A = C> extends D {
  readonly e?: T[];
}
export const f = async <T,>(g: Record<string, T>): Promise<T | undefined> => {
  const { h, ...i } = g as any;
  return h?.j! satisfies K;
};
enum L { M = 1 << 2 }
""",
    "typescriptreact": """\
const A = ({ b }: Props) => (
  <ul className="c" {...d}>
    {b.map((e) => <Item key={e.f}>{e.g} h</Item>)}
  </ul>
);
""",
    "c": """\
#include <stdio.h>

struct a { int b[3]; };

static int f(const struct a *p, int (*g)(int)) {
    for (int i = 0; i < 3; i++) {
        if (p->b[i] & ~1) { continue; } else g(sizeof(int) * 2);
    }
    return p ? (int)1 : -1;
}
""",
    "cpp": """\
namespace a {
template <typename T>
class B : public C<T> {
 public:
  explicit B(T &&t) : t_(std::move(t)) {}
  auto f() const -> T { return [this](auto x) { return x + t_; }(1); }
 private:
  T t_{};
};
}
""",
    "rust": """\
use a::{b, c as d};

#[derive(Debug)]
pub struct E<'a, T: F> { g: &'a T }

impl<'a, T: F> E<'a, T> {
    pub fn h(&self, i: Option<u8>) -> Result<u8, J> {
        let Some(k) = i else { return Err(J) };
        match k { 0..=9 if k > 1 => Ok(k), _ => self.l()?.m(|n| n + 1) }
    }
}
""",
}
WRONG = [
    ("go", "package a\nfunc f() {\n\tx := f(a", " b"),
    ("go", "package a\nfunc f() error {\n\treturn", " }}"),
    ("go", "package a\nfunc f() {\n\tif err", " = = nil {"),
    ("java", "class A { int f() { int x = a", " b;"),
    ("java", "class A { int f() { return f(a,", " );"),
    ("typescript", "export const f = (a: number) => {\n  return a", " b"),
    ("typescript", "const x = { a: 1", " b: 2 }"),
    ("javascript", "const x", " y"),
    ("c", "int f(void) { int x =", " ;"),
    ("cpp", "class A { public:\n  int x", " y;"),
    ("rust", "fn f() { let x = a", " b"),
    ("python", "def f():\n    return f(a", " b)"),
    ("python", "x = été", " é"),
]


def token_ends(root: Node) -> Iterator[int]:
    """Where the tokens of a tree end that are in no string."""
    if "string" in root.type or "char" in root.type or "text" in root.type:
        return
    if not root.child_count and root.end_byte > root.start_byte:
        yield root.end_byte
    for child in root.children:
        yield from token_ends(child)


@pytest.mark.parametrize("language", RIGHT)
def test_no_beginning_of_a_right_text_is_refused(language: str) -> None:
    """Cut after any token, whether it is read anew or after another beginning."""
    source = RIGHT[language].encode()
    root = parse(source, language)
    assert not root.has_error
    kept, ends = Beginnings(language), list(token_ends(root))
    assert len(ends) > 20
    for end in [*ends, *reversed(ends)]:
        assert kept.refused(source[:end], end) is None, source[:end][-40:]
        assert kept.refused(source[:end], 0) is None, source[:end][-40:]


def test_every_grammar_has_a_right_text() -> None:
    """Other names of one language share its grammar."""
    assert {GRAMMARS[language] for language in RIGHT} == set(GRAMMARS.values())


@pytest.mark.parametrize(("language", "before", "more"), WRONG)
def test_a_token_is_refused_that_nothing_could_make_right(language: str, before: str, more: str) -> None:
    """The text may be right up to its place, and what comes after it does not matter."""
    kept, right = Beginnings(language), before.encode()
    assert kept.refused(right, len(right)) is None
    found = kept.refused((before + more).encode(), len(right))
    assert found is not None and len(right) <= found < len((before + more).encode())
    for rest in ("\n", " more(", "\n}\n}\n"):
        assert kept.refused((before + more + rest).encode(), len(right)) == found
    assert kept.refused(right, len(right)) is None


def test_what_two_texts_begin_with_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """At a key at the end of a long file the parser does hardly anything of what reading the file takes."""
    heard: list[str] = []

    class Counting(refusal._Log):  # pyright: ignore[reportPrivateUsage]
        def __call__(self, kind: LogType, message: str) -> None:
            heard.append(message)
            super().__call__(kind, message)

    monkeypatch.setattr(refusal, "_Log", Counting)
    before = ("package a\n" + "func f() {\n\tg(1, 2)\n}\n" * 2000 + "func h() {\n\tx := 1\n").encode()
    kept, counts = Beginnings("go"), []
    for word, since in (
        (b"\ty", 0),
        (b"\ty", len(before)),
        (b"\ty := f(a", len(before)),
        (b"\ty := f(a b", len(before)),
    ):
        heard.clear()
        kept.refused(before + word, since)
        counts.append(len(heard))
    assert 10 * max(counts[1:]) < counts[0]
