"""The monitors of an engine: constraints for the suggestions at a cursor."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from guiderail.decoding.identifiers import Names, NamesOrNew
from guiderail.decoding.trie import IdentifierTrie
from guiderail.decoding.vocabulary import Vocabulary
from guiderail.monitors.analysis.pool import Analysers, folder_of
from guiderail.monitors.lexing import SYNTAX
from guiderail.monitors.monitor import DereferenceMonitor, Scene
from guiderail.text.document import Document

KEYSTROKE_S = 0.05
KEPT_NAMES = 64
UNTITLED = "guiderail_untitled.py"  # where a text without a file is said to be


class Monitors:
    """What constrains decoding in an engine.

    Parameters
    ----------
    vocabulary
        The model's tokens by their bytes.
    analysers
        Who can be asked.
    deadline_s
        How long decoding waits for an answer at most.
    """

    def __init__(self, vocabulary: Vocabulary, analysers: Analysers, *, deadline_s: float = KEYSTROKE_S) -> None:
        self.deadline_s = deadline_s
        self._vocabulary = vocabulary
        self._analysers = analysers
        # Some tens of milliseconds that the first request should not wait for.
        worker = ThreadPoolExecutor(1, "guiderail-trie")
        self._trie = worker.submit(IdentifierTrie, vocabulary)
        worker.shutdown(wait=False)
        self._names: OrderedDict[tuple[frozenset[str], bool, str], Names] = OrderedDict()

    def watch(
        self, document: Document, offset: int, root: Path | None = None, typed: str = ""
    ) -> Callable[[], DereferenceMonitor] | None:
        """A maker of constraints, one for each suggestion at a cursor; None where there is nobody to ask.

        Parameters
        ----------
        document, offset, root
            The cursor and its project.
        typed
            What in front of the cursor is going to be decoded again.
        """
        folder = folder_of(document, root)
        analyser = self._analysers.get(document.language, folder) if document.language in SYNTAX else None
        if analyser is None:
            return None
        scene = Scene(document, offset, (document.path or folder / UNTITLED).absolute(), typed)
        table = self._vocabulary.token_bytes
        return lambda: DereferenceMonitor(scene, analyser, table, self._make_names, self.deadline_s)

    def _make_names(self, names: frozenset[str], definable: bool, tail: str) -> Names:
        """The masks of a set of names; the same set comes again and again."""
        key = (names, definable, tail)
        if key not in self._names:
            self._names[key] = (NamesOrNew if definable else Names)(self._trie.result(), names, tail)
            if len(self._names) > KEPT_NAMES:
                self._names.popitem(last=False)
        self._names.move_to_end(key)
        return self._names[key]
