"""An engine that says what a test tells it to."""

from guiderail.engine.completion import Completion
from guiderail.engine.engine import Cancelled
from guiderail.engine.request import CompletionRequest
from guiderail.engine.stream import TextStream
from guiderail.engine.suggestion import Suggestion
from tests.lsp.fakes import FakeEngine


class ToldEngine(FakeEngine):
    """As its parent, unless an answer is set.

    Attributes
    ----------
    seen
        All requests.
    shown, dropped, withheld
        The parts of the answer; while nothing is shown, it is the parent's.
    most
        Suggestions that it has at most.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[CompletionRequest] = []
        self.shown: list[Suggestion] = []
        self.dropped: list[Suggestion] = []
        self.withheld = 0
        self.most = 100

    def complete(
        self, request: CompletionRequest, cancelled: Cancelled, stream: TextStream | None = None
    ) -> Completion:
        self.seen.append(request)
        if self.shown:
            return Completion(self.shown, self.dropped, withheld=self.withheld)
        found = super().complete(request, cancelled, stream)
        return Completion(found.suggestions[: self.most], is_whole=found.is_whole)
