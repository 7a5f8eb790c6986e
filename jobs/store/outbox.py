"""The outbox: what is to be told of a change of state, written in the transaction that makes the change.

So a message exists exactly when its change does, whatever is killed. `workers.webhooks` sends what lies here.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from sqlalchemy import Connection, Float, bindparam, case, insert, select, update

from jobs.clock import now
from jobs.ids import new_id
from jobs.models import Artifact, Delivery, Job, Webhook
from jobs.news import DEFAULT_EVENTS, Event
from jobs.rows import JobRow
from jobs.sql import fetch_the_one
from jobs.states import State
from jobs.urls import DEFAULT_PORTS, UnfitURL, target

#: How long a message is tried. News of progress is soon of no use.
PATIENCE_SECONDS = 24 * 3600.0
PROGRESS_PATIENCE_SECONDS = 300.0
#: A message is a word, not the thing: whoever wants more asks for the job.
MAX_ARTIFACTS = 100
MAX_DETAIL = 1000

# Built once: every change of state of a job that somebody listens to runs them.
# Each endpoint stays until its messages are committed. One that is being deleted is passed over: waiting for
# that would hold up the job, and a message to it would undo the transaction that ends the job.
_HEARERS = (
    select(Webhook.id, Webhook.url, Webhook.events)
    .where(Webhook.owner_id == bindparam("of_owner"), Webhook.deleted_at.is_(None))
    .with_for_update(read=True, key_share=True, skip_locked=True)
)
_RESULTS = (
    select(Artifact.id, Artifact.name, Artifact.media_type, Artifact.size)
    .where(Artifact.job_id == bindparam("of_job"))
    .order_by(Artifact.id)
    .limit(MAX_ARTIFACTS)
)
_NOW = select(now())
_ADD = insert(Delivery.__table__).values(until=now(bindparam("patience", type_=Float)))

#: (the endpoint's id, None for the job's own webhook; its URL)
Address = tuple[str | None, str]


def host_of(url: str) -> str:
    """The line in which messages to this address stand: its host, and its port if that is no usual one."""
    try:
        found = target(url, allow_http=True, allow_private=True)
    except UnfitURL:
        return ""
    usual = found.port == DEFAULT_PORTS[found.scheme]
    return (found.host if usual else f"{found.host}:{found.port}")[:255]


def announce(connection: Connection, row: JobRow) -> None:
    """Tell everybody who wants to know of the state that `row` has just reached."""
    event = Event.STARTED if row.state == State.RUNNING else Event(row.state)
    addresses = _addresses(connection, row, event)
    if addresses:
        body = _body(connection, row, event)
        connection.execute(
            _ADD, [_message(row, event, address, body, PATIENCE_SECONDS) for address in addresses]
        )


def announce_progress(connection: Connection, job_id: str) -> None:
    """Tell whoever follows every step. A message that nobody tried to send yet becomes the newer one."""
    row = fetch_the_one(connection, JobRow, select(Job.__table__).where(Job.id == job_id))
    addresses = _addresses(connection, row, Event.PROGRESS)
    if not addresses:
        return
    body = _body(connection, row, Event.PROGRESS)
    for address in addresses:
        if not _replaced(connection, row, address, body):
            message = _message(row, Event.PROGRESS, address, body, PROGRESS_PATIENCE_SECONDS)
            connection.execute(_ADD, message)


def _replaced(connection: Connection, row: JobRow, address: Address, body: str) -> bool:
    """Whether one waits already. One that was sent before keeps its body: its id may be known over there."""
    webhook_id, _ = address
    replacing = (
        update(Delivery)
        .where(
            Delivery.job_id == row.id,
            Delivery.event == Event.PROGRESS.value,
            Delivery.state == "pending",
            Delivery.webhook_id == webhook_id if webhook_id else Delivery.webhook_id.is_(None),
        )
        .values(body=case((Delivery.attempts == 0, body), else_=Delivery.body))
        .returning(Delivery.id)
    )
    return connection.execute(replacing).first() is not None


def _addresses(connection: Connection, row: JobRow, event: Event) -> list[Address]:
    """Who wants to hear of this event of this job."""
    hearers = connection.execute(_HEARERS, {"of_owner": row.owner_id})
    found: list[Address] = [(hearer, url) for hearer, url, events in hearers if event in events]
    own = row.webhook or {}
    if own and event in (own.get("events") or DEFAULT_EVENTS):
        found.append((None, own["url"]))
    return found


def _message(row: JobRow, event: Event, address: Address, body: str, patience: float) -> dict[str, object]:
    webhook_id, url = address
    return {
        "id": new_id("msg"),
        "owner_id": row.owner_id,
        "webhook_id": webhook_id,
        "job_id": row.id,
        "event": event.value,
        "url": url,
        "host": host_of(url),
        "body": body,
        "patience": patience,
    }


def _body(connection: Connection, row: JobRow, event: Event) -> str:
    data: dict[str, object] = {
        "id": row.id,
        "engine": row.engine,
        "state": row.state,
        "attempt": row.attempt,
        "version": row.version,
        "progress": row.progress,
        "error": None,
        "created_at": _time(row.created_at),
        "started_at": _time(row.started_at),
        "finished_at": _time(row.finished_at),
        "artifacts": _artifacts(connection, row.id) if event is Event.SUCCEEDED else [],
    }
    if row.error_code:
        data["error"] = {"code": row.error_code, "detail": (row.error_detail or "")[:MAX_DETAIL]}
    at = connection.execute(_NOW).scalar_one()
    message = {"type": f"job.{event}", "timestamp": _time(at), "data": data}
    return json.dumps(message, separators=(",", ":"))


def _artifacts(connection: Connection, job_id: str) -> list[dict[str, object]]:
    return [dict(found._mapping) for found in connection.execute(_RESULTS, {"of_job": job_id})]


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")
