"""Server-sent events of one job, and waiting for it to end. Everything told comes from SQL.

So a stream can be resumed at any API process, after any restart, with `Last-Event-ID`: the id of an event is
the job's version.
"""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from flask import Request, Response

from api.access.keyring import Caller
from api.schemas.jobs import JobEventView
from api.services import Services
from api.streams.watching import Watch
from api.views import preview_url
from jobs.errors import Unavailable
from jobs.rows import EventRow, FactsRow
from jobs.states import FINAL, State
from jobs.store import Facts, JobRow

#: Seconds between two comments on a quiet stream: below every proxy's idle limit.
HEARTBEAT = 15.0
#: After how many milliseconds a client comes back. A process that ends loses all its streams at once; so that
#: they do not come to the next one all at once, each is told its own.
RETRY = (1000, 4000)


def wait_until_final(
    found: Services, caller: Caller, row: JobRow, seconds: float, connection: socket.socket | None
) -> JobRow:
    """The job as it is when it ended, or `seconds` later; at once when too many requests wait already.

    A key that is revoked meanwhile ends the wait and learns nothing that is new.
    """
    slot = None if row.state in FINAL else found.slots.take(caller.user_id)
    if slot is None:
        return row
    until = time.monotonic() + seconds
    try:
        with _held(found, caller, row.id, connection) as watch:
            while (left := until - time.monotonic()) > 0 and not (watch.over or watch.deleted):
                watch.wait(left)
                if watch.facts is not None and watch.facts.row.state in FINAL:
                    break
    finally:
        slot.release()
    return row if watch.over else found.jobs.get(row.id)


def stream(
    found: Services, caller: Caller, row: JobRow, after: int, connection: socket.socket | None
) -> Response:
    """The events of a job past version `after`. Raises Unavailable (`too_many_streams`)."""
    slot = found.slots.take(caller.user_id)
    if slot is None:
        raise Unavailable(
            "As many streams are held as may be, or as one owner may hold; poll GET /v1/jobs/{id} instead.",
            code="too_many_streams",
            retry_after=5,
        )
    # No job has events to come before a version it has not reached: such an id is another job's, or made up.
    told = _events(found, caller, row.id, min(after, row.version), connection)
    response = Response(told, content_type="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"  # nginx would hold events back
    # On the response, not in the generator: one that was never started runs no `finally`.
    response.call_on_close(slot.release)
    return response


def connection_of(request: Request) -> socket.socket | None:
    """The client's connection, to notice a hang-up by; None where the server does not show it."""
    found: socket.socket | None = request.environ.get("gunicorn.socket")
    return found


@contextmanager
def _held(found: Services, caller: Caller, job_id: str, connection: socket.socket | None) -> Iterator[Watch]:
    with (
        found.watcher.watching(job_id, caller.key_id) as watch,
        found.hang_ups.noticed(connection, watch.end),
    ):
        yield watch


def _events(
    found: Services, caller: Caller, job_id: str, after: int, connection: socket.socket | None
) -> Iterator[str]:
    yield f"retry: {random.randint(*RETRY)}\n\n"
    with _held(found, caller, job_id, connection) as watch:
        while True:
            told = watch.wait(HEARTBEAT)
            if watch.over or watch.deleted:
                return  # a client that comes back gets the 404 of a deleted job, the 401 of a revoked key
            if not told or watch.facts is None:
                yield ": still here\n\n"
                continue
            facts = watch.facts
            # One piece, and so one write, whatever happened since the last.
            if news := "".join(_news(found, facts, after)):
                yield news
            if facts.row.state in FINAL:
                return
            after = max(after, facts.row.version)


def _news(found: Services, facts: Facts, after: int) -> Iterator[str]:
    """The events past version `after`."""
    row = facts.row
    for event in facts.events:
        if event.version > after:
            yield _event("state", _past(found, row, event))
            after = event.version
    if row.state in FINAL:
        yield _event("done", _present(found, row))
    elif row.version > after:
        yield _event("progress", _present(found, row))


def _event(name: str, view: JobEventView) -> str:
    return f"id: {view.version}\nevent: {name}\ndata: {view.model_dump_json()}\n\n"


def _present(found: Services, row: FactsRow) -> JobEventView:
    return JobEventView(
        job_id=row.id,
        version=row.version,
        state=State(row.state),
        attempt=row.attempt,
        progress=row.progress,
        message=row.message,
        preview_url=preview_url(row, found),
        reason=row.error_code,
        at=row.finished_at or datetime.now(UTC),
    )


def _past(found: Services, row: FactsRow, event: EventRow) -> JobEventView:
    """A change of state; the newest one with what the job's row says besides."""
    if event.version == row.version:
        return _present(found, row).model_copy(update={"reason": event.reason, "at": event.at})
    return JobEventView(
        job_id=row.id,
        version=event.version,
        state=State(event.state),
        attempt=event.attempt,
        # What parts have made stays made, so a job's bar that has any never goes back.
        progress=1.0 if event.state == State.SUCCEEDED else row.progress if row.parts else 0.0,
        message="",
        reason=event.reason,
        at=event.at,
    )
