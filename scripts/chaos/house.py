"""The whole system on loopback: three servers, two APIs, workers, two sweepers, a dispatcher of webhooks."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from accounts.store import AccountStore
from jobs.database import Database
from jobs.migrate import migrate
from jobs.pace import PACE
from scripts.chaos.options import Options
from scripts.chaos.orders import CAPPED, OWNERS
from scripts.chaos.processes import Process, Supervisor
from scripts.chaos.servers import CREDENTIALS, Objects, Postgres, Redis
from storage import open_storage
from storage.base import Storage
from tests.ports import own_port

ROOT = Path(__file__).parents[2]
_START_SECONDS = 90.0


class House:
    """What runs, and where it is found. Used as `with running(options, folder) as house`."""

    def __init__(self, options: Options, folder: Path) -> None:
        self.options = options
        self.logs = folder / "logs"
        self.logs.mkdir()
        self.postgres = Postgres(_made(folder / "postgres"))
        self.redis = Redis()
        self.database_url = self.postgres.url("atelier")
        # What killed processes leave behind goes with the run's folder.
        scratch = {"TMPDIR": str(_made(folder / "tmp"))}
        self._environment = self._clean() | CREDENTIALS | scratch
        self.objects = Objects(self._environment, self.logs) if options.storage == "s3" else None
        self.storage_url = self.objects.url if self.objects else (folder / "objects").as_uri()
        self._environment |= {
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis.url,
            "STORAGE_URL": self.storage_url,
            "ATELIER_PACE": str(PACE),
            "ATELIER_API_WORKERS": "1",
            "ATELIER_RATE_PER_MINUTE": "0",
            "ATELIER_WEBHOOKS_ALLOW_PRIVATE": "yes",
        }
        self.apis = [self._api(number) for number in (1, 2)]
        self.bases = [f"http://{api[1]}" for api in self.apis]
        self.workers = [self._process(f"worker-{n}", *self._worker()) for n in range(options.workers)]
        sweepers = 0 if options.ablate == "sweeper" else 2
        self.sweepers = [self._process(f"sweeper-{n}", "-m", "workers.sweep") for n in range(sweepers)]
        self.dispatcher = self._process("webhooks", "-m", "workers.webhooks")
        self.supervisor = Supervisor(options.seed)
        self.keys: dict[str, list[str]] = {}

    @staticmethod
    def _clean() -> dict[str, str]:
        """This shell's environment without what is set up in it for another system."""
        ours = ("ATELIER_", "AWS_", "PROMETHEUS_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return kept | {"PYTHONPATH": str(ROOT)}

    def _worker(self) -> tuple[str, ...]:
        broken = {"fence": "scripts.chaos.unfenced_worker", "parts": "scripts.chaos.forgetful_worker"}
        module = broken.get(self.options.ablate or "", "workers")
        return "-m", module, "--queues", "cpu"

    def _process(self, name: str, *arguments: str, **environment: str) -> Process:
        command = [sys.executable, *arguments]
        return Process(name, command, self._environment | environment, self.logs)

    def _api(self, number: int) -> tuple[Process, str]:
        bind = f"127.0.0.1:{own_port()}"
        arguments = ("-m", "gunicorn", "--config", "python:api.gunicorn")
        return self._process(f"api-{number}", *arguments, ATELIER_BIND=bind), bind

    def start(self) -> None:
        """Start the servers, then what needs them; returns when both APIs are ready."""
        self.postgres.start()
        self.postgres.create("atelier")
        self.redis.start()
        if self.objects:
            self.objects.start()
            self.objects.make_bucket()
        self._prepare()
        self.supervisor.processes += [
            *(process for process, _ in self.apis),
            *self.workers,
            *self.sweepers,
            self.dispatcher,
        ]
        self.supervisor.start()
        for base in self.bases:
            _wait_until_ready(base)

    def _prepare(self) -> None:
        database = Database(self.database_url)
        migrate(database)
        accounts = AccountStore(database)
        for owner in OWNERS:
            # Two keys each: the same owner from two places.
            self.keys[owner] = [accounts.create_key(owner)[0] for _ in range(2)]
        accounts.set_limits(accounts.owner_named(CAPPED).id, {"max_running": 2})
        database.close()

    def storage(self) -> Storage:
        """The object store, for the audit. boto3 finds its credentials in the environment."""
        os.environ.update(CREDENTIALS)
        return open_storage(self.storage_url)

    def close(self) -> None:
        """End everything that was started."""
        self.supervisor.close()
        if self.objects:
            ending = Supervisor(0)
            ending.processes.append(self.objects)
            ending.close()
        self.redis.stop()
        self.postgres.stop()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _wait_until_ready(base: str) -> None:
    give_up = time.monotonic() + _START_SECONDS
    while True:
        try:
            if httpx.get(f"{base}/readyz", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass  # does not listen yet
        if time.monotonic() > give_up:
            raise RuntimeError(f"the API at {base} did not become ready within {_START_SECONDS:.0f} s")
        time.sleep(0.2)


@contextmanager
def running(options: Options, folder: Path) -> Iterator[House]:
    """A house that runs; whatever happens, everything it started is ended."""
    house = House(options, folder)
    try:
        house.start()
        yield house
    finally:
        house.close()
