"""Laws of pausing the garbage collection."""

import gc

from guiderail.model.garbage import gc_paused


def test_the_last_to_leave_restores_what_was_before() -> None:
    """However many are nested, and whether or not collection was enabled before."""
    assert gc.isenabled()
    with gc_paused():
        with gc_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
    gc.disable()
    try:
        with gc_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
