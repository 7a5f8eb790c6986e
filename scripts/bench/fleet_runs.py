"""A real fleet on this machine, and what one run of jobs through it took: for scripts/bench/whole_fleet.py.

PostgreSQL with fsync, Redis, one sweeper, and worker processes (`python -m workers`, each a parent and a
child) that are added a few at a time and all ended at the end, by their ids.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime

import psutil
import redis
from sqlalchemy import Row, func, select, text

from accounts.store import AccountStore
from fleet.store import FleetStore
from jobs.database import Database
from jobs.migrate import migrate
from jobs.models import Job
from jobs.store import JobStore, NewJob
from queue_config import Doorbell, publisher_app
from scripts.bench.backlog import settle
from scripts.bench.servers import cpu_seconds, ended, process, started
from tests.services import PostgresServer, postgres_server, redis_server

OWNERS = 10
#: Worker processes started at once, and how long they may take: each imports everything twice.
AT_ONCE = 4
START_SECONDS = 120.0
#: What a benchmark's run may take beyond its jobs' seconds before it is given up.
PATIENCE_SECONDS = 180.0

_Times = Row[str, str, datetime | None, datetime | None]


@dataclass(frozen=True)
class Used:
    """CPU seconds of each part, and what was asked of the database and of Redis, in some time."""

    seconds: float
    database: float
    redis: float
    workers: float
    sweeper: float
    transactions: float
    commands: float

    def __sub__(self, other: Used) -> Used:
        return Used(*(getattr(self, name) - getattr(other, name) for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Run:
    """Jobs through the fleet."""

    workers: int
    jobs: int
    #: Seconds the engine was asked to take, of all jobs together.
    asked: float
    #: The part of `asked` that lies before the last start, and the time from the first start to that: until
    #: then a job waits for every worker that has none.
    asked_before: float
    window: float
    #: From the first start to the last end.
    whole: float
    used: Used

    @property
    def efficiency(self) -> float:
        """Of the workers' time while jobs waited, the part that jobs asked for."""
        return self.asked_before / (self.workers * self.window)

    @property
    def with_tail(self) -> float:
        """The same of the whole run, in which workers are idle at the end for want of jobs."""
        return self.asked / (self.workers * self.whole)


