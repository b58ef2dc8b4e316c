"""llama.cpp's endpoints: what their fields mean, and what answers look like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from guiderail.serve.answer import Answer, Text
from guiderail.serve.fields import Fields
from guiderail.serve.query import Query, count_of, sampling_of, snippets_of, tokens_of
from guiderail.serve.sentinels import FimText, take_apart, without_header


def infill(fields: Fields) -> Query:
    """The query of `/infill`: the hole is after `input_prefix` and `prompt`.

    On a blank line plug-ins send no indentation but say how deep it is (`n_indent`), and take as much from the answer.
    """
    extra = ((one.text("filename"), one.text("text")) for one in fields.objects("input_extra"))
    query = Query(
        before=fields.text("input_prefix") + fields.text("prompt"),
        after=fields.text("input_suffix"),
        is_open=fields.get("input_suffix") is None,
        snippets=snippets_of(extra),
        n=count_of(fields, "n_cmpl"),
        max_tokens=tokens_of(fields, "n_predict"),
        stops=fields.texts("stop"),
        sampling=sampling_of(fields),
    )
    fields.whole("n_indent")  # guiderail keeps to the block by itself
    return query.named(fields)


def completion(fields: Fields) -> list[Query]:
    """The queries of `/completion`: a prompt, or several."""
    return prompts(fields, fields.texts("prompt"), count_of(fields, "n_cmpl"), tokens_of(fields, "n_predict"))


def prompts(
    fields: Fields, texts: Sequence[str], n: int, max_tokens: int | None, suffix: str | None = None
) -> list[Query]:
    """The query of each prompt; one in a model's own format is taken apart. `suffix` is None where none was sent."""
    common = {"n": n, "max_tokens": max_tokens, "stops": fields.texts("stop"), "sampling": sampling_of(fields)}
    found = []
    for text in texts or [""]:
        apart = None if suffix else take_apart(text)
        parts = apart or FimText(text, suffix or "")
        before, language = without_header(parts.before)
        is_open = apart is None and suffix is None
        query = Query(
            before=before, after=parts.after, is_open=is_open, file=parts.file, language=language,
            snippets=snippets_of(parts.others), **common,
        )  # fmt: skip
        found.append(query.named(fields))
    return found


def result(answer: Answer, text: Text, index: int, wanted: Sequence[str] = ()) -> dict[str, Any]:
    """One result, whole or with the fields that the client wants.

    A wanted field with slashes is lifted to the top, under its whole name.
    """
    suggestion = text.suggestion
    whole = {
        "index": index,
        "content": text.text,
        "tokens": [],
        "id_slot": 0,
        "stop": True,
        "model": answer.model,
        "tokens_predicted": len(suggestion.token_ids),
        "tokens_evaluated": suggestion.timings.prompt_tokens,
        "generation_settings": {},
        "prompt": "",
        "has_new_line": "\n" in text.text,
        "truncated": False,
        "stop_type": text.ending,
        "stopping_word": text.stop,
        "tokens_cached": suggestion.timings.reused_tokens,
        "timings": _timings(text),
        "guiderail": answer.about(text),
    }
    if not wanted:
        return whole
    found = {name: value for name in wanted if (value := _lifted(whole, name)) is not None}
    return found | {"guiderail": whole["guiderail"]}


def chunk(text: str, index: int) -> dict[str, Any]:
    """A piece of a streamed result."""
    return {"index": index, "content": text, "tokens": [], "stop": False}


def props(model: str, n_ctx: int, slots: int) -> dict[str, Any]:
    """The answer of `/props`."""
    return {
        "default_generation_settings": {"id": 0, "n_ctx": n_ctx, "params": {}, "is_processing": False},
        "total_slots": slots,
        "model_path": model,
        "model_alias": model,
        "chat_template": "",
        "modalities": {"vision": False, "audio": False},
        "build_info": "guiderail",
        "is_sleeping": False,
    }


def tokens(found: Sequence[tuple[int, bytes]], with_pieces: bool) -> dict[str, Any]:
    """The answer of `/tokenize`."""
    if not with_pieces:
        return {"tokens": [token for token, _ in found]}
    return {"tokens": [{"id": token, "piece": _piece(data)} for token, data in found]}


def _piece(data: bytes) -> str | list[int]:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return list(data)


def _lifted(whole: dict[str, Any], name: str) -> Any:
    value: Any = whole
    for part in name.split("/"):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _timings(text: Text) -> dict[str, Any]:
    timings, predicted = text.suggestion.timings, len(text.suggestion.token_ids)
    fresh = timings.prompt_tokens - timings.reused_tokens
    return {
        "cache_n": timings.reused_tokens,
        **_speed("prompt", fresh, timings.prompt_s),
        **_speed("predicted", predicted, timings.decode_s),
    }


def _speed(name: str, count: int, seconds: float) -> dict[str, float]:
    return {
        f"{name}_n": count,
        f"{name}_ms": 1000 * seconds,
        f"{name}_per_token_ms": 1000 * seconds / count if count else 0.0,
        f"{name}_per_second": count / seconds if seconds else 0.0,
    }
