"""A store with one owner."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select

from accounts.store import AccountStore
from jobs.database import Database
from jobs.models import ProviderUsage
from jobs.store import JobRow, JobStore, NewJob


def owner(database: Database, name: str = "ada") -> str:
    """The id of a new owner."""
    _, row = AccountStore(database).create_key(name)
    return str(row.user_id)


def spent(database: Database, owner_id: str, provider: str) -> tuple[int, int]:
    """(calls, tokens) that an owner had of a provider on the last day on which there were any."""
    query = (
        select(ProviderUsage.calls, ProviderUsage.tokens)
        .where(ProviderUsage.owner_id == owner_id, ProviderUsage.provider == provider)
        .order_by(ProviderUsage.day.desc())
        .limit(1)
    )
    found = database.read(lambda c: c.execute(query).one_or_none())
    return (0, 0) if found is None else (found.calls, found.tokens)


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
