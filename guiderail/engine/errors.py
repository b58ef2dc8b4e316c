"""What an engine without a model, or without one of its own, cannot do."""

from guiderail.errors import GuiderailError, UsageError


class NotLoadedError(GuiderailError):
    """There is no model to ask."""

    def __init__(self) -> None:
        super().__init__("no model is loaded", "Run the command guiderail.restart")


class ElsewhereError(UsageError):
    """The model is in another process, and what was asked needs it here."""

    def __init__(self) -> None:
        super().__init__("this needs a model that runs here, not one of a model server", "Choose another model")
