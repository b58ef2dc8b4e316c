"""How long torch's threads spin while they wait for one another, by GNU's OpenMP; set before torch is imported.

By default for milliseconds: on a machine that does something else too, a waiting thread then takes the core from the
one that it waits for. docs/speed.md has the times.
"""

import os
from collections.abc import Mapping

VARIABLE, ROUNDS = "GOMP_SPINCOUNT", "1000"
PERSONS = (VARIABLE, "OMP_WAIT_POLICY")  # whoever sets one of these has chosen


def spin_less() -> None:
    """Let idle threads of this process and its children sleep soon, unless the person has set something else."""
    if not any(name in os.environ for name in PERSONS):
        os.environ[VARIABLE] = ROUNDS


def without(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without `spin_less`, for a program whose threads wait as they do by default."""
    ours = environment.get(VARIABLE) == ROUNDS
    return {name: value for name, value in environment.items() if not (ours and name == VARIABLE)}
