"""The arguments monitor: a call closes with neither too few nor too many arguments, and its keywords exist."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from guiderail.monitors.analysis.answers import Signature, Signatures
from guiderail.monitors.analysis.requests import PROBE, SIGNATURES, Question, Request
from guiderail.monitors.call import CallArguments, fits, only_closes
from guiderail.monitors.cursor_context import Snapshot
from guiderail.monitors.monitor import Restriction, Trigger
from guiderail.monitors.parameters import RECEIVER, Parameters, parameters_of
from guiderail.text.languages.record import CallStyle
from guiderail.text.languages.table import CALLS as CALL_STYLES
from guiderail.text.languages.table import INFERRED, PYTHON_STATEMENTS

if TYPE_CHECKING:
    from guiderail.monitors.analysis.client import Client

WRITTEN = 2000  # characters of arguments before a cursor that are read
LOOK_BACK = 200  # characters that a callee may have
MANY = 4  # arguments of the call that asks how many are taken
_CALLEE = re.compile(r"(?P<callee>[\w$.]*[\w$\])])\($")
# With type arguments, up to three deep, of what types are written with; no operator of an expression is among it.
_TYPE = r"[\w\s$.,?\[\]'\"]|&(?!&)|\|(?!\|)"
_TYPES = rf"<(?:{_TYPE}|<(?:{_TYPE}|<(?:{_TYPE})*>)*>)*>"
_TYPED_CALLEE = re.compile(rf"(?P<callee>[\w$.]*[\w$])(?:{_TYPES})?\($")
_MODIFIERS = r"(?:(?:export|async|public|private|protected|static|final|abstract)\s+)*"
_DEFINITION = re.compile(rf"\s*{_MODIFIERS}(?:def|class|function|func|fn)\b[^({{\n]*$")
_NAMED = re.compile(r"\bfunction\b[\s*]*$")  # of a function expression
_OBJECT = re.compile(r"(?:(?<!=)[=(,:\[?&|]|\b(?:return|default))\s*$")  # an object literal begins after it
_METHOD = re.compile(r"[{,]\s*(?:(?:async|get|set)\s+|\*\s*)*$")  # and a method in it
_OWNED = re.compile(rf"^[^(]*\(\s*{RECEIVER}(?::\s*(?P<type>[\w.]+))?")  # a parameter that is not among the others
_OF_CLASS = re.compile(r"(?:^|\.)(?:_*[A-Z]\w*|cls|type)\.\w+$")
_GENERIC = re.compile(r"(?:def \w+)?\[")
_WORD = re.compile(
    r"(?:^|[^\w.])(?:and|or|not|in|is|if|elif|else|while|for|return|yield|await|assert|del|with|except|import|from|raise|"
    r"lambda|match|case|switch|catch|new|typeof|instanceof|super|function)$"
)


class Arguments:
    """The monitor of a call's arguments."""

    name, soft, endings = "arguments", False, b"("
    languages = frozenset(CALL_STYLES)

    def trigger(self, snapshot: Snapshot) -> Trigger | None:
        """See `Monitor.trigger`."""
        snapshot, written = _at_bracket(snapshot)
        found = _callee(snapshot)
        if found is None or _WORD.search(found["callee"]) or snapshot.lex_state.in_string_or_comment:
            return None
        if found["callee"].endswith("__new__"):  # is given its class, which signatures leave out like a method's object
            return None
        if _DEFINITION.match(snapshot.statement[:-1]) or _is_defined(snapshot, len(snapshot.text) - len(found[0])):
            return None
        question = snapshot.question(len(snapshot.text))
        style = CALL_STYLES[snapshot.language]

        def interpret(answer: tuple[Signatures, Signatures]) -> Restriction:
            empty, given = answer
            if _overloads(empty, style) != _overloads(given, style):
                return Restriction(None, reason="generic")
            restriction = _restriction(empty, style, _bare(snapshot, found["callee"]), written)
            if snapshot.language in PYTHON_STATEMENTS and _is_open(snapshot, found["callee"]):
                restriction = replace(restriction, reason="dynamic")
            # What it does not know, tsc looks up by its name alone in JavaScript; and any argument may be left out.
            is_guess = snapshot.language in INFERRED
            return replace(restriction, reason="inferred type") if is_guess else restriction

        return Trigger(found[0], CALLS, question, interpret, written, word=False, lazy=True)


def _at_bracket(snapshot: Snapshot) -> tuple[Snapshot, str]:
    """Where the call was opened that a cursor is in, and what was written since; elsewhere the text as it is."""
    text, opened = snapshot.text, snapshot.lex_state.open_brackets[-1:]
    if snapshot.text != snapshot.cursor.text or not opened or text[opened[0]] != "(":
        return snapshot, ""  # while a text is decoded, its own calls ask when they are opened
    end = opened[0] + 1
    if not 0 < len(text) - end <= WRITTEN or snapshot.lex_state.in_string_or_comment:
        return snapshot, ""
    return snapshot.cut(end), text[end:]


