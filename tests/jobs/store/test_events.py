"""Every change of state is noted with the change, on both databases alike."""

from __future__ import annotations

import pytest
from sqlalchemy import bindparam, update

from jobs.rows import JobRow
from jobs.store.events import Noted, note
from jobs.store.statements import JOBS

RAISED = Noted(
    JobRow,
    update(JOBS)
    .where(JOBS.c.id.in_(bindparam("those", expanding=True)))
    .values(version=JOBS.c.version + 1)
    .returning(JOBS),
)


def noted(store, job_id):
    return [(event.version, event.state, event.attempt, event.reason) for event in store.events(job_id)]


def test_an_update_notes_each_row_as_it_is_after_it(store, submit):
    one, two, other = submit(), submit(), submit()
    rows = store.database.write(lambda c: RAISED.run(c, {"those": [one.id, two.id]}, reason="moved"))
    assert {row.id: row.version for row in rows} == {one.id: 2, two.id: 2}
    for job in (one, two):
        assert noted(store, job.id) == [(1, "queued", 0, None), (2, "queued", 0, "moved")]
    assert noted(store, other.id) == [(1, "queued", 0, None)]


def test_what_changes_nothing_notes_nothing(store, submit):
    job = submit()
    assert store.database.write(lambda c: RAISED.run(c, {"those": ["job_gone"]})) == []
    store.database.write(lambda c: note(c, [], "moved"))
    assert len(noted(store, job.id)) == 1


def test_a_change_that_is_rolled_back_leaves_no_event(store, submit):
    job = submit()

    def broken(connection):
        RAISED.run(connection, {"those": [job.id]})
        raise KeyError("ours")

    with pytest.raises(KeyError):
        store.database.write(broken)
    assert len(noted(store, job.id)) == 1
    assert store.get(job.id).version == 1


def test_events_after_a_version(store, submit):
    job = submit()
    for _ in range(3):
        store.database.write(lambda c: RAISED.run(c, {"those": [job.id]}))
    assert [event.version for event in store.events(job.id, after=2)] == [3, 4]
