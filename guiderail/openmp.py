"""How long torch's threads spin while they wait for one another, by GNU's OpenMP; set before torch is imported.

By default for milliseconds: on a machine that does something else too, a waiting thread then takes the core from the
one that it waits for. docs/speed.md has the times.
"""

import os
from collections.abc import Mapping

VARIABLE, ROUNDS = "GOMP_SPINCOUNT", "1000"
PERSONS = (VARIABLE, "OMP_WAIT_POLICY")  # whoever sets one of these has chosen


def spin_less() -> None:
    """Have threads of this process, and of those that it starts, sleep soon; what the person has set stands."""
    if not any(name in os.environ for name in PERSONS):
        os.environ[VARIABLE] = ROUNDS


def without(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for a program whose threads are to wait as they do by default."""
    ours = environment.get(VARIABLE) == ROUNDS
    return {name: value for name, value in environment.items() if not (ours and name == VARIABLE)}
