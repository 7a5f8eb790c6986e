"""What is not kept for ever goes in bounded turns, an owner at a time."""

from __future__ import annotations

import pytest

from jobs.files import FileStore
from jobs.store import JobStore, NewArtifact, NewJob
from tests.jobs.ageing import pass_days
from tests.jobs.conftest import owner
from workers import expiry
from workers.expiry import Expiry, OldAnswers, OldCodes, OldMessages


def submit(database, owner_id):
    new = NewJob(owner_id=owner_id, engine="e", queue="cpu", params={}, seed=1)
    return JobStore(database).submit(new)[0]


def test_a_backlog_of_what_is_due_is_worked_off_in_bounded_turns(sqlite_database, monkeypatch):
    monkeypatch.setenv("ATELIER_KEEP_DAYS", "7")
    monkeypatch.setattr(expiry, "RESULTS_AT_ONCE", 2)
    monkeypatch.setattr(expiry, "TURNS", 2)
    monkeypatch.setattr(expiry, "FILES_AT_ONCE", 2)
    monkeypatch.setattr(expiry, "OWNERS_AT_ONCE", 1)
    store, files = JobStore(sqlite_database), FileStore(sqlite_database)
    for name in ("bob", "eve"):
        for _ in range(5):
            submit(sqlite_database, owner(sqlite_database, name))
            (row,) = store.claim("wrk_1", "cpu", engines=["e"], lease_seconds=60)
            store.succeed(row.id, row.attempt, [])
            file_id = files.reserve()
            made = NewArtifact("a.png", f"files/{file_id}/a.png", "image/png", 1, "0" * 64)
            files.add(file_id, row.owner_id, made)
    pass_days(sqlite_database, 8)
    look = Expiry(store, files).look

    assert look(), "two turns of two for each owner: there is more"
    removed = [row.owner_id for row in store.page(None, limit=100) if row.data_removed]
    assert sorted(map(removed.count, set(removed))) == [4, 4]
    while look():
        pass
    assert all(row.data_removed for row in store.page(None, limit=100))
    assert files.walk() == []


class Counted:
    """Deliveries or link codes, of which so many are due."""

    def __init__(self, due: int) -> None:
        self.due = due
        self.limits: list[int] = []

    def forget(self, *, limit):
        return self.expire_codes(limit=limit) == limit

    def expire(self, *, limit):
        return self.expire_codes(limit=limit)

    def expire_codes(self, *, limit):
        self.limits.append(limit)
        gone = min(self.due, limit)
        self.due -= gone
        return gone


@pytest.mark.parametrize(("due", "turns", "more"), [(0, 1, False), (5, 3, False), (7, 3, True)])
def test_old_messages_go_in_so_many_turns_at_most(monkeypatch, due, turns, more):
    monkeypatch.setattr(expiry, "MESSAGES_AT_ONCE", 2)
    monkeypatch.setattr(expiry, "MESSAGE_TURNS", 3)
    deliveries = Counted(due)
    assert OldMessages(deliveries).look() is more
    assert deliveries.limits == [2] * turns


@pytest.mark.parametrize(("due", "more"), [(1, False), (2, True), (3, True)])
def test_kept_answers_go_in_one_turn(monkeypatch, due, more):
    monkeypatch.setattr(expiry, "ANSWERS_AT_ONCE", 2)
    answers = Counted(due)
    assert OldAnswers(answers).look() is more
    assert answers.limits == [2]


@pytest.mark.parametrize(("due", "more"), [(1, False), (2, True), (3, True)])
def test_link_codes_go_in_one_turn(monkeypatch, due, more):
    monkeypatch.setattr(expiry, "CODES_AT_ONCE", 2)
    codes = Counted(due)
    assert OldCodes(codes).look() is more
    assert codes.limits == [2]
