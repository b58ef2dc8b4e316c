"""lsprotocol's converter, made tolerant of what clients really send.

A trigger kind of 0 and a missing context are no error, and the many changes of one message are read by hand.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from cattrs import Converter
from lsprotocol import converters, types
from pygls.protocol.json_rpc import JsonRPCNotification, JsonRPCRequestMessage, JsonRPCResponseMessage

from guiderail.lsp.buffer import Change


@cache
def converter() -> Converter:
    """lsprotocol's converter, made tolerant; parameters of our own messages stay plain objects.

    It takes a tenth of a second to make, which no stranger's connection may cost: all clients share one.
    """
    # The first thing that is wrong ends a message: to describe each of thousands takes minutes.
    made = converters.get_converter(Converter(detailed_validation=False))

    def context(value: Any, _: Any) -> types.InlineCompletionContext:
        value = value if isinstance(value, dict) else {}
        selected = value.get("selectedCompletionInfo")
        kind = value.get("triggerKind")
        return types.InlineCompletionContext(
            # 0 is no member of the enumeration, and means "by hand" in older clients: it is kept as it is.
            trigger_kind=kind if kind in {0, 1, 2} else types.InlineCompletionTriggerKind.Automatic,
            selected_completion_info=made.structure(selected, types.SelectedCompletionInfo) if selected else None,
        )

    def params(value: Any, _: Any) -> types.InlineCompletionParams:
        return types.InlineCompletionParams(
            context=context(value.get("context"), None),
            text_document=made.structure(value["textDocument"], types.TextDocumentIdentifier),
            position=made.structure(value["position"], types.Position),
            work_done_token=value.get("workDoneToken"),
        )

    def changes(value: Any, _: Any) -> types.DidChangeTextDocumentParams:
        given = value["contentChanges"]
        if not isinstance(given, list):
            raise TypeError("contentChanges")
        document = made.structure(value["textDocument"], types.VersionedTextDocumentIdentifier)
        return types.DidChangeTextDocumentParams(document, [_change(one) for one in given])

    def message(value: Any, kind: type[Any]) -> Any:
        names = ("id", "method", "jsonrpc", "params", "result")
        held = {name: value.get(name) for name in names if name in kind.__annotations__}
        return kind(**held)

    made.register_structure_hook(types.InlineCompletionParams, params)
    made.register_structure_hook(types.DidChangeTextDocumentParams, changes)
    for kind in (JsonRPCRequestMessage, JsonRPCResponseMessage, JsonRPCNotification):
        made.register_structure_hook(kind, message)
    return made


def _change(given: dict[str, Any]) -> Change:
    """A change as it was sent, built by hand: there may be thousands, and cattrs takes 30 times as long."""
    text, span = given["text"], given.get("range")
    if not isinstance(text, str):
        raise TypeError("text")
    if span is None:
        return types.TextDocumentContentChangeWholeDocument(text)
    return types.TextDocumentContentChangePartial(types.Range(_position(span["start"]), _position(span["end"])), text)


def _position(given: dict[str, Any]) -> types.Position:
    return types.Position(int(given["line"]), int(given["character"]))
