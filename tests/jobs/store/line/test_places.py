"""Where many jobs stand at once: the same as each of them is told alone, in a few statements."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import event, insert, text

from accounts.store import AccountStore
from jobs.models import Job
from jobs.states import Priority
from jobs.store import Wanted
from jobs.store.line import places
from tests.jobs.conftest import owner


@pytest.fixture
def crowd(store, submit):
    """Jobs of every kind: two queues, three owners, all priorities, capped, held, running, canceled, done."""
    owners = {name: owner(store.database, name) for name in ("ann", "bob", "cap")}
    AccountStore(store.database).set_limits(owners["cap"], {"max_running": 2})
    ids = []
    for number in range(30):
        name = ("ann", "bob", "cap")[number % 3]
        values = {"owner_id": owners[name], "queue": ("cpu", "gpu")[number % 4 == 3]}
        ids.append(submit(**values, priority=list(Priority)[number % 5 % 3], held=number == 7).id)
    (done, running) = (store.claim("wrk_1", "cpu", engines=["echo"], lease_seconds=60)[0] for _ in range(2))
    store.succeed(done.id, done.attempt, [])
    store.cancel(ids[20], None)
    assert running.state == "running"
    return ids


def alone(store, rows):
    """What each is told when it is asked for by itself."""
    return {row.id: store.position(row) for row in rows if row.state == "queued" and row.hold != "owner"}


def rows_of(store, ids):
    return store.page(None, Wanted(ids=ids), limit=len(ids))


def test_together_they_stand_where_each_stands_alone(store, crowd):
    rows = rows_of(store, crowd)
    assert {row.hold for row in rows if row.state == "queued"} == {None, "behind", "owner"}
    found = store.positions(rows)
    assert found == alone(store, rows)
    assert 24 < len(found) < 29
    assert store.positions([row for row in rows if row.id not in found]) == {}
    assert store.positions([]) == {}


def test_far_back_the_number_is_the_largest_that_is_counted(store, crowd, monkeypatch):
    limit = 4
    small = {"_LINE": places._LINE.limit(limit - 1), "MAX_POSITION": limit}
    for name, value in small.items():
        monkeypatch.setattr(places, name, value)
    rows = rows_of(store, crowd)
    found = store.positions(rows)
    assert found == {job_id: min(place, limit) for job_id, place in alone(store, rows).items()}
    assert list(found.values()).count(limit) > 10


def test_a_job_that_was_taken_or_deleted_since_it_was_read_stands_where_it_stood(store, crowd):
    rows = rows_of(store, crowd)
    before = store.positions(rows)
    first = next(row for row in rows if before.get(row.id) == 1 and row.hold is None)
    behind = next(row for row in rows if row.hold == "behind")
    store.claim("wrk_2", first.queue, engines=["echo"], lease_seconds=60)
    store.delete(behind.id, None)
    after = store.positions(rows)
    assert after[first.id] == 1
    assert 1 < after[behind.id] <= before[behind.id]


def test_the_number_of_statements_does_not_grow_with_the_jobs(store, crowd):
    rows = rows_of(store, crowd)
    said = []
    event.listen(store.database.engine, "before_cursor_execute", lambda *a: said.append(a[2]))
    store.positions(rows)
    assert len(said) == 3, "a line each, and those behind"


def test_only_these_are_listed_newest_first(store, submit, crowd):
    others = owner(store.database, "eve")
    theirs = submit(owner_id=others).id
    wanted = [crowd[3], theirs, crowd[11], crowd[3], "job_" + "0" * 32]
    assert [row.id for row in rows_of(store, wanted)] == [theirs, crowd[11], crowd[3]]
    assert [row.id for row in store.page(others, Wanted(ids=wanted))] == [theirs]


def test_a_long_line_is_read_along_its_index(store):
    """20,000 in line and 20,000 behind it; each of them may be asked for."""
    owner_id = owner(store.database)
    rows = [
        {
            "id": f"job_{n:032x}", "owner_id": owner_id, "engine": "echo", "queue": "cpu", "state": "queued",
            "turn": None if n % 2 else n // 100, "hold": "behind" if n % 2 else None, "place": float(n),
            "params": {}, "seed": 1,
        }
        for n in range(40_000)
    ]  # fmt: skip
    store.database.write(lambda c: c.execute(insert(Job), rows))
    with store.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    asked = rows_of(store, [f"job_{n:032x}" for n in (0, 4, 1, 3, 39_999)])
    plans = []
    before = "EXPLAIN QUERY PLAN " if store.database.is_sqlite else "EXPLAIN "

    def explain(connection, _cursor, statement, parameters, _context, _many):
        cursor = connection.connection.cursor()
        cursor.execute(before + statement, parameters)
        plans.append("\n".join(str(row) for row in cursor.fetchall()))
        cursor.close()

    event.listen(store.database.engine, "before_cursor_execute", explain)
    found = store.positions(asked)

    assert [found[f"job_{n:032x}"] for n in (0, 4)] == [1, 3]
    assert {found[f"job_{n:032x}"] for n in (1, 3, 39_999)} == {places.MAX_POSITION}
    in_line, behind = plans
    assert "ix_jobs_line" in in_line, in_line
    assert "ix_jobs_behind" in behind, behind
    for plan in plans:
        assert not re.search("Seq Scan|SCAN jobs|SCAN own|TEMP B-TREE|Sort", plan), plan
