"""/v1/deliveries: what was sent to an owner's webhooks, what came of it, and once more please."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from flask import Blueprint, Response
from pydantic import BaseModel, Field

from accept.wire import Wire
from api.access.auth import caller
from api.contract.operations import operation
from api.requests.reading import query
from api.services import services
from api.views import respond
from jobs.news import Event
from jobs.rows import DeliveryRow
from webhooks.deliveries import DeliveryState

routes = Blueprint("deliveries", __name__)


class DeliveryQuery(BaseModel):
    """Which page of deliveries."""

    job: str | None = Field(default=None, pattern=r"^job_[0-9a-f]{32}$", description="Only of this job.")
    webhook: str | None = Field(
        default=None, pattern=r"^whk_[0-9a-f]{32}$", description="Only to this webhook."
    )
    state: DeliveryState | None = Field(default=None, description="Only those in this state.")
    cursor: str | None = Field(
        default=None, pattern=r"^msg_[0-9a-f]{32}$", description="`next_cursor` of the page before."
    )
    limit: int = Field(default=50, ge=1, le=100)


class DeliveryView(Wire):
    """One message to one address."""

    id: str = Field(description="The `webhook-id`, the same at every try.")
    webhook_id: str | None = Field(description="null: the job's own webhook.")
    job_id: str
    event: Event
    url: str
    state: DeliveryState
    attempts: int = Field(description="Tries that began.")
    created_at: datetime
    next_attempt_at: datetime | None = Field(description="Not before then; null when there will be none.")
    given_up_at: datetime | None = Field(description="When it will be given up; null when it is not pending.")


class AttemptView(Wire):
    """One try that ended."""

    number: int
    at: datetime
    status: int | None = Field(description="The answer's HTTP status; null when there was none.")
    error: str | None
    seconds: float


class WholeDeliveryView(DeliveryView):
    """One message with its words and its log."""

    body: dict[str, Any] = Field(description="What is sent.")
    log: list[AttemptView] = Field(description="First to last. A try whose sender died is missing.")


class DeliveryPage(Wire):
    """Newest first."""

    deliveries: list[DeliveryView]
    next_cursor: str | None = Field(default=None, description="Pass as `cursor` for the next page.")


@routes.get("/deliveries")
@operation("Your deliveries", "webhooks", {200: DeliveryPage}, query=DeliveryQuery)
def list_deliveries() -> Response:
    """Newest first; kept for 30 days."""
    wanted = query(DeliveryQuery)
    rows = services().deliveries.page(
        caller().user_id,
        job_id=wanted.job,
        webhook_id=wanted.webhook,
        state=wanted.state,
        before=wanted.cursor,
        limit=wanted.limit + 1,
    )
    shown = rows[: wanted.limit]
    more = shown[-1].id if len(rows) > wanted.limit else None
    return respond(DeliveryPage(deliveries=[DeliveryView(**_values(row)) for row in shown], next_cursor=more))


@routes.get('/deliveries/<id("msg"):delivery_id>')
@operation("One delivery", "webhooks", {200: WholeDeliveryView}, problems=(404,))
def get_delivery(delivery_id: str) -> Response:
    """With what was sent, and every try."""
    row = services().deliveries.get(caller().user_id, delivery_id)
    log = [
        AttemptView(number=a.number, at=a.at, status=a.status, error=a.error, seconds=round(a.seconds, 3))
        for a in services().deliveries.attempts(delivery_id)
    ]
    return respond(WholeDeliveryView(body=json.loads(row.body), log=log, **_values(row)))


@routes.post('/deliveries/<id("msg"):delivery_id>/redeliver')
@operation("Send it again", "webhooks", {202: DeliveryView}, problems=(404,))
def redeliver(delivery_id: str) -> Response:
    """Now, whatever became of it, under the same `webhook-id`; and for a day if need be."""
    row = services().deliveries.redeliver(caller().user_id, delivery_id)
    return respond(DeliveryView(**_values(row)), 202)


def _values(row: DeliveryRow) -> dict[str, Any]:
    pending = row.state == DeliveryState.PENDING
    return {
        "id": row.id,
        "webhook_id": row.webhook_id,
        "job_id": row.job_id,
        "event": row.event,
        "url": row.url,
        "state": row.state,
        "attempts": row.attempts,
        "created_at": row.created_at,
        "next_attempt_at": row.due_at if pending else None,
        "given_up_at": row.until if pending else None,
    }
