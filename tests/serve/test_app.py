"""The laws of the endpoints, as their clients rely on them."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from guiderail.engine.errors import ElsewhereError
from guiderail.errors import UnavailableError
from guiderail.lsp.worker import Health, Worker
from guiderail.monitors.report import MonitorReport, TriggerOutcome
from guiderail.monitors.verdict import Verdict
from guiderail.serve.app import BODY_LIMIT
from guiderail.serve.service import CompletionService
from guiderail.settings import Settings
from tests.lsp.fakes import BLANK
from tests.serve.client import Client, Response
from tests.serve.engine import ToldEngine
from tests.serve.waiting import until

HOLE = {"input_prefix": "import os\n\n", "prompt": "x = ", "input_suffix": "\ny = 1\n"}
# What llama.vim's FIM requests hold besides.
LLAMA_VIM = HOLE | {
    "id_slot": 0, "input_extra": [], "n_predict": 128, "stop": [], "n_indent": 0, "top_k": 40, "top_p": 0.90,
    "samplers": ["top_k", "top_p", "infill"], "stream": False, "cache_prompt": True, "t_max_prompt_ms": 500,
    "t_max_predict_ms": 250,
    "response_fields": ["content", "timings/prompt_n", "timings/prompt_ms", "timings/predicted_per_second",
                        "truncated", "tokens_cached", "no_such_field"],
}  # fmt: skip


def text_of(response: Response) -> str:
    """The text of a whole answer of OpenAI's form."""
    assert response.status == 200, response.body
    return response.json["choices"][0]["text"]


def test_infill_as_llama_vim_reads_it(client: Client, engine: ToldEngine) -> None:
    """It takes an answer only if a pattern finds the text, without a blank after the colon; its fields are flat."""
    response = client.post("/infill", LLAMA_VIM)
    assert response.status == 200
    assert re.search(r'"content"\s*:"hello\(\)"', response.body.decode())
    found = response.json
    assert found["timings/prompt_ms"] == 0.0
    assert found["truncated"] is False
    assert "no_such_field" not in found
    assert engine.asked == ["import os\n\nx = "]


def test_infill_as_llama_vscode_reads_it(client: Client) -> None:
    """One text is an object, several are a list."""
    assert client.post("/infill", HOLE | {"n_cmpl": 1}).json["content"] == "hello()"
    several = client.post("/infill", HOLE | {"n_cmpl": 3}).json
    assert [one["content"] for one in several] == ["hello()", "hello()1", "hello()2"]


@pytest.mark.parametrize("path", ["/infill", "/completion", "/completions"])
def test_whole_results_have_llama_cpp_s_fields(client: Client, path: str) -> None:
    """Without `response_fields` all of them come."""
    found = client.post(path, HOLE | {"prompt": "x = "}).json
    assert {"content", "stop", "model", "tokens_predicted", "tokens_evaluated", "stop_type", "timings"} <= found.keys()
    assert (found["stop"], found["stop_type"], found["model"]) == (True, "eos", "embedded")
    assert found["timings"].keys() >= {"prompt_n", "prompt_per_token_ms", "predicted_n", "predicted_per_second"}


def test_what_only_reads_the_prompt_writes_nothing(client: Client, engine: ToldEngine, root: Path) -> None:
    """llama.vim sends its context in advance so (`n_predict` 0), also without any text."""
    (root / "a.py").write_text("import os\n\n\nx = 1\n" * 3, encoding="utf-8")
    for body in (
        {"input_prefix": "", "input_suffix": "", "prompt": "", "n_predict": 0, "response_fields": [""]},
        HOLE | {"n_predict": 0, "guiderail": {"file": "a.py"}},
        {},
    ):
        response = client.post("/infill", body)
        assert (response.status, response.json.get("content", "")) == (200, "")
    until(lambda: engine.prepared)
    assert engine.asked == []


def test_streams_of_llama_cpp_end_with_the_numbers(client: Client) -> None:
    """Pieces say that they are no end, and together they are the text."""
    found = client.post("/infill", HOLE | {"stream": True}).events
    assert "".join(one["content"] for one in found) == "hello()"
    assert [one["stop"] for one in found] == [False] * (len(found) - 1) + [True]
    assert found[-1]["timings"]
    assert "guiderail" in found[-1]


