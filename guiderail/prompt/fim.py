"""Fill-in-the-middle formats, recognised by the special tokens that a tokenizer has.

A model's name says little, since fine-tunes are renamed at will; its tokenizer shows which sentinels it was trained
with. With P the prefix and S the suffix, the layouts are

=================  ==========================================  =============================
psm                ``prefix P suffix S middle``
spm ``standard``   ``prefix suffix S middle P``                Bavarian et al. 2022, "SPM mode 2"
spm ``native``     ``suffix S prefix P middle``                the only layout of its family
efim               ``prefix P' suffix S middle P"``            psm; P is P' and P", the last few lines
=================  ==========================================  =============================
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class FimFormat:
    """The sentinels of one family.

    Parameters
    ----------
    name
        The family, for people.
    prefix, suffix, middle
        Sentinels; `middle` is empty where the family has none (Codestral).
    file_sep, repo_name
        Sentinels before a file's path and of the repository's name; None where the family was not trained
        on several files at once.
    stops
        Special tokens that end a completion, besides the model's end of text. A tokenizer may lack some of them.
    spm
        ``standard`` or ``native`` (see the module), or None where the family was trained on psm only.
    preferred
        The layout to take when none is asked for: the one that the family's models fill holes in better.
    """

    name: str
    prefix: str
    suffix: str
    middle: str
    file_sep: str | None = None
    repo_name: str | None = None
    stops: tuple[str, ...] = ()
    spm: Literal["standard", "native"] | None = None
    preferred: Literal["psm", "spm"] = "psm"

    @property
    def sentinels(self) -> tuple[str, ...]:
        """Every special token that a prompt of this format may hold."""
        names = (self.prefix, self.suffix, self.middle, self.file_sep, self.repo_name)
        return tuple(name for name in names if name)


@dataclass(frozen=True, slots=True)
class _Family:
    format: FimFormat
    without: frozenset[str] = frozenset()  # a token that tells the family from another with the same sentinels

    def fits(self, special: frozenset[str]) -> bool:
        form = self.format
        return {name for name in (form.prefix, form.suffix, form.middle) if name} <= special and not (
            self.without & special
        )


_QWEN_SENTINELS = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>")
_STARCODER_SENTINELS = ("<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<fim_pad>")

# The first that fits is taken: of two families with the same sentinels the one with more of them comes first.
_FAMILIES = (
    # Ours: Qwen's sentinels, trained on both layouts; it is no chat model.
    _Family(
        FimFormat(
            "guiderail", *_QWEN_SENTINELS[:3], "<|file_sep|>", "<|repo_name|>",
            stops=("<|endoftext|>", *_QWEN_SENTINELS), spm="standard", preferred="spm",
        ),
        without=frozenset({"<|im_start|>", "<|file_separator|>", "<|end_of_text|>", "<|start_of_role|>"}),
    ),
    # It knows files too, but marks where one ends (<|file_separator|>), not where one begins.
    _Family(
        FimFormat(
            "CodeGemma", *_QWEN_SENTINELS[:3],
            stops=("<|file_separator|>", *_QWEN_SENTINELS[:3]),
        ),
        without=frozenset({"<|fim_pad|>", "<|im_start|>"}),
    ),
    # Its technical report shows psm only (Hui et al. 2024, arXiv:2409.12186).
    _Family(
        FimFormat(
            "Qwen2.5-Coder", *_QWEN_SENTINELS[:3], "<|file_sep|>", "<|repo_name|>",
            stops=("<|endoftext|>", "<|im_start|>", "<|im_end|>", *_QWEN_SENTINELS),
        ),
        without=frozenset({"<|start_of_role|>", "<|end_of_text|>"}),
    ),
    _Family(
        FimFormat(
            "Granite 4", *_QWEN_SENTINELS[:3],
            stops=("<|end_of_text|>", "<|start_of_role|>", *_QWEN_SENTINELS[:4]),
        ),
    ),
    # Files set apart by <file_sep> (Lozhkov et al. 2024, arXiv:2402.19173).
    _Family(
        FimFormat(
            "StarCoder2", *_STARCODER_SENTINELS[:3], "<file_sep>", "<repo_name>",
            stops=("<|endoftext|>", "<file_sep>", "<repo_name>", *_STARCODER_SENTINELS), spm="standard",
        ),
        without=frozenset({"<reponame>", "<|end_of_text|>"}),
    ),
    # StarCoder, Granite Code, StableCode: the same sentinels, files not set apart that way.
    _Family(
        FimFormat(
            "StarCoder", *_STARCODER_SENTINELS[:3],
            stops=("<|endoftext|>", "<|end_of_text|>", "<filename>", "<reponame>", *_STARCODER_SENTINELS),
            spm="standard",
        ),
    ),
    # Full-width bars (U+FF5C) and a lower one eighth block (U+2581); the hole's token is where the suffix begins.
    _Family(
        FimFormat(
            "DeepSeek-Coder", "<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>",
            stops=("<｜end▁of▁sentence｜>", "<|EOT|>", "<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),
        ),
    ),
    # SentencePiece writes its word mark before the names.
    _Family(
        FimFormat(
            "CodeLlama", "▁<PRE>", "▁<SUF>", "▁<MID>",
            stops=("▁<EOT>", "▁<PRE>", "▁<SUF>", "▁<MID>"), spm="standard",
        ),
    ),
    _Family(
        FimFormat(
            "Codestral", "[PREFIX]", "[SUFFIX]", "",
            stops=("[PREFIX]", "[SUFFIX]", "[MIDDLE]", "[INST]"), spm="native", preferred="spm",
        ),
    ),
    # Seed-Coder paper, arXiv:2506.03524, section on fill-in-the-middle: suffix first, then prefix, then middle.
    _Family(
        FimFormat(
            "Seed-Coder", "<[fim-prefix]>", "<[fim-suffix]>", "<[fim-middle]>",
            stops=("<[end▁of▁sentence]>", "<[fim-prefix]>", "<[fim-suffix]>", "<[fim-middle]>"),
            spm="native", preferred="spm",
        ),
    ),
)  # fmt: skip

FORMATS: tuple[FimFormat, ...] = tuple(family.format for family in _FAMILIES)
CONTROL_TOKENS: frozenset[str] = frozenset(
    name for form in FORMATS for name in (*form.sentinels, *form.stops)
)  # no text of a person may become one of these, whatever the tokenizer's file calls special


def find_fim(special_tokens: Iterable[str]) -> FimFormat | None:
    """The format whose sentinels are all among `special_tokens`; None for a model without fill-in-the-middle."""
    special = frozenset(special_tokens)
    return next((family.format for family in _FAMILIES if family.fits(special)), None)


def stated_format(names: Mapping[str, str]) -> FimFormat | None:
    """The format of a model that states its sentinels itself, as GGUF files do.

    Parameters
    ----------
    names
        Special tokens by their use: ``prefix``, ``suffix``, ``middle``, and maybe ``file_sep``, ``repo_name``, ``pad``.
        Without the first three there is no format. Nothing says that the family saw several files at once in training,
        or the suffix first, so that neither is made use of.
    """
    if not {"prefix", "suffix", "middle"} <= names.keys():
        return None
    stops = tuple(dict.fromkeys(names.values()))
    return FimFormat("as stated", names["prefix"], names["suffix"], names["middle"], stops=stops)
