"""What the statements that run often have in common."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from jobs.clock import now
from jobs.errors import NotFound
from jobs.store import NewArtifact
from jobs.store.statements import JOBS, get_job, in_use, needs, plain
from tests.jobs.conftest import owner

RESULT = NewArtifact("a.png", "jobs/x/1/a.png", "image/png", 3, "0" * 64)


def run(store):
    """Take the next job, which is over at once; its id."""
    (row,) = store.claim("wrk_1", "cpu", engines=["echo"], lease_seconds=60)
    store.succeed(row.id, row.attempt, [RESULT])
    return row.id


def test_a_job_is_its_owner_s_or_anybody_s_where_nobody_asks(store, submit):
    job, bob = submit(), owner(store.database, "bob")
    for lock in (False, True):
        for who in (None, job.owner_id):
            found = store.database.write(lambda c, w=who, u=lock: get_job(c, job.id, w, for_update=u))
            assert found.id == job.id
        with pytest.raises(NotFound):
            store.database.write(lambda c, u=lock: get_job(c, job.id, bob, for_update=u))
    with pytest.raises(NotFound):
        store.database.read(lambda c: get_job(c, "job_gone", None))


def test_a_result_is_in_use_while_a_job_that_reads_it_waits_or_runs(store, submit):
    submit()
    made = run(store)
    result = store.artifacts([made])[made][0].id

    def used():
        return store.database.read(lambda c: in_use(c, [result]))

    assert not used()
    reader = submit(inputs=[result])
    assert used()
    store.claim("wrk_1", "cpu", engines=["echo"], lease_seconds=60)
    assert used()
    store.fail(reader.id, 1, code="x", detail="")
    assert not used()


def test_an_attempt_s_seconds_are_added_up_and_shared_by_those_that_ran_together(store, submit):
    for _ in range(4):
        submit(batch="together", batch_most=4)

    def attempt(seconds):
        rows = store.claim("wrk_1", "cpu", engines=["echo"], lease_seconds=60)
        store.database.write(lambda c: c.execute(update(JOBS).values(started_at=now(-seconds))))
        return [store.release(row.id, row.attempt) for row in rows]

    for row in attempt(100.0):
        assert (row.run_seconds, row.device_seconds) == (pytest.approx(100, abs=5), pytest.approx(25, abs=2))
    store.cancel(row.id, None)
    for row in attempt(30.0):
        assert (row.run_seconds, row.device_seconds) == (pytest.approx(130, abs=9), pytest.approx(35, abs=3))


@pytest.mark.parametrize(
    ("names", "written"), [([], ""), (["b"], "b"), (["b", "a"], "a,b"), ({"c", "a", "b"}, "a,b,c")],
    ids=["none", "one", "two", "set"],
)  # fmt: skip
def test_needs_are_written_in_one_way(names, written):
    assert needs(names) == written


def test_words_are_kept_but_for_what_postgresql_does_not_store():
    assert plain("a\0b\0") == "ab"
    assert plain("ż\n\t") == "ż\n\t"
