"""The declarations of a file as signatures: a class becomes its members' signatures, a function its head.

One walk serves all languages; each language's record says which syntax nodes declare something.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from tree_sitter import Node

from guiderail.text.language import comment_prefix
from guiderail.text.languages.record import DeclarationKind
from guiderail.text.languages.table import DECLARATIONS, PYTHON_STATEMENTS
from guiderail.text.syntax import PARSE_S, SlowTextError, find, has_grammar, parse

_MAX_MEMBERS = 40
_MAX_LINES = 30  # of a declaration shown whole
_MAX_DEPTH = 50  # of nested namespaces, conditions and modifiers
_MAX_TYPE = 500  # characters of a type whose methods are declared outside of it
_MAX_WIDTH = 160  # of one member that is no function


@dataclass(frozen=True, slots=True)
class Definition:
    """One declaration.

    Parameters
    ----------
    name
        The declared name.
    text
        Its signature: whole lines, the last one ended.
    owner
        The type that a method declared outside of it belongs to (Go, Rust).
    is_default
        JavaScript's ``export default``.
    """

    name: str
    text: str
    owner: str | None = None
    is_default: bool = False


_OWNER = re.compile(r"(?<!\w)(\w++)\s*+(?:[<\[][^()]*)?\)?$")
_SELF_ATTRIBUTE = re.compile(r"self\.([A-Za-z]\w*)\s*[:=]")


def outline(text: str, language: str) -> list[Definition]:
    """The file's top-level declarations in source order; none without a grammar for it, or of a text of errors."""
    if not has_grammar(language):
        return []
    try:
        return list(_declared(parse(text.encode("utf-8", "replace"), language, PARSE_S), language))
    except SlowTextError:
        return []


def _declared(node: Node, language: str, depth: int = 0) -> Iterator[Definition]:
    kinds = DECLARATIONS[language]
    for child in node.named_children if depth < _MAX_DEPTH else ():
        kind = kinds.get(child.type)
        if kind == "through":
            yield from _declared(child, language, depth + 1)
        elif kind == "wrap":
            inner = [part for part in child.named_children if part.type in kinds]
            outer = child if len(inner) == 1 else None
            for part in inner:
                yield from _definition(outer or part, part, language)
        elif kind:
            yield from _definition(child, child, language)


def _definition(outer: Node, node: Node, language: str, depth: int = 0) -> Iterator[Definition]:
    """The definition at `node`; its text begins at `outer`, which holds decorators or modifiers too."""
    kind = DECLARATIONS[language].get(node.type)
    if kind in {"wrap", "through"}:  # export const …, decorators around decorators
        inner = [part for part in node.named_children if part.type in DECLARATIONS[language]]
        for part in inner if depth < _MAX_DEPTH else ():
            yield from _definition(outer if len(inner) == 1 else part, part, language, depth + 1)
        return
    if node.type == "preproc_def" and node.child_by_field_name("value") is None:  # an include guard
        return
    is_default = any(child.type == "default" for child in outer.children)
    name = _name(node) or ("default" if is_default else None)
    owner = _owner(node) if kind == "methods" else None
    if kind == "methods":
        name = name or owner
    text = _shown(outer, node, kind, language) if name else ""
    if name and text:
        yield Definition(name, _doc_comment(outer, language) + text, owner, is_default)


def _shown(outer: Node, node: Node, kind: DeclarationKind | None, language: str) -> str:
    if kind == "scope" or node.type == "impl_item":
        return _skeleton(outer, node, language)
    if kind in {"function", "methods"}:
        return _head(outer, node) + _docstring(node) + "\n"
    if kind == "whole":
        return _cut(_text(outer), _MAX_LINES)
    function = node.child_by_field_name("value")
    if function is not None and function.child_by_field_name("body") is not None:  # const f = (…) => {…}
        return _head(outer, function) + "\n"
    return _cut(_text(outer), 3)


def _skeleton(outer: Node, node: Node, language: str) -> str:
    """The head of a type and its members' signatures."""
    body = node.child_by_field_name("body")
    if body is None:  # a forward declaration, such as struct Name;
        return ""
    # An inherent impl of Rust shows only what is public; a trait's functions are as public as the trait.
    public_only = node.type == "impl_item" and node.child_by_field_name("trait") is None
    wanted = (member for member in _members(body, language) if not public_only or member.startswith("pub"))
    members = list(islice(wanted, _MAX_MEMBERS))
    if public_only and not members:
        return ""
    shown = "".join(f"    {member}\n" for member in members)
    if language in PYTHON_STATEMENTS:
        return f"{_head(outer, node)}{_docstring(node)}\n{shown}"
    return f"{_head(outer, node)} {{\n{shown}}}\n"


