"""A request becomes a job of its sender's, or what is said of one that would."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO

import accept
from accept.options import PRIORITIES
from accept.wire import JobOptions
from api.requests.admission import admission
from api.schemas.jobs import DryRun
from api.services import services
from api.telemetry.tracing import request_id
from jobs.store import JobRow, needs


def submit(
    owner_id: str,
    engine: str,
    params: dict[str, Any],
    *,
    uploads: Sequence[tuple[str, str, BinaryIO]] = (),
    options: JobOptions | None = None,
    idempotency_key: str | None = None,
    fingerprint: str | None = None,
    retry_of: str | None = None,
) -> tuple[JobRow, bool]:
    """Accept a job: `(its row, True)`, or `(the earlier row, False)` for a repeated idempotency key.

    `uploads`, `fingerprint` and `retry_of` are those of `accept`. Raises EngineNotFound, InvalidParams,
    BadFile, BadURL, WeightsMissing, NetworkNotReady, IdempotencyConflict, TooManyQueued, Unavailable and
    StorageUnavailable; then there is no job.
    """
    row, made = accept.submit(
        services().means,
        accept.Request(owner_id, engine, params, uploads, options),
        key=idempotency_key,
        fingerprint=fingerprint,
        request_id=request_id(),
        retry_of=retry_of,
        room=admission().room,
    )
    if made:
        # After the commit, and never waited for: a queue that hears nothing is woken by the sweeper.
        services().doorbell.wake(row.queue)
    return row, made


def dry_run(
    owner_id: str,
    engine: str,
    params: dict[str, Any],
    *,
    uploads: Sequence[tuple[str, str, BinaryIO]] = (),
    options: JobOptions | None = None,
) -> DryRun:
    """What would become of this request. Stores nothing; raises what `submit` raises of the request."""
    found = services()
    request = accept.Request(owner_id, engine, params, uploads, options)
    prepared = request.prepare(found.means, room=admission().room)
    asked, placed = prepared.options, prepared.placement
    position, held = None, asked.hold
    if not held:
        position, hold = found.jobs.next_position(owner_id, placed.queue, PRIORITIES[asked.priority])
        held = hold is not None and found.quota.limits(owner_id).max_running > 0
    needed_by = (engine, placed.queue, needs(placed.needs), placed.cost)
    seconds = found.forecaster.device_seconds(*needed_by)
    return DryRun(
        engine=engine,
        queue=placed.queue,
        params=prepared.params,
        device_seconds=seconds if seconds is None else round(seconds, 3),
        queue_position=position,
        forecast=found.forecaster.of_waiting(*needed_by, position, held=held),
    )
