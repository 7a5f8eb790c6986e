"""What it takes to make a job, on real databases, without any app."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from accept import Means, Request
from accept.wire import JobOptions
from jobs.database import Database
from jobs.files import FileStore
from jobs.store import JobStore
from storage.memory import MemoryStorage
from tests.jobs.conftest import owner


@pytest.fixture
def means(database: Database) -> Means:
    return Means.build(JobStore(database), MemoryStorage())


@pytest.fixture
def lite(sqlite_database: Database) -> Means:
    """For tests that are not about SQL."""
    return Means.build(JobStore(sqlite_database), MemoryStorage())


@pytest.fixture
def ada(database: Database) -> str:
    return owner(database)


@pytest.fixture
def eve(sqlite_database: Database) -> str:
    """The owner beside `lite`."""
    return owner(sqlite_database, "eve")


@pytest.fixture
def style(ada: str) -> Callable[..., Request]:
    """A request of ada's for a picture in another's style."""

    def make(uploads: Any = (), options: JobOptions | None = None, **params: Any) -> Request:
        given = {"content": "https://example.com/a.png", "style": "https://example.com/b.png"}
        return Request(ada, "neural_style", given | params, uploads, options)

    return make


def files_of(means: Means, owner_id: str) -> list[str]:
    """The names of the files somebody has stored."""
    return [row.name for row in FileStore(means.jobs.database).page(owner_id)]
