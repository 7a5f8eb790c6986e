"""Webhooks and what was sent to them."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class WebhookRow(Protocol):
    """One of `jobs.models.Webhook`."""

    id: str
    owner_id: str
    url: str
    secret: str
    events: list[str]
    created_at: datetime
    deleted_at: datetime | None


class DeliveryRow(Protocol):
    """One of `jobs.models.Delivery`."""

    id: str
    owner_id: str
    webhook_id: str | None
    job_id: str
    event: str
    url: str
    host: str
    body: str
    state: str
    created_at: datetime
    due_at: datetime
    attempts: int
    until: datetime


class TakenDeliveryRow(DeliveryRow, Protocol):
    """One that somebody is to send now."""

    claimed_at: datetime


class TryRow(Protocol):
    """One of `jobs.models.DeliveryAttempt`."""

    delivery_id: str
    number: int
    at: datetime
    status: int | None
    error: str | None
    seconds: float
