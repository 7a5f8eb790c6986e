"""Both clients, an environment without a server of its own, and a real API with a worker played by hand."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from client import AsyncClient, Client
from jobs.database import Database
from tests.api.conftest import serve
from tests.api.helpers import LiveServer
from tests.client.hand import at_work
from tests.client.helpers import AnyClient, connecting


@pytest.fixture(autouse=True)
def _nothing_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ATELIER_URL", raising=False)
    monkeypatch.delenv("ATELIER_KEY", raising=False)


@pytest.fixture(params=[Client, AsyncClient], ids=["sync", "async"])
def connect(request: pytest.FixtureRequest) -> Iterator[Callable[..., AnyClient]]:
    """Makes clients of each kind: connect(url, key, ...)."""
    with connecting(request.param) as made:
        yield made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Path:
    """Where a module's system has its database and its objects."""
    made = tmp_path_factory.mktemp("client")
    shutil.copy(migrated_sqlite, made / "atelier.db")
    return made


@pytest.fixture(scope="module")
def live_database(folder: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{folder}/atelier.db")
    yield made
    made.close()


@pytest.fixture(scope="module")
def live(folder: Path, live_database: Database) -> Iterator[LiveServer]:
    """The real API, and a worker played by hand."""
    with serve(folder) as server, at_work(live_database, folder):
        yield server
