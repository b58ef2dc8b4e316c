"""Grammars as constraints: Lark, GBNF, JSON schema, regular expressions, through llguidance.

llguidance keeps an Earley parser over regular lexemes and fills a step's mask from the vocabulary's byte trie; its
masks have our layout. What it does not have: indentation (Python), look-around, priorities.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import llguidance
import numpy as np

from guiderail import projectfile
from guiderail.decoding.constraints.constraint import Constraint
from guiderail.decoding.spec import BuildContext, ConstraintSpec, Metadata, parameter
from guiderail.errors import UsageError
from guiderail.projectfile import ProjectFileError

if TYPE_CHECKING:
    from guiderail.model.tokenizer import Tokenizer

_log = logging.getLogger(__name__)

GrammarFormat = Literal["lark", "gbnf", "json", "regex"]
FORMATS: tuple[GrammarFormat, ...] = get_args(GrammarFormat)
# The library's own 50,000 are spent on a full grammar of Java after a few lines, and then only the end may follow.
LIMITS: dict[str, Any] = {"step_max_items": 1_000_000}


class GrammarError(UsageError):
    """A grammar is malformed, or asks for what llguidance does not have."""


@dataclass(frozen=True, kw_only=True)
class GrammarSpec(ConstraintSpec):
    """A grammar that the text must follow."""

    file: str = parameter("", "The file that holds the grammar.")
    source: str = parameter("", "The grammar itself, in place of a file.")
    format: str = parameter("auto", "What it is; auto goes by the file's ending.", choices=("auto", *FORMATS))
    metadata = Metadata(
        summary="only texts of a grammar: Lark, GBNF, a JSON schema or a regular expression",
        paper="llguidance (MIT); its docs describe the Lark dialect",
        cost="0.1 to 5 ms a step, by the grammar",
        use="where the text must have a format, such as JSON; not for Python, since there is no indentation",
    )

    def build(self, context: BuildContext) -> Grammar:
        """See `ConstraintSpec.build`."""
        source, form = self._read()
        vocabulary = context.kept(GrammarVocabulary, lambda: GrammarVocabulary(context.model.tokenizer))
        return Grammar(vocabulary, compile_grammar(source, form, context.typed))

    def _read(self) -> tuple[str, GrammarFormat]:
        if bool(self.file) == bool(self.source):
            raise GrammarError(
                "a grammar needs a file or a source", "Add --set grammar.file=FILE or grammar.source=TEXT"
            )
        form = PurePath(self.file).suffix[1:].lower() if self.format == "auto" else self.format
        if form not in FORMATS:
            raise GrammarError(
                f"nothing says what kind of grammar {self.file or 'the source'} is",
                f"Add --set grammar.format={'|'.join(FORMATS)}",
            )
        try:
            source = self.source or projectfile.read_text(Path(self.file))
        except ProjectFileError as error:
            raise GrammarError(
                f"the grammar {self.file} cannot be read ({error.message})", "Name another file"
            ) from error
        if source is None:
            raise GrammarError(f"the grammar {self.file} cannot be read (there is no such file)", "Name another file")
        return source.rstrip("\n") if form == "regex" else source, cast(GrammarFormat, form)


class GrammarVocabulary:
    """A vocabulary prepared for masks; made once for a model.

    Parameters
    ----------
    tokenizer
        Whose ids are constrained; its exact bytes are used, and the ids that end a text.

    Raises
    ------
    GrammarError
        No id ends a text: a finished grammar could not be left.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        if not tokenizer.eos_ids:
            raise GrammarError("this model has no token that ends a text", "Decode without a grammar")
        self.token_bytes = tokenizer.token_bytes
        wrapper = llguidance.TokenizerWrapper(_Bytes(tokenizer))
        ends = sorted(tokenizer.eos_ids)
        self.tokens = llguidance.LLTokenizer(wrapper, n_vocab=len(self.token_bytes), eos_token=ends)


