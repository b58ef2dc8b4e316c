"""Replayed typing."""

from guiderail.evaluation.packages import SourceFile
from guiderail.evaluation.typing_traces import AWAY, WRITTEN, draw

BODY = "".join(f"def step_{n}(value):\n    first = value + {n}\n    second = first\n" for n in range(12))
TEXT = BODY + "def whole(value):\n" + "".join(f"    line_{n} = value + {n}\n" for n in range(20)) + BODY
FILES = [SourceFile("stdlib", f"{n}.py", TEXT + f"# {n}\n") for n in range(3)]


def test_a_trace_ends_in_the_file_itself() -> None:
    """Every state adds to the one before; the last one is the file."""
    traces = draw(FILES, 2, seed=1)
    assert len(traces) == 2
    for trace in traces:
        assert trace[-1].text in {file.text for file in FILES}
        sizes = [len(state.text) for state in trace]
        assert sizes == sorted(sizes)
        assert len([state for state in trace if state.truth]) == WRITTEN + 1


def test_the_truth_follows_the_cursor() -> None:
    """Where there is a truth, the file has it after what stands before the cursor in its line."""
    for trace in draw(FILES, 3, seed=2):
        for state in trace:
            line = state.text[: state.offset].rpartition("\n")[2]
            assert state.offset == len(state.text) or state.text[state.offset] == "\n"
            if state.truth is not None:
                assert not line.strip()
                assert line + state.truth in TEXT


def test_the_cursor_jumps() -> None:
    """In between another place of the file is written in, far away."""
    (trace,) = draw(FILES, 1, seed=3)
    rows = [state.text[: state.offset].count("\n") for state in trace]
    assert max(rows) - min(rows) >= AWAY - 1
    assert rows[0] != min(rows) and rows[-1] != min(rows)
