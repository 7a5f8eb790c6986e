"""Jobs made of jobs: what their parts cost, and whether a fleet draws them as it draws others.

chain     1,000 no-op parts of one job on one worker, from the asking to the job in line again, against as
          many plain jobs in the same run, from the first start to the last end
fairness  20 jobs of 50 parts, of 10 owners, beside 10 owners' plain jobs: each owner's share of what is
          claimed while all have some
claim     the claim's median with 100,000 jobs that wait for parts in the table, and without
fan-out   64 parts of 1 s on 16 workers, from the submission to the end of their job, against the ideal;
          and 20 chains on 2 workers, which would wait for ever if a waiting job held one

python scripts/bench/parts.py                        # everything, about 8 minutes
python scripts/bench/parts.py --only chain claim
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from sqlalchemy import func, insert, select

import accept
from accept.parts import new_parts
from accounts.store import AccountStore
from engines.base import Part
from jobs.database import Database
from jobs.migrate import migrate
from jobs.models import Job
from jobs.states import Hold
from jobs.store import JobRow, JobStore, NewJob
from queue_config import Doorbell, publisher_app
from scripts.bench.backlog import settle
from scripts.bench.fleet_runs import Fleet
from scripts.bench.servers import ROOT, row
from scripts.bench.service import broker, claim_times
from scripts.bench.tree import worker
from storage.memory import MemoryStorage
from tests.services import postgres_server

PATIENCE_SECONDS = 300.0


@contextmanager
def databases() -> Iterator[tuple[str, dict[str, list[Database]]]]:
    """A folder, and two migrated databases of each kind."""
    with postgres_server(durable=True) as server, tempfile.TemporaryDirectory() as folder:
        made = {
            "SQLite": [Database(f"sqlite:///{folder}/{n}.db") for n in range(2)],
            "PostgreSQL": [Database(server.create(f"parts_{n}")) for n in range(2)],
        }
        for some in made.values():
            for database in some:
                migrate(database)
        yield folder, made
        for some in made.values():
            for database in some:
                database.close()


class House:
    """A store, one owner, and the asking for parts that a worker would do."""

    def __init__(self, database: Database, ring: Doorbell | None = None) -> None:
        self.database = database
        self.store = JobStore(database, ring=ring.wake) if ring is not None else JobStore(database)
        self.means = accept.Means.build(self.store, MemoryStorage())
        self.owner = AccountStore(database).create_key("bench")[1].user_id

    def submit(self, engine: str = "echo", owner: str | None = None) -> str:
        new = NewJob(owner_id=owner or self.owner, engine=engine, queue="cpu", params={"text": ""}, seed=1)
        return self.store.submit(new)[0].id

    def ask(self, job: JobRow, count: int, seconds: float = 0.0) -> None:
        """So many no-op parts, checked and asked for as a worker does it."""
        parts = [Part(f"{n:04}", "echo", {"text": "", "seconds": seconds}) for n in range(count)]
        self.store.wait_for(job.id, job.attempt, new_parts(self.means, job, parts))

    def claim(self, engine: str) -> JobRow:
        (job,) = self.store.claim("wrk_bench", "cpu", engines=[engine], lease_seconds=600)
        return job


def until(true: object, what: str) -> None:
    """Wait for a call to say yes."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not true():  # type: ignore[operator]
        if time.monotonic() > give_up:
            raise SystemExit(f"{what} takes too long")
        time.sleep(0.02)


def chain(arguments: argparse.Namespace) -> None:
    with broker(), databases() as (folder, made):
        for kind, (database, _) in made.items():
            doorbell = Doorbell(publisher_app())
            house = House(database, doorbell)
            environment = {
                "DATABASE_URL": database.url.render_as_string(hide_password=False),
                "STORAGE_URL": f"file://{folder}/objects",
            }
            with worker(ROOT, environment):
                plain(house, doorbell, 1)  # it has started, and loaded the engine
                rates = [
                    (plain(house, doorbell, arguments.jobs), parts(house, arguments.jobs))
                    for _ in range(arguments.rounds)
                ]
            ratio = statistics.median(b / a for a, b in rates)
            own = statistics.median(b for _, b in rates)
            row(
                f"{arguments.jobs:,} no-op parts of one job, one worker, {kind}",
                f"{own:.0f} /s = {ratio:.2f}x plain jobs", ">= 0.7x", ratio >= 0.7,
            )  # fmt: skip


def plain(house: House, doorbell: Doorbell, count: int) -> float:
    """Plain jobs a second, from the first start to the last end, with a filled queue."""
    ids = [house.submit() for _ in range(count)]
    doorbell.ring("cpu")
    last = ids[-1]
    until(lambda: house.store.get(last).state == "succeeded" and not house.store.due_by_queue(), "plain jobs")
    ran = select(func.min(Job.started_at), func.max(Job.finished_at)).where(Job.id >= ids[0], Job.id <= last)
    first, end = house.database.read(lambda c: c.execute(ran).one())
    assert first is not None
    assert end is not None
    return count / (end - first).total_seconds()


def parts(house: House, count: int) -> float:
    """Parts a second, from the asking until their job stands in line again."""
    job_id = house.submit("bench_asks")
    job = house.claim("bench_asks")
    began = time.monotonic()
    house.ask(job, count)
    until(lambda: house.store.get(job_id).hold != Hold.PARTS, "a job of parts")
    took = time.monotonic() - began
    again = house.claim("bench_asks")
    house.store.succeed(again.id, again.attempt, [])
    return count / took