class Fleet:
    """The servers and the workers."""

    def __init__(self, stack: ExitStack, most: int) -> None:
        self.folder = stack.enter_context(tempfile.TemporaryDirectory())
        broker = stack.enter_context(redis_server())
        self._postgres = stack.enter_context(postgres_server(durable=True))
        # A worker has up to four connections: its runner's, its leases', its reports'.
        allow_connections(self._postgres, 4 * most + 50)
        os.environ["REDIS_URL"] = broker.url
        self.url = self._postgres.create("fleet")
        self.database = Database(self.url)
        stack.callback(self.database.close)
        migrate(self.database)
        self.store = JobStore(self.database)
        self._redis = redis.Redis(port=broker.port)
        self._doorbell = Doorbell(publisher_app())
        self._environment = {"DATABASE_URL": self.url, "STORAGE_URL": f"file://{self.folder}/objects"}
        sweeper = stack.enter_context(
            process(sys.executable, "-m", "workers.sweep", environment=self._environment)
        )
        self._sweeper = psutil.Process(sweeper.pid)
        stack.callback(self._sweeper.resume)  # a stopped process does not end
        self._workers: list[psutil.Process] = []
        stack.callback(lambda: ended(self._workers))
        accounts = AccountStore(self.database)
        self.owners = [accounts.create_key(f"owner {n}")[1].user_id for n in range(OWNERS)]

    def grow(self, size: int) -> None:
        """Add workers until there are that many, and wait until they rest."""
        while len(self._workers) < size:
            for _ in range(min(AT_ONCE, size - len(self._workers))):
                command = (sys.executable, "-m", "workers", "--queues", "cpu")
                self._workers.append(started(*command, environment=self._environment))
            give_up = time.monotonic() + START_SECONDS
            while len(FleetStore(self.database).alive()) < len(self._workers):
                if time.monotonic() > give_up:
                    raise SystemExit("the workers do not start")
                time.sleep(0.2)
        time.sleep(2)

    def ring(self) -> None:
        """Wake a worker."""
        self._doorbell.ring("cpu")

    def used(self) -> Used:
        """What was used so far."""
        count = text("SELECT sum(xact_commit + xact_rollback) FROM pg_stat_database")
        return Used(
            time.monotonic(),
            cpu_seconds(psutil.Process(self._postgres.pid)),
            float(
                sum(v for k, v in self._redis.info("cpu").items() if k in ("used_cpu_sys", "used_cpu_user"))
            ),
            cpu_seconds(*self._workers),
            cpu_seconds(self._sweeper),
            float(self.database.read(lambda c: c.execute(count).scalar_one())),
            float(self._redis.info("stats")["total_commands_processed"]),
        )

    def shrink(self, size: int) -> None:
        """End the workers beyond that many."""
        ended(self._workers[size:])
        del self._workers[size:]

    @property
    def size(self) -> int:
        """How many workers there are."""
        return len(self._workers)

    def connections(self) -> float:
        """The workers' connections to the database and to Redis, a worker."""
        count = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        found = self.database.read(lambda c: c.execute(count).scalar_one())
        return float(found) / len(self._workers)

    def rest(self, seconds: float) -> Used:
        """What workers use that have nothing to do."""
        settle(self.database)
        before = self.used()
        time.sleep(seconds)
        return self.used() - before

    def run(self, seconds: Sequence[float]) -> Run:
        """Jobs that take so long, accepted while the fleet rests, then all of it is woken."""
        settle(self.database)  # or it would be done meanwhile, for the jobs before
        with self._resting_sweeper():
            ids = [self._submit(n, took) for n, took in enumerate(seconds)]
        before = self.used()
        for _ in self._workers:
            self._doorbell.ring("cpu")
        time.sleep(sum(seconds) / len(self._workers))  # looking costs the database too
        self.wait(min(ids), PATIENCE_SECONDS + 2 * sum(seconds) / len(self._workers))
        used = self.used() - before
        rows = self._rows(ids)
        first, last = min(r.started_at for r in rows), max(r.started_at for r in rows)
        asked = dict(zip(ids, seconds, strict=True))
        return Run(
            workers=len(self._workers),
            jobs=len(ids),
            asked=sum(seconds),
            asked_before=sum(min(asked[r.id], _seconds(r.started_at, last)) for r in rows),
            window=_seconds(first, last),
            whole=_seconds(first, max(r.finished_at for r in rows)),
            used=used,
        )

    @contextmanager
    def _resting_sweeper(self) -> Iterator[None]:
        """It would ring for the first jobs before the last ones are there."""
        self._sweeper.suspend()
        try:
            yield
        finally:
            self._sweeper.resume()

    def _submit(self, number: int, seconds: float) -> str:
        params = {"text": "", "seconds": seconds}
        owner = self.owners[number % OWNERS]
        new = NewJob(owner_id=owner, engine="echo", queue="cpu", params=params, seed=1, cost=seconds)
        return str(self.store.submit(new)[0].id)

    def _rows(self, ids: Sequence[str]) -> list[_Times]:
        query = select(Job.id, Job.state, Job.started_at, Job.finished_at).where(Job.id >= min(ids))
        rows = self.database.read(lambda c: list(c.execute(query)))
        wrong = [r for r in rows if r.state != "succeeded"]
        assert len(rows) == len(ids)
        assert not wrong, wrong
        return rows

    def wait(self, since: str, patience: float) -> None:
        """Until every job from that one on has ended."""
        left = select(func.count()).where(Job.id >= since, Job.finished_at.is_(None))
        give_up = time.monotonic() + patience
        while self.database.read(lambda c: c.execute(left).scalar_one()):
            if time.monotonic() > give_up:
                raise SystemExit("the fleet does not come to an end")
            time.sleep(0.5)
        while self._redis.llen("cpu"):  # rings for jobs that are gone are a cost of theirs
            time.sleep(0.1)


def allow_connections(server: PostgresServer, most: int) -> None:
    """Restart a server with that many connections."""
    database = Database(server.url())
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"ALTER SYSTEM SET max_connections = {int(most)}"))
    database.close()
    server.stop()
    server.start()


def _seconds(since: datetime, until: datetime) -> float:
    return (until - since).total_seconds()
