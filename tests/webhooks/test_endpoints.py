"""Endpoints and secrets: whose they are, and how many there may be."""

from __future__ import annotations

import base64
import threading

import pytest

from jobs.errors import Conflict, NotFound
from jobs.models import Delivery
from jobs.news import DEFAULT_EVENTS, Event
from jobs.store import JobStore, NewJob
from jobs.store.outbox import host_of
from tests.jobs.conftest import owner
from webhooks.endpoints import MAX_WEBHOOKS, WebhookStore

URL = "https://example.com/hook"


@pytest.fixture
def webhooks(database) -> WebhookStore:
    return WebhookStore(database)


@pytest.fixture
def submit(database):
    """Accept a job, of one owner's if no other is named."""
    whose = owner(database)
    store = JobStore(database)
    return lambda owner_id=whose: store.submit(NewJob(owner_id, "echo", "cpu", params={}, seed=1))[0]


def test_an_endpoint_lives_from_creation_to_deletion(webhooks):
    ada = owner(webhooks.database)

    made = webhooks.create(ada, URL)

    assert (made.owner_id, made.url) == (ada, URL)
    assert made.events == [event.value for event in DEFAULT_EVENTS] == ["succeeded", "failed", "canceled"]
    assert [row.id for row in webhooks.all(ada)] == [made.id]
    assert webhooks.get(ada, made.id).secret == made.secret
    webhooks.delete(ada, made.id)
    assert webhooks.all(ada) == []
    with pytest.raises(NotFound):
        webhooks.delete(ada, made.id)


def test_nobody_reaches_another_s(webhooks):
    ada, bob = owner(webhooks.database), owner(webhooks.database, "bob")
    made = webhooks.create(ada, URL)

    assert webhooks.all(bob) == []
    for attempt in (webhooks.get, webhooks.delete, webhooks.change):
        with pytest.raises(NotFound):
            attempt(bob, made.id)
    assert webhooks.secret(ada) != webhooks.secret(bob)


def test_there_is_a_limit_also_for_requests_at_once(webhooks):
    ada = owner(webhooks.database)
    for _ in range(MAX_WEBHOOKS - 1):
        webhooks.create(ada, URL)
    results = []

    def create():
        try:
            results.append(webhooks.create(ada, URL))
        except Conflict as error:
            results.append(error.problem_code)

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results.count("too_many_webhooks") == 3
    assert len(webhooks.all(ada)) == MAX_WEBHOOKS


def test_secrets_are_as_the_standard_writes_them(webhooks):
    ada = owner(webhooks.database)
    secrets = {webhooks.create(ada, URL).secret for _ in range(5)}
    secrets |= {webhooks.secret(ada), webhooks.rotate_secret(ada)}

    assert len(secrets) == 7
    for secret in secrets:
        assert secret.count("_") == 1
        assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32


def test_the_secret_of_single_jobs_stays_until_it_is_rotated(webhooks):
    ada = owner(webhooks.database)
    first = webhooks.secret(ada)

    assert webhooks.secret(ada) == first
    second = webhooks.rotate_secret(ada)
    assert second != first
    assert webhooks.secret(ada) == second


def test_an_endpoint_hears_of_the_jobs_that_are_there_already(webhooks, submit):
    store = JobStore(webhooks.database)
    queued, running, ended = submit(), submit(), submit()
    bobs = submit(owner_id=owner(webhooks.database, "bob"))
    store.cancel(ended.id, ended.owner_id)
    assert not store.get(queued.id).notify

    webhooks.create(queued.owner_id, URL)

    heard = {job.id: store.get(job.id).notify for job in (queued, running, ended, bobs)}
    assert heard == {queued.id: True, running.id: True, ended.id: False, bobs.id: False}
    assert submit().notify
    assert not submit(owner_id=bobs.owner_id).notify


def test_what_waits_goes_to_the_new_address(webhooks, submit):
    store = JobStore(webhooks.database)
    job = submit()
    made = webhooks.create(job.owner_id, "https://old.example/hook")
    store.cancel(job.id, job.owner_id)

    changed = webhooks.change(job.owner_id, made.id, url="https://new.example:8443/hook")

    assert (changed.url, changed.secret, changed.events) == (
        "https://new.example:8443/hook",
        made.secret,
        made.events,
    )
    with webhooks.database.engine.connect() as connection:
        (row,) = connection.execute(Delivery.__table__.select())
    assert (row.url, row.host) == ("https://new.example:8443/hook", "new.example:8443")
    assert webhooks.change(job.owner_id, made.id, events=[Event.FAILED]).events == ["failed"]


@pytest.mark.parametrize(
    ("url", "host"),
    [("https://EXAMPLE.com/a", "example.com"), ("https://example.com:443/", "example.com"),
     ("http://example.com:80/", "example.com"), ("https://example.com:8443/", "example.com:8443"),
     ("http://127.0.0.1:9/", "127.0.0.1:9"), ("nonsense", "")],
)  # fmt: skip
def test_the_line_an_address_stands_in(url, host):
    assert host_of(url) == host
