"""How many of an owner's jobs wait and run: what the cap on waiting jobs is about, and what admins see."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, ScalarSelect, and_, bindparam, func, select

from jobs.clock import seconds_since
from jobs.store.base import StoreBase
from jobs.store.line.own import up_to
from jobs.store.retention import ENDED, KEPT
from jobs.store.statements import JOBS, QUEUED, RUNNING

#: So many of an owner's last jobs say how fast places become free.
LAST = 20

_OWNER = JOBS.c.owner_id == bindparam("of_owner")
# Each predicate is that of a partial index which begins with the owner and has the state: neither count reads
# the table itself.
_HAS_TURN = JOBS.c.turn.is_not(None)
_HAS_NONE = and_(QUEUED, JOBS.c.hold.is_not(None))


def _theirs(*conditions: ColumnElement[bool]) -> ScalarSelect[int]:
    return up_to(bindparam("most"), _OWNER, *conditions, of=JOBS.c.owner_id)


WAITING = select(_theirs(_HAS_TURN, QUEUED) + _theirs(_HAS_NONE))
_LAST_ENDS = (
    select(seconds_since(JOBS.c.finished_at))
    .where(_OWNER, ENDED, KEPT)
    .order_by(JOBS.c.finished_at.desc())
    .limit(LAST)
)


class Waiting(StoreBase):
    """Counts of one owner's jobs."""

    def waiting(self, owner_id: str, most: int) -> int:
        """How many of an owner's jobs wait, in line or not; counted up to `most` of each, at least."""
        values = {"of_owner": owner_id, "most": most}
        return self.database.read(lambda c: int(c.execute(WAITING, values).scalar_one()))

    def seconds_between_ends(self, owner_id: str) -> float | None:
        """How long it takes, by the last ones and until now, for one more job of this owner to end."""
        ago = self.database.read(lambda c: list(c.execute(_LAST_ENDS, {"of_owner": owner_id}).scalars()))
        return max(ago) / len(ago) if ago else None

    def standing(self, owner_ids: Sequence[str]) -> dict[str, tuple[int, int]]:
        """(waiting, running) jobs of each of these owners."""
        theirs = JOBS.c.owner_id.in_(owner_ids)
        counts = [
            select(JOBS.c.owner_id, func.count()).where(theirs, *which).group_by(JOBS.c.owner_id)
            for which in ((_HAS_TURN, QUEUED), (_HAS_NONE,), (_HAS_TURN, RUNNING))
        ]
        in_line, behind, running = (
            self.database.read(lambda c, query=query: {row[0]: row[1] for row in c.execute(query)})  # type: ignore[misc]
            for query in counts
        )
        return {
            owner: (in_line.get(owner, 0) + behind.get(owner, 0), running.get(owner, 0))
            for owner in owner_ids
        }
