"""A language server for the tests that says what it is told to: ``replay_server.py CONVERSATION.json``.

The conversations are written by hand, in the shape in which servers that cannot be had here are known to speak; none
was recorded from a real one. A conversation lists, by method, the messages that each request is answered with, the last
of them its reply ("result" or "error"); requests of the server's own among them must be answered by the client before
it goes on.
"""

import json
import sys
from pathlib import Path

from fake_server import read, send


def main(conversation: dict[str, list[list[dict]]]) -> None:
    while True:
        message = read()
        method = message.get("method")
        if method == "shutdown":
            send({"id": message["id"], "result": None})
        elif method == "exit":
            return
        elif "id" in message and method:
            said = conversation[method]
            *before, reply = said.pop(0) if len(said) > 1 else said[0]
            for one in before:
                send(one)
                if "id" in one:
                    answer = read()
                    while answer.get("id") != one["id"] or "method" in answer:
                        answer = read()
                    assert "error" not in answer, answer
            send({"id": message["id"]} | reply)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
