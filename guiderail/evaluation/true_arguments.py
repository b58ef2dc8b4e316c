"""What the arguments of a call mean by a list of parameters: whether a change demands others, and which these are.

This is apart from `guiderail.next_edit.calls`, so that what is proposed is not measured by its own means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tree_sitter import Node

from guiderail.next_edit.signatures import Parameter
from guiderail.next_edit.source_tree import SourceTree

Words = tuple[str, ...]  # the tokens of an argument's value, or of a whole list
NEEDS_VALUE = "parameter without a default added"  # what its calls need, no syntax tells
SPREADS = frozenset({"list_splat", "dictionary_splat", "spread_element"})


@dataclass(frozen=True, slots=True)
class ParameterChange:
    """The parameters of a function in both releases, without the receiver.

    Parameters
    ----------
    before, after
        The lists.
    origins
        For each of `after` the index of the one of `before` that it was; None if it is new.
    """

    before: tuple[Parameter, ...]
    after: tuple[Parameter, ...]
    origins: tuple[int | None, ...]

    def demands(self, arguments: Mapping[int | str, Words], again: Mapping[int | str, Words] | None) -> bool:
        """Whether arguments, bound to the earlier parameters and to the later ones, mean something else by these."""
        if again is None or not self.agree(arguments, again):
            return True
        return any(isinstance(at, int) and self.origins[at] is None for at in again)

    def agree(self, old: Mapping[int | str, Words], new: Mapping[int | str, Words]) -> bool:
        """Whether the parameters that are in both lists get the same values."""
        extra = {name: value for name, value in old.items() if isinstance(name, str)}
        extra_now = {name: value for name, value in new.items() if isinstance(name, str)}
        pairs = ((old.get(origin), new.get(at)) for at, origin in enumerate(self.origins) if origin is not None)
        return all(one == other for one, other in pairs) and extra == extra_now

    @property
    def kind(self) -> str:
        """What happened, in words."""
        kept = [origin for origin in self.origins if origin is not None]
        pairs = [(self.before[o], self.after[at]) for at, o in enumerate(self.origins) if o is not None]
        new = [one for one, origin in zip(self.after, self.origins, strict=True) if origin is None]
        if any(not one.is_optional for one in new):
            return NEEDS_VALUE
        what = {
            "parameter renamed": any(old.name != now.name for old, now in pairs),
            "parameter removed": len(kept) < len(self.before),
            "parameter with a default added": bool(new),
            "parameters moved": kept != sorted(kept),
            "made keyword-only": any(old.kind != now.kind for old, now in pairs),
            "made required": any(old.is_optional and not now.is_optional for old, now in pairs),
        }
        names = [name for name, holds in what.items() if holds]
        return names[0] if len(names) == 1 else "several parameters"


def words(tree: SourceTree, node: Node) -> Words:
    """The tokens of a node, without comments and a last comma."""
    return words_in(tree, tree.start(node), tree.end(node))


def words_in(tree: SourceTree, start: int, end: int) -> Words:
    """The tokens between two offsets, without comments and a last comma."""
    found = [one.text for one in tree.tokens_in(start, end) if "comment" not in one.kind]
    return tuple(one for at, one in enumerate(found) if one != "," or found[at + 1 : at + 2] not in ([")"], []))


def bound(
    tree: SourceTree, values: Sequence[Node], parameters: Sequence[Parameter], *, skip: int = 0
) -> dict[int | str, Words] | None:
    """The value of each parameter by its index; None where the arguments do not fit, or cannot be told apart.

    Parameters
    ----------
    values
        The nodes of the arguments.
    skip
        How many at the beginning are no arguments of the function.
    """
    found: dict[int | str, Words] = {}
    names = {one.name: at for at, one in enumerate(parameters) if one.kind in {"either", "keyword"}}
    places = [at for at, one in enumerate(parameters) if one.kind in {"positional", "either"}]
    takes = {one.kind for one in parameters}
    for number, node in enumerate(values[skip:]):
        if node.type in SPREADS:
            return None
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        if node.type == "keyword_argument" and name is not None and value is not None:
            key: int | str | None = names.get(tree.text(name), tree.text(name) if "keywords" in takes else None)
        elif number < len(places):
            key, value = places[number], node
        else:
            key, value = (f"*{number - len(places)}" if "rest" in takes else None), node
        if key is None or key in found:
            return None
        found[key] = words(tree, value)
    missing = (at for at, one in enumerate(parameters) if not one.is_optional and at not in found)
    return None if next(missing, None) is not None else found
