"""Random edit scripts over token sequences, for hypothesis."""

from dataclasses import dataclass

from hypothesis import strategies as st


@dataclass(frozen=True)
class Edit:
    """At `at` (a share of the length) `removed` tokens are replaced by `added`."""

    at: float
    removed: int
    added: tuple[int, ...]


edits = st.builds(
    Edit,
    st.floats(0, 1),
    st.integers(0, 12),
    st.lists(st.integers(0, 30), max_size=12).map(tuple),
)


def edited(ids: list[int], edit: Edit) -> list[int]:
    """`ids` after the edit."""
    at = round(edit.at * len(ids))
    return [*ids[:at], *edit.added, *ids[at + edit.removed :]]
