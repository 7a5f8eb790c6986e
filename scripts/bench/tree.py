"""What the benchmark does with the code of one checkout, this one or an earlier one: PYTHONPATH says which.

So it imports nothing of scripts/, which would come from that checkout too.

python tree.py key URL                      makes the tables and prints a key without a rate limit
python tree.py noop URL FOLDER JOBS TEXT    no-op jobs through the whole path; prints
                                            jobs a second with a prefilled queue, and the median of the
                                            seconds from accepted to started at 50 a second
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import func, select

try:
    from accounts.store import AccountStore
except ModuleNotFoundError:  # a checkout of before accounts had a package
    from jobs.accounts import AccountStore  # type: ignore[import-untyped,no-redef]
from jobs.database import Database
from jobs.migrate import migrate
from jobs.models import Job
from jobs.store import JobStore, NewJob
from queue_config import Doorbell, publisher_app

#: Jobs sent one by one, and how many of the first of them do not count.
SENT, WARMING = 130, 30


def key(url: str) -> str:
    """Make the tables and an owner."""
    database = Database(url)
    migrate(database)
    made, _ = AccountStore(database).create_key("bench", rate_per_minute=10_000_000)
    database.close()
    return made


def noop(url: str, folder: str, jobs: int, text: str, tree: Path) -> tuple[float, float]:
    """(jobs a second with a prefilled queue, median seconds from accepted to started at 50 a second)."""
    database = Database(url)
    migrate(database)
    store = JobStore(database)
    owner = AccountStore(database).create_key("bench")[1].user_id

    def submit() -> str:
        new = NewJob(owner_id=owner, engine="echo", queue="cpu", params={"text": text}, seed=1)
        return str(store.submit(new)[0].id)

    def drained() -> None:
        while store.due_by_queue():
            time.sleep(0.2)
        time.sleep(0.5)

    doorbell = Doorbell(publisher_app())
    environment = {"DATABASE_URL": url, "STORAGE_URL": f"file://{folder}/objects"}
    with worker(tree, environment):
        warm = submit()
        doorbell.ring("cpu")
        while store.get(warm).state != "succeeded":
            time.sleep(0.05)
        for _ in range(jobs):
            submit()
        doorbell.ring("cpu")
        drained()
        ran = select(func.min(Job.started_at), func.max(Job.finished_at), func.count()).where(
            Job.state == "succeeded", Job.id != warm
        )
        first, last, done = database.read(lambda c: c.execute(ran).one())
        assert done == jobs
        assert first is not None
        assert last is not None
        sent = []
        for _ in range(SENT):
            sent.append(submit())
            doorbell.wake("cpu")
            time.sleep(0.02)
        drained()
        rows = [store.get(job_id) for job_id in sent[WARMING:]]
    database.close()
    waits = [(row.started_at - row.created_at).total_seconds() for row in rows if row.started_at]
    return jobs / (last - first).total_seconds(), statistics.median(waits)


@contextmanager
def worker(tree: Path, environment: dict[str, str]) -> Iterator[None]:
    """A worker with the code of that checkout, ended by its id."""
    command = [sys.executable, "-m", "workers", "--queues", "cpu"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        command, env=os.environ | environment, stdout=quiet, stderr=quiet, cwd=tree
    ) as child:
        try:
            yield
        finally:
            child.terminate()
            try:
                child.wait(60)
            except subprocess.TimeoutExpired:
                child.kill()


if __name__ == "__main__":
    what, url, *more = sys.argv[1:]
    if what == "key":
        print(key(url))
    else:
        folder, jobs, text, tree = more
        print(*noop(url, folder, int(jobs), text, Path(tree)))