def test_completions_of_openai(client: Client, engine: ToldEngine) -> None:
    """Prompt and suffix are the text around the hole."""
    response = client.post("/v1/completions", {"model": "any", "prompt": "x = ", "suffix": "\ny", "max_tokens": 9})
    assert text_of(response) == "hello()"
    found = response.json
    assert (found["object"], found["choices"][0]["finish_reason"]) == ("text_completion", "stop")
    assert found["usage"]["total_tokens"] == found["usage"]["prompt_tokens"] + found["usage"]["completion_tokens"]
    assert engine.settings[-1].max_tokens == 9


def test_streams_of_openai_end_with_a_reason_and_a_mark(client: Client, engine: ToldEngine) -> None:
    """Each text is streamed by lines, and the numbers come if they were asked for."""
    engine.text = "(\n    1,\n)"
    body = {"prompt": "x = ", "stream": True, "n": 2, "stream_options": {"include_usage": True}}
    response = client.post("/v1/completions", body)
    assert response.body.endswith(b"data: [DONE]\n\n")
    *chunks, last = response.events
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == 0
    for index, text in enumerate([engine.text, engine.text + "1"]):
        own = [chunk["choices"][0] for chunk in chunks if chunk["choices"][0]["index"] == index]
        assert "".join(choice["text"] for choice in own) == text
        assert [choice["finish_reason"] for choice in own] == [None] * (len(own) - 1) + ["stop"]
        assert len(own) > 2
    assert len({chunk["id"] for chunk in chunks}) == 1


def test_several_prompts_have_several_answers(client: Client, engine: ToldEngine) -> None:
    """In order; of llama.cpp's form it is a list."""
    found = client.post("/v1/completions", {"prompt": ["a = ", "b = "], "n": 2}).json
    assert [choice["index"] for choice in found["choices"]] == [0, 1, 2, 3]
    assert len(client.post("/completion", {"prompt": ["a = ", "b = "]}).json) == 2
    assert engine.asked[:2] == ["a = ", "b = "]


@pytest.mark.parametrize(
    "prompt",
    [
        "<|fim_prefix|>x = <|fim_suffix|>\ny<|fim_middle|>",
        "<fim_prefix>x = <fim_suffix>\ny<fim_middle>",
        "<｜fim▁begin｜>x = <｜fim▁hole｜>\ny<｜fim▁end｜>",
        "<PRE> x =  <SUF>\ny <MID>",
        "[SUFFIX]\ny[PREFIX]x = ",
        "<|code_prefix|>x = <|code_suffix|>\ny<|code_middle|>",
        "<|repo_name|>r\n<|file_sep|>b.py\nb = 1\n<|file_sep|>a.py\n<|fim_prefix|>x = <|fim_suffix|>\ny<|fim_middle|>",
    ],
)
@pytest.mark.parametrize("path", ["/v1/completions", "/completion"])
def test_a_prompt_in_a_model_s_format_is_taken_apart(
    client: Client, engine: ToldEngine, prompt: str, path: str
) -> None:
    """Zed, cursortab and minuet write such prompts; the model that is there need not be the one that they mean."""
    assert client.post(path, {"prompt": prompt}).status == 200
    assert (engine.seen[0].before, engine.seen[0].after) == ("x = ", "\ny")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("# language: python\n# indentation: use 4 spaces for a tab\n", "python"),
        ("/* language: c */\n/* indentation: use \t for a tab */\n", "c"),
        ("# language: no-such-language\n\n", None),
    ],
)
def test_what_minuet_writes_above_the_text_is_no_part_of_it(
    client: Client, engine: ToldEngine, root: Path, header: str, language: str | None
) -> None:
    """Else no file would be found."""
    text = "import os\n\n\ndef size(path: str) -> int:\n    return os.stat(path).st_size\n"
    (root / "a.py").write_text(text, encoding="utf-8")
    client.post("/v1/completions", {"prompt": f"{header}x = ", "suffix": "\n"})
    client.post("/v1/completions", {"prompt": f"<|fim_prefix|>{header}{text}x = <|fim_suffix|>\n<|fim_middle|>"})
    alone, in_file = engine.seen
    assert (alone.before, alone.document.language) == ("x = ", language)
    assert (in_file.before, in_file.document.path) == (f"{text}x = ", root / "a.py")


