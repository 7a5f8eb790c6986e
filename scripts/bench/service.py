"""The service's own cost: a no-op job through the whole path, against bare Celery in the same run.

Starts what it needs on loopback (Redis, PostgreSQL, API, workers) and ends it. HTTP rates need `wrk`
(Debian: wrk).

    python scripts/bench/service.py            # everything, about 5 minutes
    python scripts/bench/service.py --only claim http
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psutil
import redis
from sqlalchemy import func, select

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from backlog import fill  # noqa: E402
from servers import process, row  # noqa: E402

from jobs.accounts import AccountStore  # noqa: E402
from jobs.database import Database  # noqa: E402
from jobs.migrate import migrate  # noqa: E402
from jobs.models import Job  # noqa: E402
from jobs.store import JobStore, NewJob  # noqa: E402
from queue_config import Doorbell, publisher_app  # noqa: E402
from tests.services import RedisServer, free_port, postgres_server, redis_server  # noqa: E402

# --- bare Celery ------------------------------------------------------------------------------------


def bare_celery(server: RedisServer, tasks: int) -> tuple[float, list[float]]:
    """(tasks a second with a prefilled queue, seconds from send to start at 50 a second)."""
    app = publisher_app()
    client = redis.Redis(port=server.port)
    client.flushall()
    app.send_task("bench.mark", ["first"], queue="cpu")
    for _ in range(tasks):
        app.send_task("bench.empty", queue="cpu")
    app.send_task("bench.mark", ["last"], queue="cpu")
    with process(
        sys.executable, "-m", "celery", "-A", "bare_celery", "worker", "-Q", "cpu", "--loglevel", "ERROR",
        "--concurrency", "1", "--without-gossip", "--without-mingle", "--without-heartbeat",
    ):  # fmt: skip
        while client.get("last") is None:
            time.sleep(0.1)
        rate = tasks / (float(client.get("last")) - float(client.get("first")))  # type: ignore[arg-type]
        for _ in range(250):
            app.send_task("bench.noop", [time.time()], queue="cpu")
            time.sleep(0.02)
        while client.llen("bench") < 250:
            time.sleep(0.1)
        latencies = [float(line.split()[0]) for line in client.lrange("bench", 0, -1)]
    return rate, latencies[50:]


# --- our whole path ---------------------------------------------------------------------------------


def whole_path(
    server: RedisServer, url: str, folder: str, jobs: int, text_: str
) -> tuple[float, list[float]]:
    """(jobs a second with a prefilled queue, seconds from accepted to started at 50 a second)."""
    redis.Redis(port=server.port).flushall()
    database = Database(url)
    migrate(database)
    store = JobStore(database)
    owner = AccountStore(database).create_key("bench")[1].user_id

    def new() -> NewJob:
        return NewJob(owner_id=owner, engine="echo", queue="cpu", params={"text": text_}, seed=1)

    doorbell = Doorbell(publisher_app())
    environment = {"DATABASE_URL": url, "STORAGE_URL": f"file://{folder}/objects"}
    with process(sys.executable, "-m", "workers", "--queues", "cpu", **environment):
        warm, _ = store.submit(new())
        doorbell.ring("cpu")
        while store.get(warm.id).state != "succeeded":
            time.sleep(0.05)
        for _ in range(jobs):
            store.submit(new())
        doorbell.ring("cpu")
        while store.due_by_queue():
            time.sleep(0.2)
        time.sleep(0.5)
        first, last, done = database.read(
            lambda c: c.execute(
                select(func.min(Job.started_at), func.max(Job.finished_at), func.count()).where(
                    Job.state == "succeeded", Job.id != warm.id
                )
            ).one()
        )
        assert done == jobs
        rate = jobs / (last - first).total_seconds()
        sent = []
        for _ in range(250):
            job, _ = store.submit(new())
            doorbell.wake("cpu")
            sent.append(job.id)
            time.sleep(0.02)
        while store.due_by_queue():
            time.sleep(0.2)
        rows = [store.get(job_id) for job_id in sent]
        latencies = [(r.started_at - r.created_at).total_seconds() for r in rows]
    database.close()
    return rate, latencies[50:]


def path(arguments: argparse.Namespace) -> None:
    with redis_server() as server, tempfile.TemporaryDirectory() as folder:
        os.environ["REDIS_URL"] = server.url
        rounds = []
        for turn in range(arguments.rounds):
            bare = bare_celery(server, arguments.jobs)
            noop = whole_path(server, f"sqlite:///{folder}/{turn}a.db", folder, arguments.jobs, "")
            stored = whole_path(server, f"sqlite:///{folder}/{turn}b.db", folder, arguments.jobs, "x")
            rounds.append((bare, noop, stored))
        rates = [statistics.median(r[i][0] for r in rounds) for i in range(3)]
        waits = [statistics.median(statistics.median(r[i][1]) for r in rounds) for i in range(3)]
        row("bare Celery no-op", f"{rates[0]:.0f} tasks/s")
        ratio = statistics.median(r[1][0] / r[0][0] for r in rounds)
        row("no-op job, whole path, SQLite", f"{rates[1]:.0f} jobs/s = {ratio:.0%}", ">= 40 %", ratio >= 0.4)
        ratio = statistics.median(r[2][0] / r[0][0] for r in rounds)
        row("the same with one stored result", f"{rates[2]:.0f} jobs/s = {ratio:.0%}")
        row("bare Celery, send to start, p50", f"{waits[0] * 1e3:.1f} ms")
        ratio = waits[1] / waits[0]
        row("submit to start, p50", f"{waits[1] * 1e3:.1f} ms = {ratio:.1f}x", "<= 3x", ratio <= 3)


# --- the claim --------------------------------------------------------------------------------------


def claim_times(database: Database, count: int) -> float:
    """Median seconds of a claim; each claimed job is replaced, so the backlog stays."""
    store = JobStore(database)
    owner = AccountStore(database).create_key("bench")[1].user_id
    times = []
    for _ in range(count):
        began = time.perf_counter()
        (job,) = store.claim("wrk_1", "cpu", engines=["echo"], lease_seconds=60)
        times.append(time.perf_counter() - began)
        store.succeed(job.id, job.attempt, [])
        store.submit(NewJob(owner_id=owner, engine="echo", queue="cpu", params={}, seed=1))
    return statistics.median(times)


def claim(arguments: argparse.Namespace) -> None:
    with postgres_server(durable=True) as server, tempfile.TemporaryDirectory() as folder:
        for kind in ("SQLite", "PostgreSQL"):
            small, large = (
                Database(f"sqlite:///{folder}/{n}.db" if kind == "SQLite" else server.create(f"claim_{n}"))
                for n in ("small", "large")
            )
            for database, count in ((small, 100), (large, 100_000)):
                migrate(database)
                fill(database, owners=count // 100, each=100)
            # Interleaved, so that a noisy neighbour disturbs both.
            pairs = [(claim_times(small, 100), claim_times(large, 100)) for _ in range(arguments.rounds + 2)]
            low, high = (statistics.median(p[i] for p in pairs) for i in (0, 1))
            ratio = statistics.median(b / a for a, b in pairs)
            row(
                f"claim, {kind}: 100 -> 100,000 queued",
                f"{low * 1e3:.2f} -> {high * 1e3:.2f} ms = {ratio:.2f}x", "<= 1.5x", ratio <= 1.5,
            )  # fmt: skip
            small.close()
            large.close()


# --- HTTP -------------------------------------------------------------------------------------------


def wrk(url: str, key: str, connections: int, seconds: int, body: str | None = None) -> float:
    """Requests a second that were answered 2xx."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(f'wrk.headers["Authorization"] = "Bearer {key}"\n')
        if body is not None:
            script.write(f"wrk.method = 'POST'\nwrk.body = '{body}'\n")
            script.write("wrk.headers['Content-Type'] = 'application/json'\n")
        script.flush()
        out = subprocess.run(
            ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", script.name, url],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
    if found := re.search(r"Non-2xx or 3xx responses: (\d+)", out):
        raise SystemExit(f"{found.group(0)} from {url}\n{out}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
    assert rate is not None
    return float(rate.group(1))


@contextmanager
def api(arguments: argparse.Namespace, url: str, folder: str) -> Iterator[tuple[int, str, str, httpx.Client]]:
    """A served API: (its process id, its address, a key without a rate limit, a client)."""
    database = Database(url)
    migrate(database)
    key, _ = AccountStore(database).create_key("bench", rate_per_minute=10_000_000)
    database.close()
    base = f"127.0.0.1:{free_port()}"
    with (
        process(
            arguments.api_python,
            "-m",
            "gunicorn",
            "-c",
            "python:api.gunicorn",
            DATABASE_URL=url,
            STORAGE_URL=f"file://{folder}/objects",
            ATELIER_BIND=base,
            ATELIER_LOG_LEVEL="warning",
        ) as served,
        httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=30) as client,
    ):
        for _ in range(200):
            try:
                if client.get(f"http://{base}/readyz").status_code == 200:
                    break
            except httpx.TransportError:
                pass  # not listening yet
            time.sleep(0.1)
        yield served.pid, f"http://{base}", key, client


BODY = '{"engine": "echo", "params": {"text": "x"}}'


def memory_row(what: str, pid: int) -> None:
    workers = psutil.Process(pid).children()
    size = max(child.memory_info().rss for child in workers)
    torch = any("torch" in (m.path or "") for child in workers for m in child.memory_maps())
    row(
        f"API process, {what}",
        f"{size / 1e6:.0f} MB ({size / 2**20:.0f} MiB) resident, torch mapped: {torch}",
        "<= 100 MB, no torch",
        size <= 100e6 and not torch,
    )


def http(arguments: argparse.Namespace) -> None:
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed (Debian: apt-get install wrk)")
    with ExitStack() as stack:
        server = stack.enter_context(redis_server())
        postgres = stack.enter_context(postgres_server(durable=True))
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        os.environ["REDIS_URL"] = server.url
        pid, base, key, client = stack.enter_context(api(arguments, postgres.create("http"), folder))
        headers = {"Content-Type": "application/json"}
        job = client.post(f"{base}/v1/jobs", content=BODY, headers=headers).json()
        rates: dict[str, list[float]] = {"GET": [], "POST": []}
        for _ in range(arguments.rounds):
            rates["GET"].append(wrk(f"{base}/v1/jobs/{job['id']}", key, 16, arguments.seconds))
            rates["POST"].append(wrk(f"{base}/v1/jobs", key, 16, arguments.seconds, BODY))
        get, post = (statistics.median(rates[m]) for m in ("GET", "POST"))
        row("GET /v1/jobs/{id}, PostgreSQL, 16 connections", f"{get:.0f} /s", ">= 1,000/s", get >= 1000)
        row("POST /v1/jobs, PostgreSQL, 16 connections", f"{post:.0f} /s", ">= 300/s", post >= 300)
        memory_row("PostgreSQL, after the above: tens of thousands of requests, 16 at a time", pid)


def memory(arguments: argparse.Namespace) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(redis_server())
        postgres = stack.enter_context(postgres_server(durable=True))
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        os.environ["REDIS_URL"] = server.url
        for name, url in (("SQLite", f"sqlite:///{folder}/a.db"), ("PostgreSQL", postgres.create("memory"))):
            with api(arguments, url, folder) as (pid, base, _, client):
                headers = {"Content-Type": "application/json"}
                for _ in range(500):
                    answer = client.post(f"{base}/v1/jobs", content=BODY, headers=headers).raise_for_status()
                    client.get(f"{base}/v1/jobs/{answer.json()['id']}").raise_for_status()
                memory_row(f"{name}, after 1,000 requests", pid)


PARTS = {"path": path, "claim": claim, "http": http, "memory": memory}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--jobs", type=int, default=2000, help="jobs and tasks a run (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds; medians count (default: %(default)s)")
    parser.add_argument(
        "--api-python",
        default=sys.executable,
        help="interpreter of the API, say of an environment with only `.[api]`, as in Dockerfile.api",
    )
    parser.add_argument("--seconds", type=int, default=8, help="of one HTTP run (default: %(default)s)")
    arguments = parser.parse_args()
    print("| what | measured | target | |\n|---|---|---|---|")
    for name in arguments.only:
        PARTS[name](arguments)


if __name__ == "__main__":
    main()
