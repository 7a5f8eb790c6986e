"""Server-sent events of one job, and waiting for it to end. Everything told comes from SQL.

So a stream can be resumed at any API process, after any restart, with `Last-Event-ID`: the id of an event is
the job's version.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from flask import Request, Response

from api.services import Services
from api.views import preview_url
from jobs.errors import NotFound, Unavailable
from jobs.schemas import JobEventView
from jobs.states import FINAL, State
from jobs.store import JobRow

#: Seconds between two comments on a quiet stream: below every proxy's idle limit.
HEARTBEAT = 15.0
#: Seconds between two looks at whether the client is still there.
_TICK = 0.5


def wait_until_final(
    found: Services, key_id: str, row: JobRow, seconds: float, gone: Callable[[], bool]
) -> JobRow:
    """The job as it is when it ended, or `seconds` later; at once when too many requests wait already."""
    slot = None if row.state in FINAL else found.slots.take(key_id)
    if slot is None:
        return row
    until = time.monotonic() + seconds
    try:
        with found.watcher.watching(row.id):
            while row.state not in FINAL and (left := until - time.monotonic()) > 0:
                if found.watcher.wait_beyond(row.id, row.version, min(left, _TICK)):
                    row = found.jobs.get(row.id)
                elif gone() or found.slots.closing.is_set():
                    break
    finally:
        slot.release()
    return row


def stream(found: Services, key_id: str, row: JobRow, after: int, gone: Callable[[], bool]) -> Response:
    """The events of a job past version `after`. Raises Unavailable (`too_many_streams`)."""
    slot = found.slots.take(key_id)
    if slot is None:
        raise Unavailable(
            "As many streams are held as may be, or as this key may hold; poll GET /v1/jobs/{id} instead.",
            code="too_many_streams",
            retry_after=5,
        )
    # No job has events to come before a version it has not reached: such an id is another job's, or made up.
    told = _events(found, row.id, min(after, row.version), gone)
    response = Response(told, content_type="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"  # nginx would hold events back
    # On the response, not in the generator: one that was never started runs no `finally`.
    response.call_on_close(slot.release)
    return response


def hang_up_detector(request: Request) -> Callable[[], bool]:
    """Tells whether the client has hung up; always "no" where the server does not show its socket."""
    connection: socket.socket | None = request.environ.get("gunicorn.socket")

    def gone() -> bool:
        if connection is None or isinstance(connection, ssl.SSLSocket):
            return False
        try:
            return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    return gone


def _events(found: Services, job_id: str, after: int, gone: Callable[[], bool]) -> Iterator[str]:
    yield "retry: 2000\n\n"
    spoken = time.monotonic()
    with found.watcher.watching(job_id):
        changed = True
        while not found.slots.closing.is_set() and not gone():
            if changed:
                try:
                    row = found.jobs.get(job_id)
                    for event in found.jobs.events(job_id, after):
                        yield _event("state", _past(row, event))
                        after = event.version
                    if after > row.version:
                        row = found.jobs.get(job_id)  # it went on between the two reads
                except Unavailable:
                    yield ": the database is away\n\n"
                    found.watcher.wait_beyond(job_id, 2**31, _TICK)
                    continue
                except NotFound:
                    return  # deleted meanwhile; a client that comes back gets the 404
                if row.state in FINAL:
                    yield _event("done", _present(row))
                    return
                if row.version > after:
                    yield _event("progress", _present(row))
                    after = row.version
                spoken = time.monotonic()
            changed = found.watcher.wait_beyond(job_id, after, _TICK)
            if not changed and time.monotonic() - spoken > HEARTBEAT:
                yield ": still here\n\n"
                spoken = time.monotonic()


def _event(name: str, view: JobEventView) -> str:
    return f"id: {view.version}\nevent: {name}\ndata: {view.model_dump_json()}\n\n"


def _present(row: JobRow) -> JobEventView:
    return JobEventView(
        job_id=row.id,
        version=row.version,
        state=State(row.state),
        attempt=row.attempt,
        progress=row.progress,
        message=row.message,
        preview_url=preview_url(row),
        reason=row.error_code,
        at=row.finished_at or datetime.now(UTC),
    )


def _past(row: JobRow, event: Any) -> JobEventView:
    """A change of state; the newest one with what the job's row says besides."""
    if event.version == row.version:
        return _present(row).model_copy(update={"reason": event.reason, "at": event.at})
    return JobEventView(
        job_id=row.id,
        version=event.version,
        state=State(event.state),
        attempt=event.attempt,
        progress=1.0 if event.state == State.SUCCEEDED else 0.0,
        message="",
        reason=event.reason,
        at=event.at,
    )
