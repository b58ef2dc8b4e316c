"""A language server that misbehaves in the way that its argument names; run as ``hostile_analyser.py WAY FOLDER``.

Until it has been introduced it behaves, unless the way is about that. Every process that it starts, itself included,
leaves its id as a file in the folder.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

out = sys.stdout.buffer


def read() -> dict:
    length = 0
    while line := sys.stdin.buffer.readline().strip():
        name, _, value = line.partition(b":")
        length = int(value) if name == b"Content-Length" else length
    if not length:
        sys.exit()
    return json.loads(sys.stdin.buffer.read(length))


def write(body: bytes, length: int | bytes | None = None) -> None:
    head = len(body) if length is None else length
    out.write(b"Content-Length: %s\r\n\r\n" % (head if isinstance(head, bytes) else str(head).encode()) + body)
    out.flush()


def send(message: object) -> None:
    write(message if isinstance(message, bytes) else json.dumps(message).encode())


def answer(number: object, result: object) -> None:
    send({"jsonrpc": "2.0", "id": number, "result": result})


def request(method: str, params: object, number: object = 1) -> None:
    send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})


def notify(method: str, params: object) -> None:
    send({"jsonrpc": "2.0", "method": method, "params": params})


def nested(depth: int, inner: str) -> str:
    return "[" * depth + inner + "]" * depth


def raw(number: object, result: str) -> None:
    send(f'{{"jsonrpc": "2.0", "id": {json.dumps(number)}, "result": {result}}}'.encode())


def place(line: str, column: str) -> str:
    return f'{{"line": {line}, "character": {column}}}'


def span(line: str, column: str) -> str:
    return f'{{"start": {place(line, column)}, "end": {place(line, column)}}}'


NUMBERS = ("-1", "1e999", "NaN", "-Infinity", "1" + "0" * 300, "1" + "0" * 5000, "0.5", "true", '"1"', "null", "[]")


def everywhere(number: object, line: str, column: str) -> None:
    """An answer that any question takes for its own, with hostile numbers in each place."""
    edit = f'{{"newText": "left", "range": {span(line, column)}}}'
    item = (
        f'{{"label": "left", "name": "left", "kind": {line}, "detail": {column}, "severity": {line}, "code": {column}, '
        f'"message": {line}, "range": {span(line, column)}, "uri": {column}, "textEdit": {edit}, '
        f'"parameters": [{{"label": [{line}, {column}]}}], '
        f'"activeParameter": {line}, "children": {column}, "documentation": {line}}}'
    )
    raw(
        number,
        f'{{"items": [{item}], "signatures": [{item}], "activeSignature": {line}, "contents": {column}, '
        f'"isIncomplete": {line}}}',
    )


def flood(one: bytes) -> None:
    while True:
        out.write(b"Content-Length: %d\r\n\r\n%s" % (len(one), one))


def misbehave(way: str, message: dict) -> None:  # noqa: PLR0912 - a case for each way
    """Treat a request as the way says."""
    number = message["id"]
    names = [{"label": f"n{i}", "kind": 5} for i in range(3)]
    match way.partition("-")[0]:
        case "surrogate":
            word = '"le\\ud800ft"'
            fields = ", ".join(f'"{field}": {word}' for field in ("label", "name", "detail", "message"))
            item = f'{{{fields}, "kind": 5, "range": {span("0", "0")}}}'
            raw(number, f'{{"items": [{item}, {{"label": "left"}}], "signatures": [{item}], "contents": {word}}}')
        case "number":
            everywhere(number, NUMBERS[int(way.partition("-")[2])], NUMBERS[int(way.partition("-")[2])])
        case "types":
            everywhere(number, '{"a": {}}', '[{"b": []}]')
        case "nested":
            raw(number, nested(100_000, "1"))
        case "tree":
            one = f'{{"name": "a", "label": "a", "kind": 5, "range": {span("0", "0")}, "children": ['
            raw(
                number,
                '{"contents": ' + nested(800, '"a"') + "}"
                if "hover" in message["method"]
                else "[" + one * 300 + "]}" * 300 + "]",
            )
        case "huge":
            write(b'{"jsonrpc": "2.0", "id": 1, "result": "' + b"a" * 100_000_000 + b'"}')
        case "promise":
            write(b"{}", 10**15)
        case "negative":
            write(b"{}", -5)
        case "length":
            write(b"{}", b"9" * 5000)
        case "endless":
            while True:
                out.write(b"a" * 65536)
        case "headers":
            out.write(b"".join(b"X-%d: a\r\n" % i for i in range(1_000_000)))
            out.flush()
        case "ids":
            for other in (None, -1, [], {}, 1e9, "x" * 100_000, number[::-1]):
                answer(other, names)
            answer(number, names)
        case "twice":
            for _ in range(100):
                answer(number, names)
            send({"jsonrpc": "2.0", "id": number, "error": {"code": "none", "message": {}}})
        case "errors":
            send({"jsonrpc": "2.0", "id": number, "error": NUMBERS})
        case "commands":
            evil = {"edit": {"changes": {f"file://{sys.argv[2]}/evil": [{"newText": "evil", "range": {}}]}}}
            request("workspace/applyEdit", evil)
            request("window/showDocument", {"uri": "file:///etc/passwd", "external": True}, 2)
            request("workspace/executeCommand", {"command": "evil", "arguments": []}, 3)
            request("shutdown", None, 4)
            request("initialize", {"capabilities": {}, "processId": 1, "rootUri": None}, 5)
            request("workspace/configuration", {"items": [{"section": "a"}] * 100_000}, 6)
            request("window/showMessageRequest", {"type": 1, "message": "m", "actions": []}, 7)
            notify("exit", None)
            notify("$/cancelRequest", {"id": number})
            answer(number, names)
        case "registers":
            flood(
                b'{"jsonrpc": "2.0", "id": 7, "method": "client/registerCapability", "params": {"registrations": []}}'
            )
        case "logs":
            flood(b'{"jsonrpc": "2.0", "method": "window/logMessage", "params": {"type": 1, "message": "log"}}')
        case "diagnostics":
            for i in range(10**9):
                notify(
                    "textDocument/publishDiagnostics", {"uri": f"file:///{i}", "diagnostics": [{"message": "a" * 9999}]}
                )
        case "garbage":
            flood(b"garbage")
        case "empty":
            flood(b"")
        case "bytes":
            send(b'{"jsonrpc": "2.0", "id": "\xff\xfe"}')
        case "objects":
            raw(number, "[" + ", ".join(["{}"] * 1_000_000) + "]")
        case "many":
            raw(number, "[" + ", ".join(f'{{"label": "name{i}"}}' for i in range(150_000)) + "]")
        case "long":
            raw(number, f'[{{"label": "{"a" * 3_000_000}"}}, {{"label": "left"}}]')
        case "edits":
            edits = (
                f'{{"label": "a", "textEdit": {{"newText": "a", "range": {span("0", str(i))}}}}}' for i in range(30_000)
            )
            raw(number, "[" + ", ".join(edits) + "]")
        case "blind":
            request("workspace/configuration", {"items": []})
            time.sleep(600)
        case "exits":
            os._exit(1)
        case "children":
            answer(number, names)
        case "ignores":
            answer(number, names)


def main(way: str, folder: Path) -> None:
    (folder / str(os.getpid())).touch()
    if way == "starts":
        os._exit(1)
    if way == "children":
        for _ in range(5):
            (folder / str(subprocess.Popen(["sleep", "600"], stdout=subprocess.DEVNULL).pid)).touch()
    while True:
        message = read()
        match message.get("method"):
            case "initialize" if way == "introduction":
                raw(message["id"], '{"capabilities": [1], "positionEncoding": []}')
            case "initialize" if way == "null":
                raw(message["id"], "null")
            case "initialize":
                hostile = (
                    {"positionEncoding": 7, "completionProvider": {"triggerCharacters": 7}} if way == "offers" else {}
                )
                answer(message["id"], {"capabilities": hostile | {"diagnosticProvider": {}}})
            case "shutdown" if way == "ignores":
                time.sleep(600)
            case "shutdown":
                answer(message["id"], None)
            case "exit":
                return
            case _ if "id" in message and "method" in message:
                misbehave(way, message)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
