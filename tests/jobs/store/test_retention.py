"""Results and uploads are kept as long as their owner keeps them, and no shorter."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import event, insert, text

from accounts.store import AccountStore
from jobs.clock import now
from jobs.errors import LeaseLost, NotFound
from jobs.files import FileStore
from jobs.models import Artifact, Job, JobInput
from jobs.store import NewArtifact, expires_at
from jobs.store.retention import DAY
from tests.jobs.ageing import pass_days
from tests.jobs.conftest import owner

WEEK = 7 * DAY


@pytest.fixture
def files(database):
    return FileStore(database)


@pytest.fixture
def finish(store):
    """Take the job that is next and succeed with these files."""

    def work(*names):
        (row,) = store.claim("wrk_1", "cpu", engines=["echo"], lease_seconds=60)
        made = [
            NewArtifact(name, f"jobs/{row.id}/{row.attempt}/out/{name}", "text/plain", 1, "0" * 64)
            for name in names
        ]
        return store.succeed(row.id, row.attempt, made)

    return work


@pytest.fixture
def upload(files, store):
    def make(name="ada"):
        file_id = files.reserve()
        made = NewArtifact("a.png", f"files/{file_id}/a.png", "image/png", 1, "0" * 64)
        return files.add(file_id, owner(store.database, name), made).id

    return make


def results_of(store, job_id):
    return store.artifacts([job_id])[job_id]


def folders(files):
    return sorted(row.prefix for row in files.due_cleanups())


def test_a_result_that_was_kept_long_enough_goes_and_its_job_stays(store, files, submit, finish):
    job = submit()
    ended = finish("a.txt", "b.txt")
    pass_days(store.database, 6.9)
    assert store.expire_results(job.owner_id, WEEK) == []
    assert len(results_of(store, job.id)) == 2

    pass_days(store.database, 0.2)
    assert store.expire_results(job.owner_id, WEEK) == [job.id]
    row = store.get(job.id)
    assert (row.state, row.data_removed, row.version) == ("succeeded", True, ended.version + 1)
    assert results_of(store, job.id) == []
    assert folders(files) == [f"jobs/{job.id}"]
    assert [e.version for e in store.events(job.id)][-1] == ended.version, "no change of state"
    assert store.expire_results(job.owner_id, WEEK) == [], "once"


def test_what_failed_and_canceled_jobs_left_goes_too(store, files, submit):
    waited, ran = submit(), submit()
    store.cancel(waited.id, None)
    (row,) = store.claim("wrk_1", "cpu", engines=["echo"], lease_seconds=60)
    store.save_checkpoint(ran.id, row.attempt, f"jobs/{ran.id}/1/checkpoint")
    store.fail(ran.id, row.attempt, code="c", detail="d")
    pass_days(store.database, 8)
    for cleanup in files.due_cleanups():
        files.cleaned(cleanup.id)
    assert sorted(store.expire_results(ran.owner_id, WEEK)) == sorted([waited.id, ran.id])
    assert folders(files) == [f"jobs/{ran.id}"], "a job that never ran has no objects"
    assert store.get(ran.id).checkpoint_key is None


def test_what_has_not_ended_is_never_too_old(store, submit):
    waiting, running = submit(), submit()
    store.claim("wrk_1", "cpu", engines=["echo"], lease_seconds=60)
    pass_days(store.database, 1000)
    assert store.expire_results(waiting.owner_id, WEEK) == []
    assert {store.get(job.id).data_removed for job in (waiting, running)} == {False}


def test_another_owner_s_results_stay(store, submit, finish):
    job = submit()
    finish("a.txt")
    pass_days(store.database, 8)
    assert store.expire_results(owner(store.database, "bob"), WEEK) == []
    assert len(results_of(store, job.id)) == 1


def test_a_result_that_a_job_reads_stays_with_its_whole_job_until_that_one_ended(store, submit, finish):
    first, other = submit(), submit()
    finish("a.txt", "b.txt")
    finish("c.txt")
    reader = submit(inputs=[results_of(store, first.id)[0].id])
    pass_days(store.database, 8)

    assert store.expire_results(first.owner_id, WEEK, limit=1) == [other.id], "and holds up nobody"
    store.claim("wrk_1", "cpu", engines=["echo"], lease_seconds=60)
    assert store.expire_results(first.owner_id, WEEK) == []
    assert len(results_of(store, first.id)) == 2

    store.fail(reader.id, 1, code="c", detail="d")
    assert store.expire_results(first.owner_id, WEEK) == [first.id]


def test_a_batch_is_bounded_and_begins_with_the_oldest(store, submit, finish):
    jobs = [submit() for _ in range(5)]
    for _ in jobs:
        finish("a.txt")
        pass_days(store.database, 1)
    pass_days(store.database, 8)
    assert set(store.expire_results(jobs[0].owner_id, WEEK, limit=2)) == {jobs[0].id, jobs[1].id}
    assert len(store.expire_results(jobs[0].owner_id, WEEK, limit=10)) == 3


def test_an_upload_is_kept_from_its_creation_or_its_last_reader_s_end(store, files, submit, finish, upload):
    unread, read = upload(), upload()
    job = submit(inputs=[read])
    pass_days(store.database, 8)
    assert files.expire(job.owner_id, WEEK) == (1, None)
    with pytest.raises(NotFound):
        files.get(unread)
    assert f"files/{unread}" in folders(files)
    assert files.get(read).id == read, "a waiting job reads it"

    finish("a.txt")
    pass_days(store.database, 6)
    assert files.expire(job.owner_id, WEEK) == (0, None)
    pass_days(store.database, 2)
    assert files.expire(job.owner_id, WEEK) == (1, None)
    with pytest.raises(NotFound):
        files.get(read)


def test_results_do_not_go_as_uploads(store, files, submit, finish):
    job = submit()
    finish("a.txt")
    pass_days(store.database, 8)
    assert files.expire(job.owner_id, WEEK) == (0, None)
    assert len(results_of(store, job.id)) == 1


def test_the_walk_through_the_files_goes_on_where_it_was_and_past_what_is_read(store, files, submit, upload):
    read = [upload() for _ in range(3)]
    unread = upload()
    job = submit(inputs=read)
    pass_days(store.database, 8)
    upload()
    gone, after = files.expire(job.owner_id, WEEK, limit=2)
    assert (gone, after) == (0, read[1])
    assert files.expire(job.owner_id, WEEK, after=after, limit=2) == (1, unread)
    assert files.expire(job.owner_id, WEEK, after=unread, limit=2) == (0, None)


def test_whose_things_are_not_kept_for_ever(store, submit, finish, upload, monkeypatch):
    accounts = AccountStore(store.database)
    ada, bob, eve = (owner(store.database, name) for name in ("ada", "bob", "eve"))
    accounts.set_limits(bob, {"keep_days": 2.5})
    accounts.set_limits(eve, {"keep_days": 0})
    assert [(o.owner_id, o.seconds) for o in store.keeping()] == [(bob, 2.5 * DAY)]

    monkeypatch.setenv("ATELIER_KEEP_DAYS", "7")
    submit()
    finish("a.txt")
    found = store.keeping()
    assert [(o.owner_id, o.seconds, o.results, o.files) for o in found] == [
        (ada, WEEK, False, False),
        (bob, 2.5 * DAY, False, False),
    ]
    pass_days(store.database, 8)
    upload("bob")
    assert [(o.results, o.files) for o in store.keeping()] == [(True, True), (False, False)]
    assert [o.owner_id for o in store.keeping(after=ada, limit=1)] == [bob]


def test_when_a_result_expires(store, submit, finish):
    job = submit()
    assert expires_at(store.get(job.id), 7) is None, "not before it ended"
    row = finish("a.txt")
    assert expires_at(row, 0) is None
    assert (expires_at(row, 7) - row.finished_at).days == 7
    pass_days(store.database, 8)
    store.expire_results(job.owner_id, WEEK)
    assert expires_at(store.get(job.id), 7) is None


def test_a_lost_attempt_s_folder_is_looked_through_again_when_its_job_has_ended(store, files, submit):
    job = submit()
    (zombie,) = store.claim("wrk_1", "cpu", engines=["echo"], lease_seconds=-1)
    store.expire_leases()
    store.abandoned(job.id)
    assert folders(files) == [], "its second attempt may be storing outputs there"

    (row,) = store.claim("wrk_2", "cpu", engines=["echo"], lease_seconds=60)
    store.succeed(job.id, row.attempt, [])
    with pytest.raises(LeaseLost):
        store.succeed(job.id, zombie.attempt, [])
    store.abandoned(job.id)
    assert folders(files) == [f"jobs/{job.id}"]
    store.delete(job.id, None)
    store.abandoned(job.id)
    assert folders(files).count(f"jobs/{job.id}") == 3, "each: the first, the deletion, the last"


def test_a_key_outside_its_file_s_folder_is_refused(files, database):
    file_id = files.reserve()
    stray = NewArtifact("a.png", "files/art_other/a.png", "image/png", 1, "0" * 64)
    with pytest.raises(ValueError, match="own folder"):
        files.add(file_id, owner(database), stray)


def test_whoever_is_just_taking_a_result_as_an_input_keeps_it(postgres_database):
    """A submission that has not committed yet: the expiry neither waits for it nor takes its input away."""
    from jobs.store import JobStore, NewJob  # noqa: PLC0415

    store = JobStore(postgres_database)
    owner_id = owner(postgres_database)
    values = {"owner_id": owner_id, "engine": "echo", "queue": "cpu", "params": {}, "seed": 1}
    made, _ = store.submit(NewJob(**values))
    (row,) = store.claim("wrk_1", "cpu", engines=["echo"], lease_seconds=60)
    key = f"jobs/{made.id}/1/out/a.txt"
    store.succeed(made.id, row.attempt, [NewArtifact("a.txt", key, "text/plain", 1, "0" * 64)])
    result_id = results_of(store, made.id)[0].id
    pass_days(postgres_database, 8)
    reader, _ = store.submit(NewJob(**values))
    with postgres_database.engine.begin() as connection:
        connection.execute(insert(JobInput).values(job_id=reader.id, artifact_id=result_id))
        assert store.expire_results(owner_id, WEEK) == []
    assert store.expire_results(owner_id, WEEK) == [], "committed: now it is seen"
    assert len(results_of(store, made.id)) == 1


def explained(database, run, marks):
    """The plans of the statements that `run` executes and that have one of these words."""
    plans = []
    before = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "

    def explain(connection, _cursor, statement, parameters, _context, _many):
        if any(mark in statement for mark in marks):
            cursor = connection.connection.cursor()
            cursor.execute(before + statement, parameters)
            plans.append("\n".join(str(row) for row in cursor.fetchall()))
            cursor.close()

    event.listen(database.engine, "before_cursor_execute", explain)
    try:
        run()
    finally:
        event.remove(database.engine, "before_cursor_execute", explain)
    return plans


@pytest.fixture
def many(store):
    """20,000 jobs and files of 50 owners, who keep them for different times; a tenth of it is due."""
    owners = [owner(store.database, f"o{n}") for n in range(50)]
    accounts = AccountStore(store.database)
    for n, owner_id in enumerate(owners):
        accounts.set_limits(owner_id, {"keep_days": 5 + n})
    common = {"engine": "echo", "queue": "cpu", "params": {}, "seed": 1, "attempt": 1}

    def fill(connection):
        for days in range(0, 10):
            connection.execute(
                insert(Job).values(created_at=now(), finished_at=now(-days * DAY)),
                [
                    common
                    | {
                        "id": f"job_{days}{n:031x}",
                        "owner_id": owners[n % 50],
                        "state": "succeeded",
                        "data_removed": n % 3 == 0,
                    }
                    for n in range(2000)
                ],
            )
            connection.execute(
                insert(Artifact).values(created_at=now(-days * DAY)),
                [
                    {
                        "id": f"art_{9 - days}{n:031x}",
                        "owner_id": owners[n % 50],
                        "job_id": None if n % 2 else f"job_{days}{n:031x}",
                        "name": "a",
                        "key": f"files/{days}/{n}",
                        "media_type": "text/plain",
                        "size": 1,
                        "sha256": "0" * 64,
                        "meta": {},
                    }
                    for n in range(2000)
                ],
            )

        connection.execute(
            insert(JobInput),
            [
                {"job_id": f"job_{days}{n + 1:031x}", "artifact_id": f"art_{days}{n:031x}"}
                for days in range(10)
                for n in range(1999)
            ],
        )

    store.database.write(fill)
    with store.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    return owners


WHOLE = r"Seq Scan on (jobs|artifacts|job_inputs)|SCAN (jobs|artifacts|job_inputs|reader|result)\b(?! USING)"


def test_the_expiry_stays_on_its_indexes(store, files, many):
    found = []
    (asking,) = explained(store.database, lambda: found.extend(store.keeping()), ["keep_days"])
    assert not re.search(WHOLE, asking), asking
    assert "ix_jobs_kept" in asking, asking
    # Owners that keep for 5 to 9 days have something that is older, the others have not.
    assert [o.results for o in found] == [True] * 5 + [False] * 45

    plans = explained(
        store.database, lambda: store.expire_results(many[0], 5 * DAY), ["FOR UPDATE", "NOT jobs"]
    )
    due = plans[0]
    assert "ix_jobs_kept" in due, due
    assert re.search(r"finished_at\)? ?<", due), f"searched by the time, not filtered: {due}"
    for plan in plans:
        assert not re.search(WHOLE, plan), plan

    walks = explained(store.database, lambda: files.expire(many[0], 5 * DAY), ["job_inputs"])
    for plan in walks:
        assert not re.search(WHOLE, plan), plan


def test_a_folder_is_looked_through_by_its_id(files, many):
    assert many
    keys = [f"jobs/job_{0}{n:031x}/1/a" for n in range(3)] + [f"files/art_{0}{n:031x}/a" for n in range(3)]
    (plan,) = explained(files.database, lambda: files.unreferenced(keys), ["artifacts"])
    assert not re.search(WHOLE, plan), plan
