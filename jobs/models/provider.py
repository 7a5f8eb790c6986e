"""What owners asked of services elsewhere, and what these answered."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from jobs.models.base import Base, Id


class ProviderUsage(Base):
    """What one owner had of one provider in one day."""

    __tablename__ = "provider_usage"

    owner_id: Mapped[str] = mapped_column(Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    #: `2026-11-21`, in UTC.
    day: Mapped[str] = mapped_column(String(10), primary_key=True)
    provider: Mapped[str] = mapped_column(String(64), primary_key=True)
    calls: Mapped[int] = mapped_column(Integer)
    tokens: Mapped[int] = mapped_column(BigInteger)


class ProviderAnswer(Base):
    """An answer that is kept for a while: the same request of the same owner need not be paid twice."""

    __tablename__ = "provider_answers"

    owner_id: Mapped[str] = mapped_column(Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    #: SHA-256 of the whole request.
    request: Mapped[str] = mapped_column(String(64), primary_key=True)
    answer: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(index=True)
