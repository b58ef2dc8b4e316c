"""Whatever a model hub answers: nothing is written outside its cache, nothing is without end, nothing runs."""

import gzip
import itertools
import json
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from hypothesis import given
from hypothesis import strategies as st

from guiderail.errors import GuiderailError
from guiderail.model import store
from guiderail.model.errors import ModelFolderError
from guiderail.model.guard import Guard, HostileAnswerError, is_plain
from guiderail.model.info import read_info
from guiderail.model.pull import _is_wanted
from guiderail.model.pull import pull as pull_model
from tests.helpers.hub import COMMIT, Hub, serving
from tests.helpers.tiny import tiny_model_folder

HUB_ID = "owner/tiny"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model_folder("qwen2", tmp_path_factory.mktemp("original"))


@dataclass
class Pulled:
    """What came of a pull: the folder, or the one line of the failure."""

    folder: Path | None
    failure: str


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub client's own folders, and nobody's token."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in ("http_proxy", "https_proxy", "all_proxy", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(folder / "token"))
    monkeypatch.setattr(store, "_pin_file", lambda: folder / "data" / "models.json")
    return folder


def pull(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Pulled:
    """What `guiderail models pull` does, from this hub, through the real client."""
    monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
    template = hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    try:
        return Pulled(pull_model(HUB_ID).folder, "")
    except GuiderailError as error:
        return Pulled(None, error.message)


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() or path.is_symlink()}


def refused(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Pull from a hub; it fails in one line, and nothing but the hub's cache was written; the line."""
    (tmp_path / "precious").write_text("mine")
    done = pull(hub, monkeypatch)
    assert done.folder is None
    assert done.failure
    assert "\n" not in done.failure
    assert (tmp_path / "precious").read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"precious", "home"}
    assert {name.partition("/")[0] for name in files_in(tmp_path / "home")} <= {"hub"}
    inside = {name.partition("/")[0] for name in files_in(tmp_path / "home" / "hub")}
    assert inside <= {"models--owner--tiny", ".locks", "CACHEDIR.TAG"}
    return done.failure


ETAGS = [
    '"../../../../precious"', '"../../../pwned"', '"/tmp/guiderail-pwned"', '"..\\..\\..\\pwned"', '"C:\\pwned"',
    '"con"', f'"{"a" * 500}"', f'"{COMMIT}/../../../x"', '"."', '""',
]  # fmt: skip


