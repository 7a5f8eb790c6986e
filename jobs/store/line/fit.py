"""Which owners have jobs behind the line that could move up, or more in line than their cap allows.

One statement for many owners, which takes no lock and counts no further than it must. What it finds is looked
at again, owner by owner, under their lock (`jobs.store.line.admitting.refit`).
"""

from __future__ import annotations

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Executable,
    RowMapping,
    bindparam,
    func,
    literal_column,
    select,
)

from jobs.models import User
from jobs.states import Priority
from jobs.store.line import admitting
from jobs.store.line.own import OWN, OWN_BEHIND, OWN_IN_LINE, OWN_RUNNING, up_to, whose

#: At most so many are counted of each priority in line, and of those that run. Under a larger cap there may
#: seem to be room where there is none: `refit` counts to the end.
_COUNTED = 1000

_ONE: ColumnElement[int] = literal_column("1")


def _pairs() -> CTE:
    """(owner, queue) of the next owners with jobs behind the line, by leaps through its index."""
    first = select(func.min(OWN.c.owner_id)).where(OWN_BEHIND, OWN.c.owner_id > bindparam("after"))
    owners = select(first.scalar_subquery().label("id")).cte("owners", recursive=True)
    following = select(func.min(OWN.c.owner_id)).where(OWN_BEHIND, OWN.c.owner_id > owners.c.id)
    owners = owners.union_all(select(following.scalar_subquery()).where(owners.c.id.is_not(None)))
    some = select(owners.c.id).where(owners.c.id.is_not(None)).limit(bindparam("most")).subquery("some")

    queue = select(func.min(OWN.c.queue)).where(OWN_BEHIND, OWN.c.owner_id == some.c.id)
    pairs = select(some.c.id.label("owner_id"), queue.scalar_subquery().label("queue"))
    found = pairs.cte("pairs", recursive=True)
    following = select(func.min(OWN.c.queue)).where(
        OWN_BEHIND, OWN.c.owner_id == found.c.owner_id, OWN.c.queue > found.c.queue
    )
    return found.union_all(
        select(found.c.owner_id, following.scalar_subquery()).where(found.c.queue.is_not(None))
    )


def _statement() -> Executable:
    pairs = _pairs()
    # Literals: within a subquery that counts, SQLAlchemy would select from `pairs` once more.
    owner_id: ColumnElement[str] = literal_column("pairs.owner_id")
    queue: ColumnElement[str] = literal_column("pairs.queue")
    standing = [
        column
        for p in Priority
        for column in (
            # Counted, not EXISTS: of that PostgreSQL would make a table of everybody's.
            up_to(_ONE, whose(owner_id, queue, int(p)), OWN_BEHIND).label(f"behind_{p.name}"),
            up_to(bindparam("counted"), whose(owner_id, queue, int(p)), OWN_IN_LINE).label(
                f"in_line_{p.name}"
            ),
        )
    ]
    return (
        select(
            pairs.c.owner_id,
            select(User.max_running).where(User.id == owner_id).scalar_subquery().label("max_running"),
            up_to(bindparam("counted"), whose(owner_id, queue), OWN_RUNNING).label("running"),
            *standing,
        )
        .where(pairs.c.queue.is_not(None))
        .order_by(pairs.c.owner_id)
    )


_STANDING = _statement()


def who_does_not_fit(connection: Connection, after: str, limit: int) -> tuple[list[str], list[str]]:
    """The next `limit` owners `after` an owner id who have jobs behind the line, and those to refit."""
    values = {"after": after, "most": limit, "counted": _COUNTED}
    pairs = connection.execute(_STANDING, values).mappings().all()
    seen = list(dict.fromkeys(pair["owner_id"] for pair in pairs))
    return seen, list(dict.fromkeys(pair["owner_id"] for pair in pairs if not _fits(pair)))


def _fits(here: RowMapping) -> bool:
    """Whether an owner's jobs in a queue stand where they should."""
    in_line = sum(here[f"in_line_{p.name}"] for p in Priority)
    # Of the priorities that anybody waits at.
    shortest = min(here[f"in_line_{p.name}"] for p in Priority if here[f"behind_{p.name}"])
    cap = admitting.cap_of(here["max_running"])
    if not cap:
        return bool(shortest >= admitting.LINE // 2)  # a claim refills it when less than half is left
    active = in_line + here["running"]
    return active == cap or (active > cap and not in_line) or (active < cap and shortest >= admitting.LINE)
