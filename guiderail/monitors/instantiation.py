"""The instantiation monitor: after ``new`` stands what can be instantiated."""

from __future__ import annotations

import re

from guiderail.monitors.analysis.answers import Members
from guiderail.monitors.analysis.requests import COMPLETIONS, RESOLVED
from guiderail.monitors.monitor import Ruling, Trigger
from guiderail.monitors.scene import View, tail_of

_NEW = re.compile(r"(?<![\w$.])new\s+(?P<written>[\w$]*)$")
# CompletionItemKind
CLASS, CONSTRUCTOR, MODULE, INTERFACE, STRUCT = 7, 4, 9, 8, 22
FUNCTION, FIELD, VARIABLE, PROPERTY, CONSTANT, METHOD = 3, 5, 6, 10, 21, 2
TYPES = frozenset({CLASS, CONSTRUCTOR, MODULE, STRUCT})
# In Java an interface too: what follows may be an anonymous class. In TypeScript any value may be a constructor.
INSTANTIABLE = {
    "java": TYPES | {INTERFACE},
    "csharp": TYPES,
    "cpp": TYPES | {INTERFACE},  # what clangd calls a typedef
    "typescript": TYPES | {FUNCTION, FIELD, VARIABLE, PROPERTY, CONSTANT, METHOD},
}
INSTANTIABLE |= dict.fromkeys(("javascript", "typescriptreact", "javascriptreact"), INSTANTIABLE["typescript"])
# Names that no analyser lists as what they are here.
BESIDES = {
    "java": frozenset({"boolean", "byte", "char", "double", "float", "int", "long", "short", "String"}),
    "cpp": frozenset({"auto", "bool", "char", "const", "double", "float", "int", "long", "short", "signed", "std",
                      "struct", "unsigned", "void", "wchar_t", "class", "typename"}),
    "csharp": frozenset({"bool", "byte", "char", "decimal", "double", "float", "int", "long", "object", "string"}),
}  # fmt: skip
SCRIPT = frozenset({"this", "class", "function", "target", "globalThis", "await", "async", "super"})


class Instantiation:
    """The monitor of what is instantiated; Python's constructors are calls like any other (`arguments`)."""

    name, soft, endings = "instantiation", False, b" "
    languages = frozenset(INSTANTIABLE)

    def trigger(self, view: View) -> Trigger | None:
        """See `Monitor.trigger`."""
        found = _NEW.search(view.text[-120:])
        if found is None or view.place.inside:
            return None
        kinds, besides = INSTANTIABLE[view.language], BESIDES.get(view.language, SCRIPT)
        stands = found["written"]

        def judge(members: Members) -> Ruling:
            types = frozenset(_bare(member.name) for member in members.items if member.kind in kinds)
            names = types | besides
            reason = None
            if not types:
                reason = "no types"
            elif not members.complete:
                reason = "incomplete"
            elif not any(name.startswith(stands + view.ahead) for name in names):
                reason = "no such name"

            def allows(truth: str) -> bool:
                name = stands + tail_of(truth)
                return not name or name in names

            legal = (lambda masks: masks.perhaps(names, view.scene.tail)) if types else None
            return Ruling(legal, len(types), reason, allows)

        request = RESOLVED if view.language == "cpp" else COMPLETIONS
        return Trigger("new", request, view.question(len(view.text) - len(stands)), judge, stands)


def _bare(name: str) -> str:
    """A type's name without its arguments and brackets."""
    return re.match(r"[\w$]*", name)[0]  # pyright: ignore[reportOptionalSubscript]  # it matches the empty text