class _Bytes:
    """The tokenizer as llguidance's `TokenizerWrapper` expects it."""

    bos_token_id = None

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._encode = tokenizer.encode
        self.eos_token_id = min(tokenizer.eos_ids)
        self.tokens = tokenizer.token_bytes
        self.special_token_ids = [i for i, data in enumerate(tokenizer.token_bytes) if not data]

    def __call__(self, text: bytes | str) -> list[int]:
        return self._encode(text.decode(errors="replace") if isinstance(text, bytes) else text)


def compile_grammar(source: str, form: GrammarFormat, typed: str = "") -> str:
    """Translate a grammar into llguidance's own form.

    Parameters
    ----------
    source
        The grammar: Lark text, GBNF text, a JSON schema, or a regular expression.
    form
        Which of these it is.
    typed
        The text before the cursor that is decoded once more (`typed_text`): the grammar begins after it.

    Raises
    ------
    GrammarError
        It is malformed; the message says where.
    """
    try:
        compiled = llguidance.grammar_from(form, source)
        if typed:
            inner = json.loads(compiled)["grammars"][0] if compiled.startswith("{") else {"lark_grammar": compiled}
            outer = {"lark_grammar": f"start: {json.dumps(typed)} @inner"}
            compiled = json.dumps({"grammars": [outer, {**inner, "name": "inner"}]})
    except ValueError as error:
        raise GrammarError(f"this is no {form} grammar: {error}", "Correct it") from error
    reason = llguidance.LLMatcher.validate_grammar(compiled)
    if reason and not reason.startswith("WARNING"):
        raise GrammarError(f"this is no {form} grammar: {' '.join(reason.split())}", "Correct it")
    return compiled


class Grammar(Constraint):
    """The texts of a grammar: the end is allowed where one is complete, and nothing else where one
    cannot go on.

    If the parser gives up (a grammar too large for its limits), or a token was taken that it forbids because another
    constraint left no choice, the grammar steps aside and says so in the log: decoding goes on.

    Parameters
    ----------
    vocabulary
        The model's.
    compiled
        From `compile_grammar`.
    """

    def __init__(self, vocabulary: GrammarVocabulary, compiled: str) -> None:
        self._compiled = compiled
        self._token_bytes: Sequence[bytes] = vocabulary.token_bytes
        limits = llguidance.LLParserLimits(**LIMITS)
        self._matcher = llguidance.LLMatcher(vocabulary.tokens, compiled, limits=limits, log_level=0)
        self._mask = np.zeros((len(vocabulary.token_bytes) + 31) // 32, dtype=np.int32)
        self._beside: list[bool] = []  # by accepted token, whether the parser did not see it
        self._lost = 0  # tokens since one was taken that the grammar forbids
        if self._matcher.is_error():
            raise GrammarError(f"the grammar cannot be used: {self._matcher.get_error()}", "Make it smaller")

    @property
    def is_satisfied(self) -> bool:
        """Whether the grammar constrains no more."""
        return self._lost > 0 or self._matcher.is_error()

    @property
    def key(self) -> str:
        """See `Constraint.key`."""
        return self._compiled

    def fill_mask(self, bitmask: np.ndarray) -> None:
        """Clear the bits of the tokens that lead to no text of the grammar."""
        if self.is_satisfied:
            return
        self._matcher.unsafe_compute_mask_ptr(self._mask.ctypes.data, self._mask.nbytes)
        if self._matcher.is_error():
            _log.warning("the grammar steps aside: %s", self._matcher.get_error())
            return
        bitmask &= self._mask

    def accept(self, token: int) -> None:
        """Move on by one token; one that ends the text, and all after one that is forbidden, are only counted."""
        ends = not self._token_bytes[token]
        beside = ends or self.is_satisfied
        if not beside and self._matcher.validate_tokens([token]) == 0:
            _log.info("the grammar steps aside: a token was taken that it forbids")
            beside = True
        if beside:
            self._lost += not ends
        else:
            self._matcher.consume_token(token)
        self._beside.append(beside)

    def rollback(self, tokens: int) -> None:
        """Move back by `tokens` tokens."""
        if not tokens:
            return
        dropped = self._beside[-tokens:]
        del self._beside[-tokens:]
        self._lost = max(0, self._lost - sum(dropped))
        if seen := len(dropped) - sum(dropped):
            self._matcher.rollback(seen)
