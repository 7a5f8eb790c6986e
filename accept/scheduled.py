"""What a schedule makes: looked at when it is made, and again each time."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from accept.field_errors import field_errors
from accept.means import Means
from accept.prepared import Request, fingerprint_of
from accept.submission import earlier_job, submit
from accept.wire import JobOptions
from jobs.errors import BadSchedule, InvalidBody
from jobs.rows import JobRow, ScheduleRow


def check_scheduled(
    means: Means, owner_id: str, engine: str, params: dict[str, Any], options: JobOptions
) -> list[str]:
    """The stored files that such a job reads. Nothing is stored and no job is made.

    Raises BadSchedule for what cannot be had again and again, and what `Request.check` raises.
    """
    request = Request(owner_id, engine, params, options=options)
    if request.brings_files:
        message = "A schedule's files are stored ones: send this one to POST /v1/files and name its id."
        raise _refused("params", message, "data_uri")
    if options.start_by is not None:
        raise _refused("start_by", "A schedule's jobs cannot all start by one time.", "not_scheduled")
    _, inputs = request.check(means).files.keep()
    return inputs


def make_scheduled(
    means: Means, schedule: ScheduleRow, key: str, *, request_id: str | None = None
) -> tuple[JobRow, bool]:
    """The job of this schedule under this key, one of `schedules.keys`, and whether it was made just now.

    What else the schedule says by now makes no other job of the same key. Raises what `submit` raises.
    """
    fingerprint = fingerprint_of("schedule", {"key": key})
    earlier = earlier_job(means.jobs, schedule.owner_id, key, fingerprint)
    if earlier is not None:
        return earlier, False
    try:
        options = JobOptions.model_validate(schedule.options)
    except ValidationError as error:
        raise InvalidBody(errors=field_errors(error, JobOptions)) from error
    request = Request(schedule.owner_id, schedule.engine, schedule.params, options=options)
    return submit(means, request, key=key, fingerprint=fingerprint, request_id=request_id)


def _refused(field: str, message: str, code: str) -> BadSchedule:
    return BadSchedule(errors=[{"field": field, "message": message, "code": code}])