def _members(body: Node, language: str) -> Iterator[str]:
    hidden = body.parent is not None and body.parent.type == "class_specifier"  # C++: private until said otherwise
    for child in body.named_children:
        if child.type == "access_specifier":
            hidden = _text(child) != "public"
        elif child.type == "enum_body_declarations":  # a Java enum's methods
            yield from _members(child, language)
        elif not hidden and not child.type.endswith("comment"):
            yield from _python_member(child) if language in PYTHON_STATEMENTS else _member(child)


def _member(node: Node) -> Iterator[str]:
    """A member in a language with braces: a function without its body, anything else on one line."""
    text = _text(node)
    if re.match(r"(private|protected)\b|#|static\s*\{", text):
        return
    inner = node.named_children[-1] if node.type == "template_declaration" else node
    if inner.child_by_field_name("body") is not None:
        yield _head(node, inner) + ";"
    else:
        yield _on_one_line(text)


def _python_member(node: Node) -> Iterator[str]:
    """A public member of a Python class, and the attributes that ``__init__`` sets."""
    function = node.child_by_field_name("definition") or node
    name = _name(function)
    if function.type in {"function_definition", "class_definition"} and name:
        if name.startswith("_") and not name.endswith("__"):
            return
        yield _head(node, function) + ("" if name == "__init__" else " ...")
        if name == "__init__":
            yield from _attributes(function)
    elif node.type == "expression_statement" and node.named_children[0].type == "assignment":
        field = _name(node.named_children[0])
        if field and not field.startswith("_"):
            yield _on_one_line(_text(node))


def _attributes(init: Node) -> Iterator[str]:
    seen = set()
    for node in find(init, "python", "(assignment left: (attribute)) @it"):
        if len(seen) >= _MAX_MEMBERS:
            break
        match = _SELF_ATTRIBUTE.match(_text(node))
        if match and match.group(1) not in seen:
            seen.add(match.group(1))
            yield f"    {_on_one_line(_text(node))}"
    if not seen:
        yield "    ..."


def _head(outer: Node, node: Node) -> str:
    """Everything from the start of `outer` to the body of `node`."""
    body = node.child_by_field_name("body")
    stop = outer.end_byte if body is None else body.start_byte
    if body is not None and body.type == "block":  # comments may come between Python's colon and its body
        stop = next((child.end_byte for child in reversed(node.children) if child.type == ":"), stop)
    text = (outer.text or b"")[: stop - outer.start_byte].decode("utf-8", "replace")
    return text.rstrip().removesuffix("=>").rstrip()


def _docstring(node: Node) -> str:
    """First line of a Python docstring, as the line under the head."""
    body = node.child_by_field_name("body")
    first = body.named_children[0] if body is not None and body.named_children else None
    if first is not None and first.type == "expression_statement" and first.named_children:
        first = first.named_children[0]
    if first is None or first.type != "string":
        return ""
    line = next((line.strip() for line in _text(first).strip("rRuU\"'").split("\n") if line.strip()), "")
    return f'\n    """{line}"""' if line else ""


def _doc_comment(node: Node, language: str) -> str:
    """First line of the comment right above a declaration (Javadoc, JSDoc, ///)."""
    above = node.prev_named_sibling if language not in PYTHON_STATEMENTS else None
    while above is not None and above.type == "attribute_item":  # Rust's #[derive(…)] comes between
        node, above = above, above.prev_named_sibling
    if above is None or not above.type.endswith("comment"):
        return ""
    if node.start_point.row - above.end_point.row > 1:
        return ""
    lines = (line.strip().lstrip("/*!").removesuffix("*/").strip() for line in _text(above).split("\n"))
    first = next((line for line in lines if line), "")
    return f"{comment_prefix(language)} {first}\n" if first else ""


def _name(node: Node) -> str | None:
    """The declared name: field `name` or `left`, or the identifier at the end of C's chain of declarators."""
    for field in ("name", "left"):
        found = node.child_by_field_name(field)
        if found is not None:
            return _text(found) if "identifier" in found.type else None
    inner: Node | None = node
    while inner is not None and not inner.type.endswith("identifier"):
        nested = (child for child in inner.named_children if child.type.endswith("declarator"))
        inner = inner.child_by_field_name("declarator") or next(nested, None)
    return _text(inner) if inner is not None else None


def _owner(node: Node) -> str | None:
    """The type of a Go receiver or a Rust impl."""
    typed = node.child_by_field_name("type") or node.child_by_field_name("receiver")
    text = _text(typed) if typed is not None else ""
    match = _OWNER.search(text) if len(text) <= _MAX_TYPE else None
    return match.group(1) if match else None


def _on_one_line(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _MAX_WIDTH else text[: _MAX_WIDTH - 2] + " …"


def _cut(text: str, lines: int) -> str:
    kept = text.rstrip().split("\n")
    return "\n".join(kept[:lines]) + ("\n" if len(kept) <= lines else " …\n")


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")
