"""What stands around a cursor: where a text ends because of it, and how a text is fitted into it."""

from __future__ import annotations

from functools import cached_property

from guiderail.decoding.method import FinishedEvent
from guiderail.decoding.stops import StopRule, stop_rule
from guiderail.decoding.suffix_stop import REACH, open_text, stop_at_suffix
from guiderail.engine.plan import CompletionPlan
from guiderail.text.backwards import lines_above
from guiderail.text.fitting import FittedText, at_depth, fit_text, may_indent
from guiderail.text.languages.table import PYTHON_STATEMENTS

LINE = 20_000  # characters before the cursor in which a quote may have been opened


class Surroundings:
    """The text around the cursor of a plan."""

    def __init__(self, plan: CompletionPlan) -> None:
        self.plan = plan

    @cached_property
    def before(self) -> str:
        """The cursor's line up to the cursor."""
        line, _ = self.plan.document.position_at(self.plan.offset)
        return self.plan.document.text[self.plan.document.line_start(line) : self.plan.offset]

    @property
    def _above(self) -> str:
        """The last line above the cursor's that is not blank."""
        text, start = self.plan.document.text, self.plan.offset - len(self.before)
        return next((line for line in lines_above(text, start) if line.strip()), "")

    def _after(self, size: int) -> str:
        """The text after the cursor: the rest of its line, or `size` characters if that is more, and some more."""
        document, offset = self.plan.document, self.plan.offset
        line, _ = document.position_at(offset)
        return document.text[offset : max(document.line_end(line), offset + size) + REACH]

    @cached_property
    def stop(self) -> StopRule:
        """Where a text ends."""
        document, rule = self.plan.document, stop_rule(self.plan.until, self.before)
        if not self.plan.fit:
            return rule
        quote = open_text(document.text, self.plan.offset)
        return stop_at_suffix(rule, self.before, self._after(0), document.language, quote)

    def fitted(self, end: FinishedEvent) -> FittedText:
        """The text that is suggested, and how much after the cursor it replaces."""
        text = end.text
        if not self.plan.fit:
            return FittedText(text)
        if end.reason == "eos" and (cut := self.stop.end(f"{text}\n")) is not None:
            text = text[:cut]  # its last line has ended too
        if not self.may_indent:
            text = at_depth(text, self.before, self._above)
        return fit_text(text, self.before[-LINE:], self._after(len(text))) or FittedText("")

    @cached_property
    def may_indent(self) -> bool:
        """Whether blanks may come next."""
        if not self.plan.fit or self.plan.document.language not in PYTHON_STATEMENTS:
            return True  # in YAML, say, the depth is the meaning
        return may_indent(self.before, self._above)
