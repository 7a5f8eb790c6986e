"""ProviderStore: what owners may have of services elsewhere in a day, and answers kept for a second time.

Counted in the database, so that all workers count together.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, case, delete, select, true, tuple_

from jobs.clock import now
from jobs.database import Database
from jobs.models import ProviderAnswer, ProviderUsage
from jobs.sql import insert_or

#: How long an answer is kept: a chain that is resumed the next morning is not paid again.
KEEP_ANSWER_SECONDS = 24 * 3600.0
KEEP_USAGE_DAYS = 400

_USAGE = ProviderUsage.__table__
_ANSWERS = ProviderAnswer.__table__


class ProviderStore:
    """Budgets and kept answers, in one database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def spend(
        self,
        owner_id: str,
        provider: str,
        *,
        calls: int,
        tokens: int,
        calls_per_day: int,
        tokens_per_day: int,
    ) -> datetime | None:
        """Count these calls and tokens; less than nothing gives back, as far as the day has any.

        Where there are calls among them and the day's calls or tokens are used up nothing is counted, and the
        time is returned at which the budget begins anew. 0 a day: any number.
        """

        def work(connection: Connection) -> datetime | None:
            today = connection.execute(select(now())).scalar_one().astimezone(UTC)
            made = insert_or(connection, ProviderUsage).values(
                owner_id=owner_id,
                day=today.strftime("%Y-%m-%d"),
                provider=provider,
                calls=max(calls, 0),
                tokens=max(tokens, 0),
            )
            bounds = ((_USAGE.c.calls, calls_per_day), (_USAGE.c.tokens, tokens_per_day))
            room = and_(true(), *(column < most for column, most in bounds if most))
            counted = made.on_conflict_do_update(
                index_elements=[_USAGE.c.owner_id, _USAGE.c.day, _USAGE.c.provider],
                set_={
                    "calls": _at_least_0(_USAGE.c.calls + calls),
                    "tokens": _at_least_0(_USAGE.c.tokens + tokens),
                },
                where=room if calls > 0 else true(),
            ).returning(_USAGE.c.calls)
            if connection.execute(counted).one_or_none() is not None:
                return None
            return datetime(today.year, today.month, today.day, tzinfo=UTC) + timedelta(days=1)

        # Repeated after a lost answer it would count twice.
        return self.database.write(work, repeatable=False)

    def recall(self, owner_id: str, request: str) -> str | None:
        """What was answered to this request of this owner, if it is still kept."""
        query = select(_ANSWERS.c.answer).where(
            _ANSWERS.c.owner_id == owner_id, _ANSWERS.c.request == request, _ANSWERS.c.expires_at > now()
        )
        return self.database.read(lambda c: c.execute(query).scalar_one_or_none())

    def remember(self, owner_id: str, request: str, answer: str) -> None:
        """Keep an answer for KEEP_ANSWER_SECONDS."""
        values = {"answer": answer, "expires_at": now(KEEP_ANSWER_SECONDS)}
        made = insert_or(self.database.engine, ProviderAnswer).values(
            owner_id=owner_id, request=request, **values
        )
        kept = made.on_conflict_do_update(
            index_elements=[_ANSWERS.c.owner_id, _ANSWERS.c.request], set_=values
        )
        self.database.write(lambda c: c.execute(kept))

    def forget(self, owner_id: str, request: str) -> None:
        """Keep an answer no longer."""
        gone = delete(_ANSWERS).where(_ANSWERS.c.owner_id == owner_id, _ANSWERS.c.request == request)
        self.database.write(lambda c: c.execute(gone))

    def expire(self, *, limit: int) -> int:
        """Remove answers that were kept long enough, at most `limit`, and very old counts. How many."""
        key = tuple_(_ANSWERS.c.owner_id, _ANSWERS.c.request)
        due = select(_ANSWERS.c.owner_id, _ANSWERS.c.request).where(_ANSWERS.c.expires_at <= now())
        old = delete(_ANSWERS).where(key.in_(due.limit(limit))).returning(_ANSWERS.c.request)

        def work(connection: Connection) -> int:
            today = connection.execute(select(now())).scalar_one()
            first = (today - timedelta(days=KEEP_USAGE_DAYS)).strftime("%Y-%m-%d")
            connection.execute(delete(_USAGE).where(_USAGE.c.day < first))
            return len(connection.execute(old).all())

        return self.database.write(work)


def _at_least_0(value: ColumnElement[int]) -> ColumnElement[int]:
    return case((value < 0, 0), else_=value)
