"""No-op jobs that run together against the same ones alone: the whole path, one real worker process.

The jobs of several owners wait before the worker is woken once; the rate is theirs from the first start to
the last end. Real Redis, and PostgreSQL (with fsync) and SQLite in turn.

    python scripts/bench/batches.py            # about 2 minutes
    python scripts/bench/batches.py --jobs 100 --rounds 1
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psutil
import redis
from sqlalchemy import func, select

from accounts.store import AccountStore
from engines import spec
from jobs.database import Database
from jobs.migrate import migrate
from jobs.models import Job
from jobs.store import JobStore, NewJob
from queue_config import Doorbell, publisher_app
from scripts.bench.servers import cpu_seconds, process, row
from tests.services import postgres_server, redis_server

OWNERS = 10
_ECHO = spec("echo")


def new_job(owner: str, *, together: bool) -> NewJob:
    params = {"text": "", "together": together}
    batch = f"echo:{_ECHO.batch_key(_ECHO.params.model_validate(params))}" if together else None
    return NewJob(
        owner_id=owner,
        engine="echo",
        queue="cpu",
        params=params,
        seed=1,
        batch=batch,
        batch_most=_ECHO.max_batch,
    )


def drained(store: JobStore, since: str) -> bool:
    """Whether every job after that one has ended."""
    return not store.database.read(
        lambda c: c.execute(select(Job.id).where(Job.id > since, Job.finished_at.is_(None)).limit(1)).first()
    )


@contextmanager
def service(url: str, folder: str) -> Iterator[tuple[JobStore, psutil.Process]]:
    """A migrated database and one worker that has run its first job."""
    database = Database(url)
    migrate(database)
    store = JobStore(database)
    first, _ = store.submit(new_job(AccountStore(database).create_key("first")[1].user_id, together=False))
    environment = {"DATABASE_URL": url, "STORAGE_URL": f"file://{folder}/objects"}
    with process(sys.executable, "-m", "workers", "--queues", "cpu", environment=environment) as worker:
        Doorbell(publisher_app()).ring("cpu")
        while store.get(first.id).state != "succeeded":
            time.sleep(0.05)
        yield store, psutil.Process(worker.pid)
    database.close()


def run(store: JobStore, worker: psutil.Process, jobs: int, *, together: bool) -> tuple[float, float, float]:
    """(jobs a second, seconds of the worker's CPU a job, mean size of the batches)."""
    accounts = AccountStore(store.database)
    owners = [accounts.create_key(f"{time.time()}")[1].user_id for _ in range(OWNERS)]
    ids = [store.submit(new_job(owners[n % OWNERS], together=together))[0].id for n in range(jobs)]
    used = cpu_seconds(worker)
    Doorbell(publisher_app()).ring("cpu")
    while store.due_by_queue() or not drained(store, min(ids)):
        time.sleep(0.1)
    used = cpu_seconds(worker) - used
    sums = select(
        func.min(Job.started_at), func.max(Job.finished_at), func.count(), func.sum(1.0 / Job.batch_size)
    ).where(Job.id >= min(ids), Job.state == "succeeded")
    began, ended, done, batches = store.database.read(lambda c: c.execute(sums).one())
    assert done == jobs
    assert began is not None
    assert ended is not None
    return jobs / (ended - began).total_seconds(), used / jobs, jobs / float(batches)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=2000, help="of each kind a round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="medians count (default: %(default)s)")
    arguments = parser.parse_args()
    print("| what | measured | target | |\n|---|---|---|---|", flush=True)
    with ExitStack() as stack:
        broker = stack.enter_context(redis_server())
        os.environ["REDIS_URL"] = broker.url
        postgres = stack.enter_context(postgres_server(durable=True))
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        for kind, url in (("SQLite", f"sqlite:///{folder}/a.db"), ("PostgreSQL", postgres.create("batches"))):
            redis.Redis(port=broker.port).flushall()
            with service(url, folder) as (store, worker):
                rounds = [
                    [run(store, worker, arguments.jobs, together=together) for together in (False, True)]
                    for _ in range(arguments.rounds)
                ]
            tell(kind, rounds)


def tell(kind: str, rounds: list[list[tuple[float, float, float]]]) -> None:
    for n, what in enumerate(("alone", "together")):
        rate, used, size = (statistics.median(r[n][i] for r in rounds) for i in range(3))
        row(
            f"no-op jobs {what}, {kind}",
            f"{rate:.0f} jobs/s; {used * 1e3:.2f} ms of the worker's CPU a job; {size:.1f} at once",
        )
    ratio = statistics.median(r[1][0] / r[0][0] for r in rounds)
    row(f"together / alone, {kind}", f"{ratio:.1f}x", ">= 4x", ratio >= 4)


if __name__ == "__main__":
    main()
