"""How long many people wait for suggestions from several replicas: a simulation of the router, from measured costs.

Each person types in one document, and a key gives up the request before it. A replica answers one request after the
other, those that came first first. A request costs more where the replica does not have the document's keys and values.
"""

from __future__ import annotations

import heapq
import random
import statistics
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from zlib import crc32

from guiderail.errors import UsageError

KEY_S, SPREAD = 0.239, 0.45  # median seconds between two keys, and the spread of their logarithms (`trace`)
PAUSE_S, PAUSES = 4.0, 0.08  # median seconds of a pause, and the share of keys that come after one
ROUTES = ("documents", "hash", "random")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is simulated.

    Parameters
    ----------
    people
        Who type at the same time.
    replicas
        Of the model.
    warm, cold
        Measured seconds of requests with the document's keys and values at hand, and without; one is drawn each time.
    route
        Of `ROUTES`: a new document goes to the replica with fewest and its requests stay there; to the one that its
        name's hash says; each request to any.
    kept
        Documents whose keys and values a replica has room for.
    seconds
        Of typing.
    seed
        Of everything that is drawn.
    """

    people: int
    replicas: int
    warm: Sequence[float]
    cold: Sequence[float]
    route: str = "documents"
    kept: int = 64
    seconds: float = 60.0
    seed: int = 0


@dataclass
class _Request:
    person: int
    at: float
    is_given_up: bool = False


@dataclass
class _Replica:
    queue: deque[_Request] = field(default_factory=deque)
    kept: OrderedDict[int, None] = field(default_factory=OrderedDict)
    running: _Request | None = None
    turn: int = 0  # tells the end of a request that was given up from that of the next one
    since: float = 0.0
    busy: float = 0.0


def simulate(plan: Plan) -> dict[str, Any]:
    """Percentiles of the seconds from key to answer, and what became of the requests."""
    return _Run(plan).row()


class _Run:
    """One simulation: events in the order of their times."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._typing = random.Random(plan.seed)  # the same keys whatever the router does
        self._rng = random.Random(plan.seed + 1)
        self._replicas = [_Replica() for _ in range(plan.replicas)]
        self._home: dict[int, int] = {}  # the replica of each document
        self._latest: dict[int, tuple[_Request, _Replica]] = {}
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._count = self._asked = self._warm = self._begun = 0
        self._waits: list[float] = []
        for person in range(plan.people):
            self._at(self._typing.uniform(0, PAUSE_S), partial(self._key, person))

    def row(self) -> dict[str, Any]:
        """Run it to its end."""
        plan = self._plan
        while self._events and self._events[0][0] <= plan.seconds:
            at, _, event = heapq.heappop(self._events)
            event(at)
        cuts = statistics.quantiles(self._waits, n=100, method="inclusive") if len(self._waits) > 1 else [0.0] * 99
        return {
            "people": plan.people,
            "replicas": plan.replicas,
            "route": plan.route,
            "requests": self._asked,
            "answered": round(len(self._waits) / max(1, self._asked), 4),
            "warm": round(self._warm / max(1, self._begun), 4),
            "busy": round(sum(one.busy for one in self._replicas) / plan.replicas / plan.seconds, 4),
            **{f"p{percent}_ms": round(1000 * cuts[percent - 1], 1) for percent in (50, 95, 99)},
        }

    def _at(self, at: float, event: Callable[[float], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (at, self._count, event))

    def _key(self, person: int, now: float) -> None:
        """A key: the request before it is given up, and a new one is sent."""
        if person in self._latest:
            self._give_up(*self._latest[person], now)
        request, replica = _Request(person, now), self._replicas[self._chosen(person)]
        self._latest[person] = request, replica
        self._asked += 1
        replica.queue.append(request)
        self._begin(replica, now)
        median = PAUSE_S if self._typing.random() < PAUSES else KEY_S
        self._at(now + median * self._typing.lognormvariate(0, SPREAD), partial(self._key, person))

    def _chosen(self, person: int) -> int:
        plan = self._plan
        if plan.route == "random":
            return self._rng.randrange(plan.replicas)
        if plan.route == "hash":
            return crc32(b"%d" % person) % plan.replicas
        # Documents come one after the other and stay: the one with fewest is the next in turn.
        return self._home.setdefault(person, len(self._home) % plan.replicas)

    def _give_up(self, request: _Request, replica: _Replica, now: float) -> None:
        request.is_given_up = True
        if replica.running is request:
            self._ended(replica, now)

    def _begin(self, replica: _Replica, now: float) -> None:
        while replica.running is None and replica.queue:
            request = replica.queue.popleft()
            if not request.is_given_up:
                replica.running, replica.since = request, now
                replica.turn += 1
                self._at(now + self._cost(replica, request.person), partial(self._answered, replica, replica.turn))

    def _cost(self, replica: _Replica, document: int) -> float:
        is_warm = document in replica.kept
        self._begun += 1
        self._warm += is_warm
        replica.kept[document] = None
        replica.kept.move_to_end(document)
        if len(replica.kept) > self._plan.kept:
            replica.kept.popitem(last=False)
        return self._rng.choice(self._plan.warm if is_warm else self._plan.cold)

    def _answered(self, replica: _Replica, turn: int, now: float) -> None:
        if replica.running is not None and replica.turn == turn:
            self._waits.append(now - replica.running.at)
            self._ended(replica, now)

    def _ended(self, replica: _Replica, now: float) -> None:
        replica.busy += now - replica.since
        replica.running = None
        self._begin(replica, now)


def enough(plan: Plan, wanted: float, answered: float = 0.5) -> dict[str, Any]:
    """The row of the least number of replicas whose 95th percentile is at most `wanted` seconds.

    At least `answered` of the requests must have an answer before the next key: of those that are given up nothing is
    counted, so that a server which answers hardly anybody would look fast.

    Raises
    ------
    UsageError
        No number of replicas is enough: a request alone takes too long.
    """
    least, most = 0, 1
    while not _is_enough(row := simulate(replace(plan, replicas=most)), wanted, answered):
        least, most = most, 2 * most
    while most - least > 1:
        middle = (least + most) // 2
        found = simulate(replace(plan, replicas=middle))
        if _is_enough(found, wanted, answered):
            most, row = middle, found
        else:
            least = middle
    if not _keeps(row, wanted, answered):
        raise UsageError(
            f"no number of replicas keeps answers within {wanted:g} s: a request alone takes too long",
            "Allow more with --within, or make requests cheaper: a smaller model, fewer tokens, a GPU",
        )
    return row


def _is_enough(row: dict[str, Any], wanted: float, answered: float) -> bool:
    is_idle = row["busy"] < 0.02  # more replicas would not help
    return is_idle or _keeps(row, wanted, answered)


def _keeps(row: dict[str, Any], wanted: float, answered: float) -> bool:
    return row["p95_ms"] <= 1000 * wanted and row["answered"] >= answered
