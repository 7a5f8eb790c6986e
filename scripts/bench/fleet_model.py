"""How far a fleet goes: the measured CPU cost of a job, extended to 10,000 workers by a simulation.

Each part has a cost a job, a cost for each second that a job runs (its lease is renewed, its progress
written, a cancel looked for), a cost for each second of a worker's life (reports, listening) and one for each
second at all, in CPU seconds. The simulation is of events: workers claim, wait, run, end; each end makes a
client send the next job through the API, the database and Redis, so that the queue is as long as it was.
Every request waits in line, first come first served, for one of the part's servers: the database's and the
API's cores, the one thread of Redis, the one of the sweeper. What is no CPU time of these (the worker's own,
commits to disk, round trips) is one measured pause a job; workers have machines of their own. A lease or a
report whose last request is not answered yet sends no other.

What it leaves out: networks between machines, disks (group commit is taken to keep up), the connections
themselves (a database of so many workers needs a pooler), contention for rows and locks within the database,
files, event streams, webhooks, memory, vacuum. So its rates are upper bounds, and what it is good for is the
order in which the parts give up.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

#: Seconds between two looks of a running job's lease, and between two reports of a worker: in the simulation
#: their costs come in such portions.
LEASE_SECONDS = 1.0
REPORT_SECONDS = 5.0
#: A round of the whole fleet that takes longer is not waited for.
LONGEST_ROUND = 200.0
#: Jobs that wait for each worker at the start.
BACKLOG = 2


@dataclass(frozen=True)
class Cost:
    """CPU seconds of one part."""

    job: float
    running_second: float = 0.0
    worker_second: float = 0.0
    second: float = 0.0

    def most(self, servers: int, seconds: float) -> float:
        """Jobs of so many seconds that it can do in a second, with just as many workers as these take."""
        each = self.job + seconds * (self.running_second + self.worker_second)
        return max(servers - self.second, 0.0) / max(each, 1e-9)


@dataclass(frozen=True)
class Costs:
    """What was measured."""

    #: By the part's name: "database", "redis", "sweeper", and "api", whose job is a submission and a poll.
    parts: Mapping[str, Cost]
    #: The database's share of those two; it is in its `job` too.
    submit: float
    #: Seconds that a job costs its worker beside its own and the database's.
    pause: float


@dataclass
class Station:
    """Servers with one line in front of them."""

    servers: int
    #: The time that is counted, and the seconds of it that servers were busy.
    window: tuple[float, float]
    busy: float = 0.0

    def __post_init__(self) -> None:
        self._free = [0.0] * self.servers

    def serve(self, at: float, demand: float) -> float:
        """When a request that comes now is done. To be called in the order of time."""
        start = max(at, heapq.heappop(self._free))
        end = start + demand
        heapq.heappush(self._free, end)
        since, until = self.window
        self.busy += max(min(end, until) - max(start, since), 0.0)
        return end


@dataclass(frozen=True)
class Found:
    """What a simulated fleet does."""

    workers: int
    seconds: float
    rate: float
    #: Mean seconds from a claim to its answer.
    answer: float
    #: By part: how much of its servers' time is taken.
    load: Mapping[str, float]

    @property
    def efficiency(self) -> float:
        """Of the workers' time, the part that jobs asked for."""
        return self.rate * self.seconds / self.workers

    @property
    def fullest(self) -> str:
        """The part that has the least left."""
        return max(self.load, key=lambda name: self.load[name])


class Simulation:
    """A fleet of so many workers, and jobs of so many seconds."""

    def __init__(
        self, costs: Costs, servers: Mapping[str, int], workers: int, seconds: float, *, seed: int = 1
    ) -> None:
        self._costs = costs
        self._workers = workers
        self._seconds = seconds
        self._window = _window(costs.parts["database"], servers["database"], workers, seconds)
        self._stations = {name: Station(servers[name], self._window) for name in costs.parts}
        self._events: list[tuple[float, int, str, tuple[float, ...]]] = []
        self._numbers = itertools.count()
        self._waiting = workers * BACKLOG
        self._idle = 0
        self._done = 0
        self._claims = 0
        self._answers = 0.0
        #: What a claim and an end take of the database together.
        self._own = costs.parts["database"].job - costs.submit
        chance = random.Random(seed)
        for _ in range(workers):
            self._at(chance.uniform(0, seconds), "claim")
            self._at(chance.uniform(0, REPORT_SECONDS), "report")
        self._at(0.0, "tick")

    def run(self) -> Found:
        """Let it settle, then count."""
        since, until = self._window
        self._until(since)
        done, self._claims, self._answers = self._done, 0, 0.0
        self._until(until)
        load = {name: one.busy / ((until - since) * one.servers) for name, one in self._stations.items()}
        rate = (self._done - done) / (until - since)
        return Found(self._workers, self._seconds, rate, self._answers / max(self._claims, 1), load)

    def _at(self, time: float, what: str, *more: float) -> None:
        heapq.heappush(self._events, (time, next(self._numbers), what, more))

    def _until(self, end: float) -> None:
        while self._events[0][0] < end:
            at, _, what, more = heapq.heappop(self._events)
            getattr(self, f"_{what}")(at, *more)

    def _database(self, at: float, demand: float) -> float:
        return self._stations["database"].serve(at, demand)

    def _claim(self, at: float) -> None:
        if not self._waiting:
            self._idle += 1
            return
        self._waiting -= 1
        answered = self._database(at, self._own / 2)
        self._claims += 1
        self._answers += answered - at
        self._at(answered + self._costs.pause, "look", self._seconds, 0.0)

    def _look(self, at: float, left: float, answered: float) -> None:
        """The job runs, and its lease looks after it now and then."""
        if left <= 0:
            self._end(at)
            return
        step = min(left, LEASE_SECONDS)
        if answered <= at:
            answered = self._all(at, lambda cost: cost.running_second * step)
        self._at(at + step, "look", left - step, answered)

    def _end(self, at: float) -> None:
        self._done += 1
        self._at(self._database(at, self._own / 2), "claim")
        for name in ("redis", "sweeper"):
            self._stations[name].serve(at, self._costs.parts[name].job)
        self._at(self._stations["api"].serve(at, self._costs.parts["api"].job), "submit")

    def _submit(self, at: float) -> None:
        self._at(self._database(at, self._costs.submit), "arrive")

    def _arrive(self, at: float) -> None:
        self._waiting += 1
        if self._idle:
            self._idle -= 1
            self._claim(at)

    def _report(self, at: float) -> None:
        answered = self._all(at, lambda cost: cost.worker_second * REPORT_SECONDS)
        self._at(max(answered, at + REPORT_SECONDS), "report")

    def _tick(self, at: float) -> None:
        self._all(at, lambda cost: cost.second)
        self._at(at + 1.0, "tick")

    def _all(self, at: float, demand: Callable[[Cost], float]) -> float:
        """Ask every part; when the database has answered."""
        ends = {name: one.serve(at, demand(self._costs.parts[name])) for name, one in self._stations.items()}
        return ends["database"]


def _window(database: Cost, servers: int, workers: int, seconds: float) -> tuple[float, float]:
    """When to count: after two rounds in which every worker ran a job, and for two more."""
    left = max(servers - database.second - workers * database.worker_second, 0.2)
    each = database.job + seconds * database.running_second
    round_seconds = min(max(seconds, workers * each / left), LONGEST_ROUND)
    return 2 * round_seconds + 5, 4 * round_seconds + 15
