"""A backlog for the benchmarks, written straight into the tables, as the store would leave it.

Each owner sent all their jobs at once, so that jobs which are neighbours in line lie far apart on the disk:
every owner's first LINE jobs are in line, with turns 1, 2, 3..., and the others wait behind it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Float, Insert, Integer, String, case, cast, delete, insert, literal, null, select, text

from accounts.store import AccountStore
from jobs.database import Database
from jobs.models import Flow, Job, JobEvent, User
from jobs.states import Hold
from jobs.store import JobRow, JobStore, NewJob
from jobs.store.line.admitting import LINE, own_place

_JOBS: Any = Job.__table__
#: As many characters as a real id, which begins like one of long ago.
_ZERO = 10**9
_PREFIX = "0190" + 18 * "0"
#: Rows written in one transaction.
_AT_ONCE = 50_000


def owner_id(number: int) -> str:
    """The id of an owner of the backlog."""
    return f"usr_{_PREFIX}{_ZERO + number}"


def job_id(number: int) -> str:
    """The id of a job of the backlog: those of the first owner come first."""
    return f"job_{_PREFIX}{_ZERO + number}"


def new_job(owner: str, *, text: str = "x" * 400) -> NewJob:
    """A job like those of the backlog."""
    return NewJob(owner_id=owner, engine="echo", queue="cpu", params={"text": text}, seed=1)


def fill(database: Database, owners: int, each: int) -> None:
    """`owners` times `each` queued jobs of the engine echo in the queue cpu, and their events."""
    users = [{"id": owner_id(n), "name": f"owner {n}"} for n in range(owners)]
    database.write(lambda c: c.execute(insert(User), users))
    flows = [
        {"owner_id": user["id"], "queue": "cpu", "priority": 0, "turn": min(LINE, each)} for user in users
    ]
    database.write(lambda c: c.execute(insert(Flow), flows))
    store = JobStore(database)
    template, _ = store.submit(new_job(AccountStore(database).create_key("template")[1].user_id))
    for first in range(0, owners * each, _AT_ONCE):
        count = min(_AT_ONCE, owners * each - first)
        for some in (_jobs(template, first, count, each), _events(first, count)):
            database.write(lambda c, some=some: c.execute(some))  # type: ignore[misc]
    database.write(lambda c: c.execute(delete(Job).where(Job.id == template.id)))
    settle(database)


def settle(database: Database) -> None:
    """What PostgreSQL's autovacuum would have done by then."""
    if not database.is_sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("SET statement_timeout = 0"))
            connection.execute(text("VACUUM ANALYZE"))


def _jobs(template: JobRow, first: int, count: int, each: int) -> Insert:
    """The rows `first` to `first + count`, made from the template by the database itself."""
    number = select(literal(first, Integer).label("n")).cte("number", recursive=True)
    number = number.union_all(select(number.c.n + 1).where(number.c.n < first + count - 1))
    owner, nth = number.c.n // each, number.c.n % each
    own: dict[str, Any] = {
        "id": _id("job", number.c.n),
        "owner_id": _id("usr", owner),
        "turn": case((nth < LINE, nth + 1), else_=null()),
        "hold": case((nth < LINE, null()), else_=Hold.BEHIND.value),
        "place": own_place(template.created_at.timestamp(), 0) + cast(nth, Float),
    }
    rows = select(*(own.get(column.name, column).label(column.name) for column in _JOBS.c))
    rows = rows.where(_JOBS.c.id == template.id)
    return insert(_JOBS).from_select(
        [column.name for column in _JOBS.c], rows.join_from(_JOBS, number, literal(True))
    )


def _events(first: int, count: int) -> Insert:
    """That these jobs were accepted."""
    events = select(Job.id, Job.version, Job.state, Job.attempt, literal(None, String), Job.created_at)
    events = events.where(Job.id.between(job_id(first), job_id(first + count - 1)))
    return insert(JobEvent).from_select(["job_id", "version", "state", "attempt", "reason", "at"], events)


def _id(kind: str, number: Any) -> Any:
    return literal(f"{kind}_{_PREFIX}") + cast(number + _ZERO, String)
