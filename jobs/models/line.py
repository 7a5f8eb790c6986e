"""How far queues have come, and owners in them (docs/adr/0009)."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from jobs.models.base import Base, Id


class Clock(Base):
    """How far a queue has come: the largest turn that was ever claimed from it. It never goes back."""

    __tablename__ = "clocks"

    queue: Mapped[str] = mapped_column(String(64), primary_key=True)
    turn: Mapped[int] = mapped_column(BigInteger)


class Flow(Base):
    """How far an owner has come in a queue's line at one priority: the last turn they were given."""

    __tablename__ = "flows"

    owner_id: Mapped[str] = mapped_column(Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    queue: Mapped[str] = mapped_column(String(64), primary_key=True)
    priority: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    turn: Mapped[int] = mapped_column(BigInteger)
