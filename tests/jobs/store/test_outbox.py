"""What is written when a job changes its state: to whom, what, and never without the change."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import datetime

import pytest
from sqlalchemy import delete

from jobs.models import Delivery, Webhook
from jobs.news import DEFAULT_EVENTS, Event
from jobs.store import JobStore, NewArtifact
from jobs.store import outbox as outbox_module
from tests.jobs.conftest import owner
from webhooks.deliveries import DeliveryStore
from webhooks.endpoints import WebhookStore

URL = "https://example.com/hook"
OWN = "https://own.example/hook?job=1"
ALL = tuple(Event)


@pytest.fixture
def outbox(store) -> DeliveryStore:
    return DeliveryStore(store.database)


@pytest.fixture
def ada(store) -> str:
    return owner(store.database)


@pytest.fixture
def all_events(store, ada):
    """An endpoint that wants everything."""
    return WebhookStore(store.database).create(ada, URL, ALL)


def claim(store: JobStore):
    (row,) = store.claim("wrk_1", "cpu", engines=["echo"], lease_seconds=60)
    return row


def told(outbox: DeliveryStore, ada: str) -> list[str]:
    """The events, oldest first."""
    return [row.event for row in reversed(outbox.page(ada))]


def bodies(outbox: DeliveryStore, ada: str) -> list[dict]:
    return [json.loads(row.body) for row in reversed(outbox.page(ada))]


def test_every_change_of_state_is_told(store, outbox, submit, ada, all_events):
    submit(owner_id=ada)
    row = claim(store)
    store.retry_later(row.id, row.attempt, code="out_of_memory", detail="d", delay_seconds=0)
    row = claim(store)
    store.succeed(row.id, row.attempt, [])
    submit(owner_id=ada)
    row = claim(store)
    store.fail(row.id, row.attempt, code="bad_input", detail="No.")
    canceled = submit(owner_id=ada)
    store.cancel(canceled.id, ada)

    assert told(outbox, ada) == [
        *("queued", "started", "queued", "started", "succeeded"),
        *("queued", "started", "failed"),
        *("queued", "canceled"),
    ]
    assert {row.webhook_id for row in outbox.page(ada)} == {all_events.id}
    found = bodies(outbox, ada)
    assert [body["data"]["attempt"] for body in found[:5]] == [0, 1, 1, 2, 2]
    assert [body["data"]["version"] for body in found[:5]] == [1, 2, 3, 4, 5]
    assert found[7]["data"]["error"] == {"code": "bad_input", "detail": "No."}


@pytest.mark.usefixtures("all_events")
def test_a_lost_worker_is_told_as_well(store, outbox, submit, ada):
    submit(owner_id=ada)
    store.claim("wrk_1", "cpu", engines=["echo"], lease_seconds=-1)
    store.expire_leases()

    assert told(outbox, ada) == ["queued", "started", "queued"]


@pytest.mark.usefixtures("all_events")
def test_the_body_is_small_and_as_the_standard_recommends(store, outbox, submit, ada):
    job = submit(owner_id=ada, params={"secret": "word"})
    row = claim(store)
    made = [
        NewArtifact(name=f"{n}.txt", key=f"k{n}", media_type="text/plain", size=n, sha256="0" * 64)
        for n in range(outbox_module.MAX_ARTIFACTS + 5)
    ]
    store.succeed(row.id, row.attempt, made)

    body = bodies(outbox, ada)[-1]

    artifacts = body["data"].pop("artifacts")
    assert set(body) == {"type", "timestamp", "data"}
    assert body["type"] == "job.succeeded"
    assert datetime.fromisoformat(body["timestamp"]).utcoffset().total_seconds() == 0
    final = store.get(job.id)
    assert body["data"] == {
        "id": job.id, "engine": "echo", "state": "succeeded", "attempt": 1, "version": final.version,
        "progress": 1.0, "error": None,
        **{name: getattr(final, name).isoformat().replace("+00:00", "Z")
           for name in ("created_at", "started_at", "finished_at")},
    }  # fmt: skip
    assert len(artifacts) == outbox_module.MAX_ARTIFACTS
    known = store.artifacts([job.id])[job.id][0]
    assert artifacts[0] == {"id": known.id, "name": "0.txt", "media_type": "text/plain", "size": 0}
    assert "word" not in outbox.page(ada)[0].body


def test_an_address_hears_what_it_asked_for(store, outbox, submit, ada):
    webhooks = WebhookStore(store.database)
    failures = webhooks.create(ada, "https://a.example/", [Event.FAILED])
    ends = webhooks.create(ada, "https://b.example/")
    webhooks.create(owner(store.database, "bob"), "https://c.example/", ALL)
    submit(owner_id=ada, webhook={"url": OWN, "events": ["started", "failed"]})
    row = claim(store)
    store.fail(row.id, row.attempt, code="x", detail="d")

    found = {(r.webhook_id, r.url, r.event, r.host) for r in outbox.page(ada)}

    assert found == {
        (None, OWN, "started", "own.example"),
        (None, OWN, "failed", "own.example"),
        (failures.id, "https://a.example/", "failed", "a.example"),
        (ends.id, "https://b.example/", "failed", "b.example"),
    }
    assert len({r.id for r in outbox.page(ada)}) == 4


def test_a_job_s_own_webhook_without_a_filter_hears_how_it_ended(store, outbox, submit, ada):
    submit(owner_id=ada, webhook={"url": OWN})
    row = claim(store)
    store.succeed(row.id, row.attempt, [])

    assert told(outbox, ada) == ["succeeded"]
    assert DEFAULT_EVENTS == (Event.SUCCEEDED, Event.FAILED, Event.CANCELED)


def test_nobody_wants_to_know_and_nothing_is_written(store, outbox, submit, ada):
    submit(owner_id=ada)
    row = claim(store)
    store.beat(row.id, row.attempt, lease_seconds=60, progress=0.5)
    store.succeed(row.id, row.attempt, [])

    assert outbox.page(ada) == []


@pytest.mark.usefixtures("all_events")
def test_a_change_that_is_rolled_back_leaves_no_word_of_it(store, outbox, submit, ada, monkeypatch):
    job = submit(owner_id=ada)
    row = claim(store)

    def broken(*_arguments):
        raise RuntimeError("in the same transaction")

    monkeypatch.setattr("jobs.store.ending.move_up", broken)
    with pytest.raises(RuntimeError):
        store.succeed(row.id, row.attempt, [])

    assert store.get(job.id).state == "running"
    assert told(outbox, ada) == ["queued", "started"]


@pytest.mark.usefixtures("all_events")
def test_a_word_that_cannot_be_written_stops_the_change(store, submit, ada, monkeypatch):
    job = submit(owner_id=ada)
    row = claim(store)

    def broken(*_arguments):
        raise RuntimeError("no room")

    monkeypatch.setattr(outbox_module, "_message", broken)
    with pytest.raises(RuntimeError):
        store.succeed(row.id, row.attempt, [])

    assert store.get(job.id).state == "running"


@pytest.mark.usefixtures("all_events")
def test_a_zombie_s_end_is_not_told(store, outbox, submit, ada):
    submit(owner_id=ada)
    (row,) = store.claim("wrk_1", "cpu", engines=["echo"], lease_seconds=-1)
    store.expire_leases()
    with pytest.raises(Exception, match="no longer owns"):
        store.succeed(row.id, row.attempt, [])

    assert told(outbox, ada) == ["queued", "started", "queued"]


def test_of_progress_the_newest_is_told(store, outbox, submit, ada, all_events):
    submit(owner_id=ada, webhook={"url": OWN, "events": ["progress"]})
    row = claim(store)
    for progress in (0.1, 0.2, 0.3):
        store.beat(row.id, row.attempt, lease_seconds=60, progress=progress)
    store.beat(row.id, row.attempt, lease_seconds=60)  # a sign of life is no progress

    found = [r for r in outbox.page(ada) if r.event == "progress"]

    assert {r.webhook_id for r in found} == {None, all_events.id}
    assert len(found) == 2
    for message in found:
        body = json.loads(message.body)
        assert body["type"] == "job.progress"
        assert body["data"]["progress"] == 0.3
        assert body["data"]["version"] == store.get(row.id).version


@pytest.mark.usefixtures("all_events")
def test_a_progress_message_that_was_sent_keeps_its_words(store, outbox, submit, ada):
    """Its receiver may know its id, and would take other words under it for a repetition."""
    submit(owner_id=ada)
    row = claim(store)
    store.beat(row.id, row.attempt, lease_seconds=60, progress=0.1)
    outbox.claim("example.com", 10, lease_seconds=60)
    store.beat(row.id, row.attempt, lease_seconds=60, progress=0.2)

    (message,) = (r for r in outbox.page(ada) if r.event == "progress")

    assert json.loads(message.body)["data"]["progress"] == 0.1
    assert (message.until - message.created_at).total_seconds() < 24 * 3600


@pytest.mark.usefixtures("all_events")
def test_the_owner_s_order_is_no_change_of_state(store, outbox, submit, ada):
    job = submit(owner_id=ada)
    store.hold(job.id, ada)
    store.release_hold(job.id, ada)

    assert told(outbox, ada) == ["queued"]


@pytest.mark.usefixtures("all_events")
def test_a_deleted_job_leaves_its_messages(store, outbox, submit, ada):
    job = submit(owner_id=ada)
    store.cancel(job.id, ada)
    store.delete(job.id, ada)

    assert told(outbox, ada) == ["queued", "canceled"]
    assert Delivery.__table__.c.job_id.foreign_keys == set()


def test_an_endpoint_that_is_being_deleted_neither_ends_nor_delays_its_owner_s_jobs(
    store, outbox, submit, ada, all_events
):
    if store.database.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    submit(owner_id=ada)
    row = claim(store)
    before = len(outbox.page(ada))
    with ThreadPoolExecutor(1) as threads, store.database.engine.connect() as connection:
        # given a deletion that takes its time, as with a long log
        with connection.begin():
            connection.execute(delete(Webhook).where(Webhook.id == all_events.id))
            # when a job of its owner ends meanwhile
            ending = threads.submit(store.succeed, row.id, row.attempt, [])
            wait([ending], timeout=5)
            waited = not ending.done()
        # then that is none of the job's business
        assert ending.result(timeout=5).state == "succeeded"
    assert not waited
    assert before
    assert outbox.page(ada) == []
