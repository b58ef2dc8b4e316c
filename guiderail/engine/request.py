"""A request: a cursor, and the settings to complete it with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from guiderail.settings import Settings
from guiderail.text.document import Document

if TYPE_CHECKING:
    from guiderail.decoding.stages.stage import LogitsStage
    from guiderail.prompt.snippet import Snippet

DocumentName = tuple[int, str]  # of an open document: its client's number and its URI


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """A cursor, and the settings to complete it with.

    Parameters
    ----------
    document, offset
        The text, and the cursor in it in code points.
    root
        The project that context may come from; None for a file that belongs to none.
    settings
        How to complete.
    n
        Suggestions at most.
    uri, client
        Name a document that is open in an editor; two clients may have one file open, each with its own text. What is
        learned about an open document (context, cache) is kept until `Engine.forget`.
    by_hand
        Whether a person asked, beyond doubt; else no method runs the project's code.
    snippets
        Context from other files, instead of what the engine would choose.
    stages
        Changes of the scores before those of the settings; for measurements.
    distinct
        Whether suggestions must differ from each other; if not, draws are independent.
    odds
        What is added to the log odds of suggestions being right, after what a person did with earlier ones.
    """

    document: Document
    offset: int
    root: Path | None = None
    settings: Settings = field(default_factory=Settings)
    n: int = 1
    uri: str = ""
    client: int = 0
    by_hand: bool = False
    snippets: Sequence[Snippet] | None = None
    stages: Sequence[LogitsStage] = ()
    distinct: bool = True
    odds: float = 0.0

    @property
    def name(self) -> DocumentName | None:
        """The key under which an open document's state is kept."""
        return (self.client, self.uri) if self.uri else None

    @property
    def before(self) -> str:
        """The text up to the cursor."""
        return self.document.text[: self.offset]

    @property
    def after(self) -> str:
        """The text after the cursor."""
        return self.document.text[self.offset :]

    def typed_since(self, earlier: CompletionRequest) -> str | None:
        """What was typed between an earlier cursor and this one; None if the text before the earlier one changed."""
        text = self.document.text
        continues = earlier.offset <= self.offset and text.startswith(earlier.before)
        return text[earlier.offset : self.offset] if continues else None