def fairness(_arguments: argparse.Namespace) -> None:
    with databases() as (_, made):
        house = House(made["PostgreSQL"][0])
        accounts = AccountStore(house.database)
        asking, plain_ones = (
            [accounts.create_key(f"{what} {n}")[1].user_id for n in range(10)] for what in ("asks", "plain")
        )
        for owner in asking * 2:
            house.submit("bench_asks", owner)
        for _ in range(20):
            house.ask(house.claim("bench_asks"), 50)
        for _ in range(100):
            for owner in plain_ones:
                house.submit(owner=owner)
        claimed: Counter[str] = Counter()
        for _ in range(1000):  # half of what is there, so that everybody has some left
            job = house.claim("echo")
            claimed[job.owner_id] += 1
            house.store.succeed(job.id, job.attempt, [])
        shares = [claimed[owner] / 50 for owner in asking + plain_ones]
        row(
            "20 jobs of 50 parts of 10 owners beside 10 others: an owner's share of a fair one",
            f"{min(shares):.2f} to {max(shares):.2f}", "0.9 to 1.1", 0.9 <= min(shares) <= max(shares) <= 1.1,
        )  # fmt: skip


def claim(arguments: argparse.Namespace) -> None:
    with databases() as (_, made):
        for kind, (small, large) in made.items():
            fill_with_waiting(large, arguments.waiting)
            for database in (small, large):
                house = House(database)
                for _ in range(100):
                    house.submit()
                settle(database)
            pairs = [(claim_times(small, 100), claim_times(large, 100)) for _ in range(arguments.rounds + 2)]
            ratio = statistics.median(b / a for a, b in pairs)
            low, high = (statistics.median(p[i] for p in pairs) * 1e3 for i in (0, 1))
            row(
                f"claim, {kind}: with {arguments.waiting:,} jobs that wait for parts",
                f"{low:.2f} -> {high:.2f} ms = {ratio:.2f}x", "<= 1.1x", ratio <= 1.1,
            )  # fmt: skip


def fill_with_waiting(database: Database, count: int) -> None:
    """Jobs that wait for parts, with one part each that has not been made."""
    house = House(database)
    job_id = house.submit("bench_asks")
    house.ask(house.claim("bench_asks"), 1)
    template = dict(
        database.read(lambda c: c.execute(select(Job.__table__).where(Job.id == job_id)).one())._mapping
    )
    rows = [template | {"id": f"job_{n:032x}"} for n in range(count)]
    for start in range(0, count, 5000):
        some = rows[start : start + 5000]
        database.write(lambda c, some=some: c.execute(insert(Job.__table__), some))  # type: ignore[misc]
    (part,) = house.store.parts(job_id)
    house.store.cancel(part.part_id, None)


def fan_out(arguments: argparse.Namespace) -> None:
    with ExitStack() as stack:
        fleet = Fleet(stack, 16)
        store, owner = fleet.store, fleet.owners[0]
        fleet.grow(2)
        chains = [_pipeline(store, owner, stages=3, files=0, seconds=0.05) for _ in range(20)]
        fleet.ring()
        until(lambda: all(store.get(one).state == "succeeded" for one in chains), "20 chains on 2 workers")
        row("20 chains of 3 stages on 2 workers", "all ended", "all end", True)
        fleet.grow(16)
        fleet.run([0.0] * 12 * 16)
        found = []
        for _ in range(arguments.rounds):
            began = time.monotonic()
            job_id = _pipeline(store, owner, stages=4, files=16, seconds=1.0)
            fleet.ring()
            until(lambda job_id=job_id: store.get(job_id).state == "succeeded", "64 parts on 16 workers")
            found.append(4.0 / (time.monotonic() - began))
        best = statistics.median(found)
        row("64 parts of 1 s on 16 workers, of the ideal", f"{best:.3f}", ">= 0.93", best >= 0.93)


def _pipeline(store: JobStore, owner: str, *, stages: int, files: int, seconds: float) -> str:
    """A chain of so many stages, one after the other; with files side by side, and a job for each file."""
    asked = []
    for n in range(stages):
        stage = {"name": f"s{n}", "engine": "echo", "params": {"text": "x", "seconds": seconds}}
        if files:  # without results, which the chain would hand on one after the other
            stage = {**stage, "each": "@files", "params": {"text": "", "seconds": seconds}}
        elif n:
            stage["params"] = {"text": f"@s{n - 1}", "seconds": seconds}
        asked.append(stage)
    # Named, and never fetched: no stage reads one.
    given = [f"https://example.com/{n}" for n in range(files)]
    means = accept.Means.build(store, MemoryStorage())
    job, _ = accept.submit(means, accept.Request(owner, "pipeline", {"stages": asked, "files": given}))
    return job.id


PARTS = {"chain": chain, "fairness": fairness, "claim": claim, "fan-out": fan_out}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--jobs", type=int, default=1000, help="parts and plain jobs a run (default: 1000)")
    parser.add_argument("--waiting", type=int, default=100_000, help="jobs that wait (default: 100000)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds; medians count (default: 3)")
    arguments = parser.parse_args()
    print("| what | measured | target | |\n|---|---|---|---|", flush=True)
    for name in arguments.only:
        PARTS[name](arguments)


if __name__ == "__main__":
    main()
