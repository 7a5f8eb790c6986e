"""A store with one owner."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from accounts.store import AccountStore
from jobs.database import Database
from jobs.store import JobRow, JobStore, NewJob


def owner(database: Database, name: str = "ada") -> str:
    """The id of a new owner."""
    _, row = AccountStore(database).create_key(name)
    return str(row.user_id)


@pytest.fixture
def store(database: Database) -> JobStore:
    return JobStore(database)


@pytest.fixture
def submit(store: JobStore) -> Callable[..., JobRow]:
    """Accept a job of one owner's; keyword arguments go to NewJob."""
    owner_id = owner(store.database)

    def make(**values) -> JobRow:
        values = {"owner_id": owner_id, "engine": "echo", "queue": "cpu", "params": {}, "seed": 1} | values
        row, _ = store.submit(NewJob(**values))
        return row

    return make
