"""The answer to a request for a job's archive."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from flask import Response

from api.answers.archive import Entry, archive, distinct, length
from api.schemas.jobs import JobView
from jobs.errors import Gone
from jobs.rows import ArtifactRow
from storage.base import Storage

_RECORD = "job.json"


def archived(storage: Storage, job: JobView, artifacts: Sequence[ArtifactRow], method: str) -> Response:
    """The ZIP, or for a HEAD what it would be. Raises Gone and StorageUnavailable."""
    # While there can still be an answer that says so.
    try:
        for row in artifacts:
            storage.stat(row.key)
    except FileNotFoundError as error:
        raise Gone from error
    names = distinct((row.name for row in artifacts), taken=[_RECORD])
    # Signed URLs are for those who may ask, and end soon; an archive is passed on.
    shown = [view.model_copy(update={"url": n}) for view, n in zip(job.artifacts, names, strict=True)]
    record = job.model_copy(update={"artifacts": shown}).model_dump_json(indent=1).encode()
    entries = [Entry(_RECORD, len(record), partial(io.BytesIO, record))]
    entries += [
        Entry(name, row.size, partial(storage.open, row.key))
        for name, row in zip(names, artifacts, strict=True)
    ]
    at = job.finished_at or datetime.now(UTC)
    response = Response(content_type="application/zip")
    if method != "HEAD":
        response.response = archive(entries, at)
    size = length(entries, at)
    if size is not None:
        response.headers["Content-Length"] = str(size)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Disposition"] = f'attachment; filename="{job.id}.zip"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
