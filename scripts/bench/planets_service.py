"""Concurrent one-planet jobs through the whole service, with and without batching: for planets.py.

PostgreSQL with fsync, Redis, a sweeper, one worker, and two APIs before the same database: one lets planet
jobs run together as the engine says, the other lets each run alone. As many clients as jobs, of several
owners, send theirs at once to one of them. The rate is that from the first acceptance to the last end, on
the database's clock: submission, claim, drawing, encoding and storing included.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import httpx
from sqlalchemy import func, select

from accounts.store import AccountStore
from engines import spec
from jobs.database import Database
from jobs.migrate import migrate
from jobs.models import Job
from scripts.bench.servers import process
from tests.ports import own_port
from tests.services import postgres_server, redis_server

OWNERS = 8
#: Seconds until a service that does not answer, or jobs that do not end, are given up.
PATIENCE = 120.0


@dataclass(frozen=True)
class Burst:
    """Jobs sent at once."""

    #: From the first acceptance to the last end, and from the first start.
    rate: float
    from_start: float
    #: Seconds from a job's acceptance to its end.
    waits: list[float]
    #: Jobs that ran together, on average over the batches.
    together: float


class House:
    """Everything that runs."""

    def __init__(self, stack: ExitStack) -> None:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        broker = stack.enter_context(redis_server())
        postgres = stack.enter_context(postgres_server(durable=True))
        self._database = Database(postgres.create("planets"))
        stack.callback(self._database.close)
        migrate(self._database)
        accounts = AccountStore(self._database)
        self._keys = [accounts.create_key(f"{n}", rate_per_minute=10_000_000)[0] for n in range(OWNERS)]
        environment = {
            "DATABASE_URL": self._database.url.render_as_string(hide_password=False),
            "REDIS_URL": broker.url,
            "STORAGE_URL": f"file://{folder}/objects",
            "ATELIER_LOG_LEVEL": "warning",
        }
        self._apis = {
            most: stack.enter_context(self._api(most, environment)) for most in (spec("planets").max_batch, 1)
        }
        stack.enter_context(process(sys.executable, "-m", "workers.sweep", environment=environment))
        stack.enter_context(
            process(
                sys.executable, "-m", "workers", "--queues", spec("planets").queue, environment=environment
            )
        )

    @contextmanager
    def _api(self, most: int, environment: dict[str, str]) -> Iterator[int]:
        """The port of an API that lets so many jobs run together."""
        port = own_port()
        command = (sys.executable, "-m", "scripts.bench.planets_api", str(most))
        with process(*command, environment={"ATELIER_BIND": f"127.0.0.1:{port}", **environment}):
            give_up = time.monotonic() + PATIENCE
            while True:
                try:
                    if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                        break
                except httpx.TransportError:
                    pass  # not listening yet
                if time.monotonic() > give_up:
                    raise SystemExit("the API does not answer")
                time.sleep(0.1)
            yield port

    def burst(self, jobs: int, *, together: bool) -> Burst:
        """Send that many one-planet jobs at once, and wait until all have ended well."""
        port = self._apis[spec("planets").max_batch if together else 1]
        # One lets all go at once, when every client has its connection.
        barrier = threading.Barrier(jobs)
        ids: list[str] = []
        wrong: list[str] = []

        def send(number: int) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
            connection.connect()
            body = json.dumps({"engine": "planets", "params": {"size": 64, "seed": number}})
            head = {
                "Authorization": f"Bearer {self._keys[number % OWNERS]}",
                "Content-Type": "application/json",
            }
            barrier.wait()
            connection.request("POST", "/v1/jobs", body, head)
            answer = connection.getresponse()
            said = answer.read()
            if answer.status == 202:
                ids.append(json.loads(said)["id"])
            else:
                wrong.append(f"{answer.status} {said[:500]!r}")
            connection.close()

        clients = [threading.Thread(target=send, args=(number,)) for number in range(jobs)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        if wrong:
            raise SystemExit(f"a job was not accepted: {wrong[0]}")
        return self._ended(ids)

    def _ended(self, ids: list[str]) -> Burst:
        give_up = time.monotonic() + PATIENCE
        waiting = select(func.count()).where(Job.id.in_(ids), Job.finished_at.is_(None))
        while self._database.read(lambda c: c.execute(waiting).scalar_one()):
            if time.monotonic() > give_up:
                raise SystemExit("the jobs do not end")
            time.sleep(0.05)
        wanted = select(
            Job.state, Job.error_detail, Job.created_at, Job.started_at, Job.finished_at, Job.batch_size
        ).where(Job.id.in_(ids))
        rows = self._database.read(lambda c: c.execute(wanted).all())
        for row in rows:
            if row.state != "succeeded":
                raise SystemExit(f"a job ended as {row.state}: {row.error_detail}")
        last = max(row.finished_at for row in rows)
        return Burst(
            rate=len(rows) / (last - min(row.created_at for row in rows)).total_seconds(),
            from_start=len(rows) / (last - min(row.started_at for row in rows)).total_seconds(),
            waits=[(row.finished_at - row.created_at).total_seconds() for row in rows],
            together=len(rows) / sum(1 / row.batch_size for row in rows),
        )


def measure(arguments: argparse.Namespace) -> dict[str, list[Burst]]:
    """Bursts in turn, so that a noisy neighbour disturbs both."""
    found: dict[str, list[Burst]] = {"together": [], "alone": []}
    with ExitStack() as stack:
        house = House(stack)
        for together in (False, True):  # loads the net; connections, statements and pages become warm
            house.burst(arguments.jobs, together=together)
        for _ in range(arguments.rounds):
            for name, bursts in found.items():
                bursts.append(house.burst(arguments.jobs, together=name == "together"))
    return found


def told(found: dict[str, list[Burst]]) -> dict[str, float]:
    """The medians."""
    pairs = list(zip(found["together"], found["alone"], strict=True))
    figures = {"ratio": statistics.median(a.rate / b.rate for a, b in pairs)}
    for name, bursts in found.items():
        figures |= {
            f"{name}: jobs/s": statistics.median(burst.rate for burst in bursts),
            f"{name}: jobs/s from the first start": statistics.median(burst.from_start for burst in bursts),
            f"{name}: seconds to the end, p50": statistics.median(w for burst in bursts for w in burst.waits),
            f"{name}: jobs at once": statistics.median(burst.together for burst in bursts),
        }
    return figures
