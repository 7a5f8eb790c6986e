"""What goes wrong. Each fault is a method that says what it does; which, when and to whom is drawn."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

from scripts.chaos.house import House
from scripts.chaos.processes import Process, send
from scripts.chaos.watch import Watch
from workers.settings import LEASE_SECONDS

#: One round: every kind in it happens before any happens a second time as often.
ROUND = {
    "worker killed": 3,
    "worker's child killed": 2,
    "worker's parent killed": 1,
    "worker stopped (SIGTERM)": 2,
    "worker frozen past its lease": 2,
    "API process killed": 1,
    "API server killed": 1,
    "Redis restarted": 1,
    "Redis killed": 1,
    "Redis flushed": 1,
    "PostgreSQL restarted (fast)": 1,
    "PostgreSQL restarted (immediate)": 1,
    "object store away": 1,
    "object store frozen": 1,
    "sweeper killed": 1,
    "dispatcher killed": 1,
}
#: Faults that take the claim, the sweeper or the lease's clock away for everybody.
OUTAGES = ("PostgreSQL restarted (fast)", "PostgreSQL restarted (immediate)")
STORE_OUTAGES = ("object store away", "object store frozen")
#: Workers that are left alone, whatever happens to the others.
_SPARED = 2
#: How long a frozen worker may take to be replaced by another.
_FROZEN_AT_MOST = 40.0


@dataclass(frozen=True)
class Hit:
    """An attempt that lost its worker to a fault."""

    kind: str
    job_id: str
    attempt: int
    #: By the machine's clock, which is the database's.
    at: float


@dataclass
class Log:
    """What was done."""

    counts: Counter[str] = field(default_factory=Counter)
    hits: list[Hit] = field(default_factory=list)
    #: (kind, began, ended), by the machine's clock.
    spans: list[tuple[str, float, float]] = field(default_factory=list)
    #: Seconds that workers took to end after SIGTERM.
    drains: list[float] = field(default_factory=list)
    #: Frozen workers whose job ran elsewhere when they woke up.
    zombies: int = 0


class Faults:
    """Draws and carries out. Some take a while; others happen meanwhile."""

    def __init__(self, house: House, watch: Watch, *, seed: int, every: float) -> None:
        self.log = Log()
        self._house = house
        self._watch = watch
        self._rng = random.Random(f"{seed} faults")
        #: Of the faults themselves, which happen at once: so what happens when depends on the seed alone.
        self._dice = random.Random(f"{seed} victims")
        self._every = every
        self._threads = ThreadPoolExecutor(8, "fault")
        self._under_way: list[Future[None]] = []
        self._ended = threading.Event()
        #: One at a time at each server.
        self._servers = {name: threading.Lock() for name in ("redis", "postgres", "objects")}
        self._kinds: dict[str, Callable[[], None]] = {
            "worker killed": self._kill_worker,
            "worker's child killed": self._kill_child,
            "worker's parent killed": self._kill_parent,
            "worker stopped (SIGTERM)": self._stop_worker,
            "worker frozen past its lease": self._freeze_worker,
            "API process killed": self._kill_api_process,
            "API server killed": self._kill_api_server,
            "Redis restarted": self._restart_redis,
            "Redis killed": self._kill_redis,
            "Redis flushed": self._flush_redis,
            "PostgreSQL restarted (fast)": lambda: self._restart_postgres(immediate=False),
            "PostgreSQL restarted (immediate)": lambda: self._restart_postgres(immediate=True),
            "object store away": self._objects_away,
            "object store frozen": self._objects_frozen,
            "sweeper killed": self._kill_sweeper,
            "dispatcher killed": lambda: self._kill_one([house.dispatcher]),
        }

    def run(self, until: float) -> None:
        """Do harm until then (monotonic), and wait until the harm that takes time is done."""
        for kind in self._drawn():
            pause = self._every * self._rng.uniform(0.5, 1.5)
            if time.monotonic() + pause > until or self._ended.wait(pause):
                break
            self._under_way.append(self._threads.submit(self._do, kind))
        for one in self._under_way:
            one.result()

    def close(self) -> None:
        """Begin nothing more, and end what takes time."""
        self._ended.set()
        self._threads.shutdown(wait=True)

    def _drawn(self) -> Iterator[str]:
        while True:
            kinds = [kind for kind, times in ROUND.items() for _ in range(times)]
            self._rng.shuffle(kinds)
            yield from (kind for kind in kinds if self._possible(kind))

    def _possible(self, kind: str) -> bool:
        if kind.startswith("object store"):
            return self._house.objects is not None
        return bool(self._house.sweepers) or not kind.startswith("sweeper")

    def _do(self, kind: str) -> None:
        began = time.time()
        self._kinds[kind]()
        self.log.spans.append((kind, began, time.time()))
        self.log.counts[kind] += 1

    # --- workers -----------------------------------------------------------------------------------

    def _kill_worker(self) -> None:
        """SIGKILL to the parent and its child at once, as a machine that loses its power."""
        self._kill("worker killed", lambda tree: tree)

    def _kill_child(self) -> None:
        """SIGKILL to the process that computes, as the kernel does when memory is short."""
        self._kill("worker's child killed", lambda tree: tree[1:])

    def _kill_parent(self) -> None:
        """SIGKILL to the parent alone: its child is left with nobody to hear doorbells for it."""
        self._kill("worker's parent killed", lambda tree: tree[:1])

    def _kill(self, kind: str, which: Callable[[list[psutil.Process]], list[psutil.Process]]) -> None:
        with self._some_worker() as worker:
            if worker is None:
                return
            tree = worker.tree()
            name = _worker_id(tree)
            # Frozen first: what it holds does not change between the look and the kill.
            send(tree, signal.SIGSTOP)
            held = self._watch.held_by(name)
            send(which(tree), signal.SIGKILL)
            at = time.time()
            send(tree, signal.SIGCONT)
            # A claim that was on its way is committed by now.
            held |= self._watch.held_by(name)
            self.log.hits += [Hit(kind, job_id, attempt, at) for job_id, attempt in held]

    def _stop_worker(self) -> None:
        """SIGTERM, as a spot machine that is taken away: it gives its job back and ends."""
        with self._some_worker() as worker:
            if worker is None:
                return
            process = psutil.Process(worker.pid)
            began = time.monotonic()
            send([process], signal.SIGTERM)
            while worker.alive and worker.pid == process.pid and time.monotonic() < began + 60:
                time.sleep(0.05)
            self.log.drains.append(time.monotonic() - began)

    def _freeze_worker(self) -> None:
        """SIGSTOP until its job runs elsewhere, then SIGCONT: a zombie wakes up in the middle of its work."""
        with self._some_worker(longest=True) as worker:
            if worker is None:
                return
            tree = worker.tree()
            send(tree, signal.SIGSTOP)
            at = time.time()
            try:
                held = self._watch.held_by(_worker_id(tree))
                self.log.hits += [Hit("frozen", job_id, attempt, at) for job_id, attempt in held]
                self.log.zombies += self._until_replaced(held)
            finally:
                send(tree, signal.SIGCONT)

    def _until_replaced(self, held: set[tuple[str, int]]) -> bool:
        began = time.monotonic()
        while time.monotonic() < began + _FROZEN_AT_MOST and not self._ended.is_set():
            if held and all(self._watch.runs_elsewhere(job_id, attempt) for job_id, attempt in held):
                return True
            if not held and time.monotonic() > began + LEASE_SECONDS + 3:
                return False
            time.sleep(0.2)
        return False

    @contextmanager
    def _some_worker(self, *, longest: bool = False) -> Iterator[Process | None]:
        """A worker that no other fault is at, rather one that works; None when too few are left.

        `longest`: the one with the longest job.
        """
        free = [w for w in self._house.workers if w.alive and w.busy.acquire(blocking=False)]
        self._dice.shuffle(free)
        chosen = None
        if len(free) > _SPARED:
            work = {worker: self._watch.work_of(_worker_id(worker.tree())) for worker in free}
            chosen = max(free, key=lambda worker: work[worker] if longest else work[worker] > 0)
        for worker in free:
            if worker is not chosen:
                worker.busy.release()
        try:
            yield chosen
        finally:
            if chosen is not None:
                chosen.busy.release()

    # --- everything else -----------------------------------------------------------------------------

    def _kill_api_process(self) -> None:
        """SIGKILL to the process behind one of the two ports; gunicorn's master starts another."""
        api, _ = self._dice.choice(self._house.apis)
        send(api.tree()[1:], signal.SIGKILL)

    def _kill_api_server(self) -> None:
        """SIGKILL to master and process of one port."""
        api, _ = self._dice.choice(self._house.apis)
        send(api.tree(), signal.SIGKILL)

    def _kill_sweeper(self) -> None:
        """SIGKILL to one of the two."""
        self._kill_one(self._house.sweepers)

    def _kill_one(self, processes: Sequence[Process]) -> None:
        send(self._dice.choice(processes).tree(), signal.SIGKILL)

    def _restart_redis(self) -> None:
        """SIGTERM, away for a moment, and back with nothing in it."""
        self._redis_away(self._house.redis.shut_down)

    def _kill_redis(self) -> None:
        """SIGKILL, away for a moment, and back with nothing in it."""
        self._redis_away(self._house.redis.stop)

    def _redis_away(self, stop: Callable[[], None]) -> None:
        with self._servers["redis"]:
            stop()
            self._ended.wait(self._dice.uniform(0.5, 6))
            self._house.redis.start()

    def _flush_redis(self) -> None:
        """FLUSHALL: every doorbell that waits is gone."""
        with self._servers["redis"]:
            self._house.redis.flush()

    def _restart_postgres(self, *, immediate: bool) -> None:
        """`pg_ctl restart -m fast`, or `-m immediate`: a crash, and the recovery from it."""
        with (
            self._servers["postgres"],
            self._house.postgres.away(self._dice.uniform(0.2, 3), immediate=immediate),
        ):
            pass

    def _objects_away(self) -> None:
        """Its port is closed for a while."""
        self._objects(signal.SIGUSR1, signal.SIGUSR2)

    def _objects_frozen(self) -> None:
        """SIGSTOP for a while: it takes connections and answers none."""
        self._objects(signal.SIGSTOP, signal.SIGCONT)

    def _objects(self, away: signal.Signals, back: signal.Signals) -> None:
        assert self._house.objects is not None
        with self._servers["objects"]:
            send(self._house.objects.tree(), away)
            self._ended.wait(self._dice.uniform(2, 10))
            send(self._house.objects.tree(), back)


def _worker_id(tree: Sequence[psutil.Process]) -> str | None:
    """The id that a worker gave its child; None while it has none."""
    for process in tree[1:]:
        try:
            if found := process.environ().get("ATELIER_WORKER_ID"):
                return str(found)
        except psutil.Error:
            continue  # it ended, or is being started
    return None
