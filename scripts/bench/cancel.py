"""How long a running job goes on after its cancel: through the real API, with real workers.

Starts PostgreSQL (with fsync), Redis, an API with two processes and some workers on loopback. For each worker
a client submits a job that would take a minute, waits until it runs, cancels it at a random moment and waits
for its end. The measure is from just before the request to the start of the transaction in which the worker
records that it has stopped (`finished_at`), both by the clock of this machine. The engine is `echo`, which
can stop every tenth of a second; a real one adds its own longest silence between two progress reports.

    python scripts/bench/cancel.py                        # 240 cancels, about 2 minutes

Exits with 1 when a target was missed, or a job ended in any other way.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime

import httpx

from accounts.store import AccountStore
from jobs.database import Database
from scripts.bench.rates import api
from scripts.bench.servers import percentile, process, row
from tests.services import postgres_server, redis_server

#: Seconds a job would take.
JOB_SECONDS = 60
#: A job is canceled after this many seconds at most: workers look twice a second, so any phase is met.
UP_TO_SECONDS = 2.0
TARGET_SECONDS = 2.0


@dataclass(frozen=True)
class Cancel:
    """One cancel, in seconds from just before its request."""

    answered: float
    #: The worker has stopped, and said so.
    recorded: float
    #: The client has seen it, by a request that waits.
    seen: float


def cancel_once(client: httpx.Client, jobs: str) -> Cancel:
    body = {"engine": "echo", "params": {"seconds": JOB_SECONDS}}
    job = client.post(jobs, json=body).raise_for_status().json()
    url = f"{jobs}/{job['id']}"
    while client.get(url).raise_for_status().json()["state"] != "running":
        time.sleep(0.05)
    time.sleep(random.uniform(0, UP_TO_SECONDS))
    began = time.time()
    canceled = client.post(f"{url}/cancel").raise_for_status()
    answered = time.time() - began
    ended = client.get(url, params={"wait": 30}).raise_for_status().json()
    seen = time.time() - began
    if (canceled.status_code, ended["state"]) != (202, "canceled"):
        raise SystemExit(f"{canceled.status_code}, then {ended['state']}: {ended}")
    return Cancel(answered, datetime.fromisoformat(ended["finished_at"]).timestamp() - began, seen)


def measure(arguments: argparse.Namespace, stack: ExitStack) -> list[Cancel]:
    os.environ["REDIS_URL"] = stack.enter_context(redis_server()).url
    os.environ["ATELIER_STREAMS"] = str(4 * arguments.workers)
    url = stack.enter_context(postgres_server(durable=True)).create("cancel")
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    served = stack.enter_context(api(arguments.api_python, url, folder))
    environment = {"DATABASE_URL": url, "STORAGE_URL": f"file://{folder}/objects"}
    for _ in range(arguments.workers):
        stack.enter_context(
            process(sys.executable, "-m", "workers", "--queues", "cpu", environment=environment)
        )
    database = Database(url)
    keys = [
        AccountStore(database).create_key(f"owner{n}", rate_per_minute=10_000_000)[0]
        for n in range(arguments.workers)
    ]
    database.close()

    def cancels(key: str) -> list[Cancel]:
        with httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:
            return [
                cancel_once(client, f"{served.base}/v1/jobs")
                for _ in range(-(-arguments.cancels // len(keys)))
            ]

    with ThreadPoolExecutor(len(keys)) as pool:
        return [one for some in pool.map(cancels, keys) for one in some]


def tell(found: list[Cancel], workers: int) -> bool:
    """Print the table; whether the target was met."""

    def spread(values: list[float]) -> str:
        return " / ".join(f"{percentile(values, part):.2f}" for part in (0.5, 0.95, 0.99, 1.0)) + " s"

    recorded = [one.recorded for one in found]
    met = percentile(recorded, 0.95) <= TARGET_SECONDS
    print("| what | measured | target | |\n|---|---|---|---|")
    row(
        f"{len(found)} running jobs of {workers} workers: cancel to the job's end, p50 / p95 / p99 / max",
        spread(recorded), "p95 <= 2 s", met,
    )  # fmt: skip
    row("to the 202 of the cancel", spread([one.answered for one in found]))
    row("to the client that waits with `?wait`", spread([one.seen for one in found]))
    return met


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cancels", type=int, default=240, help="(default: %(default)s)")
    parser.add_argument("--workers", type=int, default=8, help="worker processes (default: %(default)s)")
    parser.add_argument("--api-python", default=sys.executable, help="interpreter of the API")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        found = measure(arguments, stack)
    if not tell(found, arguments.workers):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
