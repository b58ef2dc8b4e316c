"""The parameters of a signature, and whether the arguments of a call fit them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from guiderail.monitors.analysis.answers import Signature

_NAME = re.compile(r"(?P<stars>\*{0,2}|\.\.\.)\s*(?P<name>[\w$]+)(?P<optional>\?)?")
_VOID = re.compile(r":\s*+(?:[^:]*\|\s*+)?void\s*+(?:\||$)")  # TypeScript lets such an argument be left out
_KEYWORD = re.compile(rb"\s*(\w+)\s*=(?!=)")
_GENERATOR = re.compile(rb"\bfor\b")
_MARKS = re.compile(r"[\s,*/]*")  # between the parameters of a signature
RECEIVER = r"_*(?:self|cls|this|klass|mcs|metacls)_*\b"  # what people call a method's object or class
_OBJECT = re.compile(rf"\s*{RECEIVER}")  # what a method is called on, which is not among its parameters
_DEFINED = re.compile(r"(?:async )?def \w+(?:\[(?:[^\[\]]|\[[^\[\]]*\])*\])?(?=\()")
_TYPED = re.compile(r"\*{0,2}\w+\s*:.*|[*/]", re.DOTALL)
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of one signature.

    Parameters
    ----------
    positional
        Names of the parameters that can be given by position, in order.
    required
        Names without a default.
    by_name
        Names that can be given by keyword.
    variadic
        Whether any number of further arguments may follow.
    any_name
        Whether any keyword is taken.
    """

    positional: tuple[str, ...]
    required: frozenset[str]
    by_name: frozenset[str]
    variadic: bool = False
    any_name: bool = False

    def takes(self, given: GivenArguments, *, done: bool) -> bool:
        """Whether arguments fit, and, if the call is `done`, whether none is missing."""
        if given.open_ended:
            return True
        if given.count > len(self.positional) and not self.variadic:
            return False
        filled = frozenset(self.positional[: given.count])
        if given.names & filled or (given.names - self.by_name and not self.any_name):
            return False
        return not done or self.required <= filled | given.names

    def has_room(self, given: GivenArguments) -> bool:
        """Whether one more argument fits, by position or by keyword."""
        if given.open_ended or self.variadic or self.any_name:
            return True
        left = self.by_name - given.names - frozenset(self.positional[: given.count])
        return bool(left) or (given.count < len(self.positional) and not given.names)


@dataclass(frozen=True, slots=True)
class GivenArguments:
    """Arguments that have been written.

    Parameters
    ----------
    count
        How many by position.
    names
        Those by keyword.
    open_ended
        Whether one of them may be any number of arguments (``*args``), or cannot be counted.
    """

    count: int = 0
    names: frozenset[str] = frozenset()
    open_ended: bool = False

    def with_argument(self, argument: bytes, *, keywords: bool = True) -> GivenArguments:
        """These arguments and one more."""
        spread = b"*" if keywords else (b"*", b"...")  # Python's ``...`` is a value
        if argument.lstrip().startswith(spread) or _GENERATOR.search(argument) or b"<" in argument:
            return replace(self, open_ended=True)
        if keywords and (found := _KEYWORD.match(argument)):
            return replace(self, names=self.names | {found[1].decode()})
        return replace(self, count=self.count + 1)


def parameters_of(signature: Signature, *, keywords: bool = True) -> Parameters | None:
    """The parameters of a signature; None if it does not say. Without keywords a parameter is named by its index."""
    pieces = _pieces(signature)
    if pieces is None:
        return None
    positional: list[str] = []
    by_name, required = set[str](), set[str]()
    variadic = any_name = keyword_only = False
    for text in pieces:
        found = _NAME.match(text)
        if text == "*":
            keyword_only = True
        elif text == "/":
            by_name.difference_update(positional)
        elif found is None:
            return None
        elif found["stars"] == "**":
            any_name = True
        elif found["stars"] or "..." in re.split("[:=]", text)[0]:  # Java writes them after the type
            variadic = keyword_only = True
        else:
            name = found["name"] if keywords else str(len(positional))
            by_name.add(name)
            if not keyword_only:
                positional.append(name)
            if found["optional"] is None and not _VOID.search(text) and "=" not in re.sub(r"=>|[<>!=]=", "", text):
                required.add(name)
    return Parameters(tuple(positional), frozenset(required), frozenset(by_name), variadic, any_name)


def _pieces(signature: Signature) -> list[str] | None:
    """The parameters of a signature, and the stars and slashes between them.

    None if it has none to read, or shows others than the analyser lists.
    """
    label = signature.label
    defined = _DEFINED.match(label)
    at = label.find("(", defined.end() if defined else 0) + 1
    if not at or "(...)" in label:
        return None
    if not signature.parameters:
        spelt = _spelt_out(label, at)
        return spelt if defined or not spelt else None
    pieces: list[str] = []
    for text in signature.parameters:
        start = label.find(text, at)
        gap = label[at:start] if start >= 0 else ""
        if not _is_gap(gap, first=not pieces):
            return None
        pieces += [*re.findall(r"[*/]", gap), text]
        at = start + len(text) if start >= 0 else at
    rest = label[at:].partition(")")[0]
    return [*pieces, *re.findall(r"[*/]", rest)] if _MARKS.fullmatch(rest) else None


def _is_gap(text: str, *, first: bool) -> bool:
    """Whether a part of a signature shows no parameter, but for what a method is called on."""
    return _MARKS.fullmatch(text) is not None or (first and _OBJECT.match(text) is not None)


def _spelt_out(label: str, at: int) -> list[str] | None:
    """The pieces of a signature of which the analyser lists none (pyrefly: of generic functions), by its commas."""
    text = _QUOTED.sub(lambda quoted: "'" * len(quoted[0]), label)
    pieces, depth, begin = [], 0, at
    for end in range(at, len(text)):
        depth += (text[end] in "([{") - (text[end] in ")]}")
        if depth < 0 or (depth == 0 and text[end] == ","):
            pieces.append(label[begin:end].strip())
            begin = end + 1
        if depth < 0:
            break
    pieces = [piece for n, piece in enumerate(pieces) if piece and not (n == 0 and _OBJECT.match(piece))]
    return pieces if depth < 0 and all(map(_TYPED.fullmatch, pieces)) else None
