"""llama.cpp's server: prompts as text and token ids, grammars in GBNF, its own prompt cache."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

from guiderail.decoding.sampling import Sampling
from guiderail.remote.connection import Connection
from guiderail.remote.errors import unreadable
from guiderail.remote.grammar import gbnf
from guiderail.remote.probe import SAMPLE, format_in, habits_in, length_of, one_of
from guiderail.remote.prompt_text import parts_of
from guiderail.remote.server import End, ModelServer, Piece, Query

LONGEST = 4096  # bytes of a token
CANDIDATES = 20  # tokens at each place whose probabilities are told


class LlamaCppServer(ModelServer):
    """A llama.cpp server; see `ModelServer`."""

    kind = "llama.cpp"

    @classmethod
    def find(cls, connection: Connection) -> LlamaCppServer | None:
        """The server of a connection, if it is one of llama.cpp's."""
        props = connection.found("/props")
        settings = props.get("default_generation_settings")
        if props.get("build_info") == "guiderail":  # it speaks to plug-ins of llama.cpp, but tells no candidates
            return None
        length = settings.get("n_ctx") if isinstance(settings, dict) else None
        if not isinstance(length, int):
            return None
        model = one_of(connection)
        fim = format_in(lambda text: _pieces(connection, model, text))
        return cls(connection, model, length_of(length), fim, habits_in(_pieces(connection, model, SAMPLE)))

    def write(self, query: Query, cancelled: Callable[[], bool]) -> Generator[Piece | End, None, None]:
        """See `ModelServer.write`."""
        written = [token for piece in query.written for token in piece.ids]
        body: dict[str, Any] = {
            "model": self.model,
            "prompt": ["".join(parts_of(query.prompt)), *written],  # several texts would be several prompts
            "n_predict": query.max_tokens,
            "stream": True,
            "cache_prompt": True,
            "return_tokens": True,
            "n_probs": CANDIDATES,
            **_sampling(query.sampling),
        }
        if query.language is not None:
            body["grammar"] = gbnf(query.language)
        with closing(self.connection.events("/completion", body, cancelled)) as events:
            for event in events:
                yield from self._parts(event)
                if event.get("stop") is True:
                    return
        if not cancelled():
            raise unreadable(self.connection.address)

    def _parts(self, event: dict[str, Any]) -> Iterator[Piece | End]:
        """What one event says: tokens with their bytes, and at last how it ended."""
        try:
            told = event.get("completion_probabilities") or ()
            if event.get("content") and not told:
                raise ValueError("text without tokens: another server that speaks like llama.cpp's")
            for one in told:
                yield replace(_piece(one), candidates=tuple(map(_piece, one["top_logprobs"][:CANDIDATES])))
            if event.get("stop") is True:
                timings = event.get("timings") or {}
                reused = int(timings.get("cache_n", 0))
                reason = "length" if event.get("stop_type") == "limit" else "eos"
                yield End(reason, reused + int(timings.get("prompt_n", 0)), reused)
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise unreadable(self.connection.address) from error


def _piece(token: dict[str, Any]) -> Piece:
    data = token["bytes"]
    if not isinstance(data, list) or len(data) > LONGEST:  # of a number bytes() would make as many zeros
        raise ValueError("no bytes of a token")
    return Piece(bytes(data), (int(token["id"]),), float(token["logprob"]))


def _sampling(sampling: Sampling) -> dict[str, Any]:
    """The temperature comes first, as here; no penalties, and nothing of the server's own defaults."""
    return {
        "temperature": sampling.temperature,
        "top_k": 1 if sampling.greedy else sampling.top_k,
        "top_p": sampling.top_p,
        "min_p": sampling.min_p,
        "seed": sampling.seed,
        "samplers": ["temperature", "top_k", "top_p", "min_p"],
        "repeat_penalty": 1.0,
    }


def _pieces(connection: Connection, model: str, text: str) -> list[str]:
    """A text as the server's tokens, control tokens by their names."""
    body = {"model": model, "content": text, "add_special": False, "parse_special": True, "with_pieces": True}
    found = connection.found("/tokenize", body).get("tokens")
    tokens = found if isinstance(found, list) else []
    return [str(one["piece"]) for one in tokens if isinstance(one, dict) and "piece" in one]
