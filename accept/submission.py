"""From the request to the committed row: once for each Idempotency-Key, and without files of no job."""

from __future__ import annotations

from contextlib import nullcontext

from accept.means import Means
from accept.prepared import Request
from doors.base import Room
from jobs.errors import IdempotencyConflict
from jobs.store import JobRow, JobStore


def submit(
    means: Means,
    request: Request,
    *,
    key: str | None = None,
    fingerprint: str | None = None,
    request_id: str | None = None,
    retry_of: str | None = None,
    room: Room = nullcontext,
) -> tuple[JobRow, bool]:
    """Accept a job: `(its row, True)`, or `(the earlier row, False)` for a repeated idempotency key.

    The queue is the caller's to wake. `fingerprint` is for a caller who has looked for the key's earlier job:
    what is remembered with it. `retry_of`: the job of which it is another try. Raises what `Request.prepare`
    does, IdempotencyConflict, NotFound and StorageUnavailable; then there is no job.
    """
    if key is not None and fingerprint is None:
        fingerprint = request.fingerprint()
        earlier = earlier_job(means.jobs, request.owner_id, key, fingerprint)
        if earlier is not None:
            return earlier, False
    prepared = request.prepare(means, room=room)
    made = False
    try:
        new = prepared.new_job(request_id=request_id, key=key, fingerprint=fingerprint, retry_of=retry_of)
        row, made = means.jobs.submit(new)
    finally:
        # Whatever went wrong, and when another request with this key was faster.
        if not made:
            prepared.undo()
    return row, made


def earlier_job(jobs: JobStore, owner_id: str, key: str, fingerprint: str) -> JobRow | None:
    """The job that this key made. Raises IdempotencyConflict when it came with another request."""
    row = jobs.by_idempotency_key(owner_id, key)
    if row is not None and row.idempotency_hash != fingerprint:
        raise IdempotencyConflict(job_id=row.id)
    return row
