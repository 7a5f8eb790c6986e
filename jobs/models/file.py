"""Stored files, the keys that uploads came with, and what is to be looked through for leftovers."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Float, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from jobs.clock import now
from jobs.documents import JSONObject
from jobs.models.base import Base, Id


class Artifact(Base):
    """One stored file: an uploaded input or a produced output."""

    __tablename__ = "artifacts"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    owner_id: Mapped[str] = mapped_column(Id, ForeignKey("users.id", ondelete="CASCADE"))
    #: The job that produced it; NULL for an upload.
    job_id: Mapped[str | None] = mapped_column(Id, ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(255))
    key: Mapped[str] = mapped_column(String(512))
    media_type: Mapped[str] = mapped_column(String(100))
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    width: Mapped[int | None] = mapped_column(Integer)
    height: Mapped[int | None] = mapped_column(Integer)
    #: Of a sound or a film.
    seconds: Mapped[float | None] = mapped_column(Float)
    #: What a small result says, that nobody has to fetch it for; NULL for all others.
    text: Mapped[str | None] = mapped_column(Text)
    meta: Mapped[JSONObject] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=now())

    __table_args__ = (Index("ix_artifacts_owner", "owner_id", "id"),)


class UploadKey(Base):
    """An Idempotency-Key that came with an upload, and the file it made. It goes with the file."""

    __tablename__ = "upload_keys"

    owner_id: Mapped[str] = mapped_column(Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    file_id: Mapped[str] = mapped_column(Id, ForeignKey("artifacts.id", ondelete="CASCADE"), index=True)


class Cleanup(Base):
    """A folder of the object store to look through: what no artifact row names is deleted from it.

    Written in the transaction that makes objects superfluous (or before an upload that may fail half
    way), carried out by the sweeper: so no crash leaves bytes behind, and nothing referenced is deleted.
    """

    __tablename__ = "cleanups"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    #: `jobs/<id>` or `files/<id>`.
    prefix: Mapped[str] = mapped_column(String(512))
    due_at: Mapped[datetime] = mapped_column(index=True)
