"""Networks that somebody uploaded, the files they became, and which jobs read those."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from jobs.clock import now
from jobs.documents import JSONObject
from jobs.models.base import Base, Id, OptionalDocument


class NetworkFile(Base):
    """One stored network, whoever uploaded it: what jobs are pinned to, found by its content's hash.

    It goes when no `Network` and no waiting or running job refers to it (docs/adr/0011).
    """

    __tablename__ = "network_files"

    #: Of the bytes under `key`, hexadecimal.
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    #: Where the conversion that came first stored it.
    key: Mapped[str] = mapped_column(String(512), unique=True)
    size: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(default=now())


class Network(Base):
    """A network that somebody uploaded, under the name they gave it."""

    __tablename__ = "networks"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    owner_id: Mapped[str] = mapped_column(Id, ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(64))
    #: Which engines can use it: the `kind` of their params' `NetworkRef`.
    kind: Mapped[str] = mapped_column(String(64))
    #: Whether everybody sees it.
    shared: Mapped[bool] = mapped_column(Boolean, default=False)
    #: A `jobs.states.NetworkState`.
    state: Mapped[str] = mapped_column(String(16))
    #: What was sent: the same again is the same upload.
    upload_sha256: Mapped[str] = mapped_column(String(64))
    upload_size: Mapped[int] = mapped_column(BigInteger)
    #: Its conversion job. No foreign key: that one may be deleted.
    job_id: Mapped[str] = mapped_column(Id)
    #: What the conversion made; NULL before.
    sha256: Mapped[str | None] = mapped_column(String(64), ForeignKey("network_files.sha256"), index=True)
    #: What the engine says of it: resolution, channels, ...
    config: Mapped[JSONObject | None] = mapped_column(OptionalDocument)
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_detail: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now())

    __table_args__ = (
        Index("uq_networks_owner_name", "owner_id", "name", unique=True),
        # Everybody sees them, so a name must say which.
        Index(
            "uq_networks_shared_name",
            "name",
            unique=True,
            postgresql_where=text("shared"),
            sqlite_where=text("shared"),
        ),
    )


class JobNetwork(Base):
    """Which network files a job reads: what must not be deleted while it may still run."""

    __tablename__ = "job_networks"

    job_id: Mapped[str] = mapped_column(Id, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    sha256: Mapped[str] = mapped_column(
        String(64), ForeignKey("network_files.sha256", ondelete="CASCADE"), primary_key=True, index=True
    )