def test_a_stop_ends_the_text(client: Client, engine: ToldEngine) -> None:
    """The earliest counts, and one at a line's end has the model end with the line."""
    engine.text = "f(a, b)\ng(c)"
    found = client.post("/completion", {"prompt": "x = ", "stop": ["g", ", b"]}).json
    assert (found["content"], found["stop_type"], found["stopping_word"]) == ("f(a", "word", ", b")
    assert text_of(client.post("/v1/completions", {"prompt": "x = ", "stop": "\n"})) == "f(a, b)"
    assert engine.settings[-1].until == "line"


def test_nothing_after_the_cursor_is_written_twice(client: Client, engine: ToldEngine) -> None:
    """A client inserts at the cursor and replaces nothing, so a text ends before what it would replace."""
    engine.shown = [replace(BLANK, text="a,\n  b)", start=2, end=3)]
    found = client.post("/infill", {"input_prefix": "", "prompt": "f(", "input_suffix": ")\n"}).json
    assert found["content"] == "a,\n  b"


@pytest.mark.parametrize(("wanted", "got"), [(8, 8), (100_000, 64), (-1, 64), (None, 64), (8.0, 8)])
def test_tokens_are_bounded_by_the_person_s_setting(
    client: Client, engine: ToldEngine, wanted: float | None, got: int
) -> None:
    """A client asks for fewer at most."""
    client.post("/infill", HOLE | {"n_predict": wanted})
    client.post("/v1/completions", {"prompt": "x = ", "max_tokens": wanted})
    assert [one.max_tokens for one in engine.settings] == [got, got]


def test_sampling_is_the_client_s_if_it_says_a_temperature(client: Client, engine: ToldEngine) -> None:
    """llama.vim and others always send top-k and the like; alone they change nothing."""
    client.post("/infill", LLAMA_VIM)
    assert engine.settings[-1] == Settings(max_tokens=64)
    client.post("/infill", HOLE | {"temperature": 0.5, "top_k": 40, "top_p": 2, "min_p": -1, "seed": 7})
    used = engine.settings[-1]
    assert (used.temperature, used.top_k, used.top_p, used.min_p, used.seed) == (0.5, 40, 1.0, 0.0, 7)
    client.post("/infill", HOLE | {"temperature": 0.0, "top_k": 40})
    assert engine.settings[-1] == Settings(max_tokens=64)


def test_a_file_is_found_and_completed_as_in_an_editor(client: Client, engine: ToldEngine, root: Path) -> None:
    """Analysers see its text, it is read in advance, and the answer names it."""
    text = "import os\n\n\ndef size(path: str) -> int:\n    return os.stat(path).st_size\n"
    (root / "a.py").write_text(text, encoding="utf-8")
    body = {"input_prefix": text + "\n\n", "prompt": "print(", "input_suffix": "\n"}
    assert client.post("/infill", body).json["guiderail"]["file"] == "a.py"
    assert engine.unsaved == {(root / "a.py").as_uri(): text + "\n\nprint(\n"}
    until(lambda: engine.warmed)
    assert client.post("/infill", HOLE).json["guiderail"]["file"] is None


@pytest.mark.parametrize(
    ("path", "key", "suffix"),
    [
        ("/infill", "input_prefix", "input_suffix"),
        ("/v1/completions", "prompt", "suffix"),
        ("/completion", "prompt", ""),
    ],
)
def test_a_client_that_sends_nothing_for_after_the_cursor_deleted_nothing(
    client: Client, engine: ToldEngine, root: Path, path: str, key: str, suffix: str
) -> None:
    """The rest of the file is added from the disk, but not where an empty text says that there is none."""
    rest = "\n\n\nclass Depth:\n    pass\n"
    text = "import dataclasses\nimport itertools\nimport operator\nimport collections\n\n"
    (root / "a.py").write_text(text + "x" + rest, encoding="utf-8")
    assert client.post(path, {key: text + "x"}).json["guiderail"]["file"] == "a.py"
    assert engine.unsaved == {(root / "a.py").as_uri(): text + "x" + rest}
    if suffix:
        assert client.post(path, {key: text + "x", suffix: ""}).json["guiderail"]["file"] is None
    sentinels = f"<|fim_prefix|>{text}x<|fim_suffix|><|fim_middle|>"
    assert client.post("/completion", {"prompt": sentinels}).json["guiderail"]["file"] is None


