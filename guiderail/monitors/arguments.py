"""The arguments monitor: a call closes with neither too few nor too many arguments, and its keywords exist."""

from __future__ import annotations

import re

from guiderail.monitors.analysis.answers import Signatures
from guiderail.monitors.analysis.requests import SIGNATURES
from guiderail.monitors.call import BRACES, PYTHON, Call, Style, fits, shape_of
from guiderail.monitors.monitor import Ruling, Trigger
from guiderail.monitors.scene import View

_CALLEE = re.compile(r"(?P<callee>[\w$.]*[\w$\])])\($")
_MODIFIERS = r"(?:(?:export|async|public|private|protected|static|final|abstract)\s+)*"
_DEFINITION = re.compile(rf"\s*{_MODIFIERS}(?:def|class|function|func|fn)\b[^({{\n]*$")
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
            return _ruling(answer, style)

        return Trigger(found[0], SIGNATURES, question, judge, word=False, lazy=True)


def _ruling(answer: Signatures, style: Style) -> Ruling:
    shapes = [shape_of(signature, keywords=style.keywords) for signature in answer.items]
    known = [shape for shape in shapes if shape is not None]
    if not known or len(known) < len(shapes):
        return Ruling(None, reason="unknown signature")
    return Ruling(lambda masks: Call(masks, known, style), len(known), allows=lambda truth: fits(known, truth, style))
