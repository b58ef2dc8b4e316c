"""Tells requests made by hand from those made by typing.

LSP 3.18 numbers the trigger kinds 1 (by hand) and 2 (automatic). Older clients number them 0 and 1, so a 1 alone is
ambiguous; what else the client sends, and whether it has just typed, decides.
"""

JUST_NOW = 0.3  # seconds between a key and the automatic request for it


class TriggerKinds:
    """Tells requests made by hand, by how one client numbers its trigger kinds."""

    def __init__(self) -> None:
        self._counts_from_0: bool | None = None

    def is_by_hand(self, kind: int, since_change: float) -> bool:
        """Whether a request was made by hand.

        Parameters
        ----------
        kind
            The number that came.
        since_change
            Seconds since the document was edited last.
        """
        if kind == 2:
            self._counts_from_0 = False
        elif kind == 0:
            self._counts_from_0 = True
        if self._counts_from_0 is None:
            return since_change > JUST_NOW
        return kind == (0 if self._counts_from_0 else 1)

    def is_certain(self, kind: int) -> bool:
        """Whether a request of this kind was made by hand beyond doubt: a guess is not enough to run a project's code.

        A 0 always means by hand; a 1 does once the client has shown by a 2 how it counts.
        """
        return kind == 0 or (kind == 1 and self._counts_from_0 is False)