def test_what_was_forbidden_is_told(client: Client, engine: ToldEngine) -> None:
    """In each form of answer: by the monitors, by the verdict, and what was kept back."""
    watch = TriggerOutcome("dereference", "box.", legal=2, forbidden=["col", "our"])
    shown = replace(BLANK, text="width", monitored=MonitorReport("pyrefly", [watch]), verdict=Verdict("clean"))
    wrong = replace(BLANK, text="size", verdict=Verdict("errors", errors=("no attribute size",)))
    engine.shown, engine.dropped, engine.withheld = [shown], [wrong], 1
    bodies = [
        client.post("/infill", LLAMA_VIM).json,
        client.post("/infill", HOLE | {"stream": True}).events[-1],
        client.post("/v1/completions", {"prompt": "box."}).json,
        client.post("/v1/completions", {"prompt": "box."}).json["choices"][0],
        client.post("/v1/completions", {"prompt": "box.", "stream": True}).events[-1],
    ]
    for body in bodies:
        about = body["guiderail"]
        assert about["monitors"]["triggers"][0]["forbidden"] == ["col", "our"]
        assert about["dropped"][0]["text"] == "size"
        assert "no attribute size" in about["why"]
        assert (about["verdict"], about["withheld"]) == ("no new errors", 1)


def test_nothing_is_completed_in_a_file_that_wants_none(client: Client, engine: ToldEngine, root: Path) -> None:
    """The answer is empty, and says why."""
    (root / "a.py").write_text("# guiderail: off\n", encoding="utf-8")
    found = client.post("/infill", HOLE | {"guiderail": {"file": "a.py"}}).json
    assert found["content"] == ""
    assert found["guiderail"]["why"] == "the file says guiderail: off"
    assert engine.asked == []


def test_while_the_model_loads_clients_are_told(client: Client, worker: Worker) -> None:
    """As by llama.cpp's server, and by its health."""
    assert client.get("/health").json == {"status": "ok"}
    worker.health = Health("loading")
    for response in (client.get("/health"), client.get("/props"), client.post("/infill", HOLE)):
        assert response.status == 503
        assert response.error["message"] == "Loading model"
        assert response.error["type"] == "unavailable_error"
        assert response.headers["retry-after"] == "1"


def test_a_failure_of_the_model_is_an_error_of_the_one_request(client: Client, engine: ToldEngine) -> None:
    """The next request is answered; what failed is not told in the failure's own words."""
    engine.failure = KeyError("secret source text")
    response = client.post("/infill", HOLE)
    assert response.status == 500
    assert "secret" not in response.error["message"]
    assert client.post("/infill", HOLE).status == 200
    assert client.get("/health").status == 200


