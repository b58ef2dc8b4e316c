"""vLLM: prompts as text and then as its own token ids, structured outputs as regular expressions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from guiderail.prompt.fim import CONTROL_TOKENS, FimFormat, find_fim
from guiderail.remote.connection import Connection
from guiderail.remote.errors import unreadable
from guiderail.remote.grammar import regex
from guiderail.remote.openai import OpenAIServer
from guiderail.remote.probe import CONTEXT, SAMPLE, habits_in, length_of
from guiderail.remote.prompt_text import parts_of
from guiderail.remote.server import Piece, Query, TokenHabits

OWNER = "vllm"  # of its models, as it lists them


class VllmServer(OpenAIServer):
    """A vLLM server; see `ModelServer`.

    Parameters
    ----------
    control
        The ids of the control tokens that its model knows, by name.
    """

    kind = "vLLM"
    constrains = True

    def __init__(
        self,
        connection: Connection,
        model: str,
        context_length: int,
        fim: FimFormat | None,
        tokens: TokenHabits,
        control: Mapping[str, int],
    ) -> None:
        super().__init__(connection, model, context_length, fim, tokens)
        stops = fim.stops if fim else ()
        self._stop_ids = sorted(control[name] for name in stops if name in control)
        self._prompt_ids: tuple[str, list[int]] = ("", [])  # of the last prompt
        self._is_whole = True  # whether the prompt that was sent last is all of it, with nothing written after it
        self._pending: tuple[int, ...] = ()  # tokens whose bytes are no whole character yet

    @classmethod
    def found(cls, connection: Connection, model: str, listed: Mapping[str, Any]) -> VllmServer:
        """The server of a connection that lists a model as its own."""
        control = _control_tokens(connection, model)
        length = listed.get("max_model_len")
        return cls(
            connection,
            model,
            length_of(length) if isinstance(length, int) else CONTEXT,
            find_fim(control),
            habits_in([text for text, _ in _tokenized(connection, model, SAMPLE)]),
            control,
        )

    def _body(self, query: Query) -> dict[str, Any]:
        """The request; what was written goes on in the very tokens that were written, where they are known."""
        text = "".join(parts_of(query.prompt))
        ids = [token for piece in query.written for token in piece.ids]
        self._pending, self._is_whole = (), not query.written
        known, prompt_ids = self._prompt_ids
        is_known = known == text and bool(prompt_ids) and all(piece.ids for piece in query.written)
        if known != text:
            self._prompt_ids = (text, [])
        sampling = query.sampling
        body = {
            "model": self.model,
            "prompt": [*prompt_ids, *ids] if is_known and ids else text + _joined(query),
            "max_tokens": query.max_tokens,
            "stream": True,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k,
            "min_p": sampling.min_p,
            "seed": sampling.seed,
            "logprobs": 0,
            "return_token_ids": True,
            "stop_token_ids": self._stop_ids,
        }
        if query.language is None:
            return body
        return body | {"structured_outputs": {"regex": regex(query.language)}}

    def _pieces(self, choice: Mapping[str, Any]) -> Iterator[Piece]:
        """The text of an event with its tokens; one that ends inside a character is kept for the next event."""
        try:
            if (prompt_ids := choice.get("prompt_token_ids")) and self._is_whole:
                self._prompt_ids = (self._prompt_ids[0], list(map(int, prompt_ids)))
            self._pending += tuple(map(int, choice.get("token_ids") or ()))
            scores = [float(one) for one in (choice.get("logprobs") or {}).get("token_logprobs") or () if one]
        except (AttributeError, OverflowError, TypeError, ValueError) as error:
            raise unreadable(self.connection.address) from error
        for piece in super()._pieces(choice):
            yield replace(piece, ids=self._pending, logprob=sum(scores) / len(scores) if scores else 0.0)
            self._pending = ()


def _joined(query: Query) -> str:
    return b"".join(piece.data for piece in query.written).decode(errors="ignore")


def _control_tokens(connection: Connection, model: str) -> dict[str, int]:
    """The ids of the control tokens that a model knows, by name."""
    found = _tokenized(connection, model, "\n".join(sorted(CONTROL_TOKENS)))
    return {name: token for name, token in found if name in CONTROL_TOKENS}


def _tokenized(connection: Connection, model: str, text: str) -> list[tuple[str, int]]:
    """A text's tokens, as the vocabulary writes them, with their ids; none if the server does not tell."""
    body = {"model": model, "prompt": text, "add_special_tokens": False, "return_token_strs": True}
    found = connection.found("/tokenize", body)
    strings, ids = found.get("token_strs"), found.get("tokens")
    if not isinstance(strings, list) or not isinstance(ids, list):
        return []
    return [(str(one), token) for one, token in zip(strings, ids, strict=False) if isinstance(token, int)]
