"""A real analyser for the tests of next edits."""

from collections.abc import Iterator

import pytest

from guiderail.monitors.analysis.pool import ServerPool
from guiderail.monitors.analysis.servers import server_named


@pytest.fixture(scope="module")
def pool() -> Iterator[ServerPool]:
    if server_named("ty").find() is None:
        pytest.skip("ty is not installed: pip install ty")
    own = ServerPool("ty", trust="never")
    yield own
    own.stop()
