"""The claim on a large backlog: a million queued jobs of a thousand owners, on PostgreSQL with fsync.

rate    processes that claim and succeed as workers do, beside a real sweeper: claims a second
ratio   one client, alternately on the large backlog and on one of 1,000 jobs: medians. Each job that is
        claimed is replaced by its owner, so that the backlogs stay. Also on SQLite
looks   what else is asked of the large backlog, by the sweeper every two seconds and by clients

python scripts/bench/claims.py                        # everything, about 5 minutes
python scripts/bench/claims.py --owners 100 --each 100 --seconds 3 --rounds 1 --only rate
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing.connection import Connection

import psutil

from jobs.database import Database
from jobs.migrate import migrate
from jobs.store import JobStore
from scripts.bench.backlog import fill, job_id, new_job, settle
from scripts.bench.servers import cpu_seconds, percentile, process, row
from tests.services import PostgresServer, postgres_server, redis_server

#: The small backlog of the ratio: owners, and jobs of each.
SMALL = (100, 10)
#: Claims before those that count: connections, statements and pages become warm.
WARM = 20

_CONTEXT = multiprocessing.get_context("spawn")


def filled(url: str, owners: int, each: int) -> Database:
    database = Database(url)
    migrate(database)
    fill(database, owners, each)
    return database


def timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def spread(seconds: list[float]) -> str:
    """p50, p99 and the largest, in milliseconds."""
    return " / ".join(f"{percentile(seconds, part) * 1e3:.2f}" for part in (0.5, 0.99, 1.0)) + " ms"


# --- the rate ---------------------------------------------------------------------------------------


def take(url: str, pipe: Connection) -> None:
    """Claim and succeed, as a worker whose engine takes no time, until told; then tell each one's seconds."""
    store = JobStore(Database(url, pool_size=2))
    claims: list[tuple[float, float, float]] = []
    pipe.send(store.database.revision())
    pipe.recv()
    while not pipe.poll():
        began = time.perf_counter()
        jobs = store.claim(f"wrk_{os.getpid()}", "cpu", engines=["echo"], models=["echo"], lease_seconds=60)
        claimed = time.perf_counter()
        for job in jobs:
            store.succeed(job.id, job.attempt, [], device="cpu")
        claims += [(time.time(), claimed - began, time.perf_counter() - claimed)] * len(jobs)
    pipe.send(claims)
    store.database.close()


def rate(arguments: argparse.Namespace, large: Database, server: PostgresServer) -> None:
    url = large.url.render_as_string(hide_password=False)
    pipes, takers = [], []
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        broker = stack.enter_context(redis_server())
        environment = {
            "DATABASE_URL": url,
            "REDIS_URL": broker.url,
            "STORAGE_URL": f"file://{folder}/objects",
        }
        stack.enter_context(process(sys.executable, "-m", "workers.sweep", environment=environment))
        for _ in range(arguments.processes):
            ours, theirs = _CONTEXT.Pipe()
            pipes.append(ours)
            takers.append(_CONTEXT.Process(target=take, args=(url, theirs), daemon=True))
            takers[-1].start()
        for pipe in pipes:
            pipe.recv()  # it has connected
        for pipe in pipes:
            pipe.send("start")
        time.sleep(2)
        parts = ([psutil.Process(taker.pid) for taker in takers], [psutil.Process(server.pid)])
        since, before = time.time(), [cpu_seconds(*part) for part in parts]
        time.sleep(arguments.seconds)
        until, after = time.time(), [cpu_seconds(*part) for part in parts]
        for pipe in pipes:
            pipe.send("stop")
        found = sorted(claim for pipe in pipes for claim in pipe.recv())
        for taker in takers:
            taker.join()
    claims = [one for one in found if since <= one[0] < until]
    tell_rate(arguments, claims, until - since, [b - a for a, b in zip(before, after, strict=True)])
    settle(large)


