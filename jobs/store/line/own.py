"""An owner's jobs in a queue, beside the one that a statement is about: which they are, and how many."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    ScalarSelect,
    and_,
    bindparam,
    func,
    literal_column,
    select,
)

from jobs.models import Job

JOBS = Job.__table__
OWN = Job.__table__.alias("own")

# Literals, not bound values: a partial index serves only a query whose predicate is known when it is planned.
# By the index that an owner's turns have, and not as `jobs.store.statements` asks of a whole queue.
OWN_IN_LINE = and_(OWN.c.state == literal_column("'queued'"), OWN.c.turn.is_not(None))
OWN_RUNNING = and_(OWN.c.state == literal_column("'running'"), OWN.c.turn.is_not(None))
OWN_BEHIND = and_(OWN.c.state == literal_column("'queued'"), OWN.c.hold == literal_column("'behind'"))

of_owner: BindParameter[str] = bindparam("of_owner")
in_queue: BindParameter[str] = bindparam("in_queue")
of_priority: BindParameter[int] = bindparam("of_priority")
#: Names a flow, for the parameters of statements about it.
FlowKey = dict[str, Any]


def whose(
    owner: ColumnElement[str], queue: ColumnElement[str], priority: ColumnElement[int] | int | None = None
) -> ColumnElement[bool]:
    """The jobs of an owner in a queue, at all priorities or one."""
    found = and_(OWN.c.owner_id == owner, OWN.c.queue == queue)
    return found if priority is None else and_(found, OWN.c.priority == priority)


def up_to(
    limit: ColumnElement[int] | int,
    *conditions: ColumnElement[bool],
    of: ColumnElement[str] = OWN.c.id,
) -> ScalarSelect[int]:
    """How many there are, counted no further than that; `of`: a column that the index for it has."""
    found = select(of).where(*conditions).limit(limit).subquery()
    return select(func.count()).select_from(found).scalar_subquery()


def its(column: str) -> ColumnElement[Any]:
    """A column of the row that RETURNING tells of; in it SQLAlchemy leaves out the table's name on SQLite."""
    return literal_column(f"jobs.{column}")
