"""Many event streams on one API process: how late events come, what that costs, and a hand-over to another.

Starts PostgreSQL (with fsync), Redis and two API processes of one gunicorn worker each on loopback. Each
stream follows a running job of its own. The workers are played by one driver, which writes through
`JobStore.beat` what they would write, progress once a second for every job, so that 500 workers are no need.
Then the first API process gets SIGTERM, all clients come back at the second, and the jobs end.

    python scripts/bench/streams.py                      # 500 streams for a minute, about 2 minutes
    python scripts/bench/streams.py --streams 50 --seconds 10

Exits with 1 when a stream was dropped, a change was lost or told twice, or a target was missed.
"""

from __future__ import annotations

import argparse
import bisect
import itertools
import math
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event as EventType

import httpx
import psutil

from accounts.store import AccountStore
from jobs.database import Database
from jobs.migrate import migrate
from jobs.store import JobRow, JobStore, NewJob
from scripts.bench.rates import api
from scripts.bench.servers import percentile, row
from scripts.bench.stream_clients import Held, hold
from tests.services import postgres_server, redis_server

#: Jobs of one owner.
EACH = 10
#: Seconds between two progress reports of a job, as workers send them (`workers.settings.PROGRESS_SECONDS`).
PROGRESS_SECONDS = 1.0
#: Ordinary requests a second, beside the streams.
ORDINARY = 20
_CONTEXT = multiprocessing.get_context("spawn")


@dataclass
class Writes:
    """When each version of a job was written: just before the statement, so no delay is told too short."""

    times: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    #: Seconds a write was begun after it was due: a driver that is late measures itself.
    late: list[float] = field(default_factory=list)


# --- the driver -------------------------------------------------------------------------------------


def drive(url: str, jobs: list[tuple[str, int, int]], stop: EventType, report: Connection) -> None:
    """Play the workers of these (id, attempt, version): progress each second, and success after `stop`."""
    database = Database(url)
    store = JobStore(database)
    writes = Writes({job_id: [] for job_id, _, _ in jobs})

    def play(some: Sequence[tuple[str, int, int]]) -> None:
        began = time.monotonic()
        due = [(began + PROGRESS_SECONDS * i / len(some), i) for i in range(len(some))]
        versions = [version for _, _, version in some]
        while not stop.is_set():
            at, i = due.pop(0)
            due.append((at + PROGRESS_SECONDS, i))
            time.sleep(max(0.0, at - time.monotonic()))
            job_id, attempt, _ = some[i]
            versions[i] += 1
            before = time.monotonic()
            part = min((before - began) / 600, 1.0)
            store.beat(job_id, attempt, lease_seconds=3600, progress=part, message=f"step {versions[i]}")
            writes.times[job_id].append((versions[i], before))
            writes.late.append(before - at)
        for job_id, attempt, _ in some:
            store.succeed(job_id, attempt, [], device="cpu")

    with ThreadPoolExecutor(4) as pool:
        for ended in [pool.submit(play, jobs[i::4]) for i in range(4)]:
            ended.result()
    database.close()
    report.send(writes)


