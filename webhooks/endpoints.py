"""WebhookStore: who wants to hear of their jobs where, and what signs the messages."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence

from sqlalchemy import Connection, func, insert, select, update

from jobs.clock import now
from jobs.database import Database
from jobs.errors import Conflict, NotFound
from jobs.ids import new_id
from jobs.models import Delivery, Job, User, Webhook
from jobs.news import DEFAULT_EVENTS, Event
from jobs.rows import WebhookRow
from jobs.sql import fetch_all, fetch_one
from jobs.states import State
from jobs.store.outbox import host_of
from webhooks.addresses import check_url

#: Endpoints of one owner: each is looked at at every change of each of their jobs.
MAX_WEBHOOKS = 10

_WEBHOOKS = Webhook.__table__
#: It was not deleted.
_THERE = Webhook.deleted_at.is_(None)


def new_secret() -> str:
    """A signing secret as Standard Webhooks writes it. Not URL-safe base64: clients count the underscores."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def signing_secret(connection: Connection, owner_id: str) -> str:
    """What signs the webhooks of this owner's single jobs, made by whoever asks first."""
    fresh = update(User).where(User.id == owner_id, User.webhook_secret.is_(None))
    connection.execute(fresh.values(webhook_secret=new_secret()))
    return str(connection.execute(select(User.webhook_secret).where(User.id == owner_id)).scalar_one())


class WebhookStore:
    """Owners' endpoints and secrets, in one database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def create(self, owner_id: str, url: str, events: Sequence[Event] = DEFAULT_EVENTS) -> WebhookRow:
        """A new endpoint, which hears of the owner's unfinished jobs too. Raises BadURL and Conflict."""
        check_url(url)
        webhook_id = new_id("whk")
        adding = insert(Webhook).values(
            id=webhook_id, owner_id=owner_id, url=url, secret=new_secret(), events=_names(events)
        )

        def work(connection: Connection) -> WebhookRow:
            # Two requests at once keep to the limit together, and jobs being accepted are so before.
            connection.execute(select(User.id).where(User.id == owner_id).with_for_update())
            mine = select(func.count()).select_from(Webhook).where(Webhook.owner_id == owner_id, _THERE)
            if connection.execute(mine).scalar_one() >= MAX_WEBHOOKS:
                raise Conflict(f"An owner has {MAX_WEBHOOKS} webhooks at most.", code="too_many_webhooks")
            connection.execute(adding)
            return _mine(connection, owner_id, webhook_id)

        made = self.database.write(work, repeatable=False)
        # A transaction of its own: one that ends a job holds the job and waits for its owner, not vice versa.
        live = Job.state.in_([State.QUEUED.value, State.RUNNING.value])
        unheard = select(Job.id).where(Job.owner_id == owner_id, live, ~Job.notify)
        unheard = unheard.order_by(Job.id).with_for_update()
        self.database.write(lambda c: c.execute(update(Job).where(Job.id.in_(unheard)).values(notify=True)))
        return made

    def all(self, owner_id: str) -> list[WebhookRow]:
        """The owner's endpoints, oldest first."""
        query = select(_WEBHOOKS).where(Webhook.owner_id == owner_id, _THERE).order_by(Webhook.id)
        return self.database.read(lambda c: fetch_all(c, WebhookRow, query))

    def get(self, owner_id: str, webhook_id: str) -> WebhookRow:
        """One of the owner's endpoints. Raises NotFound."""
        return self.database.read(lambda c: _mine(c, owner_id, webhook_id))

    def change(
        self, owner_id: str, webhook_id: str, *, url: str | None = None, events: Sequence[Event] | None = None
    ) -> WebhookRow:
        """Another address or another choice of events; what still waits goes to the new address.

        Raises BadURL and NotFound.
        """
        if url is not None:
            check_url(url)

        def work(connection: Connection) -> WebhookRow:
            _mine(connection, owner_id, webhook_id)
            this = update(Webhook).where(Webhook.id == webhook_id)
            if events is not None:
                connection.execute(this.values(events=_names(events)))
            if url is not None:
                connection.execute(this.values(url=url))
                waiting = update(Delivery).where(
                    Delivery.webhook_id == webhook_id, Delivery.state == "pending"
                )
                connection.execute(waiting.values(url=url, host=host_of(url), due_at=now()))
            return _mine(connection, owner_id, webhook_id)

        return self.database.write(work)

    def delete(self, owner_id: str, webhook_id: str) -> None:
        """Delete an endpoint, with all that was or is to be sent to it. Raises NotFound.

        From now on nobody sees either and nothing is sent. The rows, which may be millions, are removed by
        the sweeper (`DeliveryStore.forget`).
        """
        this = (Webhook.id == webhook_id, Webhook.owner_id == owner_id, _THERE)
        deleting = update(Webhook).where(*this).values(deleted_at=now()).returning(Webhook.id)
        if self.database.write(lambda c: c.execute(deleting).first(), repeatable=False) is None:
            raise NotFound("There is no such webhook.")

    def secret(self, owner_id: str) -> str:
        """What signs the webhooks of this owner's single jobs."""
        return self.database.write(lambda c: signing_secret(c, owner_id))

    def rotate_secret(self, owner_id: str) -> str:
        """Another secret, for every message sent from now on."""
        fresh = new_secret()
        rotating = update(User).where(User.id == owner_id).values(webhook_secret=fresh)
        self.database.write(lambda c: c.execute(rotating))
        return fresh


def _mine(connection: Connection, owner_id: str, webhook_id: str) -> WebhookRow:
    query = select(_WEBHOOKS).where(Webhook.id == webhook_id, Webhook.owner_id == owner_id, _THERE)
    webhook = fetch_one(connection, WebhookRow, query)
    if webhook is None:
        raise NotFound("There is no such webhook.")
    return webhook


def _names(events: Sequence[Event]) -> list[str]:
    return [event.value for event in Event if event in events]
