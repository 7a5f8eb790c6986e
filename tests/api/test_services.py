"""What the requests of a process share: one of each, and nothing that waits for anybody when it is built."""

from __future__ import annotations

import pytest
from flask import Flask

from api.services import Services, services
from api.settings import Settings
from jobs.database import Database
from jobs.errors import Unavailable
from jobs.store import JobStore
from queue_config import Doorbell
from storage.memory import MemoryStorage

#: Nothing listens on port 1.
AWAY = "postgresql://ada@127.0.0.1:1/a"


@pytest.fixture
def built():
    database = Database(AWAY)
    yield Services.build(JobStore(database), MemoryStorage(), Doorbell(), Settings(streams=9))
    database.close()


def test_they_are_built_while_database_and_broker_are_away(built):
    with pytest.raises(Unavailable):
        built.jobs.get("job_1")


def test_a_job_is_made_with_the_stores_that_requests_use(built):
    """A quota that was counted down twice, or a file that one of two caches remembers, would be a mistake."""
    for name in ("jobs", "files", "networks", "fleet", "storage", "quota", "stored"):
        assert getattr(built, name) is getattr(built.means, name), name


def test_streams_and_long_requests_have_places_of_their_own(built):
    most = built.settings.long_requests
    assert most != 9
    for slots, places in ((built.slots, 9), (built.long_requests, most)):
        taken = [slots.take(f"usr_{n}") for n in range(50)]
        assert sum(slot is not None for slot in taken) == places


def test_a_request_finds_those_of_its_own_app(make_app):
    one, two = make_app(), make_app()
    with one.app_context():
        assert services() is one.extensions["atelier"]
        with two.app_context():
            assert services() is two.extensions["atelier"]
        assert services() is one.extensions["atelier"]


def test_an_app_without_any_is_not_ours():
    with Flask("another").app_context(), pytest.raises(KeyError):
        services()