def tell_rate(
    arguments: argparse.Namespace, claims: list[tuple[float, float, float]], seconds: float, used: list[float]
) -> None:
    each = len(claims) / seconds
    what = f"{arguments.owners * arguments.each:,} queued jobs of {arguments.owners:,} owners"
    row(
        f"claims and ends, {arguments.processes} processes, {what}", f"{each:.0f} /s", ">= 300/s", each >= 300
    )
    taken = " + ".join(f"{part / len(claims) * 1e3:.2f}" for part in used)
    row("CPU of both, the processes' + the database's (sweeper included)", f"{taken} ms")
    row("of these a claim, p50 / p99 / max", spread([claimed for _, claimed, _ in claims]))
    row("of these an end, p50 / p99 / max", spread([ended for _, _, ended in claims]))
    fifth = max(1, len(claims) // 5)
    first, last = (statistics.median(c[1] for c in some) for some in (claims[:fifth], claims[-fifth:]))
    row("a claim, first -> last fifth of them, p50", f"{first * 1e3:.2f} -> {last * 1e3:.2f} ms")


# --- the ratio --------------------------------------------------------------------------------------


def cycle(store: JobStore, count: int) -> tuple[list[float], list[float], list[float]]:
    """Seconds of claims, ends and submissions; each claimed job is replaced, so the backlog stays."""
    claims, ends, submissions = [], [], []
    for _ in range(count):
        began = time.perf_counter()
        (job,) = store.claim("wrk_1", "cpu", engines=["echo"], models=["echo"], lease_seconds=60)
        claims.append(time.perf_counter() - began)
        ends.append(timed(lambda job=job: store.succeed(job.id, job.attempt, [])))  # type: ignore[misc]
        submissions.append(timed(lambda job=job: store.submit(new_job(job.owner_id))))  # type: ignore[misc]
    return claims, ends, submissions


def compare(arguments: argparse.Namespace, kind: str, small: Database, large: Database) -> None:
    """Both sizes in turn, so that a noisy neighbour disturbs both."""
    stores = (JobStore(small), JobStore(large))
    for store in stores:
        cycle(store, WARM)
    rounds = [[cycle(store, 100) for store in stores] for _ in range(arguments.rounds)]
    for n, what in enumerate(("claim", "end", "submit")):
        few, many = ([second for one in rounds for second in one[size][n]] for size in (0, 1))
        ratio = statistics.median(statistics.median(b[n]) / statistics.median(a[n]) for a, b in rounds)
        target = ("<= 2x", ratio <= 2) if what == "claim" else ("", None)
        sizes = f"1,000 -> {arguments.owners * arguments.each:,} queued"
        medians = f"{statistics.median(few) * 1e3:.2f} -> {statistics.median(many) * 1e3:.2f} ms"
        row(f"{what}, {kind}: {sizes}, p50", f"{medians} = {ratio:.2f}x", *target)
        row(f"{what}, {kind}: p50 / p99 / max at the larger", spread(many))


# --- everything else --------------------------------------------------------------------------------


def looks(store: JobStore) -> None:
    middle = store.get(job_id(128))
    newest = store.page(None, limit=1)[0]
    some: list[tuple[str, Callable[[], object]]] = [
        ("the sweeper: due_by_queue, every 2 s", store.due_by_queue),
        ("the sweeper: top_up of 100 owners who have nothing to move", store.top_up),
        ("the sweeper: expire_leases", store.expire_leases),
        ("position of a job in the middle of the line", lambda: store.position(middle)),
        ("position of the newest job", lambda: store.position(newest)),
    ]
    for what, call in some:
        call()
        row(f"{what}: p50 / p99 / max", spread([timed(call) for _ in range(20)]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", nargs="+", choices=["rate", "ratio", "looks"], default=["rate", "ratio", "looks"]
    )
    parser.add_argument(
        "--owners", type=int, default=1000, help="of the large backlog (default: %(default)s)"
    )
    parser.add_argument("--each", type=int, default=1000, help="jobs of each (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=8, help="that claim (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=30, help="of the rate (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="of the ratio (default: %(default)s)")
    arguments = parser.parse_args()
    print("| what | measured | target | |\n|---|---|---|---|", flush=True)
    with postgres_server(durable=True) as server, tempfile.TemporaryDirectory() as folder:
        large = filled(server.create("large"), arguments.owners, arguments.each)
        small = filled(server.create("small"), *SMALL)
        if "ratio" in arguments.only:
            compare(arguments, "PostgreSQL", small, large)
        if "looks" in arguments.only:
            looks(JobStore(large))
        if "rate" in arguments.only:
            rate(arguments, large, server)
        large.close()
        small.close()
        if "ratio" in arguments.only:
            small = filled(f"sqlite:///{folder}/small.db", *SMALL)
            large = filled(f"sqlite:///{folder}/large.db", arguments.owners, arguments.each)
            compare(arguments, "SQLite", small, large)


if __name__ == "__main__":
    main()
