"""A hub on this machine: the real client talks to it over HTTP, or finds its cache filled by hand."""

import hashlib
import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def fill_cache(cache: Path, hub_id: str, folder: Path, commit: str = COMMIT, *, main: bool = True) -> Path:
    """Copy `folder` into a hub cache as the snapshot `commit` of `hub_id`; returns the snapshot's folder."""
    repository = cache / f"models--{hub_id.replace('/', '--')}"
    snapshot = repository / "snapshots" / commit
    shutil.copytree(folder, snapshot)
    if main:
        (repository / "refs").mkdir(exist_ok=True)
        (repository / "refs" / "main").write_text(commit)
    return snapshot


def linked_to_blobs(snapshot: Path, *, git_below: int = 4096) -> Path:
    """Move a snapshot's contents to where the client keeps them, called by digest, git's for files below a size."""
    blobs = snapshot.parent.parent / "blobs"
    blobs.mkdir(exist_ok=True)
    for path in sorted(snapshot.iterdir()):
        data = path.read_bytes()
        git = hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()
        blob = blobs / (git if len(data) < git_below else hashlib.sha256(data).hexdigest())
        path.replace(blob)
        path.symlink_to(blob)
    return snapshot


class Hub:
    """What the server has, and what it was asked.

    Attributes
    ----------
    endpoint
        Its address, for HF_ENDPOINT.
    requests
        Method, path and Range header of every request.
    break_after
        When set, a file's transfer stops after so many bytes, and no file is given after that.
    headers
        Sent with every file instead of the right ones of that name.
    instead
        Answers a request in its own way if it wants to; whether it did.
    """

    def __init__(self, hub_id: str, folder: Path) -> None:
        self.hub_id = hub_id
        self.files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
        self.requests: list[tuple[str, str, str | None]] = []
        self.break_after: int | None = None
        self.broken = False
        self.endpoint = ""
        self.headers: dict[str, str] = {}
        self.instead: Callable[[BaseHTTPRequestHandler], bool] = lambda _: False

    def info(self) -> dict[str, Any]:
        """The answer of ``/api/models/ID``."""
        files = [{"rfilename": name, "size": len(data)} for name, data in self.files.items()]
        return {"_id": "1", "id": self.hub_id, "sha": COMMIT, "siblings": files, "private": False, "tags": []}


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            hub.requests.append(("GET", self.path, self.headers.get("Range")))
            if hub.instead(self):
                return
            if self.path.startswith("/api/models/"):
                self._answer_api()
            else:
                self._answer_file(body=True)

        def do_HEAD(self) -> None:
            hub.requests.append(("HEAD", self.path, None))
            if hub.instead(self):
                return
            self._answer_file(body=False)

        def _answer_api(self) -> None:
            if not self.path.startswith(f"/api/models/{hub.hub_id}"):
                self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
            elif re.search(r"/revision/(?!main\b|" + COMMIT + ")", self.path):
                self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            else:
                self._send(200, json.dumps(hub.info()).encode(), {"Content-Type": "application/json"})

        def _answer_file(self, body: bool) -> None:
            data = hub.files.get(self.path.partition(f"/resolve/{COMMIT}/")[2].partition("?")[0])
            if data is None:
                return self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
            if body and hub.broken:
                return self._send(403, b"", {})
            large = self.path.endswith((".safetensors", ".gguf"))
            etag = hashlib.sha256(data).hexdigest() if large else hashlib.sha1(data).hexdigest()
            headers = {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
            headers |= hub.headers
            part = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
            start = int(part[1]) if part else 0
            if part:
                headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            return self._send(206 if part else 200, data[start:], headers, body=body)

        def _send(self, status: int, data: bytes, headers: dict[str, str], *, body: bool = True) -> None:
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(data))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            if not body:
                return
            if hub.break_after is not None and len(data) > hub.break_after and "/resolve/" in self.path:
                hub.broken, data = True, data[: hub.break_after]
                self.close_connection = True
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve `hub` on a free port of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
