"""What a claim does beside its one statement stays on the indexes too."""

from __future__ import annotations

import pytest
from sqlalchemy import event, insert, text

from jobs.database import Database
from jobs.migrate import migrate
from jobs.models import Job
from jobs.store import JobStore, NewJob
from tests.jobs.conftest import owner

JOBS = 20_000


@pytest.fixture
def crowded(database):
    """A long line, of which only the third job is for the model that the worker has loaded."""
    owner_id = owner(database, "a")
    rows = [
        {
            "id": f"job_{n:032x}", "owner_id": owner_id, "engine": "echo", "queue": "cpu", "state": "queued",
            "turn": n // 100, "model": "loaded" if n == 2 else "other", "params": {}, "seed": 1,
        }
        for n in range(JOBS)
    ]  # fmt: skip
    database.write(lambda c: c.execute(insert(Job), rows))
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    return JobStore(database)


def test_passing_over_reads_no_more_of_the_line_than_is_passed_over(crowded):
    """Bounded by turn and id together: by each alone, or with an OR, it reads the line to its end."""
    plans = []
    before = "EXPLAIN QUERY PLAN " if crowded.database.is_sqlite else "EXPLAIN "

    def explain(connection, _cursor, statement, parameters, _context, _many):
        if "SET passed_at" in statement:
            cursor = connection.connection.cursor()
            cursor.execute(before + statement, parameters)
            plans.append("\n".join(str(row) for row in cursor.fetchall()))
            cursor.close()

    event.listen(crowded.database.engine, "before_cursor_execute", explain)
    try:
        (taken,) = crowded.claim("wrk_1", "cpu", engines=["echo"], models=["loaded"], lease_seconds=60)
    finally:
        event.remove(crowded.database.engine, "before_cursor_execute", explain)

    assert taken.id.endswith("2")
    assert [crowded.get(f"job_{n:032x}").passed_at is not None for n in (0, 1, 3)] == [True, True, False]
    (plan,) = plans
    if crowded.database.is_sqlite:
        assert "ix_jobs_line (queue=? AND (turn,id)<(?,?))" in plan, plan
    else:
        assert "ix_jobs_line" in plan, plan
        assert "ROW(turn, (id)::text) < ROW(" in plan.split("Filter:")[0], plan


def test_a_plan_made_while_the_tables_are_empty_never_reads_them_whole(postgres):
    """It is kept until they are analysed: a worker that had started first read all jobs at each claim."""
    database = Database(postgres.create("never_analysed"))
    migrate(database)
    plans = []

    def explain(connection, _cursor, statement, parameters, _context, many):
        if not many and statement.startswith(("WITH", "SELECT", "UPDATE", "INSERT")):
            cursor = connection.connection.cursor()
            cursor.execute("EXPLAIN " + statement, parameters)
            plans.append(statement + "\n" + "\n".join(str(row) for row in cursor.fetchall()))
            cursor.close()

    event.listen(database.engine, "before_cursor_execute", explain)
    store = JobStore(database)
    new = NewJob(owner_id=owner(database), engine="echo", queue="cpu", params={}, seed=1)
    store.submit(new)
    (job,) = store.claim("wrk_1", "cpu", engines=["echo"], lease_seconds=60)
    store.succeed(job.id, job.attempt, [])
    database.close()

    assert any("WITH front" in plan for plan in plans)
    assert [plan for plan in plans if "Seq Scan on jobs" in plan] == []
