"""The monitors of an engine: constraints for the suggestions at a cursor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from guiderail.decoding.constraints.vocabulary import Vocabulary
from guiderail.monitors.analysis.pool import Analysers, analyser_of, folder_of, overlooks
from guiderail.monitors.analysis.server import whole
from guiderail.monitors.cursor_context import CursorContext
from guiderail.monitors.joint import JointMonitors
from guiderail.monitors.masks import Masks
from guiderail.monitors.monitor import KNOWN, Monitor, Restriction
from guiderail.monitors.registry import ALL, chosen, for_language
from guiderail.monitors.runtime.sources import read_project
from guiderail.monitors.trust import Trust, trust
from guiderail.text.document import Document
from guiderail.text.language import ending_of
from guiderail.text.languages.table import LEXICONS, PYTHON_STATEMENTS

KEYSTROKE_S = 0.05
LONGEST = 2_000_000  # characters of a text: lexing a longer one takes seconds
UNTITLED = "guiderail_untitled"  # where a text without a file is said to be


class Monitors:
    """Makes the constraints of the chosen monitors.

    Parameters
    ----------
    vocabulary
        The model's tokens by their bytes.
    analysers
        The analysers to ask.
    deadline_s
        How long decoding waits for an answer at most.
    names
        Which monitors work (`registry.chosen`).

    Raises
    ------
    UsageError
        There is no monitor of a name.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        analysers: Analysers,
        *,
        deadline_s: float = KEYSTROKE_S,
        names: str = ALL,
    ) -> None:
        self.deadline_s = deadline_s
        self.monitors = chosen(names)
        self.analysers = analysers
        self._masks = Masks(vocabulary)

    def watch(
        self, document: Document, offset: int, root: Path | None = None, typed: str = ""
    ) -> Callable[[], JointMonitors] | None:
        """A factory of constraints, one for each suggestion at a cursor; None if no monitor or analyser applies.

        Parameters
        ----------
        document, offset, root
            The cursor and its project.
        typed
            The text before the cursor that decoding writes again.
        """
        folder = folder_of(document, root)
        monitors = for_language(self.monitors, document.language)
        analyser, path = None, whole(document.path or folder / (UNTITLED + ending_of(document.language or "")))
        if monitors and document.language and document.language in LEXICONS and len(document.text) <= LONGEST:
            analyser = analyser_of(self.analysers, document.language, folder, path)
        if analyser is None:
            return None
        analyser.attend()
        context = CursorContext(document, offset, path, typed, folder, self.analysers.python, self.analysers.trust)

        if context.language in PYTHON_STATEMENTS:
            read_project(folder)
        is_behind = overlooks(analyser, path)  # then its answers forbid nothing

        def weigh(monitor: Monitor, restriction: Restriction) -> Trust:
            situation = (context.language, monitor.name, analyser.name, restriction.reason or KNOWN)
            return trust(situation, soft=monitor.soft or is_behind)

        return lambda: JointMonitors(context, monitors, analyser, self._masks, weigh, self.deadline_s)
