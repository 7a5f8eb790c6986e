"""Owners, their keys, the codes by which they hand one on, and the secret that API processes share."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, Float, ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from jobs.clock import now
from jobs.models.base import Base, Id


class User(Base):
    """An owner of jobs and files."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    created_at: Mapped[datetime] = mapped_column(default=now())
    #: Jobs of one queue that may run at once, 0 for any number; NULL for the default (`jobs.policy`).
    max_running: Mapped[int | None] = mapped_column(Integer)
    #: Jobs that may wait, 0 for any number; NULL for the server's default.
    max_queued: Mapped[int | None] = mapped_column(Integer)
    #: Days that results are kept, 0 for ever; NULL for the server's default.
    keep_days: Mapped[float | None] = mapped_column(Float)
    #: Bytes of uploads, results and networks, 0 for any number; NULL for the server's default.
    max_stored_bytes: Mapped[int | None] = mapped_column(BigInteger)
    #: Signs the webhooks of single jobs (`whsec_...`); made at first use.
    webhook_secret: Mapped[str | None] = mapped_column(String(100))


class ApiKey(Base):
    """A bearer key. Only its SHA-256 is kept: with 256 random bits a slow hash would add nothing."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    user_id: Mapped[str] = mapped_column(Id, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    #: SHA-256 of the whole key, hexadecimal.
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    #: The first characters, to recognise a key by.
    prefix: Mapped[str] = mapped_column(String(16))
    admin: Mapped[bool] = mapped_column(Boolean, default=False)
    #: Requests a minute; NULL for the server's default.
    rate_per_minute: Mapped[int | None] = mapped_column(Integer)
    #: Bytes of one upload; NULL for the server's default.
    max_upload_bytes: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(default=now())
    revoked_at: Mapped[datetime | None]


class LinkCode(Base):
    """A one-time code for a further key of its owner's. Only its SHA-256 is kept, as of keys.

    It is deleted when it is redeemed, or by the sweeper when it has expired.
    """

    __tablename__ = "link_codes"

    #: SHA-256 of the whole code, hexadecimal.
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner_id: Mapped[str] = mapped_column(Id, ForeignKey("users.id", ondelete="CASCADE"), index=True)
    #: The key that asked for it: revoked, it takes its codes along, and its limits are the new key's.
    key_id: Mapped[str] = mapped_column(Id, ForeignKey("api_keys.id", ondelete="CASCADE"))
    expires_at: Mapped[datetime] = mapped_column(index=True)


class Secret(Base):
    """A random value all API processes share, made at first use (the key that signs content URLs)."""

    __tablename__ = "secrets"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(String(128))
