"""What is to be made again and again, as it crosses the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from accept.options import PriorityName
from accept.wire import WebhookRequest, Wire
from api.schemas.job_requests import JobRequest
from api.schemas.problems import Failure
from jobs.documents import JSONObject
from schedules.store import Misses
from schedules.times import MAX_CRON, MAX_ZONE, MOST_OFTEN_MINUTES

#: Shown in terminals, and PostgreSQL refuses U+0000.
_Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]
_Cron = Annotated[
    str,
    Field(
        max_length=MAX_CRON,
        description="Minute, hour, day of the month, month, day of the week, as cron has them; "
        f"at most every {MOST_OFTEN_MINUTES} minutes.",
        examples=["0 9 * * MON-FRI"],
    ),
]
_Zone = Annotated[
    str, Field(max_length=MAX_ZONE, description="An IANA time zone.", examples=["Europe/Berlin"])
]
_Misses = Annotated[
    Misses,
    Field(
        description="What becomes of what was due while nobody was there to make it, longer ago than "
        f"{MOST_OFTEN_MINUTES} minutes: `skip` leaves it out, `once` makes one job for all of it."
    ),
]
_Job = Annotated[
    JobRequest,
    Field(
        description="As POST /v1/jobs takes it, without `start_by`. Its files are stored ones, which are "
        "kept while the schedule is there, or https: URLs, which are fetched each time. Without a `seed` in "
        "`params` each job gets one of its own."
    ),
]


class ScheduleRequest(Wire):
    """A job that is to be made again and again."""

    name: _Name
    cron: _Cron
    zone: _Zone = "UTC"
    misses: _Misses = "skip"
    job: _Job


class ScheduleChange(Wire):
    """What is to be different; the rest stays, and a paused schedule stays paused."""

    name: _Name | None = None
    cron: _Cron | None = None
    zone: _Zone | None = None
    misses: _Misses | None = None
    job: _Job | None = Field(default=None, description="In place of the whole of it.")


class ScheduledJob(Wire):
    """What is made each time."""

    engine: str
    params: JSONObject
    priority: PriorityName = "normal"
    timeout: float | None = None
    hold: bool = False
    webhook: WebhookRequest | None = None
    tags: list[str] = Field(default_factory=list)
    metadata: JSONObject = Field(default_factory=dict)


class ScheduleView(Wire):
    """One schedule as its owner sees it."""

    id: str
    name: str
    cron: str
    zone: str
    misses: Misses
    job: ScheduledJob
    upcoming: list[datetime] = Field(description="The next five times; none while it is paused.")
    paused_at: datetime | None
    paused_because: Literal["owner", "refused"] | None = Field(
        description="`refused`: it paused itself, for its job was refused several times in a row."
    )
    last_at: datetime | None = Field(description="The due time before; null: there was none.")
    last_job_id: str | None = Field(description="The job that it made last.")
    last_error: Failure | None = Field(
        description="Why the due time before made no job: what was refused, or `missed`."
    )
    refusals: int = Field(description="Due times in a row whose job was refused.")
    created_at: datetime


class SchedulePage(Wire):
    """Newest first."""

    schedules: list[ScheduleView]
    next_cursor: str | None = Field(default=None, description="Pass as `cursor` for the next page.")


class Upcoming(Wire):
    """When such a schedule would make its first jobs. Nothing was stored."""

    upcoming: list[datetime]
