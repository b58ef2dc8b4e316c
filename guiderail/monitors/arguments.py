"""The arguments monitor: a call closes with neither too few nor too many arguments, and its keywords exist."""

from __future__ import annotations

import re
from dataclasses import replace

from guiderail.monitors.analysis.answers import Signatures
from guiderail.monitors.analysis.requests import SIGNATURES
from guiderail.monitors.call import BRACES, PYTHON, Call, Shape, Style, fits, shape_of
from guiderail.monitors.monitor import Ruling, Trigger
from guiderail.monitors.scene import View

_CALLEE = re.compile(r"(?P<callee>[\w$.]*[\w$\])])\($")
_MODIFIERS = r"(?:(?:export|async|public|private|protected|static|final|abstract)\s+)*"
_DEFINITION = re.compile(rf"\s*{_MODIFIERS}(?:def|class|function|func|fn)\b[^({{\n]*$")
_OWNED = re.compile(r"^[^(]*\(\s*(?:self|cls)\b")  # a parameter that is not among the parameters
_OF_CLASS = re.compile(r"(?:^|\.)(?:_*[A-Z]\w*|cls|type)\.\w+$")  # through a class, a method may be given its object
_WORD = re.compile(
    r"(?:^|[^\w.])(?:and|or|not|in|is|if|elif|else|while|for|return|yield|await|assert|del|with|except|import|from|raise|"
    r"lambda|match|case|switch|catch|new|typeof|instanceof|super)$"
)


class Arguments:
    """The monitor of what a call is given."""

    name, soft, endings = "arguments", False, b"("
    languages = frozenset({"python", "typescript", "typescriptreact", "javascript", "javascriptreact", "java"})

    def trigger(self, view: View) -> Trigger | None:
        """See `Monitor.trigger`."""
        found = _CALLEE.search(view.text[-200:])
        if found is None or _WORD.search(found["callee"]) or view.place.inside:
            return None
        if _DEFINITION.match(view.statement[:-1]):
            return None
        question = view.question(len(view.text))
        style = PYTHON if view.language == "python" else BRACES

        def judge(answer: Signatures) -> Ruling:
            return _ruling(answer, style, found["callee"])

        return Trigger(found[0], SIGNATURES, question, judge, word=False, lazy=True)


def _ruling(answer: Signatures, style: Style, callee: str) -> Ruling:
    known: list[Shape] = []
    for signature in answer.items:
        shape, owned = shape_of(signature, keywords=style.keywords), _OWNED.search(signature.label) is not None
        if shape is None or (owned and signature.label.startswith("def ") and "." not in callee):
            return Ruling(None, reason="unknown signature")  # a plain function's own `cls` is left out like a method's
        known.append(shape)
        if owned and _OF_CLASS.search(callee):
            known.append(replace(shape, positional=("self", *shape.positional)))
    if not known:
        return Ruling(None, reason="unknown signature")
    return Ruling(lambda masks: Call(masks, known, style), len(known), allows=lambda truth: fits(known, truth, style))
