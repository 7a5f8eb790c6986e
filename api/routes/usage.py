"""/v1/usage: what an owner's jobs used, a day at a time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from flask import Blueprint, Response
from pydantic import BaseModel, Field

from api.access.auth import caller
from api.contract.operations import operation
from api.requests.reading import query
from api.schemas.usage import UsageLine, UsageReport
from api.services import services
from api.views import respond
from jobs.dates import Day
from jobs.errors import Forbidden, InvalidRange

routes = Blueprint("usage", __name__)

#: Days reported when nothing is asked for, and at most.
_DAYS = 30
_MOST_DAYS = 366


class UsageQuery(BaseModel):
    """Which days, and whose."""

    first: Day | None = Field(default=None, description=f"Left out: {_DAYS} days before `last`.")
    last: Day | None = Field(default=None, description="Left out: today (UTC).")
    all: bool = Field(default=False, description="Everybody's; for an admin key only.")


@routes.get("/usage")
@operation("What jobs used", "jobs", {200: UsageReport}, query=UsageQuery, problems=(400, 403, 422))
def get_usage() -> Response:
    """Sums of your finished jobs for each day (UTC, of their end), engine, kind of device and outcome."""
    wanted = query(UsageQuery)
    if wanted.all and not caller().admin:
        raise Forbidden("Only an admin key sees everybody's usage.")
    last = wanted.last or datetime.now(UTC).date()
    first = wanted.first or date.fromordinal(max(last.toordinal() - _DAYS + 1, 1))
    if not timedelta(0) <= last - first < timedelta(days=_MOST_DAYS):
        raise InvalidRange(f"`first` is not after `last`, and they are less than {_MOST_DAYS} days apart.")
    rows = services().jobs.usage(None if wanted.all else caller().user_id, first, last)
    lines = [UsageLine.model_validate(row, from_attributes=True) for row in rows]
    return respond(
        UsageReport(
            first=first,
            last=last,
            lines=lines,
            jobs=sum(line.jobs for line in lines),
            gpu_seconds=sum(line.device_seconds for line in lines if line.device == "gpu"),
            cpu_seconds=sum(line.device_seconds for line in lines if line.device == "cpu"),
        )
    )
