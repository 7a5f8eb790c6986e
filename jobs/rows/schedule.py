"""Schedules."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from jobs.documents import JSONObject


class ScheduleRow(Protocol):
    """One of `jobs.models.Schedule`."""

    id: str
    owner_id: str
    name: str
    cron: str
    zone: str
    misses: str
    engine: str
    params: JSONObject
    options: JSONObject
    next_at: datetime | None
    paused_at: datetime | None
    last_at: datetime | None
    last_job_id: str | None
    error_code: str | None
    error_detail: str | None
    refusals: int
    created_at: datetime


class DueScheduleRow(ScheduleRow, Protocol):
    """One that is due, and what time it is on the database's clock."""

    next_at: datetime
    looked_at: datetime
