"""Fixtures every part uses: databases and brokers, started once a test process."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest

from jobs.database import Database
from tests.services import MissingService, PostgresServer, RedisServer, postgres_server, redis_server

_numbers = itertools.count()


def missing(what: object) -> None:
    """Skip on a laptop, fail in CI."""
    if os.environ.get("CI"):
        pytest.fail(f"CI must have it: {what}")
    pytest.skip(str(what))


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    try:
        with postgres_server() as server:
            yield server
    except MissingService as error:
        missing(error)


@pytest.fixture(scope="session")
def redis_broker() -> Iterator[RedisServer]:
    try:
        with redis_server() as server:
            yield server
    except MissingService as error:
        missing(error)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path) -> Iterator[str]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/atelier.db"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = f"test_{os.getpid()}_{next(_numbers)}"
    yield server.create(name)
    server.drop(name)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated database of each kind."""
    made = Database(database_url)
    made.migrate()
    yield made
    made.close()


@pytest.fixture
def sqlite_database(tmp_path) -> Iterator[Database]:
    """A migrated SQLite database, for tests that are not about SQL."""
    made = Database(f"sqlite:///{tmp_path}/atelier.db")
    made.migrate()
    yield made
    made.close()
