"""The facts of many jobs, read in few statements."""

from __future__ import annotations

import pytest

from jobs.store import JobRow, JobStore, follower


@pytest.fixture
def reads(store, monkeypatch) -> list[int]:
    """One entry for each statement that is read from now on."""
    made: list[int] = []
    read = store.database.read
    monkeypatch.setattr(store.database, "read", lambda work: (made.append(1), read(work))[1])
    return made


def claim(store: JobStore) -> JobRow:
    (row,) = store.claim("wrk_1", "cpu", engines=["echo"], lease_seconds=60)
    return row


def test_facts_are_the_job_and_how_it_came_there(store, submit):
    job, waiting = submit(), submit()
    row = claim(store)
    store.beat(row.id, row.attempt, lease_seconds=60, progress=0.5, message="half")
    found = store.facts([job.id, waiting.id, "job_none"])
    assert found.keys() == {job.id, waiting.id}
    assert (found[job.id].row.version, found[job.id].row.progress, found[job.id].row.message) == (
        3,
        0.5,
        "half",
    )
    assert [(e.version, e.state) for e in found[job.id].events] == [(1, "queued"), (2, "running")]
    assert [(e.version, e.state) for e in found[waiting.id].events] == [(1, "queued")]


def test_many_jobs_are_asked_for_in_chunks(store, submit, reads, monkeypatch):
    monkeypatch.setattr(follower, "CHUNK", 2)
    ids = [submit().id for _ in range(5)]
    reads.clear()
    assert store.versions(ids) == dict.fromkeys(ids, 1)
    assert len(reads) == 3
    assert list(store.facts(ids)) == ids
    assert len(reads) == 3 + 3 + 3
    assert store.versions([]) == {}
    assert store.facts([]) == {}
    assert len(reads) == 9


def test_more_jobs_than_a_statement_takes(store, submit):
    job = submit()
    assert store.versions([job.id] + [f"job_{n}" for n in range(70_000)]) == {job.id: 1}


def test_a_change_between_the_two_statements_is_left_for_the_next_time(store, submit, monkeypatch):
    job = submit()
    read = store.database.read

    def interrupted(work):
        found = read(work)
        monkeypatch.setattr(store.database, "read", read)
        claim(store)
        return found

    # when the job is claimed after its row was read and before its events are
    monkeypatch.setattr(store.database, "read", interrupted)
    facts = store.facts([job.id])[job.id]
    # then neither says so
    assert (facts.row.state, [event.state for event in facts.events]) == ("queued", ["queued"])
    facts = store.facts([job.id])[job.id]
    assert (facts.row.state, [event.state for event in facts.events]) == ("running", ["queued", "running"])
