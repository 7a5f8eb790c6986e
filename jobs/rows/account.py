"""Owners and keys."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class UserRow(Protocol):
    """One of `jobs.models.User`."""

    id: str
    name: str
    created_at: datetime
    max_running: int | None
    max_queued: int | None
    keep_days: float | None
    max_stored_bytes: int | None
    webhook_secret: str | None


class KeyRow(Protocol):
    """One of `jobs.models.ApiKey`."""

    id: str
    user_id: str
    name: str
    digest: str
    prefix: str
    admin: bool
    rate_per_minute: int | None
    max_upload_bytes: int | None
    created_at: datetime
    revoked_at: datetime | None


class NamedKeyRow(KeyRow, Protocol):
    """One with its owner's name."""

    user_name: str