def running_jobs(url: str, count: int) -> tuple[list[JobRow], dict[str, str]]:
    """That many claimed jobs of several owners, and the key of each job's owner."""
    database = Database(url)
    migrate(database)
    store, accounts = JobStore(database), AccountStore(database)
    keys = {}
    for n in range(-(-count // EACH)):
        key, account = accounts.create_key(f"owner{n}", rate_per_minute=10_000_000)
        for _ in range(min(EACH, count - n * EACH)):
            new = NewJob(owner_id=account.user_id, engine="echo", queue="cpu", params={}, seed=1)
            keys[store.submit(new)[0].id] = key
    rows: list[JobRow] = []
    while len(rows) < count:
        rows += store.claim(f"wrk_{len(rows)}", "cpu", engines=["echo"], lease_seconds=3600)
    database.close()
    return rows, keys


# --- what is measured meanwhile ---------------------------------------------------------------------


@contextmanager
def ordinary(client: httpx.Client, base: str) -> Iterator[list[float]]:
    """Seconds that ordinary requests take meanwhile: polls, lists and submissions, at a fixed rate."""
    seconds: list[float] = []
    stop = threading.Event()

    jobs = f"{base}/v1/jobs"
    job_id = client.post(jobs, json={"engine": "echo"}).raise_for_status().json()["id"]

    def ask() -> None:
        due = time.monotonic()
        for n in itertools.count():
            due += 1 / ORDINARY
            if stop.wait(max(0.0, due - time.monotonic())):
                return
            if n % 10 == 0:
                request = client.build_request("POST", jobs, json={"engine": "echo"})
            else:
                request = client.build_request("GET", f"{jobs}/{job_id}" if n % 10 > 1 else jobs)
            client.send(request).raise_for_status()
            # From when it was due: a request that waited for the one before it waited for the server.
            seconds.append(time.monotonic() - due)

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        try:
            yield seconds
        finally:
            stop.set()
            asking.result()


@contextmanager
def usage(pid: int) -> Iterator[dict[str, float]]:
    """The largest resident set of a server's process meanwhile, in bytes, and its share of a core."""
    (worker,) = psutil.Process(pid).children()
    found = {"rss": 0.0, "cpu": 0.0, "threads": 0.0}
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.5):
            found["rss"] = max(found["rss"], worker.memory_info().rss)
            found["threads"] = max(found["threads"], worker.num_threads())

    looking = threading.Thread(target=look)
    began, used = time.monotonic(), sum(worker.cpu_times()[:2])
    looking.start()
    try:
        yield found
    finally:
        stop.set()
        looking.join()
        found["cpu"] = (sum(worker.cpu_times()[:2]) - used) / (time.monotonic() - began)


def delays(held: Sequence[Held], writes: Writes, since: float, until: float) -> list[float]:
    """Seconds from each write in that time to the first event that tells it, or something newer."""
    found = []
    for one in held:
        ids = [number for _, number, _ in one.told]
        for version, at in writes.times[one.job_id]:
            if since <= at < until:
                place = bisect.bisect_left(ids, version)
                found.append(one.told[place][0] - at if place < len(ids) else math.inf)
    return found


def wrong_histories(held: Sequence[Held]) -> int:
    """Streams whose client did not see each change of state once, in order, with `done` at the end."""
    wrong = 0
    for one in held:
        ids = [number for _, number, name in one.told if name != "done"]
        states = [name for _, _, name in one.told].count("state")
        wrong += not (one.done and states == 3 and ids == sorted(set(ids)))
    return wrong


# --- the run ----------------------------------------------------------------------------------------


@dataclass
class Run:
    """What one run measured. Times are of CLOCK_MONOTONIC."""

    held: list[Held]
    writes: Writes
    opening: float
    since: float
    until: float
    #: When the first process had ended.
    ended: float
    #: Without streams, beside them, and at the process that takes over: seconds of ordinary requests, ...
    alone: list[float]
    beside: list[float]
    after: list[float]
    #: ... and what the process used.
    usage_alone: dict[str, float]
    usage_beside: dict[str, float]
    usage_after: dict[str, float]


def started(target: object, *arguments: object) -> Connection:
    """Start a process; its result comes through the connection."""
    ours, theirs = _CONTEXT.Pipe()
    _CONTEXT.Process(target=target, args=(*arguments, theirs), daemon=True).start()  # type: ignore[arg-type]
    return ours


def measure(arguments: argparse.Namespace, stack: ExitStack) -> Run:
    os.environ["ATELIER_API_WORKERS"] = "1"
    os.environ["ATELIER_STREAMS"] = str(arguments.streams)
    if arguments.threads:
        os.environ["ATELIER_API_THREADS"] = str(arguments.threads)
    os.environ["REDIS_URL"] = stack.enter_context(redis_server()).url
    url = stack.enter_context(postgres_server(durable=True)).create("streams")
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    rows, keys = running_jobs(url, arguments.streams)  # before an API has any of its own
    first = stack.enter_context(api(arguments.api_python, url, folder))
    second = stack.enter_context(api(arguments.api_python, url, folder))
    client = stack.enter_context(second.client())
    stop_driver, stop_clients = _CONTEXT.Event(), _CONTEXT.Event()
    print(f"<!-- worker: {psutil.Process(first.pid).children()[0].pid} -->", file=sys.stderr, flush=True)

    with ordinary(client, first.base) as alone, usage(first.pid) as usage_alone:
        time.sleep(arguments.idle)
    opening = time.monotonic()
    clients = started(hold, [(r.id, keys[r.id]) for r in rows], [first.base, second.base], stop_clients)
    time.sleep(arguments.settle)
    driver = started(drive, url, [(r.id, r.attempt, r.version) for r in rows], stop_driver)
    time.sleep(3)
    since = time.monotonic()
    with ordinary(client, first.base) as beside, usage(first.pid) as usage_beside:
        time.sleep(arguments.seconds)
    until = time.monotonic()

    server = psutil.Process(first.pid)
    server.terminate()
    with ordinary(client, second.base) as after, usage(second.pid) as usage_after:
        psutil.wait_procs([server], timeout=60)
        ended = time.monotonic()
        time.sleep(max(0.0, until + 15 - ended))
    stop_driver.set()
    writes: Writes = driver.recv()
    if not clients.poll(30):
        stop_clients.set()
    held: list[Held] = clients.recv()
    times = (opening, since, until, ended)
    return Run(held, writes, *times, alone, beside, after, usage_alone, usage_beside, usage_after)


def spread(values: Sequence[float]) -> str:
    """p50, p99 and the largest, in milliseconds."""
    found = [percentile(list(values), part) * 1e3 for part in (0.5, 0.99, 1.0)]
    return " / ".join(f"{value:.0f}" for value in found) + " ms"


def tell_streams(run: Run) -> list[bool]:
    """Print what the streams did and cost; whether each target was met."""
    held = run.held
    count = len(held)
    first = [one.began[0] - run.opening for one in held if one.began]
    row(f"{count} streams opened at once: first event, p50 / p99 / max", spread(first))
    early = [at for one in held for at in one.ended if at < run.until]
    row("streams dropped", str(len(early)), "0", not early)
    late = delays(held, run.writes, run.since, run.until - 1)  # what came after is of the hand-over
    told = sum(run.since <= at < run.until for one in held for at, _, _ in one.told)
    ok = percentile(late, 0.99) <= 1.0
    row("event delay, write begun to byte at the client, p50 / p99 / max", spread(late), "p99 <= 1 s", ok)
    seconds = run.until - run.since
    rates = f"{len(late) / (seconds - 1):.0f} / {told / seconds:.0f}"
    row("changes written / events told, a second", rates)
    row("the driver's own lateness, p50 / p99 / max", spread(run.writes.late))
    quiet, busy = run.usage_alone, run.usage_beside
    small = busy["rss"] <= 300e6
    row(
        "resident, without streams -> with them",
        f"{quiet['rss'] / 1e6:.0f} -> {busy['rss'] / 1e6:.0f} MB", "<= 300 MB", small,
    )  # fmt: skip
    row("share of a core, without streams -> with them", f"{quiet['cpu']:.0%} -> {busy['cpu']:.0%}")
    row("threads", f"{quiet['threads']:.0f} -> {busy['threads']:.0f}")
    row("ordinary requests without streams, p50 / p99 / max", spread(run.alone))
    ratio = percentile(run.beside, 0.5) / percentile(run.alone, 0.5)
    row("ordinary requests beside the streams", f"{spread(run.beside)} = {ratio:.1f}x at p50")
    return [not early, ok, small]


def tell_handover(run: Run) -> list[bool]:
    """Print what the SIGTERM of the first process did; whether each target was met."""
    took = run.ended - run.until
    row("SIGTERM to the first process's end", f"{took:.1f} s", "<= 15 s", took <= 15)
    gaps = [one.began[1] - one.ended[0] for one in run.held if len(one.began) > 1 and one.ended]
    row("end to the next event at the second process, p50 / p99 / max", spread(gaps or [math.inf]))
    retries = [seconds for one in run.held for seconds in one.retries]
    row("`retry:` said, smallest / largest", f"{min(retries):.1f} / {max(retries):.1f} s")
    row("ordinary requests at the second process meanwhile", spread(run.after))
    used = run.usage_after
    row("the second process: resident, share of a core", f"{used['rss'] / 1e6:.0f} MB, {used['cpu']:.0%}")
    refused = [status for one in run.held for status in one.refused]
    statuses = ", ".join(f"{n}x {status}" for status, n in Counter(refused).items())
    row("streams refused, and tried again", statuses or "0", "0", not refused)
    count, wrong = len(run.held), wrong_histories(run.held)
    row("whole history told, each change once", f"{count - wrong} of {count}", "all", not wrong)
    return [took <= 15, not refused, not wrong]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--streams", type=int, default=500, help="(default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=60, help="measured with them (default: %(default)s)")
    parser.add_argument("--idle", type=int, default=15, help="measured without any (default: %(default)s)")
    parser.add_argument("--settle", type=int, default=10, help="seconds for opening (default: %(default)s)")
    parser.add_argument("--threads", type=int, help="of the API process (default: what the API chooses)")
    parser.add_argument("--api-python", default=sys.executable, help="interpreter of the API")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        run = measure(arguments, stack)
    print("| what | measured | target | |\n|---|---|---|---|")
    if not all(tell_streams(run) + tell_handover(run)):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
