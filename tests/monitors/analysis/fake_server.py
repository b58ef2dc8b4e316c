"""A language server for the tests: offers the words of the file, or misbehaves as its argument says.

good, deaf (never answers a completion), garbage (bytes that are no LSP), nonsense (LSP that is no answer), error,
dies (at the first completion), late (after 0.3 s, and without diagnostics), mute (never answers at all), unnumbered
(diagnostics without versions), cold (the first completion is empty). Every "wrong" in the text is an error. What it
was told of other files is among the names it offers: the first letter of each, with the kinds of change.
"""

import json
import re
import sys
import time
from functools import reduce


def read() -> dict:
    length = 0
    while line := sys.stdin.buffer.readline().strip():
        name, _, value = line.partition(b":")
        length = int(value) if name == b"Content-Length" else length
    if not length:
        sys.exit()
    return json.loads(sys.stdin.buffer.read(length))


def send(message: dict) -> None:
    body = json.dumps({"jsonrpc": "2.0"} | message).encode()
    sys.stdout.buffer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
    sys.stdout.buffer.flush()


def apply(text: str, change: dict) -> str:
    lines = [*text.splitlines(keepends=True), ""]
    begin, end = (
        sum(map(len, lines[: place["line"]])) + place["character"]
        for place in (change["range"]["start"], change["range"]["end"])
    )
    return text[:begin] + change["text"] + text[end:]


def complete(mode: str, text: str, position: dict, events: list[str]) -> dict | None:
    names = [*events, *sorted(set(re.findall(r"\b[a-z]\w+", text)))]
    # The line up to the position proves that both sides see the same text.
    names.append("at_" + re.sub(r"\W", "_", text.split("\n")[position["line"]][: position["character"]]))
    match mode:
        case "deaf":
            return None
        case "dies":
            sys.exit(3)
        case "garbage":
            sys.stdout.buffer.write(b"Segmentation fault\n" * 9000)
            sys.stdout.buffer.flush()
            return None
        case "nonsense":
            return {"result": {"items": 7}}
        case "error":
            return {"error": {"code": -32603, "message": "KeyError"}}
        case "late":
            time.sleep(0.3)
    return {"result": {"isIncomplete": False, "items": [{"label": name} for name in names]}}


def publish(mode: str, document: dict, text: str) -> None:
    found = []
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n")):
        for match in re.finditer("wrong", line):
            begin, end = ({"line": number, "character": at} for at in match.span())
            found.append({"range": {"start": begin, "end": end}, "message": "it is wrong"})
    version = {"version": document["version"]} if mode == "good" else {}
    params = {"uri": document["uri"], "diagnostics": found} | version
    send({"method": "textDocument/publishDiagnostics", "params": params})


def main(mode: str) -> None:
    text, asked, events = "", 0, []
    while True:
        message = read()
        match message.get("method"):
            case "initialize" if mode != "mute":
                send({"id": message["id"], "result": {"capabilities": {"positionEncoding": "utf-32"}}})
            case "textDocument/didOpen":
                text = message["params"]["textDocument"]["text"]
                if mode != "late":
                    publish(mode, message["params"]["textDocument"], text)
            case "textDocument/didChange":
                text = reduce(apply, message["params"]["contentChanges"], text)
                if mode != "late":
                    publish(mode, message["params"]["textDocument"], text)
            case "textDocument/completion":
                asked += 1
                answer = complete(mode, text, message["params"]["position"], events)
                answer = {"result": []} if mode == "cold" and asked == 1 else answer
                if answer:
                    send({"id": message["id"]} | answer)
            case "workspace/didChangeWatchedFiles":
                events += [f"{one['uri'].rpartition('/')[2][0]}{one['type']}" for one in message["params"]["changes"]]
            case "shutdown":
                send({"id": message["id"], "result": None})
            case "exit":
                return


if __name__ == "__main__":
    main(sys.argv[1])
