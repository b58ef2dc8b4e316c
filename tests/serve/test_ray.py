"""The laws of `guiderail serve --ray`: for a client it is the single process, whatever becomes of a replica."""

from __future__ import annotations

import json
import signal
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from tests.editors.serving import MEMBERS, WRONG, Serving, project
from tests.editors.shapes import SHAPES
from tests.serve.waiting import until

pytest.importorskip("ray.serve", reason="pip install 'guiderail[ray]'")
pytestmark = pytest.mark.e2e
KEY = "correct horse"
PATIENCE = 300  # seconds for a cluster on a busy machine


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Two replicas on a cluster of their own."""
    root = project(tmp_path_factory.mktemp("project") / "shapes")
    server = Serving(
        tmp_path_factory.mktemp("serve"), root, variables={"GUIDERAIL_API_KEY": KEY, "RAY_ADDRESS": ""},
        flags=("--ray", "--min-replicas", "2", "--max-replicas", "2"), patience=PATIENCE,
    )  # fmt: skip
    started = psutil.Process(server.process.pid).children(recursive=True)
    yield server
    assert server.close() == 0
    _, left = psutil.wait_procs(started, 20)
    assert not left, "the cluster outlives its server"


def ask(serving: Serving, path: str, body: dict[str, Any] | None = None, key: str = KEY) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{serving.url}{path}", data, {"X-Api-Key": key})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


def replicas(serving: Serving) -> list[psutil.Process]:
    """The processes of the replicas."""
    found = []
    for process in psutil.Process(serving.process.pid).children(recursive=True):
        try:
            if process.cmdline() and process.cmdline()[0].startswith("ray::ServeReplica"):
                found.append(process)
        except psutil.Error:
            continue  # it ended meanwhile
    return found


def text_of(document: int) -> str:
    """A document that begins like no other one."""
    return f'"""Document {document}."""\n\n\ndef paint{document}(box):\n    return box.'


def test_a_cluster_answers_as_one_process(serving: Serving) -> None:
    """The same endpoints, key and errors; in a file of the project monitors act."""
    assert ask(serving, "/v1/models")["data"][0]["id"] == "model"
    assert ask(serving, "/props")["total_slots"] == 2
    tokens = ask(serving, "/tokenize", {"content": "import os", "with_pieces": True})["tokens"]
    assert "".join(token["piece"] for token in tokens) == "import os"
    for body, key, status in (({}, "wrong", 401), ({"prompt": 5}, KEY, 400)):
        with pytest.raises(urllib.error.HTTPError) as caught:
            ask(serving, "/completion", body, key)
        assert caught.value.code == status
        assert json.load(caught.value)["error"]["code"] == status
    body = {"input_prefix": SHAPES.rstrip("\n") + ".", "input_suffix": "\n"}
    until(lambda: MEMBERS.match(ask(serving, "/infill", body)["content"]), PATIENCE)
    assert ask(serving, "/completion", {"prompt": text_of(0)})["content"] == WRONG


def test_requests_of_one_document_go_where_its_cache_is(serving: Serving) -> None:
    """Each of eight finds its own keys and values again: by chance one in 256 would."""
    bodies = [{"prompt": text_of(number)} for number in range(10, 18)]
    for body in bodies:
        ask(serving, "/completion", body)
    again = [ask(serving, "/completion", body) for body in bodies]
    assert all(one["tokens_cached"] >= one["tokens_evaluated"] - 1 for one in again)


def answered(serving: Serving, requests: int, clients: int, kill_at: int) -> Counter[tuple[int, int]]:
    """Have clients ask, kill a replica in the middle, and count the answers of each client and number."""
    found, done, lock = Counter[tuple[int, int]](), threading.Event(), threading.Lock()

    def run(client: int) -> None:
        for number in range(requests // clients):
            answer = ask(serving, "/completion", {"prompt": f"# {client} {number}\ndef f(box):\n    return box."})
            with lock:
                found[client, number] += answer["content"] == WRONG
                if found.total() == kill_at:
                    done.set()

    threads = [threading.Thread(target=run, args=(client,)) for client in range(clients)]
    for thread in threads:
        thread.start()
    assert done.wait(PATIENCE)
    replicas(serving)[0].send_signal(signal.SIGKILL)
    for thread in threads:
        thread.join(PATIENCE)
    return found


@pytest.mark.parametrize(
    ("requests", "clients"), [pytest.param(48, 8), pytest.param(512, 16, marks=pytest.mark.exhaustive)]
)
def test_a_replica_killed_under_load_loses_no_request(serving: Serving, requests: int, clients: int) -> None:
    """Each is answered once, as if nothing had happened, and another replica takes its place."""
    until(lambda: len(replicas(serving)) == 2, PATIENCE)
    found = answered(serving, requests, clients, requests // 3)
    assert found == {(client, number): 1 for client in range(clients) for number in range(requests // clients)}
