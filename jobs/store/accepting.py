"""How a job is accepted: its place, its row, its first event and what it reads, in one transaction."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, and_, bindparam, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from jobs.errors import IdempotencyConflict, NotFound
from jobs.labels import search_text
from jobs.models import Job, JobInput, JobNetwork
from jobs.rows import JobRow
from jobs.sql import fetch_one
from jobs.states import State
from jobs.store.events import note, noting
from jobs.store.labels import tag
from jobs.store.line.admitting import own_place, stand
from jobs.store.line.turns import GIVE
from jobs.store.outbox import announce
from jobs.store.statements import JOBS, needs
from jobs.store.values import NewJob

_ACCEPT_SQLITE = sqlite.insert(JOBS).on_conflict_do_nothing().returning(JOBS)


def accept(connection: Connection, new: NewJob) -> tuple[JobRow, bool]:
    """`ClientSide.submit` within a transaction. A file or network that is gone is an IntegrityError."""
    where = stand(connection, new.owner_id, new.queue, new.priority, held=new.held)
    values = row_of(new) | {
        "hold": where.hold,
        "place": own_place(time.time(), new.priority),
        "notify": where.heard or new.webhook is not None,
    }
    made = _insert(connection, values, where.giving)
    if made is None:
        earlier = _earlier(connection, new)
        return earlier, earlier.id == new.id
    reads(connection, [new])
    if new.tags:
        tag(connection, made, new.tags)
    if made.notify:
        announce(connection, made)
    return made, True


def reads(connection: Connection, jobs: Sequence[NewJob]) -> None:
    """Note which files and networks these accepted jobs read: none of them goes while a job may need it."""
    files = [{"job_id": new.id, "artifact_id": i} for new in jobs for i in dict.fromkeys(new.inputs)]
    if files:
        connection.execute(insert(JobInput), files)
    using = [{"job_id": new.id, "sha256": sha256} for new in jobs for sha256 in dict.fromkeys(new.networks)]
    if using:
        connection.execute(insert(JobNetwork), using)


def row_of(new: NewJob) -> dict[str, Any]:
    """The columns of a new job that do not depend on what it meets."""
    return {
        "id": new.id,
        "owner_id": new.owner_id,
        "engine": new.engine,
        "queue": new.queue,
        "state": State.QUEUED.value,
        "priority": int(new.priority),
        "model": new.model or new.engine,
        "batch": new.batch,
        "batch_most": new.batch_most,
        "cost": new.cost,
        "start_by": new.start_by,
        "timeout_seconds": new.timeout_seconds,
        "webhook": dict(new.webhook) if new.webhook is not None else None,
        "params": dict(new.params),
        "seed": new.seed,
        "needs": needs(new.weights),
        "converts": new.converts,
        "request_id": new.request_id,
        "tags": list(new.tags) or None,
        "meta": dict(new.meta) or None,
        "search": search_text(new.params, new.tags, new.meta),
        "retry_of": new.retry_of,
        "idempotency_key": new.idempotency_key,
        "idempotency_hash": new.idempotency_hash,
    }


def _earlier(connection: Connection, new: NewJob) -> JobRow:
    # Either our own row, whose commit was confirmed too late to be heard, or the key's first use.
    row = connection.execute(
        select(JOBS).where(
            (Job.id == new.id)
            | and_(Job.owner_id == new.owner_id, Job.idempotency_key == new.idempotency_key)
        )
    ).first()
    if row is None:
        raise NotFound("The job with this Idempotency-Key was deleted while this request ran.")
    if row.idempotency_hash != new.idempotency_hash:
        raise IdempotencyConflict(job_id=row.id)
    return row


def _insert(
    connection: Connection, values: Mapping[str, Any], giving: Mapping[str, Any] | None
) -> JobRow | None:
    """The new row, its first event noted; None when its id or idempotency key is there already.

    `giving`: what `turns.GIVE` gives the job its turn with, if it gets one.
    """
    if connection.dialect.name != "sqlite":
        new = {f"new_{name}": value for name, value in values.items()}
        inserting = _accepting(tuple(values), giving is not None)
        return fetch_one(connection, JobRow, inserting, new | dict(giving or {}))
    turn = None if giving is None else connection.execute(GIVE["sqlite"], giving).scalar_one()
    row = fetch_one(connection, JobRow, _ACCEPT_SQLITE, {**values, "turn": turn})
    if row is not None:
        note(connection, [row])
    return row


@cache
def _accepting(names: tuple[str, ...], in_line: bool) -> Any:
    """An insertion of these columns with the job's turn and its first event: two round trips fewer."""
    values: dict[str, Any] = {name: bindparam(f"new_{name}", type_=JOBS.c[name].type) for name in names}
    if in_line:
        values["turn"] = select(GIVE["postgresql"].cte("given").c.turn).scalar_subquery()
    made = postgresql.insert(JOBS).values(values).on_conflict_do_nothing().returning(JOBS).cte("accepted")
    return select(made).add_cte(noting(made).cte("noted"))