def _bare(snapshot: Snapshot, callee: str) -> str:
    """A callee without the module that it is called through: its function is no method of it."""
    receiver, _, function = callee.rpartition(".")
    if snapshot.language not in PYTHON_STATEMENTS or not receiver:
        return callee
    runtime, path = snapshot.cursor.runtime, snapshot.cursor.path
    module, name = snapshot.cursor.facts.imports.get(receiver.partition(".")[0], ("", "?"))
    is_module = not name or runtime.sources.module(f"{module}.{name}", path) is not None
    return function if is_module and "." not in receiver else callee


def _is_open(snapshot: Snapshot, callee: str) -> bool:
    """Whether a class is called that may get its constructor from a base, metaclass or decorator that is not known."""
    runtime, facts, path = snapshot.cursor.runtime, snapshot.cursor.facts, snapshot.cursor.path
    if callee in ("cls", "self.__class__"):
        around = facts.class_around(len(snapshot.cursor.text.encode(errors="surrogatepass")))
        callee = around.name if around else callee
    found = runtime.of_name(callee, path)
    return found is not None and (found.open or runtime.is_called_otherwise(callee, path))


def _is_defined(snapshot: Snapshot, begin: int) -> bool:
    """Whether the name that begins there is that of a function expression, or of a method in an object literal."""
    front = snapshot.text[max(0, begin - LOOK_BACK) : begin]
    if _NAMED.search(front):
        return True
    around = snapshot.lex_state.open_brackets[-2:-1]  # the bracket that was just opened is the last
    if snapshot.language in PYTHON_STATEMENTS or not around or snapshot.text[around[0]] != "{":
        return False
    is_object = _OBJECT.search(snapshot.text[: around[0]][-LOOK_BACK:]) is not None
    return is_object and _METHOD.search(front) is not None


def _callee(snapshot: Snapshot) -> re.Match[str] | None:
    """What is called by the bracket that was just opened."""
    text = snapshot.text[-LOOK_BACK:]
    typed = None if snapshot.language in PYTHON_STATEMENTS else _TYPED_CALLEE.search(text)
    return typed or _CALLEE.search(text)


async def _calls(client: Client, question: Question) -> tuple[Signatures, Signatures]:
    """The overloads of a call without arguments, and with many where that may change them.

    TypeScript shows of ``f<A extends any[]>(...args: A)`` as many parameters as there are arguments.
    """
    empty = await SIGNATURES.send(client, question)
    if not client.server.probes or not empty.items:
        return empty, empty
    at = question.offset
    client.show(question.path, question.language, question.text[:at] + ", ".join([PROBE] * MANY) + question.text[at:])
    return empty, await SIGNATURES.send(client, question)


CALLS = Request("calls", _calls)


def _overloads(answer: Signatures, style: CallStyle) -> set[Parameters | None]:
    return {parameters_of(signature, keywords=style.keywords) for signature in answer.items}


def _restriction(answer: Signatures, style: CallStyle, callee: str, written: str) -> Restriction:
    known: list[Parameters] = []
    for signature in answer.items:
        parameters, owned = parameters_of(signature, keywords=style.keywords), _OWNED.search(signature.label)
        if parameters is None or (owned and signature.label.startswith("def ") and "." not in callee):
            # A plain function's own `cls` is left out like a method's.
            return Restriction(None, reason="unknown signature")
        known.append(parameters)
        if signature.parameters and re.match(rf"(?!(?:self|cls)\b){RECEIVER}", signature.parameters[0]):
            known.append(_without_first(parameters))  # by another name than `self` it is shown among the others
        if owned and _may_be_given_object(callee, signature, owned["type"]):
            known.append(replace(parameters, positional=("self", *parameters.positional)))
    if not known:
        return Restriction(None, reason="unknown signature")
    return Restriction(
        lambda masks: CallArguments(masks, known, style),
        len(known),
        allows=lambda truth: fits(known, written + truth, style),
        only=")" if only_closes(known, written, style) else "",
    )


def _without_first(parameters: Parameters) -> Parameters:
    """The parameters that are left to give where the first is what a method is called on."""
    first = frozenset(parameters.positional[:1])
    return replace(
        parameters,
        positional=parameters.positional[1:],
        required=parameters.required - first,
        by_name=parameters.by_name - first,
    )


def _may_be_given_object(callee: str, signature: Signature, type_: str | None) -> bool:
    """Whether a method may be called through a class, so that its object is the first argument."""
    if any(re.match(RECEIVER, text) for text in signature.parameters):
        return False  # it is among the parameters
    receiver = callee.rpartition(".")[0].rpartition(".")[2]
    through_class = _OF_CLASS.search(callee) or (type_ and receiver == type_.rpartition(".")[2])
    return bool(through_class or _GENERIC.match(signature.label))  # what is bound to an object is hardly generic
