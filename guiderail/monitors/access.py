"""How each language writes that a member of something is used."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True)
class Access:
    """One language's way.

    Parameters
    ----------
    marks
        What stands between a receiver and a member's name.
    extra
        Characters of names beside Unicode's.
    endings
        With which characters, beside letters, digits and ``_``, a receiver may end, by mark; ``""`` holds for all.
    others
        The marks after which something else than a name may stand.
    universal
        Words that may always stand there: what everything has, and keywords.
    skipped
        The beginnings of statements whose marks reach no member.
    definable
        Receivers whose members an assignment may define.
    ambiguous
        The ends of texts before a mark after which an analyser may take a type for a value.
    """

    marks: tuple[str, ...]
    extra: str = ""
    endings: dict[str, str] = field(default_factory=lambda: {"": ")]}\"'"})
    others: tuple[str, ...] = ()
    universal: frozenset[str] = frozenset()
    skipped: re.Pattern[str] | None = None
    definable: re.Pattern[str] | None = None
    ambiguous: re.Pattern[str] | None = None

    @cached_property
    def end(self) -> re.Pattern[str]:
        """What a text ends with in which a member's name is being written: ``mark`` and ``name``."""
        marks = "|".join(map(re.escape, sorted(self.marks, key=len, reverse=True)))
        extra = re.escape(self.extra)
        return re.compile(rf"(?P<mark>{marks})(?P<name>[\w{extra}]*)$")

    def is_receiver(self, text: str, mark: str) -> bool:
        """Whether a text may end with something that has members."""
        if not text or _NUMBER.search(text):
            return False
        last = text[-1]
        return last.isalnum() or last in "_" + self.extra + self.endings[""] + self.endings.get(mark, "")


_NUMBER = re.compile(r"(?<![\w.])\d[\w']*$")
# What every class, function or module has; analysers list it of some of them only.
_DUNDERS = frozenset(name for kind in (type, re.compile, re) for name in dir(kind) if name.startswith("__"))
_QUALIFIED = re.compile(r"\s*(?:using|namespace|import|module)\b")
_C = Access(
    (".", "->"),
    endings={"": ")]}\"'"},
    others=(".", "->"),  # ``.*``, an ellipsis, a pack; an arrow before a return type
    universal=frozenset({"template", "operator"}),
)
_CPP = Access(
    (".", "->", "::"),
    endings={"": ")]}\"'", "::": ">"},
    others=(".", "->", "::"),
    universal=_C.universal,
    skipped=_QUALIFIED,
)
_JAVA = Access(
    (".", "::"),
    extra="$",
    endings={"": ")]}\"'", "::": ">"},
    others=(".", "::"),  # type arguments, an ellipsis, a line end
    universal=frozenset({"class", "this", "super", "new"}),
    skipped=re.compile(r"\s*(?:import|package|module|requires|exports|opens)\b"),
)
_TYPE = r"[\w$.,\s|&<>\[\]]"
_RUST = Access(
    (".", "::"),
    endings={"": ")]}\"'?", "::": ">"},
    others=(".", "::"),  # a range; type arguments, a list, a star
    universal=frozenset({"await", "self", "super"}),
    skipped=re.compile(r"\s*(?:pub(?:\([^)]*\))?\s+)?(?:use|extern|mod|macro_rules!)"),
)
_TYPESCRIPT = Access(
    (".", "?."),
    extra="$#",
    endings={"": ")]}\"'`!"},
    others=("?.",),  # ``?.[``, ``?.(``
    definable=re.compile(r"(?<![\w$.)\]])(?!(?:this|super)$)[\w$]+$"),  # of functions, which take properties there
    # ``f<z.``: type arguments, or a comparison. Only what begins after another character is looked at: each once.
    ambiguous=re.compile(rf"(?<!{_TYPE})(?={_TYPE}*+$){_TYPE}*?[\w$]<"),
)
# An assignment defines a property of any object in JavaScript.
_JAVASCRIPT = Access(
    (".", "?."), extra="$#", endings=_TYPESCRIPT.endings, others=("?.",), definable=re.compile(r"[\w$)\]]$")
)
ACCESS = {
    "python": Access(
        (".",),
        universal=_DUNDERS | {"__path__", "__wrapped__", "__self__", "__func__"},
        skipped=re.compile(r"\s*(?:from|import)\b"),
        definable=re.compile(r"(?<![\w.])(?:self|cls|mcs|metacls|\w+\.__class__)$"),
    ),
    "java": _JAVA,
    "c": _C,
    "cpp": _CPP,
    "csharp": Access(
        (".", "?.", "->"),
        endings={"": ")]}\"'!", "->": ""},
        others=(".", "?."),  # a range, a line end; ``?.[``
        skipped=_QUALIFIED,
    ),
    "go": Access((".",), endings={"": ")]}\"'`"}, others=(".",)),  # ``.(type)``, a line end, an ellipsis
    "rust": _RUST,
    "typescript": _TYPESCRIPT,
    "typescriptreact": _TYPESCRIPT,
    "javascript": _JAVASCRIPT,
    "javascriptreact": _JAVASCRIPT,
}
