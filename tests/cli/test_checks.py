"""What `atelier doctor` says: of the Redis that an embedded system would use, and of the workers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from accounts.store import AccountStore
from cli import checks, embedded, settings
from fleet.store import FleetStore
from jobs.database import Database
from jobs.store import JobStore, NewJob


@pytest.fixture
def place(tmp_path):
    return checks.Place(tmp_path, {}, None)


def server(folder: Path, says: str) -> Path:
    """A redis-server that says this of itself and does nothing else."""
    made = folder / "redis-server"
    made.parent.mkdir(parents=True, exist_ok=True)
    made.write_text(f"#!/bin/sh\necho '{says}'\n")
    made.chmod(0o755)
    return made


@pytest.mark.parametrize(
    ("version", "bundled", "level"),
    [
        ("6.2.14", True, checks.WARN),
        ("6.2.20", True, checks.OK),
        ("7.2.11", True, checks.OK),
        ("6.0.16", False, checks.OK),  # a distributor's, with the fixes carried back
        ("8.2.2", False, checks.OK),
    ],
)
def test_an_old_redis_that_nobody_updates_is_warned_of(place, tmp_path, monkeypatch, version, bundled, level):
    found = server(tmp_path / "bin", f"Redis server v={version} sha=00000000:0 malloc=libc bits=64")
    monkeypatch.setattr(embedded, "redis_binary", lambda: str(found))
    monkeypatch.setattr(embedded, "is_bundled", lambda _redis: bundled)

    verdict = checks.redis_binary(place)

    assert verdict.level == level
    assert version in verdict.text
    assert bool(verdict.mend) == (level == checks.WARN)


def test_a_redis_that_says_nothing_of_itself_is_warned_of(place, tmp_path, monkeypatch):
    found = server(tmp_path / "bin", "")
    monkeypatch.setattr(embedded, "redis_binary", lambda: str(found))

    assert checks.redis_binary(place).level == checks.WARN


@pytest.fixture
def served(sqlite_database, tmp_path, monkeypatch) -> checks.Place:
    """A migrated database that `atelier up` seems to serve."""
    monkeypatch.setenv("DATABASE_URL", str(sqlite_database.url))
    folder = tmp_path / "data"
    return checks.Place(folder, settings.environment(folder), settings.Running("http://127.0.0.1:9", 1))


def waiting_job(database: Database, queue: str) -> None:
    owner = AccountStore(database).create_key("ann")[1].user_id
    JobStore(database).submit(NewJob(owner_id=owner, engine="echo", queue=queue, params={}, seed=1))


def living_worker(database: Database, queue: str) -> None:
    FleetStore(database).report(
        f"w-{queue}",
        hostname="here",
        pid=1,
        queues=[queue],
        engines=["echo"],
        weights=[],
        device="cpu",
    )


@pytest.mark.parametrize(
    ("waits", "lives", "running", "level", "words"),
    [
        ("gpu", [], True, "FAIL", "queue gpu"),
        ("gpu", ["cpu"], True, "FAIL", "queue gpu"),
        ("gpu", ["cpu", "gpu"], True, "OK", "2 alive"),
        (None, ["gpu"], True, "OK", "1 alive"),
        (None, [], True, "WARN", "none is alive"),
        (None, [], False, "OK", "none"),
    ],
)
def test_the_doctor_counts_the_workers(served, sqlite_database, waits, lives, running, level, words):
    if waits:
        waiting_job(sqlite_database, waits)
    for queue in lives:
        living_worker(sqlite_database, queue)

    found = checks.workers(served if running else replace(served, running=None))

    assert found.level == level
    assert words in found.text
    assert level == "OK" or "atelier up" in found.mend


def test_the_doctor_asks_no_workers_where_there_is_no_database(tmp_path):
    environment = settings.environment(tmp_path / "data")

    assert checks.workers(checks.Place(tmp_path / "data", environment, None)).level == "OK"
    assert not (tmp_path / "data" / "atelier.db").exists()
