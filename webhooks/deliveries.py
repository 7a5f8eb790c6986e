"""DeliveryStore: the outbox as its dispatchers, its owners and the sweeper use it.

A delivery that is being tried stays `pending` with its `due_at` pushed ahead: a dispatcher that dies loses
nothing, and no two try the same one. `attempts` counts the tries that began, and fences what they report.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    delete,
    func,
    literal,
    literal_column,
    select,
    true,
    update,
)

from jobs.clock import now, seconds_since
from jobs.database import Database
from jobs.errors import NotFound
from jobs.models import Delivery, DeliveryAttempt, Webhook
from jobs.rows import DeliveryRow, TakenDeliveryRow, TryRow
from jobs.sql import fetch_all, fetch_one, insert_or, newest_first
from jobs.store.outbox import PATIENCE_SECONDS, host_of
from webhooks.endpoints import signing_secret

#: How long the log is kept; and of it what was told of progress, which is most of it and soon of no use.
KEEP_DAYS = 30.0
KEEP_PROGRESS_DAYS = 1.0
_DELIVERIES = Delivery.__table__
_ATTEMPTS = DeliveryAttempt.__table__
# A literal: a partial index serves only a query whose predicate is known when it is planned.
_PENDING: ColumnElement[str] = literal_column("'pending'")
_endpoint = Webhook.__table__.alias("endpoint")
#: Its endpoint, if it was to one, was not deleted. No EXISTS, which PostgreSQL may turn into a join that
#: reads the whole of a host's line; nor IS NULL, which it takes to be rare, and then sorts that line.
_ENDPOINT_THERE: ColumnElement[bool] = func.coalesce(
    select(_endpoint.c.deleted_at.is_(None))
    .where(_endpoint.c.id == _DELIVERIES.c.webhook_id)
    .correlate(_DELIVERIES)
    .scalar_subquery(),
    true(),
)
_DELETED_ENDPOINT = (
    select(Webhook.id).where(Webhook.deleted_at.is_not(None)).order_by(Webhook.id).limit(literal_column("1"))
)


class DeliveryState(StrEnum):
    """What became of a message."""

    #: It is to be sent, for the first time or again.
    PENDING = "pending"
    #: It was answered with a 2xx.
    DELIVERED = "delivered"
    #: Given up.
    FAILED = "failed"


@dataclass(frozen=True)
class Due:
    """A message that this process is to send now."""

    id: str
    owner_id: str
    job_id: str
    event: str
    url: str
    host: str
    body: str
    secret: str
    #: Which try this is.
    number: int
    claimed_at: datetime
    #: Seconds since it was written (or redelivery was asked for), and until it is given up.
    waited: float
    left: float


def _waiting_hosts(not_of: Sequence[str] = ()) -> Select[Any]:
    """The hosts with something due of other owners than these, the one that waits longest first.

    Found by leaps through the index, from each host to the next: a million messages to one host cost no more
    than one.
    """
    first = select(func.min(_DELIVERIES.c.host).label("host")).where(_DELIVERIES.c.state == _PENDING)
    hosts = first.cte("hosts", recursive=True)
    other = _DELIVERIES.alias("other")
    following = select(func.min(other.c.host)).where(other.c.state == _PENDING, other.c.host > hosts.c.host)
    hosts = hosts.union_all(select(following.scalar_subquery()).where(hosts.c.host.is_not(None)))
    line = _DELIVERIES.alias("line")
    oldest = select(func.min(line.c.due_at)).where(line.c.state == _PENDING, line.c.host == hosts.c.host)
    if not_of:
        oldest = oldest.where(line.c.owner_id.not_in(not_of))
    fronts = select(hosts.c.host, oldest.scalar_subquery().label("due_at")).subquery()
    return select(fronts.c.host).where(fronts.c.due_at <= now()).order_by(fronts.c.due_at)


_WAITING_HOSTS = _waiting_hosts()


class DeliveryStore:
    """Messages and what became of them, in one database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    # --- for dispatchers

    def waiting_hosts(self, *, not_of: Sequence[str] = ()) -> list[str]:
        """The hosts with something due, the one that waits longest first.

        `not_of`: owners whose messages do not count.
        """
        query = _waiting_hosts(not_of) if not_of else _WAITING_HOSTS
        return self.database.read(lambda c: list(c.execute(query).scalars()))

    def claim(self, host: str, limit: int, *, lease_seconds: float, not_of: Sequence[str] = ()) -> list[Due]:
        """Take up to `limit` messages to this host that are due; nobody else gets them for `lease_seconds`.

        `not_of`: owners whose messages are left where they are.
        """
        front = (
            select(Delivery.id)
            .where(Delivery.state == _PENDING, Delivery.host == host, Delivery.due_at <= now())
            .where(_ENDPOINT_THERE)
            .order_by(Delivery.due_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        if not_of:
            front = front.where(Delivery.owner_id.not_in(not_of))
        chosen = front.cte("front")  # PostgreSQL evaluates a locking CTE once
        taking = (
            update(_DELIVERIES)
            .where(_DELIVERIES.c.id.in_(select(chosen.c.id)))
            .values(attempts=_DELIVERIES.c.attempts + 1, due_at=now(lease_seconds))
            .returning(_DELIVERIES, now().label("claimed_at"))
        )

        def work(connection: Connection) -> list[Due]:
            return [_due(connection, taken) for taken in fetch_all(connection, TakenDeliveryRow, taking)]

        # An answer that got lost leaves the messages to their lease.
        return self.database.write(work, repeatable=False, survives_power_cut=False)

    def report(
        self,
        due: Due,
        *,
        state: DeliveryState,
        seconds: float,
        status: int | None = None,
        error: str | None = None,
        again_after: float = 0.0,
    ) -> None:
        """Log a try and what follows from it; `pending` is tried again after `again_after` seconds.

        The report of a try that another one has overtaken is logged and changes nothing.
        """
        this = update(Delivery).where(
            Delivery.id == due.id, Delivery.attempts == due.number, Delivery.state == _PENDING
        )
        if state is DeliveryState.PENDING:
            following = this.values(due_at=now(again_after))
        else:
            following = this.values(state=state.value)
        # Only where there still is something to log about: its endpoint may have been deleted.
        columns = ["delivery_id", "number", "at", "status", "error", "seconds"]
        values = (due.number, due.claimed_at, status, error, seconds)
        fields = [
            literal(value, _ATTEMPTS.c[name].type) for name, value in zip(columns[1:], values, strict=True)
        ]
        log = (
            insert_or(self.database.engine, DeliveryAttempt)
            .from_select(columns, select(Delivery.id, *fields).where(Delivery.id == due.id))
            .on_conflict_do_nothing()
        )

        def work(connection: Connection) -> None:
            connection.execute(following)
            connection.execute(log)

        self.database.write(work)

    # --- for owners

    def page(
        self,
        owner_id: str,
        *,
        job_id: str | None = None,
        webhook_id: str | None = None,
        state: DeliveryState | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> list[DeliveryRow]:
        """The owner's messages, newest first; `before` is the id of the last one of the page before."""
        query = select(_DELIVERIES).where(Delivery.owner_id == owner_id, _ENDPOINT_THERE)
        query = newest_first(query, Delivery.id, before=before, limit=limit)
        if job_id is not None:
            query = query.where(Delivery.job_id == job_id)
        if webhook_id is not None:
            query = query.where(Delivery.webhook_id == webhook_id)
        if state is not None:
            query = query.where(Delivery.state == state.value)
        return self.database.read(lambda c: fetch_all(c, DeliveryRow, query))

    def get(self, owner_id: str, delivery_id: str) -> DeliveryRow:
        """One of the owner's messages. Raises NotFound."""
        this = (Delivery.id == delivery_id, Delivery.owner_id == owner_id, _ENDPOINT_THERE)
        query = select(_DELIVERIES).where(*this)
        return _found(self.database.read(lambda c: fetch_one(c, DeliveryRow, query)))

    def attempts(self, delivery_id: str) -> list[TryRow]:
        """The tries to send it that ended, first to last."""
        query = select(_ATTEMPTS).where(DeliveryAttempt.delivery_id == delivery_id)
        query = query.order_by(DeliveryAttempt.number)
        return self.database.read(lambda c: fetch_all(c, TryRow, query))

    def redeliver(self, owner_id: str, delivery_id: str) -> DeliveryRow:
        """Send it (again) now, and try for as long as a new one. Raises NotFound.

        To where its endpoint is by now: a wrong address is why many a message was given up.
        """
        this = (_DELIVERIES.c.id == delivery_id, _DELIVERIES.c.owner_id == owner_id, _ENDPOINT_THERE)
        asking = select(Webhook.url).join(_DELIVERIES, _DELIVERIES.c.webhook_id == Webhook.id).where(*this)
        again = update(_DELIVERIES).where(*this).returning(_DELIVERIES)
        again = again.values(state=DeliveryState.PENDING.value, due_at=now(), until=now(PATIENCE_SECONDS))

        def work(connection: Connection) -> DeliveryRow | None:
            url = connection.execute(asking).scalar_one_or_none()
            there = again if url is None else again.values(url=url, host=host_of(url))
            return fetch_one(connection, DeliveryRow, there)

        return _found(self.database.write(work))

    # --- for the metrics

    def backlog(self) -> tuple[int, float]:
        """How many messages are to be sent, now or later, and for how many seconds the first has been due."""
        late = func.coalesce(seconds_since(func.min(Delivery.due_at)), 0.0)
        query = select(func.count(), late).where(Delivery.state == _PENDING)
        count, seconds = self.database.read(lambda c: c.execute(query).one())
        return int(count), max(0.0, float(seconds))

    # --- for the sweeper

    def forget(
        self,
        *,
        days: float = KEEP_DAYS,
        progress_days: float = KEEP_PROGRESS_DAYS,
        limit: int = 1000,
    ) -> bool:
        """Delete messages that are older, and those to deleted endpoints: up to `limit` of each, in
        transactions of their own. True: there may be more.
        """
        old = select(Delivery.id).where(Delivery.id < _id_of_age(days))
        progress = select(Delivery.id).where(
            Delivery.event == literal_column("'progress'"),
            Delivery.state != _PENDING,  # it was sent anew, or nobody has come to send it yet
            Delivery.id < _id_of_age(progress_days),
        )
        more = False
        for which in (old, progress):
            some = which.order_by(Delivery.id).limit(limit)
            more |= self.database.write(lambda c, some=some: _deleted(c, some)) == limit  # type: ignore[misc]
        return self.database.write(lambda c: _forget_endpoint(c, limit)) or more


def _id_of_age(days: float) -> str:
    """Ids are in order of age: those of messages that are older than this are smaller."""
    return f"msg_{int((time.time() - days * 86400) * 1000):012x}"


def _deleted(connection: Connection, some: Select[Any]) -> int:
    """Delete these messages; returns how many."""
    return len(connection.execute(delete(Delivery).where(Delivery.id.in_(some)).returning(Delivery.id)).all())


def _forget_endpoint(connection: Connection, limit: int) -> bool:
    """Delete messages to an endpoint that was deleted, and with the last of them itself. False: none was."""
    webhook_id = connection.execute(_DELETED_ENDPOINT).scalar_one_or_none()
    if webhook_id is None:
        return False
    some = select(Delivery.id).where(Delivery.webhook_id == webhook_id).limit(limit)
    if _deleted(connection, some) < limit:
        connection.execute(delete(Webhook).where(Webhook.id == webhook_id))
    return True


def _due(connection: Connection, taken: TakenDeliveryRow) -> Due:
    if taken.webhook_id is None:
        secret = signing_secret(connection, taken.owner_id)
    else:
        secret = connection.execute(select(Webhook.secret).where(Webhook.id == taken.webhook_id)).scalar_one()
    # Redelivering starts the time anew.
    began = max(taken.created_at, taken.until - timedelta(seconds=PATIENCE_SECONDS))
    return Due(
        id=taken.id,
        owner_id=taken.owner_id,
        job_id=taken.job_id,
        event=taken.event,
        url=taken.url,
        host=taken.host,
        body=taken.body,
        secret=secret,
        number=taken.attempts,
        claimed_at=taken.claimed_at,
        waited=(taken.claimed_at - began).total_seconds(),
        left=(taken.until - taken.claimed_at).total_seconds(),
    )


def _found(delivery: DeliveryRow | None) -> DeliveryRow:
    if delivery is None:
        raise NotFound("There is no such delivery.")
    return delivery
