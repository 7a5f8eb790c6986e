"""The idempotency key by which each due time makes one job, whoever fires twice; and back to its schedule.

A key that comes over HTTP is visible ASCII without a space: none of a client's is ever one of these.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from uuid import uuid4

_BEGIN = "schedule "


def of_due_time(schedule_id: str, due: datetime) -> str:
    """Of what a schedule makes at this time."""
    return f"{_BEGIN}{schedule_id} {due.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def of_order(schedule_id: str, key: str | None) -> str:
    """Of what it makes because somebody says so; the same client's key is the same job."""
    order = hashlib.sha256(key.encode()).hexdigest() if key is not None else uuid4().hex
    return f"{_BEGIN}{schedule_id} run {order}"


def schedule_of(key: str | None) -> str | None:
    """The schedule that made the job with this key; None: none did."""
    return key.split(" ")[1] if key is not None and key.startswith(_BEGIN) else None
