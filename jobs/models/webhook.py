"""Who wants to be told, what is to be told to them, and what came of it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Float, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from jobs.clock import now
from jobs.models.base import Base, Id, partial


class Webhook(Base):
    """An address that an owner wants to hear of all their jobs."""

    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    owner_id: Mapped[str] = mapped_column(Id, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    url: Mapped[str] = mapped_column(String(2048))
    #: `whsec_` and standard base64.
    secret: Mapped[str] = mapped_column(String(100))
    events: Mapped[list[str]]
    created_at: Mapped[datetime] = mapped_column(default=now())
    #: Its owner deleted it: nobody sees it, and the sweeper removes what was sent to it piece by piece.
    deleted_at: Mapped[datetime | None]

    __table_args__ = (partial("ix_webhooks_deleted", "id", where="deleted_at IS NOT NULL"),)


class Delivery(Base):
    """The outbox: one message to one address, written in the transaction of the change it tells of."""

    __tablename__ = "deliveries"

    #: The `webhook-id`: the same at every attempt.
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    owner_id: Mapped[str] = mapped_column(Id, ForeignKey("users.id", ondelete="CASCADE"))
    #: NULL: the job's own webhook.
    webhook_id: Mapped[str | None] = mapped_column(
        Id, ForeignKey("webhooks.id", ondelete="CASCADE"), index=True
    )
    #: No foreign key: the log outlives the job.
    job_id: Mapped[str] = mapped_column(Id, index=True)
    event: Mapped[str] = mapped_column(String(16))
    url: Mapped[str] = mapped_column(String(2048))
    #: Its host: deliveries stand in line behind those to the same host only (docs/adr/0010).
    host: Mapped[str] = mapped_column(String(255))
    #: The bytes that are signed and sent.
    body: Mapped[str] = mapped_column(Text)
    #: "pending", "delivered" or "failed".
    state: Mapped[str] = mapped_column(String(16), default="pending")
    created_at: Mapped[datetime] = mapped_column(default=now())
    #: When to try (again); while it is being tried, until when nobody else may.
    due_at: Mapped[datetime] = mapped_column(default=now())
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    #: Given up after this.
    until: Mapped[datetime]

    __table_args__ = (
        # Each host's line, and by leaps through it the hosts.
        partial("ix_deliveries_due", "host", "due_at", where="state = 'pending'"),
        # What is kept for a shorter time than the rest.
        partial("ix_deliveries_progress", "id", where="event = 'progress'"),
        Index("ix_deliveries_owner", "owner_id", "id"),
    )


class DeliveryAttempt(Base):
    """One try to deliver, and what came of it."""

    __tablename__ = "delivery_attempts"

    delivery_id: Mapped[str] = mapped_column(
        Id, ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    at: Mapped[datetime] = mapped_column(default=now())
    #: The HTTP status; NULL when there was no answer.
    status: Mapped[int | None] = mapped_column(Integer)
    error: Mapped[str | None] = mapped_column(String(300))
    seconds: Mapped[float] = mapped_column(Float)