def test_what_a_model_server_refuses_is_no_fault_of_the_request(
    client: Client, engine: ToldEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is what such a model cannot be asked."""
    engine.failure = UnavailableError("the model server cannot be reached", "Start it")
    response = client.post("/infill", HOLE)
    assert (response.status, response.error["type"]) == (503, "unavailable_error")
    client.post("/infill", HOLE)

    def elsewhere(_: ToldEngine) -> None:
        raise ElsewhereError

    monkeypatch.setattr(ToldEngine, "model", property(elsewhere), raising=False)
    response = client.post("/tokenize", {"content": "x"})
    assert (response.status, response.error["type"]) == (501, "not_supported_error")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/embeddings", "/", "/nothing"])
def test_unknown_endpoints(client: Client, path: str) -> None:
    """They are answered in the clients' form."""
    assert client.post(path, {}).error["type"] == "not_found_error"
    assert client.get("/infill").error["code"] == 405


@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
def test_the_key(service: CompletionService, header: str) -> None:
    """Only who shows it is answered, but for the health."""
    key = "schlüssel"
    client = Client(service, key.encode().decode("latin-1"))
    shown = f"Bearer {client_key(key)}" if header == "authorization" else client_key(key)
    for wrong in ("", "Bearer", f"Bearer {key[:-1]}", f"Bearer {client_key(key)}x", "Basic abc", "\xff"):
        for response in (client.post("/infill", HOLE, **{header: wrong}), client.get("/props", **{header: wrong})):
            assert response.status == 401
            assert response.error["type"] == "authentication_error"
    assert client.post("/infill", HOLE, **{header: shown}).status == 200
    assert client.get("/health").status == 200


def client_key(key: str) -> str:
    """A key as the bytes of a header hold it."""
    return key.encode().decode("latin-1")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200), ("127.0.0.1:8012", 200), ("[::1]:8012", 200), ("LOCALHOST.:8012", 200), ("127.9.9.9", 200),
        ("evil.example", 403), ("evil.example:8012", 403), ("localhost.evil.example", 403), ("127.0.0.1.nip.io", 403),
        ("0.0.0.0", 403), ("192.168.0.7:8012", 403), ("", 403), ("[", 403), ("[::2]", 403), (":8012", 403),
    ],
)  # fmt: skip
def test_a_name_that_leads_here_is_no_name_of_this_machine(client: Client, host: str, status: int) -> None:
    """A web page whose name was rebound to a loopback address sends its own name."""
    assert client.get("/health", host=host).status == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost:3000", 200), ("http://127.0.0.1", 200), ("http://[::1]:1", 200),
        ("https://evil.example", 403), ("null", 403), ("file://", 403), ("http://localhost.evil.example", 403),
        ("http://[", 403), ("localhost", 403),
    ],
)  # fmt: skip
def test_web_pages_are_refused(client: Client, origin: str, status: int) -> None:
    """A page can send requests, if it cannot read their answers."""
    response = client.post("/infill", HOLE, origin=origin)
    assert response.status == status
    assert not any(name.startswith("access-control") for name in response.headers)


def test_with_a_key_other_names_are_right(service: CompletionService) -> None:
    """A server that others reach is called by many names; web pages have no key."""
    client = Client(service, "key", local_only=False)
    assert client.get("/props", host="models.example", x_api_key="wrong").status == 401
    assert client.post("/infill", HOLE, host="models.example", x_api_key="key").status == 200


def test_long_bodies_are_refused(client: Client, engine: ToldEngine) -> None:
    """Whether they say how long they are or not."""
    long = b'{"prompt": "' + b"x" * BODY_LIMIT + b'"}'
    for headers in ({}, {"content-length": str(len(long))}, {"content-length": "9" * 30}):
        response = client.post("/completion", long, **headers)
        assert response.status == 413
        assert "longer" in response.error["message"]
    assert engine.asked == []


def test_the_log_holds_no_source_text(
    client: Client, engine: ToldEngine, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither of requests that are answered, nor of wrong ones, nor of those that fail."""
    caplog.set_level("DEBUG")
    client.post("/infill", HOLE | {"prompt": "SOURCE"})
    client.post("/infill", HOLE | {"prompt": "SOURCE", "n_predict": "SOURCE"})
    client.post("/infill", b'{"prompt": "SOURCE')
    engine.failure = ValueError("SOURCE")
    client.post("/infill", HOLE | {"prompt": "SOURCE"})

    def fail(*_: object) -> None:
        raise ValueError("SOURCE")

    monkeypatch.setattr("guiderail.serve.service.texts_of", fail)
    assert client.post("/infill", HOLE | {"prompt": "SOURCE"}).error["type"] == "server_error"
    ours = [record for record in caplog.records if record.name.startswith("guiderail")]
    assert "ValueError" in " ".join(record.getMessage() for record in ours)
    assert not any("SOURCE" in record.getMessage() for record in ours)
