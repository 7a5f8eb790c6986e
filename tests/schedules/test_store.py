"""Schedules as their owners and the sweeper see them, on both databases."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from jobs.errors import Conflict, InUse, NotFound
from jobs.files import FileStore
from jobs.models import Artifact
from jobs.store import JobStore, NewArtifact, NewJob
from schedules.store import MAX_REFUSALS, MAX_SCHEDULES
from tests.jobs.ageing import pass_days
from tests.jobs.conftest import owner
from tests.schedules.conftest import DAILY, NOON

LATER = NOON + timedelta(days=1)


def upload(database, owner_id):
    files = FileStore(database)
    file_id = files.reserve()
    files.add(file_id, owner_id, NewArtifact("a.png", f"files/{file_id}/a.png", "image/png", 1, "0" * 64))
    return file_id


def test_a_schedule_lives_from_creation_to_deletion(bench):
    made = bench.create()

    assert (made.owner_id, made.next_at, made.paused_at, made.refusals) == (bench.owner_id, NOON, None, 0)
    assert (made.params, made.options) == ({"text": "hi"}, {})
    assert bench.store.get(made.id, bench.owner_id) == made
    bench.store.delete(made.id, bench.owner_id)
    with pytest.raises(NotFound):
        bench.store.delete(made.id, bench.owner_id)


def test_nobody_reaches_another_s(bench):
    bob, made = owner(bench.database, "bob"), bench.create()

    assert bench.store.page(bob) == []
    for attempt in (
        lambda: bench.store.get(made.id, bob),
        lambda: bench.store.pause(made.id, bob),
        lambda: bench.store.resume(made.id, bob, NOON),
        lambda: bench.store.change(made.id, bob, DAILY, NOON),
        lambda: bench.store.delete(made.id, bob),
    ):
        with pytest.raises(NotFound):
            attempt()
    assert bench.store.get(made.id) == made


def test_pages_are_newest_first(bench):
    made = [bench.create().id for _ in range(3)]

    first = bench.store.page(bench.owner_id, limit=2)
    assert [row.id for row in first] == made[:0:-1]
    assert [row.id for row in bench.store.page(bench.owner_id, before=first[-1].id)] == made[:1]


def test_there_is_a_limit_also_for_requests_at_once(bench):
    for _ in range(MAX_SCHEDULES - 1):
        bench.create()
    results = []

    def create():
        try:
            results.append(bench.create().id[:3])
        except Conflict as error:
            results.append(error.problem_code)

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(results) == ["sch", *["too_many_schedules"] * 3]
    assert bench.create(owner_id=owner(bench.database, "bob"))


def test_a_paused_one_is_not_due_until_it_is_resumed(bench):
    made = bench.create()
    bench.due(made)

    paused = bench.store.pause(made.id, bench.owner_id)
    assert paused.next_at is None
    assert bench.store.due() == []
    assert bench.store.pause(made.id, bench.owner_id) == paused

    resumed = bench.store.resume(made.id, bench.owner_id, LATER)
    assert (resumed.next_at, resumed.paused_at) == (LATER, None)
    assert bench.store.resume(made.id, bench.owner_id, NOON) == resumed


def test_a_change_keeps_a_paused_one_paused_and_forgets_what_was_refused(bench):
    made = bench.create()
    bench.store.refused(bench.due(made), NOON, "invalid_params", "No.", LATER)
    other = replace(DAILY, name="Other", cron="0 13 * * *", params={"text": "ho"})

    changed = bench.store.change(made.id, bench.owner_id, other, NOON)
    assert (changed.name, changed.params, changed.next_at) == ("Other", {"text": "ho"}, NOON)
    assert (changed.refusals, changed.error_code) == (0, None)

    bench.store.pause(made.id, bench.owner_id)
    assert bench.store.change(made.id, bench.owner_id, DAILY, NOON).next_at is None


def test_the_one_that_waits_longest_is_first(bench):
    rows = [bench.create() for _ in range(3)]
    bench.create()
    for row, seconds in zip(rows, (5, 50, 500), strict=True):
        bench.due(row, seconds)

    found = bench.store.due()
    assert [row.id for row in found] == [row.id for row in reversed(rows)]
    assert all(row.looked_at > row.next_at for row in found)
    assert len(bench.store.due(limit=2)) == 2


def test_only_the_first_to_say_what_became_of_a_due_time_moves_it_on(bench):
    due = bench.due(bench.create())

    bench.store.made(due, due.next_at, "job_1", LATER)
    bench.store.made(due, due.next_at, "job_2", NOON)
    bench.store.missed(due, due.next_at, "Late.", NOON)

    row = bench.store.get(due.id)
    assert (row.next_at, row.last_at, row.last_job_id) == (LATER, due.next_at, "job_1")
    assert row.error_code is None


def test_one_that_is_paused_as_it_fires_stays_paused(bench):
    due = bench.due(bench.create())
    bench.store.pause(due.id, bench.owner_id)
    bench.store.made(due, due.next_at, "job_1", LATER)
    assert bench.store.get(due.id).next_at is None


def test_after_some_refusals_in_a_row_it_pauses_itself(bench):
    made = bench.create()
    for n in range(MAX_REFUSALS):
        assert bench.store.get(made.id).paused_at is None
        bench.store.refused(bench.due(made), NOON, "invalid_params", f"No {n}.", LATER)

    row = bench.store.get(made.id)
    assert row.paused_at is not None
    assert (row.next_at, row.refusals) == (None, MAX_REFUSALS)
    assert (row.error_code, row.error_detail) == ("invalid_params", f"No {MAX_REFUSALS - 1}.")
    assert bench.store.resume(made.id, bench.owner_id, LATER).refusals == 0


def test_a_job_or_a_miss_between_them_is_no_refusal(bench):
    made = bench.create()
    bench.store.refused(bench.due(made), NOON, "invalid_params", "No.", LATER)
    bench.store.missed(bench.due(made), NOON, "Late.", LATER)
    assert bench.store.get(made.id).refusals == 1

    bench.store.made(bench.due(made), NOON, "job_1", LATER)
    assert (bench.store.get(made.id).refusals, bench.store.get(made.id).error_code) == (0, None)


def test_what_is_due_never_again_pauses(bench):
    due = bench.due(bench.create())
    bench.store.made(due, due.next_at, "job_1", None)
    assert bench.store.get(due.id).paused_at is not None


def test_an_upload_that_a_schedule_reads_is_kept_while_it_is_there(bench):
    # given
    files = FileStore(bench.database)
    read, unread = upload(bench.database, bench.owner_id), upload(bench.database, bench.owner_id)
    made = bench.create(inputs=[read, read])
    bench.store.pause(made.id, bench.owner_id)
    pass_days(bench.database, 60)
    # when
    gone, _ = files.expire(bench.owner_id, 30 * 86400.0)
    # then
    assert gone == 1
    assert set(files.get_many([read, unread], bench.owner_id)) == {read}
    with pytest.raises(InUse):
        files.delete(read, bench.owner_id)
    # until the schedule reads another, or goes
    bench.store.change(made.id, bench.owner_id, DAILY, NOON)
    files.delete(read, bench.owner_id)


def test_a_result_that_a_schedule_reads_is_kept_with_its_job(bench):
    # given
    jobs = JobStore(bench.database)
    row, _ = jobs.submit(NewJob(bench.owner_id, "echo", "cpu", params={}, seed=1))
    jobs.cancel(row.id, bench.owner_id)
    result = upload(bench.database, bench.owner_id)
    bench.database.write(
        lambda c: c.execute(update(Artifact).where(Artifact.id == result).values(job_id=row.id))
    )
    made = bench.create(inputs=[result])
    pass_days(bench.database, 60)
    # when, then
    assert jobs.expire_results(bench.owner_id, 30 * 86400.0) == []
    with pytest.raises(InUse):
        jobs.delete(row.id, bench.owner_id)
    bench.store.delete(made.id, bench.owner_id)
    assert jobs.expire_results(bench.owner_id, 30 * 86400.0) == [row.id]


def test_a_file_that_is_gone_makes_no_schedule(bench):
    with pytest.raises(NotFound):
        bench.create(inputs=["art_" + "0" * 32])
    assert bench.store.page(bench.owner_id) == []
