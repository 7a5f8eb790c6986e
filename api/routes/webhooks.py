"""/v1/webhooks: the addresses that hear of an owner's jobs. An admin key, too, sees its own owner's only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, Response
from pydantic import Field

from accept.wire import Wire
from api.access.auth import caller
from api.contract.operations import operation
from api.requests.reading import body
from api.services import services
from api.views import respond
from jobs.news import DEFAULT_EVENTS, Event
from jobs.rows import WebhookRow
from webhooks.addresses import MAX_URL

routes = Blueprint("webhooks", __name__)

#: The shape; `webhooks.addresses.check_url` looks at the rest.
_URL = r"^https?://[!-~]+$"


class EndpointRequest(Wire):
    """An address that is to hear of all your jobs."""

    url: str = Field(
        max_length=MAX_URL,
        pattern=_URL,
        description="An https: URL on the public internet, without fragment.",
    )
    events: list[Event] = Field(
        default_factory=lambda: list(DEFAULT_EVENTS),
        min_length=1,
        max_length=len(Event),
        description="Which changes to tell of. Left out: how jobs end.",
    )


class EndpointChange(Wire):
    """What is to be different; the rest stays, the secret too."""

    url: str | None = Field(
        default=None,
        max_length=MAX_URL,
        pattern=_URL,
        description="Messages that wait for the old one go here as well, and at once.",
    )
    events: list[Event] | None = Field(default=None, min_length=1, max_length=len(Event))


class EndpointView(Wire):
    """An address that hears of all your jobs."""

    id: str
    url: str
    events: list[Event]
    created_at: datetime


class NewEndpointView(EndpointView):
    """One that was just made."""

    secret: str = Field(description="Signs its messages (Standard Webhooks). Shown here and never again.")


class EndpointList(Wire):
    """Oldest first."""

    webhooks: list[EndpointView]


class SecretView(Wire):
    """What signs the webhooks of single jobs."""

    secret: str


@routes.post("/webhooks")
@operation(
    "Make a webhook",
    "webhooks",
    {201: NewEndpointView},
    bodies={"application/json": EndpointRequest},
    problems=(400, 409, 413, 415, 422),
    answer_headers={"Location": "The webhook's URL."},
)
def post_webhook() -> Response:
    """It hears of jobs that wait or run already, too.

    Messages are signed as Standard Webhooks says and sent at least once: `webhook-id` tells repetitions. An
    address that does not answer 2xx within 15 seconds is tried again for a day. You can have 10 of them.
    """
    wanted = body(EndpointRequest)
    row = services().webhooks.create(caller().user_id, wanted.url, wanted.events)
    made = NewEndpointView(secret=row.secret, **_values(row))
    return respond(made, 201, Location=f"/v1/webhooks/{row.id}")


@routes.get("/webhooks")
@operation("Your webhooks", "webhooks", {200: EndpointList})
def list_webhooks() -> Response:
    """Without their secrets."""
    rows = services().webhooks.all(caller().user_id)
    return respond(EndpointList(webhooks=[EndpointView(**_values(row)) for row in rows]))


@routes.get('/webhooks/<id("whk"):webhook_id>')
@operation("One webhook", "webhooks", {200: EndpointView}, problems=(404,))
def get_webhook(webhook_id: str) -> Response:
    """Without its secret."""
    return respond(EndpointView(**_values(services().webhooks.get(caller().user_id, webhook_id))))


@routes.patch('/webhooks/<id("whk"):webhook_id>')
@operation(
    "Change a webhook",
    "webhooks",
    {200: EndpointView},
    bodies={"application/json": EndpointChange},
    problems=(400, 404, 413, 415, 422),
)
def patch_webhook(webhook_id: str) -> Response:
    """Another address, or other events."""
    wanted = body(EndpointChange)
    row = services().webhooks.change(caller().user_id, webhook_id, url=wanted.url, events=wanted.events)
    return respond(EndpointView(**_values(row)))


@routes.delete('/webhooks/<id("whk"):webhook_id>')
@operation("Delete a webhook", "webhooks", {204: None}, problems=(404,))
def delete_webhook(webhook_id: str) -> Response:
    """With its log, and with what was still to be sent to it."""
    services().webhooks.delete(caller().user_id, webhook_id)
    return Response(status=204)


@routes.get("/webhooks/secret")
@operation("The secret of your jobs' own webhooks", "webhooks", {200: SecretView})
def get_secret() -> Response:
    """Signs what is sent to the `webhook` of a single job. Made when it is first asked for or needed."""
    return respond(SecretView(secret=services().webhooks.secret(caller().user_id)))


@routes.post("/webhooks/secret/rotate")
@operation("Change that secret", "webhooks", {200: SecretView})
def rotate_secret() -> Response:
    """Everything that is sent from now on is signed with the new one, messages that were tried before too."""
    return respond(SecretView(secret=services().webhooks.rotate_secret(caller().user_id)))


def _values(row: WebhookRow) -> dict[str, Any]:
    return {"id": row.id, "url": row.url, "events": row.events, "created_at": row.created_at}
