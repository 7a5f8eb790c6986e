"""The service's own cost, each part against a baseline in the same run: bare Celery, bare Flask, a checkout.

Starts what it needs on loopback (Redis, PostgreSQL, API, workers) and ends it. HTTP rates need `wrk`
(Debian: wrk).

    python scripts/bench/service.py                      # everything, about 5 minutes
    python scripts/bench/service.py --only http writers
    git worktree add --detach /tmp/before COMMIT
    python scripts/bench/service.py --before /tmp/before # this checkout against that one, and nothing else
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import redis

from accounts.store import AccountStore
from jobs.database import Database
from jobs.migrate import migrate
from jobs.store import JobStore, NewJob
from queue_config import publisher_app
from scripts.bench.backlog import fill
from scripts.bench.rates import BODY, SETTINGS, Server, api, bare_flask
from scripts.bench.servers import ROOT, TREE, process, row, tree_environment
from scripts.bench.tree import SENT, WARMING
from tests.services import PostgresServer, postgres_server, redis_server

#: Requests after which an API process is weighed.
MANY = 30_000
#: Of the writers.
CONNECTIONS = (1, 2, 8, 32)


@contextmanager
def broker() -> Iterator[str]:
    """Redis, which REDIS_URL names meanwhile, and a folder."""
    with redis_server() as server, tempfile.TemporaryDirectory() as folder:
        os.environ["REDIS_URL"] = server.url
        yield folder


@contextmanager
def parts() -> Iterator[tuple[PostgresServer, str]]:
    """The same, and PostgreSQL."""
    with postgres_server(durable=True) as postgres, broker() as folder:
        yield postgres, folder


# --- bare Celery ------------------------------------------------------------------------------------


def bare_celery(client: redis.Redis, tasks: int) -> tuple[float, float]:
    """(tasks a second with a prefilled queue, median seconds from send to start at 50 a second)."""
    app = publisher_app()
    client.flushall()
    app.send_task("bench.mark", ["first"], queue="cpu")
    for _ in range(tasks):
        app.send_task("bench.empty", queue="cpu")
    app.send_task("bench.mark", ["last"], queue="cpu")
    with process(
        sys.executable, "-m", "celery", "-A", "scripts.bench.bare_celery", "worker", "-Q", "cpu",
        "--loglevel", "ERROR", "--concurrency", "1",
        "--without-gossip", "--without-mingle", "--without-heartbeat",
    ):  # fmt: skip
        while client.get("last") is None:
            time.sleep(0.1)
        rate = tasks / (float(client.get("last")) - float(client.get("first")))  # type: ignore[arg-type]
        for _ in range(SENT):
            app.send_task("bench.noop", [time.time()], queue="cpu")
            time.sleep(0.02)
        while client.llen("bench") < SENT:
            time.sleep(0.1)
        latencies = [float(line.split()[0]) for line in client.lrange("bench", 0, -1)]
    return rate, statistics.median(latencies[WARMING:])


# --- our whole path ---------------------------------------------------------------------------------


def noop(url: str, folder: str, jobs: int, text: str, root: Path = ROOT) -> tuple[float, float]:
    """(jobs a second with a prefilled queue, median seconds from accepted to started) of this checkout."""
    redis.Redis.from_url(os.environ["REDIS_URL"]).flushall()
    out = subprocess.run(
        [sys.executable, str(TREE), "noop", url, folder, str(jobs), text, str(root)],
        check=True, stdout=subprocess.PIPE, text=True, env=tree_environment(root), cwd=root,
    ).stdout.split()  # fmt: skip
    return float(out[-2]), float(out[-1])


def path(arguments: argparse.Namespace) -> None:
    with parts() as (postgres, folder):
        server = redis.Redis.from_url(os.environ["REDIS_URL"])
        rounds = []
        for turn in range(arguments.rounds):
            bare = bare_celery(server, arguments.jobs)
            lite = noop(f"sqlite:///{folder}/{turn}a.db", folder, arguments.jobs, "")
            post = noop(postgres.create(f"noop_{turn}"), folder, arguments.jobs, "")
            stored = noop(f"sqlite:///{folder}/{turn}b.db", folder, arguments.jobs, "x")
            rounds.append((bare, lite, post, stored))
        rates = [statistics.median(r[i][0] for r in rounds) for i in range(4)]
        waits = [statistics.median(r[i][1] for r in rounds) for i in range(4)]
        row("bare Celery no-op", f"{rates[0]:.0f} tasks/s")
        of_bare = [statistics.median(r[i][0] / r[0][0] for r in rounds) for i in range(4)]
        names = ("no-op job, whole path, SQLite", "the same, PostgreSQL", "with one stored result, SQLite")
        for i, (name, target) in enumerate(zip(names, (0.5, 0.4, None), strict=True), 1):
            value = f"{rates[i]:.0f} jobs/s = {of_bare[i]:.0%}"
            if target is None:
                row(name, value)
            else:
                row(name, value, f">= {target:.0%}", of_bare[i] >= target)
        row("bare Celery, send to start, p50", f"{waits[0] * 1e3:.1f} ms")
        ratio = statistics.median(r[1][1] / r[0][1] for r in rounds)
        row("submit to start, p50, SQLite", f"{waits[1] * 1e3:.1f} ms = {ratio:.1f}x", "<= 3x", ratio <= 3)


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


def http(arguments: argparse.Namespace) -> None:
    with parts() as (postgres, folder), ExitStack() as stack:
        bare = stack.enter_context(bare_flask(postgres.create("bare")))
        ours = stack.enter_context(
            api(arguments.api_python, postgres.create("http"), folder, settings=SETTINGS)
        )
        sent = 0.0
        for method, target in (("GET", 0.5), ("POST", 0.4)):
            rounds = [
                [server.rate(method, 16, arguments.seconds).rate for server in (bare, ours)]
                for _ in range(arguments.rounds)
            ]
            sent += sum(rate for _, rate in rounds) * arguments.seconds
            plain, own = (statistics.median(r[i] for r in rounds) for i in (0, 1))
            ratio = statistics.median(b / a for a, b in rounds)
            sql = "one SELECT" if method == "GET" else "one INSERT and commit"
            name = "GET /v1/jobs/{id}" if method == "GET" else "POST /v1/jobs"
            row(f"bare Flask, {sql}, PostgreSQL, 16 connections", f"{plain:.0f} /s")
            row(
                f"{name}, PostgreSQL, 16 connections", f"{own:.0f} /s = {ratio:.2f}x",
                f">= {target}x", ratio >= target,
            )  # fmt: skip
        while sent < MANY:
            sent += ours.rate("GET", 16, arguments.seconds).rate * arguments.seconds
        memory_row(f"PostgreSQL, after {sent:,.0f} requests, 16 at a time", ours)


def writers(arguments: argparse.Namespace) -> None:
    """Submissions on the embedded default: nobody is overtaken by so many that it would show."""
    with broker() as folder:
        url = f"sqlite:///{folder}/writers.db"
        with api(arguments.api_python, url, folder, settings=SETTINGS) as ours:
            rounds = [
                {n: ours.rate("POST", n, arguments.seconds) for n in CONNECTIONS}
                for _ in range(arguments.rounds)
            ]
        for n in CONNECTIONS:
            rate, median, p99 = (
                statistics.median(getattr(r[n], what) for r in rounds) for what in ("rate", "median", "p99")
            )
            ratio = statistics.median(r[n].p99 / r[n].median for r in rounds)
            aimed = n >= 8
            row(
                f"POST /v1/jobs, SQLite, {n} connections: p50 / p99",
                f"{median * 1e3:.1f} / {p99 * 1e3:.1f} ms = {ratio:.1f}x, {rate:.0f} /s",
                "<= 6x" if aimed else "", ratio <= 6 if aimed else None,
            )  # fmt: skip
        ratio = statistics.median(r[8].rate / r[2].rate for r in rounds)
        row("the rate at 8 connections against that at 2", f"{ratio:.2f}x", ">= 1x", ratio >= 1)


def memory_row(what: str, server: Server) -> None:
    workers = psutil.Process(server.pid).children()
    size = max(child.memory_info().rss for child in workers)
    torch = any("torch" in (m.path or "") for child in workers for m in child.memory_maps())
    row(
        f"API process, {what}",
        f"{size / 2**20:.0f} MiB resident, torch mapped: {torch}",
        "< 100 MiB, no torch",
        size < 100 * 2**20 and not torch,
    )


def memory(arguments: argparse.Namespace) -> None:
    with parts() as (postgres, folder):
        for name, url in (("SQLite", f"sqlite:///{folder}/a.db"), ("PostgreSQL", postgres.create("memory"))):
            with (
                api(arguments.api_python, url, folder, settings=SETTINGS) as ours,
                ours.client() as client,
            ):
                headers = {"Content-Type": "application/json"}
                jobs = ours.base + ours.collection
                for _ in range(500):
                    answer = client.post(jobs, content=BODY, headers=headers).raise_for_status()
                    client.get(f"{jobs}/{answer.json()['id']}").raise_for_status()
                memory_row(f"{name}, after 1,000 requests", ours)


# --- another checkout -------------------------------------------------------------------------------


def before(arguments: argparse.Namespace) -> None:
    """The same of an earlier checkout in turn with this one, whichever goes first."""
    trees = {"before": arguments.before.resolve(), "now": ROOT}
    rates: dict[str, list[float]] = {}
    with parts() as (postgres, folder), ExitStack() as stack:
        served = {
            name: stack.enter_context(
                api(arguments.api_python, postgres.create(name), f"{folder}/{name}", tree, settings=SETTINGS)
            )
            for name, tree in trees.items()
        }
        for turn in range(arguments.rounds):
            found: dict[str, dict[str, float]] = {}
            for name, tree in list(trees.items())[:: -1 if turn % 2 else 1]:
                found[name] = {m: served[name].rate(m, 16, arguments.seconds).rate for m in ("GET", "POST")}
                where = f"{folder}/{name}"
                lite, post = f"sqlite:///{folder}/{name}{turn}.db", postgres.create(f"{name}_{turn}")
                found[name]["no-op, SQLite"] = noop(lite, where, arguments.jobs, "", tree)[0]
                found[name]["no-op, PostgreSQL"] = noop(post, where, arguments.jobs, "", tree)[0]
            for what, now in found["now"].items():
                rates.setdefault(what, []).append(now / found["before"][what])
    for what, ratios in rates.items():
        ratio = statistics.median(ratios)
        each = ", ".join(f"{one:.2f}" for one in ratios)
        row(f"{what} against before", f"{ratio:.2f}x ({each})", ">= 0.97x", ratio >= 0.97)


PARTS = {"path": path, "claim": claim, "http": http, "writers": writers, "memory": memory}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument(
        "--before",
        type=Path,
        metavar="PATH",
        help="another checkout, to compare with; then nothing else runs",
    )
    parser.add_argument("--jobs", type=int, default=1000, help="jobs and tasks a run (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds; medians count (default: %(default)s)")
    parser.add_argument(
        "--api-python",
        default=sys.executable,
        help="interpreter of the API, say of an environment with only `.[api]`, as in Dockerfile.api",
    )
    parser.add_argument("--seconds", type=int, default=4, help="of one HTTP run (default: %(default)s)")
    arguments = parser.parse_args()
    print("| what | measured | target | |\n|---|---|---|---|")
    for part in [before] if arguments.before else [PARTS[name] for name in arguments.only]:
        part(arguments)


if __name__ == "__main__":
    main()
