"""OpenAI's endpoints: what their fields mean, and what answers look like."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Any

from guiderail.model.info import ModelInfo
from guiderail.serve.answer import Answer, Text
from guiderail.serve.faults import RequestFault
from guiderail.serve.fields import Fields
from guiderail.serve.llama_cpp import prompts
from guiderail.serve.query import Query, count_of, tokens_of


def completion(fields: Fields) -> list[Query]:
    """The queries of `/v1/completions`: a prompt, or several, with the text after the hole as `suffix`."""
    if fields.flag("echo"):
        raise RequestFault(400, "the field 'echo' is not supported", "Leave it out", "echo")
    suffix = None if fields.get("suffix") is None else fields.text("suffix")
    return prompts(fields, fields.texts("prompt"), count_of(fields, "n"), tokens_of(fields, "max_tokens"), suffix)


class Response:
    """The answers to one request, under one id."""

    def __init__(self, model: str) -> None:
        self._frame = {
            "id": f"cmpl-{secrets.token_hex(12)}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": model,
        }

    def whole(self, answers: Sequence[Answer]) -> dict[str, Any]:
        """The response in one piece."""
        pairs = [(answer, text) for answer in answers for text in answer.texts]
        choices = [
            {**_choice(index, text.text, _finish(text)), "guiderail": answer.about(text)}
            for index, (answer, text) in enumerate(pairs)
        ]
        about = {"guiderail": pairs[0][0].about(pairs[0][1])} if pairs else {}
        return {**self._frame, "choices": choices, "usage": usage(answers), **about}

    def chunk(self, index: int, text: str) -> dict[str, Any]:
        """A piece of a streamed response."""
        return {**self._frame, "choices": [_choice(index, text, None)]}

    def last(self, index: int, answer: Answer, text: Text) -> dict[str, Any]:
        """The end of one streamed text."""
        about = answer.about(text)
        return {
            **self._frame,
            "choices": [{**_choice(index, "", _finish(text)), "guiderail": about}],
            "guiderail": about,
        }

    def counts(self, answers: Sequence[Answer]) -> dict[str, Any]:
        """What ends a stream for a client that wants to know the numbers of tokens."""
        return {**self._frame, "choices": [], "usage": usage(answers)}


def usage(answers: Sequence[Answer]) -> dict[str, Any]:
    """The numbers of tokens."""
    prompt = sum(answer.texts[0].suggestion.timings.prompt_tokens for answer in answers if answer.texts)
    cached = sum(answer.texts[0].suggestion.timings.reused_tokens for answer in answers if answer.texts)
    written = sum(len(text.suggestion.token_ids) for answer in answers for text in answer.texts)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": written,
        "total_tokens": prompt + written,
        "prompt_tokens_details": {"cached_tokens": cached},
    }


def models(name: str, info: ModelInfo) -> dict[str, Any]:
    """The answer of `/v1/models`."""
    meta = {"n_ctx_train": info.context_length, "n_params": info.parameters, "size": info.bytes_on_disk}
    model = {"id": name, "object": "model", "created": 0, "owned_by": "guiderail", "meta": meta}
    return {"object": "list", "data": [model]}


def _choice(index: int, text: str, finish: str | None) -> dict[str, Any]:
    return {"text": text, "index": index, "logprobs": None, "finish_reason": finish}


def _finish(text: Text) -> str:
    return "length" if text.ending == "limit" else "stop"
