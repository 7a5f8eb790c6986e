"""How a job is accepted: once, whole, or not at all."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from jobs.errors import IdempotencyConflict, NotFound
from jobs.store import NewJob
from tests.jobs.conftest import owner


def history(store, job_id):
    return [(event.state, event.attempt, event.reason) for event in store.events(job_id)]


def test_an_accepted_job_is_queued_and_has_a_first_event(store, submit):
    job = submit(params={"text": "hi"})
    assert (job.state, job.attempt, job.version) == ("queued", 0, 1)
    assert store.get(job.id).params == {"text": "hi"}
    assert history(store, job.id) == [("queued", 0, None)]


def test_the_same_key_and_request_give_the_same_job(store, submit):
    first = submit(idempotency_key="k", idempotency_hash="h")
    again = submit(idempotency_key="k", idempotency_hash="h")
    assert again.id == first.id
    assert len(store.page(None)) == 1


def test_the_same_key_with_another_request_is_a_conflict_that_names_the_job(submit):
    first = submit(idempotency_key="k", idempotency_hash="h")
    with pytest.raises(IdempotencyConflict) as caught:
        submit(idempotency_key="k", idempotency_hash="other")
    assert caught.value.extra == {"job_id": first.id}


def test_two_owners_may_use_the_same_key(store, submit):
    first = submit(idempotency_key="k", idempotency_hash="h")
    second = submit(owner_id=owner(store.database, "bob"), idempotency_key="k", idempotency_hash="x")
    assert first.id != second.id


def test_a_key_used_by_many_at_once_makes_one_job(submit):
    submit()  # the owner exists
    with ThreadPoolExecutor(8) as pool:
        ids = {
            job.id for job in pool.map(lambda _: submit(idempotency_key="k", idempotency_hash="h"), range(24))
        }
    assert len(ids) == 1


def test_a_statement_repeated_after_a_lost_answer_is_one_job(store):
    new = NewJob(owner_id=owner(store.database), engine="echo", queue="cpu", params={}, seed=1)
    store.submit(new)
    row, made = store.submit(new)
    assert (row.id, made) == (new.id, True)


def test_an_input_that_was_deleted_meanwhile_refuses_the_job(store, submit):
    with pytest.raises(NotFound):
        submit(inputs=["art_gone"])
    assert store.page(None) == []
