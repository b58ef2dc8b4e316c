"""Hypothesis strategies for texts that tokenizers and editors meet."""

from hypothesis import strategies as st

from tests.helpers.tiny import FAMILIES

SPECIALS = sorted({name for tiny in FAMILIES.values() for name in (tiny.eos, *tiny.specials, *tiny.added)})
PIECES = (
    "\n", "\r\n", "\r", "\n\n", "\n\n\n", "    ", "\t", " ", "  ", ")", "):", "]\n", "def ", "self.", "name_1", "'s",
    "'ll", "'", "12", "1234567", "x", "/", "*/", "//", "#", "é", "e\u0301", "▁", "日本", "🙂", "\x00", "\x1c", "\x85",
    "\u2028", "\xa0", "\ufeff", "ß", "<0x0A>", "return", "\x0b", "\x0c",
)  # fmt: skip

any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
code_text = st.lists(st.sampled_from(PIECES) | st.sampled_from(SPECIALS), max_size=40).map("".join)
texts = st.one_of(code_text, any_text, st.tuples(code_text, any_text, code_text).map("".join))
