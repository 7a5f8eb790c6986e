"""A real embedded system in a temporary data folder, and a clean environment for every test."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
from click.testing import CliRunner, Result

from accounts.store import AccountStore
from api import create_app
from api.settings import Settings
from cli import context
from cli.errors import explained
from cli.main import main
from client import Client
from jobs.database import Database
from jobs.store import JobStore, NewJob
from queue_config import Doorbell
from storage.memory import MemoryStorage
from tests.patience import PATIENCE
from tests.ports import own_port

ATELIER = (sys.executable, "-c", "from cli.main import main; main()")
OURS = ("ATELIER_", "DATABASE_URL", "REDIS_URL", "STORAGE_URL", "PROMETHEUS_")


def clean_environment() -> dict[str, str]:
    kept = ("ATELIER_PACE",)
    return {name: value for name, value in os.environ.items() if not name.startswith(OURS) or name in kept}


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """Commands run in this process may set variables for the rest of it."""
    before, cleaned = dict(os.environ), clean_environment()
    # Not what another test's import of api.gunicorn set for this process: its metrics lie there from then on.
    cleaned |= {name: value for name, value in before.items() if name.startswith("PROMETHEUS_")}
    os.environ.clear()
    os.environ.update(cleaned)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def run(tmp_path) -> Callable[..., Result]:
    """Run a command in this process, with a data folder that is empty at first."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["--data-dir", str(tmp_path / "data"), *arguments])

    return run


class Here:
    """The API in this process, which every command asks, and its rows; nobody works."""

    def __init__(self, database: Database) -> None:
        self.store = JobStore(database)
        self.key, row = AccountStore(database).create_key("ada", admin=True)
        self.owner_id = row.user_id
        self._app = create_app(self.store, MemoryStorage(), Doorbell(), Settings(rate_per_minute=0))

    @contextmanager
    def client(self, _ctx: object) -> Iterator[Client]:
        url = "http://127.0.0.1:9"
        with explained(url), Client(url, self.key, transport=httpx.WSGITransport(app=self._app)) as made:
            yield made

    def submit(self) -> str:
        """A job of the key's owner."""
        wanted = NewJob(owner_id=self.owner_id, engine="echo", queue="cpu", params={"text": "x"}, seed=1)
        return self.store.submit(wanted)[0].id


@pytest.fixture
def here(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> Here:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")  # its broker: nothing listens there
    made = Here(sqlite_database)
    monkeypatch.setattr(context, "client", made.client)
    return made


@dataclass
class System:
    """One `atelier up`, started as a user would."""

    process: subprocess.Popen[str]
    folder: Path
    log: Path

    def said(self) -> str:
        return self.log.read_text()

    def wait_ready(self) -> None:
        wait_until(lambda: (self.folder / "server.json").exists() or self.process.poll() is not None)
        assert self.process.poll() is None, self.said()

    def tree(self) -> list[psutil.Process]:
        """Everything it started."""
        return psutil.Process(self.process.pid).children(recursive=True)


def wait_until(true: Callable[[], bool], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def gone(process: psutil.Process) -> bool:
    """Ended; where nobody reaps orphans (a container without an init) a zombie is as good."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def start_system(folder: Path, log: Path, *arguments: str, **environ: str) -> System:
    command = (*ATELIER, "up", "--data-dir", str(folder), "--port", str(own_port()), *arguments)
    with log.open("w") as out:
        process = subprocess.Popen(
            command, env=clean_environment() | environ, stdout=out, stderr=subprocess.STDOUT, text=True
        )
    return System(process, folder, log)


def end_system(system: System) -> None:
    if system.process.poll() is None:
        system.process.terminate()
        try:
            system.process.wait(30)
        except subprocess.TimeoutExpired:
            system.process.kill()
            system.process.wait()


@pytest.fixture(scope="session")
def system(tmp_path_factory) -> Iterator[System]:
    """A running system, whose operator lets webhooks go to this machine; shared by all that do not end it."""
    base = tmp_path_factory.mktemp("up")
    made = start_system(base / "data", base / "up.log", ATELIER_WEBHOOKS_ALLOW_PRIVATE="1")
    try:
        made.wait_ready()
        yield made
        made.process.terminate()
        assert made.process.wait(30) == 0, made.said()
    finally:
        end_system(made)


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def command(system: System) -> Run:
    """Run a command against the running system in a process, as a shell does."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            (*ATELIER, "--data-dir", str(system.folder), *arguments),
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    return run


@pytest.fixture
def atelier(system: System) -> Run:
    """The same in this process: most of a command's time in a process of its own is that process's start."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        before = dict(os.environ)
        try:
            found = CliRunner().invoke(main, ["--data-dir", str(system.folder), *arguments])
        finally:
            os.environ.clear()
            os.environ.update(before)
        if found.exception is not None and not isinstance(found.exception, SystemExit):
            raise found.exception
        return subprocess.CompletedProcess(arguments, found.exit_code, found.stdout, found.stderr)

    return run
