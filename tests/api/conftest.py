"""The API's fixtures: an app on SQLite and memory, without a broker; and a live gunicorn."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask import Flask

from accounts.store import AccountStore
from api import create_app
from api.settings import Settings
from fleet.store import FleetStore
from jobs.database import Database
from jobs.store import JobStore
from queue_config import Doorbell
from storage.base import Storage
from storage.memory import MemoryStorage
from tests.api.helpers import Api, LiveServer
from tests.ports import own_port

#: Nothing listens on port 1.
NO_BROKER = "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", NO_BROKER)


@pytest.fixture
def store(sqlite_database: Database) -> JobStore:
    return JobStore(sqlite_database)


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
def make_app(store: JobStore, storage: Storage) -> Callable[..., Flask]:
    """An app with these settings, or with another storage."""

    def make(*, storage: Storage = storage, **settings: object) -> Flask:
        return create_app(store, storage, Doorbell(), Settings.model_validate(settings))

    return make


@pytest.fixture
def make_key(store: JobStore) -> Callable[..., str]:
    """A new key for a user."""

    def make(user: str = "ada", **more: object) -> str:
        return AccountStore(store.database).create_key(user, **more)[0]  # type: ignore[arg-type]

    return make


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(rate_per_minute=0)


@pytest.fixture
def api(app: Flask, make_key: Callable[..., str]) -> Api:
    """A client with ada's key."""
    return Api(app, make_key("ada"))


@pytest.fixture
def other(app: Flask, make_key: Callable[..., str]) -> Api:
    """A client with bob's key."""
    return Api(app, make_key("bob"))


@pytest.fixture
def admin(app: Flask, make_key: Callable[..., str]) -> Api:
    """A client with an admin key."""
    return Api(app, make_key("root", admin=True))


@pytest.fixture
def anonymous(app: Flask) -> Api:
    """A client without a key."""
    return Api(app, None)


@pytest.fixture
def fleet(store: JobStore) -> Callable[..., None]:
    """Reports workers."""
    found = FleetStore(store.database)

    def report(worker: str = "wrk_1", **changes: Any) -> None:
        values: dict[str, Any] = {
            "hostname": "h", "pid": 1, "queues": ["cpu"], "engines": ["echo"], "weights": [], "device": "cpu",
        } | changes  # fmt: skip
        found.report(worker, **values)

    return report


@contextmanager
def serve(folder: Path, **environ: str) -> Iterator[LiveServer]:
    """A gunicorn over the database and the objects in `folder`."""
    port = own_port()
    env = os.environ | {
        "DATABASE_URL": f"sqlite:///{folder}/atelier.db",
        "STORAGE_URL": (folder / "objects").as_uri(),
        "REDIS_URL": NO_BROKER,
        "ATELIER_BIND": f"127.0.0.1:{port}",
        "ATELIER_API_WORKERS": "1",
        "ATELIER_API_THREADS": "32",
        "ATELIER_STREAMS": "12",
        "ATELIER_RATE_PER_MINUTE": "0",
        **environ,
    }
    log = folder / f"gunicorn-{port}.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--config", "python:api.gunicorn"], env=env, stderr=stream
        )
        try:
            _wait_until_up(port, process, log)
            yield LiveServer(port, log)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_up(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up = time.monotonic() + 30
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < give_up, log.read_text()
        try:
            httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=5)
            return
        except httpx.HTTPError:
            time.sleep(0.1)


@pytest.fixture(scope="module")
def live_folder(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Path:
    folder = tmp_path_factory.mktemp("live")
    shutil.copy(migrated_sqlite, folder / "atelier.db")
    return folder


@pytest.fixture(scope="module")
def live_database(live_folder: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{live_folder}/atelier.db")
    yield made
    made.close()


@pytest.fixture(scope="module")
def live(live_folder: Path) -> Iterator[LiveServer]:
    """A gunicorn for the tests of one file."""
    with serve(live_folder) as server:
        yield server


@pytest.fixture
def live_key(live_database: Database) -> str:
    return AccountStore(live_database).create_key("ada")[0]
