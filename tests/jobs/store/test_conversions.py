"""What becomes of a network when its conversion job ends, however it ends."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.jobs.conftest import owner
from tests.jobs.networks import CONFIG, House, digest


@pytest.fixture
def house(store) -> House:
    return House(store)


def test_its_conversion_makes_it_ready_and_the_upload_superfluous(house):
    row, _ = house.add()
    (upload,) = house.files.page(house.ada)
    job = house.claim()
    key = house.succeed(job)
    row = house.networks.get(row.id)
    assert (row.state, row.sha256, row.config, row.size) == ("ready", digest("flowers"), CONFIG, 7)
    assert house.files.page(house.ada) == [], "neither the upload nor the result is one of the owner's files"
    assert house.store.artifacts([job.id]) == {job.id: []}
    assert house.due() == {f"files/{upload.id}"}
    assert house.files.unreferenced([key, upload.key]) == [upload.key]
    assert house.files.orphans([key]) == []


def lose(house, job):
    """Two workers die in it, one after the other."""
    house.store.expire_leases(worker_id=job.lease_owner)
    house.store.claim("wrk_2", "cpu", engines=["converter"], lease_seconds=60)
    house.store.expire_leases(worker_id="wrk_2")


def cancel(house, job):
    house.store.cancel(job.id, None)
    house.store.end_canceled(job.id, job.attempt)


ENDS = {
    "failed": lambda h, job: h.store.fail(job.id, job.attempt, code="bad_network", detail="no"),
    "canceled": cancel,
    "lost": lose,
    "no result": lambda h, job: h.store.succeed(job.id, job.attempt, []),
}


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("failed", "bad_network"),
        ("canceled", "canceled"),
        ("lost", "poison_job"),
        ("no result", "no_network"),
    ],
)
def test_a_conversion_that_ends_otherwise_fails_it_and_the_name_can_be_used_again(house, how, code):
    row, _ = house.add()
    ENDS[how](house, house.claim())
    row = house.networks.get(row.id)
    assert (row.state, row.error_code, row.sha256) == ("failed", code, None)
    assert house.files.page(house.ada) == []
    # what failed gives way, to the same bytes or to others
    again, made = house.add(data="better")
    assert made
    assert (again.id, again.state, again.error_code) == (row.id, "converting", None)
    house.succeed(house.claim(), "better")
    assert house.networks.get(row.id).sha256 == digest("better")


def test_a_conversion_that_never_runs_fails_it_too(house):
    canceled, _ = house.add("a")
    deleted, _ = house.add("b")
    orphan, _ = house.add("c")
    house.store.cancel(canceled.job_id, house.ada)
    house.store.delete(deleted.job_id, house.ada)
    house.store.fail_orphans(["painter"], after_seconds=-1)
    assert [house.networks.get(row.id).error_code for row in (canceled, deleted, orphan)] == [
        "canceled",
        "canceled",
        "engine_gone",
    ]
    assert house.files.page(house.ada) == []


def test_an_attempt_that_is_repeated_leaves_it_converting(house):
    row, _ = house.add()
    job = house.claim()
    house.store.retry_later(job.id, job.attempt, code="transient", detail="", delay_seconds=-1)
    assert house.networks.get(row.id).state == "converting"
    house.succeed(house.claim())
    assert house.networks.get(row.id).state == "ready"


def test_a_late_end_of_an_older_conversion_changes_nothing(house):
    row, _ = house.add()
    old = house.claim()
    house.networks.delete(row.id, house.ada)
    again, _ = house.add()
    house.store.end_canceled(old.id, old.attempt)
    assert house.networks.get(again.id).state == "converting"


def test_conversions_to_the_same_bytes_that_end_at_once_share_a_file(house):
    rows = [house.add("n", f"{n}", of=owner(house.store.database, f"owner{n}"))[0] for n in range(5)]
    jobs = [house.claim() for _ in rows]
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda job: house.succeed(job, "same"), jobs))
    assert {house.networks.get(row.id).sha256 for row in rows} == {digest("same")}
    (file,) = house.networks.walk()
    keys = [f"jobs/{job.id}/1/out/{digest('same')}.safetensors" for job in jobs]
    assert set(keys) - set(house.files.unreferenced(keys)) == {file.key}