@pytest.mark.parametrize(
    ("header", "etag"),
    [  # of an empty linked one the client takes the other
        pair for pair in itertools.product(("ETag", "X-Linked-Etag"), ETAGS) if pair != ("X-Linked-Etag", '""')
    ],
)
def test_an_etag_that_is_no_checksum_names_no_file(
    original: Path, tmp_path: Path, etag: str, header: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client would write a file of that name among its blobs, and a lock beside them."""
    with serving(Hub(HUB_ID, original)) as hub:
        hub.headers = {header: etag}
        assert "refused" in refused(hub, tmp_path, monkeypatch)


def test_an_etag_that_turns_bad_at_the_second_question_is_refused_too(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(Hub(HUB_ID, original)) as hub:

        def second(_: BaseHTTPRequestHandler) -> bool:
            hub.headers = {"ETag": '"../../../pwned"'} if sum(r[0] == "HEAD" for r in hub.requests) > 1 else {}
            return False

        hub.instead = second
        assert "refused" in refused(hub, tmp_path, monkeypatch)


@pytest.mark.parametrize("commit", ["../../../../pwned", "/tmp/pwned", "main", "", "0" * 39, 7])
def test_a_commit_that_is_none_names_no_folder(
    original: Path, tmp_path: Path, commit: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = Hub(HUB_ID, original)
    told = hub.info() | {"sha": commit}
    hub.info = lambda: told
    with serving(hub):
        assert refused(hub, tmp_path, monkeypatch)


def test_a_file_of_another_commit_is_refused(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Hub(HUB_ID, original)) as hub:
        hub.headers = {"X-Repo-Commit": "../../../pwned"}
        assert "another commit" in refused(hub, tmp_path, monkeypatch)


BAD_NAMES = [
    "../model.safetensors", "/tmp/model.safetensors", "model/../../../x.safetensors", "model\\..\\..\\x.safetensors",
    "model\0.safetensors", "LICENSE:stream", "LICENSE\n", "LICENSE.", "LICENSE ", "LICENSE\u202e",
    "LICENSE" + "x" * 400, "model.safetensors/", "", "modelä.safetensors",
]  # fmt: skip


@pytest.mark.parametrize("name", [*BAD_NAMES, None, 5, ["README.md"], "modeling.py", "pytorch_model.bin", "x.pkl"])
def test_names_that_are_no_plain_files_are_not_fetched(name: object) -> None:
    assert not _is_wanted(name)


@given(st.text(max_size=200))
def test_a_plain_name_is_one_file_on_every_system(name: str) -> None:
    if is_plain(name):
        assert not set(name) & set('/\\:\0*?"<>|\n ')
        assert name not in {".", ".."}
        assert not name.endswith((".", " "))
        assert len(name) <= 128
    assert not is_plain(f"../{name}")
    assert not is_plain(f"con.{name}")


def test_odd_names_and_copies_in_other_case_are_passed_over(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model itself is fetched; what does not belong to it is never asked for."""
    hub = Hub(HUB_ID, original)
    told = hub.info()
    told["siblings"] += [{"rfilename": name, "size": 1} for name in [*BAD_NAMES, "LICENSEx", "LICENSEX"]]
    hub.files["LICENSEx"] = b"x"
    hub.info = lambda: told
    with serving(hub):
        done = pull(hub, monkeypatch)
    assert done.folder, done.failure
    names = {path.name for path in done.folder.iterdir()}
    assert names == {path.name for path in original.iterdir()} | {"LICENSEx"}
    assert {path.name for path in tmp_path.iterdir()} == {"home"}


def test_a_listing_of_many_files_is_refused_soon(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of them is asked for, and looking through them takes linear time."""
    hub = Hub(HUB_ID, original)
    told = hub.info()
    told["siblings"] += [{"rfilename": f"model{number}.safetensors", "size": 1} for number in range(30_000)]
    hub.info = lambda: told
    began = time.thread_time()
    with serving(hub):
        assert "lists" in refused(hub, tmp_path, monkeypatch)
    assert time.thread_time() - began < 10


@pytest.mark.parametrize("size", [-1, None, "12", 1.5, True, 1 << 60])
def test_a_size_that_is_none_or_has_no_room_is_refused(
    original: Path, tmp_path: Path, size: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = Hub(HUB_ID, original)
    told = hub.info()
    for one in told["siblings"]:
        one["size"] = size
    hub.info = lambda: told
    with serving(hub):
        assert refused(hub, tmp_path, monkeypatch)
    assert not any("/resolve/" in path for _, path, _ in hub.requests)


def endless(handler: BaseHTTPRequestHandler, sent: list[int], headers: dict[str, str]) -> None:
    """Answer without end, until the client hangs up or 300 MB are through."""
    handler.send_response(200)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.close_connection = True
    piece = b" " * (1 << 20)
    try:
        while sent[0] < 300:
            handler.wfile.write(piece)
            sent[0] += 1
    except OSError:
        pass


def only(asked: Callable[[str], bool], answer: Callable[[BaseHTTPRequestHandler], Any]) -> Callable[..., bool]:
    def instead(handler: BaseHTTPRequestHandler) -> bool:
        if handler.command != "GET" or not asked(handler.path):
            return False
        answer(handler)
        return True

    return instead


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "/api/"])
def test_an_answer_without_end_is_ended(
    original: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a file little more than its size is taken, of the listing some megabytes."""
    sent = [0]
    headers = {"Content-Type": "application/json", "X-Repo-Commit": COMMIT}
    with serving(Hub(HUB_ID, original)) as hub:
        hub.instead = only(lambda path: name in path, lambda handler: endless(handler, sent, headers))
        assert "longer than it says" in refused(hub, tmp_path, monkeypatch)
    assert sent[0] < 100
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < 40 << 20


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "/api/"])
def test_nothing_is_unpacked(original: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred kilobytes that unpack to a hundred megabytes."""
    bomb = gzip.compress(b" " * (100 << 20))

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip")
        handler.send_header("Content-Length", str(len(bomb)))
        handler.end_headers()
        handler.wfile.write(bomb)

    with serving(Hub(HUB_ID, original)) as hub:
        hub.instead = only(lambda path: name in path, answer)
        assert "compressed" in refused(hub, tmp_path, monkeypatch)


@pytest.mark.parametrize("body", [b"[" * 1_000_000, b"{}", b"[]", b'"x"', b'{"siblings": 5}', b"\xff\xfe", b"nul"])
def test_a_listing_of_any_shape_is_refused_in_one_line(
    original: Path, tmp_path: Path, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    with serving(Hub(HUB_ID, original)) as hub:
        hub.instead = only(lambda path: "/api/" in path, answer)
        refused(hub, tmp_path, monkeypatch)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/x", "data:,x"])
def test_a_redirection_to_no_web_address_is_not_followed(
    original: Path, tmp_path: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(handler: BaseHTTPRequestHandler) -> bool:
        if "/resolve/" not in handler.path:
            return False
        handler.send_response(302)
        for name, value in {
            "Location": target, "ETag": f'"{"a" * 64}"', "X-Repo-Commit": COMMIT, "Content-Length": "0",
            "X-Linked-Size": "10",
        }.items():  # fmt: skip
            handler.send_header(name, value)
        handler.end_headers()
        return True

    with serving(Hub(HUB_ID, original)) as hub:
        hub.instead = away
        refused(hub, tmp_path, monkeypatch)
    assert not any(b"root:" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


WAITS = [("Retry-After", "99999999"), ("Retry-After", "9" * 400), ("RateLimit", '"api";r=0;t=999999')]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("name", "value"), WAITS)
@pytest.mark.parametrize("part", ["/api/", "/resolve/"])
def test_a_hub_that_has_its_client_sleep_is_left(
    original: Path, tmp_path: Path, part: str, name: str, value: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client sleeps for as long as a failure's headers say, and says nothing."""

    def later(handler: BaseHTTPRequestHandler) -> bool:
        if part not in handler.path:
            return False
        handler.send_response(status)
        handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return True

    naps: list[float] = []
    monkeypatch.setattr("time.sleep", naps.append)
    with serving(Hub(HUB_ID, original)) as hub:
        hub.instead = later
        assert "asks to wait" in refused(hub, tmp_path, monkeypatch)
    assert sum(naps) < 60


def test_a_hub_with_encryption_leads_to_none_without() -> None:
    import httpx2

    guard = Guard("https://hub.example")
    guard.request(httpx2.Request("GET", "https://cdn.example/x"))
    with pytest.raises(HostileAnswerError):
        guard.request(httpx2.Request("GET", "http://127.0.0.1:8080/x"))


def test_the_persons_token_goes_to_the_hub_alone(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A redirection to another server takes the file from there, and tells it nothing."""
    heard: list[str | None] = []
    with serving(Hub(HUB_ID, original)) as other, serving(Hub(HUB_ID, original)) as hub:

        def hear(handler: BaseHTTPRequestHandler) -> bool:
            heard.append(handler.headers.get("Authorization"))
            return False

        def away(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(302)
            handler.send_header("Location", other.endpoint + handler.path)
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        other.instead, hub.instead = hear, only(lambda path: "/resolve/" in path, away)
        monkeypatch.setenv("HF_TOKEN", "of-the-person")
        done = pull(hub, monkeypatch)
    assert done.folder, done.failure
    assert heard
    assert set(heard) == {None}


def test_code_and_pickles_are_never_fetched(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration that names code of its own brings none."""
    hub = Hub(HUB_ID, original)
    config = json.loads(hub.files["config.json"]) | {"auto_map": {"AutoModelForCausalLM": "modeling_own.Own"}}
    hub.files |= {"config.json": json.dumps(config).encode(), "modeling_own.py": b"raise SystemExit(3)"}
    hub.files |= {"pytorch_model.bin": b"cos\nsystem\n", "model.pkl": b"cos\nsystem\n"}
    with serving(hub):
        done = pull(hub, monkeypatch)
    assert done.folder, done.failure
    names = {path.name for path in done.folder.iterdir()}
    assert names == {path.name for path in original.iterdir()}


def folder_with(original: Path, tmp_path: Path, **files: bytes) -> Path:
    for path in original.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    for name, data in files.items():
        (tmp_path / name.replace("__", ".")).write_bytes(data)
    return tmp_path


def weights(header: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header


HEADERS = [
    weights(b"{}", 1 << 63), weights(b"{}", 200), weights(b"[" * 500_000), weights(b"[]"), weights(b"5"), b"", b"x",
    weights(b'{"a": {"shape": [-1]}}'), weights(b'{"a": {"shape": ["x"]}}'), weights(b'{"a": {"shape": 3}}'),
    weights(b'{"a": {"shape": [' + b"9" * 300 + b"]}}"), weights(b'{"a": {"shape": [' + b"2," * 50_000 + b"2]}}"),
    weights(b'{"a": {}}'), weights(b'{"a": 1}'), weights(b"\xff\xff"), weights(b'{"a": {"shape": [true]}}'),
]  # fmt: skip


@pytest.mark.parametrize("data", HEADERS)
def test_weights_with_a_hostile_header_are_damaged(original: Path, tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ModelFolderError):
        read_info(folder_with(original, tmp_path / "home", model__safetensors=data), "x")


INDICES = [
    {"weight_map": {"a": "../../secret.safetensors"}}, {"weight_map": {"a": "/etc/passwd"}}, {"weight_map": [1]},
    {"weight_map": {"a": ["x"]}}, {"weight_map": {"a": {}}}, {"weight_map": 5}, {"weight_map": {"a": "a\\b"}},
]  # fmt: skip


@pytest.mark.parametrize("index", INDICES)
def test_an_index_names_files_beside_it_alone(original: Path, tmp_path: Path, index: object) -> None:
    folder = folder_with(original, tmp_path / "home")
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelFolderError):
        read_info(folder, "x")


@pytest.mark.parametrize("name", ["config__json", "tokenizer__json"])
@pytest.mark.parametrize("data", [b"[" * 500_000, b"[1]", b'{"a":' * 100_000, b"\xff", b"", b"nul"])
def test_damaged_descriptions_are_said_in_one_line(original: Path, tmp_path: Path, name: str, data: bytes) -> None:
    with pytest.raises(ModelFolderError):
        read_info(folder_with(original, tmp_path / "home", **{name: data}), "x")


CONFIGS = [
    {"num_hidden_layers": "x"}, {"num_attention_heads": 0.5}, {"hidden_size": ["x"]}, {"text_config": "x"},
    {"architectures": 5}, {"vocab_size": "x", "tie_word_embeddings": True}, {"num_key_value_heads": {"a": 1}},
    {"num_hidden_layers": -1}, {"max_position_embeddings": "x"}, {"hidden_size": 1 << 70},
]  # fmt: skip


@pytest.mark.parametrize("config", CONFIGS)
def test_a_configuration_of_other_types_is_damaged(original: Path, tmp_path: Path, config: dict[str, Any]) -> None:
    whole = json.loads((original / "config.json").read_text()) | {"head_dim": None} | config
    with pytest.raises(ModelFolderError):
        read_info(folder_with(original, tmp_path / "home", config__json=json.dumps(whole).encode()), "x")


def test_a_huge_description_is_not_read(original: Path, tmp_path: Path) -> None:
    folder = folder_with(original, tmp_path / "home")
    with (folder / "tokenizer.json").open("r+b") as file:
        file.truncate(1 << 33)
    with pytest.raises(ModelFolderError, match="more than"):
        read_info(folder, "x")


def test_a_model_card_takes_linear_time(original: Path, tmp_path: Path) -> None:
    """Its licence line is made of blanks, and its front matter has no end."""
    for card in (b"---\nlicense: " + b" " * 60_000 + b"#\n---\n", b"---\n" + b"license: x\n" * 10_000_000):
        done = threading.Event()
        folder = folder_with(original, tmp_path / "home", README__md=card)
        reader = threading.Thread(target=lambda: (read_info(folder, "x"), done.set()), daemon=True)  # noqa: B023
        reader.start()
        assert done.wait(20)
