"""Fixtures every part uses: databases and brokers, started once a test process."""

from __future__ import annotations

import itertools
import logging
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings

# Before anything of ours reads it. What is about the pace of a house in use starts its processes at that one.
os.environ.setdefault("ATELIER_PACE", "4")

from doors.image_files import read_heic
from jobs.database import Database
from jobs.logs import configure_logging
from jobs.migrate import migrate
from jobs.models import Base
from tests.examples import examples
from tests.services import MissingService, PostgresServer, RedisServer, postgres_server, redis_server

_numbers = itertools.count()

# What tests that name no number try.
settings.register_profile("atelier", max_examples=examples(100))
settings.load_profile("atelier")

#: Of those that wait, the ones that take longest: started first, nobody waits for them at the end.
LONG = (
    "test_chaos.py",
    "test_up.py",
    "test_conversations_doors.py",
    "test_conversations.py",
    "test_spot.py",
    "test_process.py",
)
#: A file whose tests wait for processes says so in a line, by which it is known before it is imported.
_WAITS = re.compile(r"^pytestmark = .*\bmark\.waits\b", re.MULTILINE)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--crew", choices=["waits", "works"], help="only this crew's files (scripts/crews.py)")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    crew = config.getoption("--crew")
    if crew is None or collection_path.suffix != ".py":
        return None
    waits = _WAITS.search(collection_path.read_text()) is not None
    return True if waits != (crew == "waits") else None


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))
    for item in items:
        group = _shared(item) if item.get_closest_marker("waits") else None
        if group:
            item.add_marker(pytest.mark.xdist_group(group))


def _shared(item: pytest.Item) -> str | None:
    """Tests with one name share what is started once, for their file or as the one whole system."""
    assert isinstance(item, pytest.Function)
    fixtures = item._fixtureinfo.name2fixturedefs
    if any(found and found[-1].scope == "module" for found in fixtures.values()):
        return item.path.name
    return "system" if "system" in fixtures else None


def missing(what: object) -> None:
    """Skip on a laptop, fail in CI."""
    if os.environ.get("CI"):
        pytest.fail(f"CI must have it: {what}")
    pytest.skip(str(what))


@pytest.fixture(scope="session", autouse=True)
def heic() -> None:
    """Tests write such pictures before the door is asked to read one."""
    read_heic()


@pytest.fixture(scope="session", autouse=True)
def logs() -> None:
    """Log as the product's processes do from the first test on; what they say is in `caplog`.

    A logger keeps what it was first used with: one test that configured logging changed it for all behind it.
    """
    root = logging.getLogger()
    handlers = root.handlers[:]
    configure_logging("tests")
    root.handlers[:] = handlers


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


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path) -> Iterator[str]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/atelier.db"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = f"test_{os.getpid()}_{next(_numbers)}"
    yield server.create(name)
    server.drop(name)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory) -> Path:
    """A migrated SQLite file to copy: migrating anew for each test is most of a test's time."""
    path = tmp_path_factory.mktemp("template") / "atelier.db"
    made = Database(f"sqlite:///{path}")
    migrate(made)
    made.close()
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres: PostgresServer) -> str:
    """The name of a migrated database to copy."""
    name = f"template_{os.getpid()}"
    made = Database(postgres.create(name))
    migrate(made)
    made.close()
    return name


@pytest.fixture
def sqlite_database(tmp_path, migrated_sqlite: Path) -> Iterator[Database]:
    """A migrated SQLite database, for tests that are not about SQL."""
    made = Database(f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'atelier.db')}")
    yield made
    made.close()


@pytest.fixture(scope="session")
def kept_postgres(postgres: PostgresServer, migrated_postgres: str) -> str:
    """The URL of the one that test after test is given: making a database takes longer than most tests."""
    return postgres.create(f"test_{os.getpid()}", template=migrated_postgres)


@pytest.fixture
def postgres_database(kept_postgres: str) -> Iterator[Database]:
    """A migrated PostgreSQL database without a row."""
    made = Database(kept_postgres)
    yield made
    made.close()
    _emptied(kept_postgres)


def _emptied(url: str) -> None:
    """As it was made: end who is still connected, truncate what was written to, forget the statistics of it.

    By its size, as rows that were deleted leave pages; both they and statistics change PostgreSQL's plans.
    """
    tables = [table.name for table in Base.metadata.sorted_tables]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        written = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname = ANY(%s)"
            " AND pg_relation_size(oid) > 0",
            [tables],
        )
        names = ", ".join(f'"{name}"' for (name,) in written)
        if names:
            connection.execute(f"TRUNCATE {names} RESTART IDENTITY CASCADE")  # type: ignore[arg-type]  # our own names
        connection.execute("DELETE FROM pg_statistic WHERE starelid >= 16384")  # what is not the system's


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Database:
    """A migrated database of each kind."""
    found: Database = request.getfixturevalue(f"{request.param}_database")
    return found
