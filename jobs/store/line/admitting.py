"""The line: in which order queued jobs are taken, and how an owner's jobs get into it (docs/adr/0009).

Every queue has one line, ordered by `turn`. A job's turn is given once, when it enters the line: one more
than the last one its owner was given, and never less than the queue's clock, which is the largest turn that
was taken so far (`jobs.store.line.turns`). So each owner gets one job in each round, however many they have
waiting, and an owner who was away neither lost nor saved up anything (start-time fair queueing, Goyal, Vin
and Cheng 1996, with one turn a job). A priority moves a job BOOST turns ahead or back; that is bounded, and
an owner gets it once and not again with each job, so nothing waits for ever.

The line holds at most LINE jobs of one owner, queue and priority, or as many as the owner may still run. The
others wait behind it in their own order (`place`) and move up as those in front of them go. So a cap on
running jobs costs the claim nothing, a job that is canceled leaves no gap, and owners can reorder theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, case, exists, func, select, update
from sqlalchemy import literal_column as literal

from jobs import policy
from jobs.clock import now, seconds_since
from jobs.models import User, Webhook
from jobs.rows import EndedRow, JobRow, MetRow
from jobs.states import Hold, Priority
from jobs.store.line.own import (
    JOBS,
    OWN,
    OWN_BEHIND,
    OWN_IN_LINE,
    OWN_RUNNING,
    FlowKey,
    in_queue,
    its,
    of_owner,
    of_priority,
    up_to,
    whose,
)
from jobs.store.line.turns import CLOCK_NOW, GIVEN, STEP, close_gaps, give, giving, next_turn

#: An owner's jobs of one queue and priority that are in line at most; refilled when half of them are gone.
LINE = 256
#: What a priority is worth, in seconds, among an owner's own jobs behind the line.
PLACE_SECONDS = 600.0
_STEP_BACK = 1.0

#: What a new job of this owner, queue and priority meets.
_STANDING = select(
    CLOCK_NOW,
    GIVEN,
    STEP,
    up_to(bindparam("line"), whose(of_owner, in_queue, of_priority), OWN_IN_LINE).label("in_line"),
    exists().where(whose(of_owner, in_queue, of_priority), OWN_BEHIND).label("behind"),
    select(User.max_running).where(User.id == of_owner).scalar_subquery().label("max_running"),
    exists().where(Webhook.owner_id == of_owner).label("heard"),
)
_CAP = select(User.max_running).where(User.id == of_owner)
#: A cap is exact because whoever fills an owner's places, or gives one back, holds this lock. `no key`:
#: inserts that refer to the row go on meanwhile.
_CAP_LOCKED = _CAP.with_for_update(key_share=True)
#: A claim holds a job already, which the holder of the lock may wait for.
_CAP_IF_FREE = _CAP.with_for_update(key_share=True, skip_locked=True)
_ACTIVE = select(
    up_to(bindparam("most"), whose(of_owner, in_queue), OWN_IN_LINE)
    + up_to(bindparam("most"), whose(of_owner, in_queue), OWN_RUNNING)
)
#: At which priorities jobs wait behind the line.
_WHO_WAITS = select(
    *(
        exists().where(whose(of_owner, in_queue, int(priority)), OWN_BEHIND).label(priority.name)
        for priority in Priority
    )
)
_NEXT = (
    select(JOBS.c.id, JOBS.c.place)
    .where(
        JOBS.c.owner_id == of_owner,
        JOBS.c.queue == in_queue,
        JOBS.c.priority == of_priority,
        JOBS.c.state == literal("'queued'"),
        JOBS.c.hold == literal("'behind'"),
    )
    .order_by(JOBS.c.place, JOBS.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_ENTER = update(JOBS).where(JOBS.c.id == bindparam("of_job")).values(hold=None, turn=bindparam("its_turn"))
#: Until now a cap kept it from running, which more workers would not have changed: it begins to wait for one.
#: Behind a long backlog alone it has waited for workers all the time.
_ENTER_CAPPED = _ENTER.values(
    run_after=case((JOBS.c.run_after < now(), now()), else_=JOBS.c.run_after),
    queue_seconds=JOBS.c.queue_seconds
    + case((JOBS.c.run_after < now(), seconds_since(JOBS.c.run_after)), else_=0.0),
)

_QUEUES = select(OWN.c.queue).where(OWN.c.owner_id == of_owner, OWN.c.state == literal("'queued'"))
_QUEUES_IN_LINE = _QUEUES.where(OWN.c.turn.is_not(None)).distinct()
_QUEUES_BEHIND = _QUEUES.where(OWN.c.hold == literal("'behind'")).distinct()
_LAST_IN_LINE = (
    select(JOBS.c.id, JOBS.c.priority, JOBS.c.place, JOBS.c.turn)
    .where(
        JOBS.c.owner_id == of_owner,
        JOBS.c.queue == in_queue,
        JOBS.c.state == literal("'queued'"),
        JOBS.c.turn.is_not(None),
    )
    .order_by(JOBS.c.turn.desc(), JOBS.c.id.desc())
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_FIRST_BEHIND = select(func.min(OWN.c.place)).where(whose(of_owner, in_queue, of_priority), OWN_BEHIND)
_GO_BACK = (
    update(JOBS)
    .where(JOBS.c.id == bindparam("of_job"))
    .values(hold=Hold.BEHIND.value, turn=None, place=bindparam("its_place"))
)

_THEIR_CAP = func.coalesce(
    select(User.max_running).where(User.id == its("owner_id")).scalar_subquery(), bindparam("default_cap")
)
#: For RETURNING: whether the end of this job makes room under its owner's cap.
CAPPED = (_THEIR_CAP > 0).label("capped")
#: For RETURNING: whether others of the owner wait behind, and half of the owner's line is gone.
LINE_SHORT = case(
    (
        exists().where(whose(its("owner_id"), its("queue"), its("priority")), OWN_BEHIND),
        up_to(LINE // 2, whose(its("owner_id"), its("queue"), its("priority")), OWN_IN_LINE) < LINE // 2,
    ),
    else_=False,
).label("line_short")


@dataclass(frozen=True)
class Standing:
    """Where a new job goes."""

    hold: Hold | None
    #: With what `turns.GIVE` gives it its turn; None when it gets none yet.
    giving: Mapping[str, object] | None
    #: Whether its owner has webhooks.
    heard: bool


def cap_of(max_running: int | None) -> int:
    """How many jobs of a queue an owner may run at once, 0 for any number; `max_running` is their row's."""
    return policy.max_running() if max_running is None else max_running


def stand(connection: Connection, owner_id: str, queue: str, priority: int, *, held: bool) -> Standing:
    """Where a job that is accepted now goes: into the line, behind it, or on hold."""
    values = _flow(owner_id, queue, priority)
    met = _meets(connection, values)
    if held:
        return Standing(Hold.OWNER, None, met.heard)
    capped = cap_of(met.max_running) > 0
    if capped:
        connection.execute(_CAP_LOCKED, values).one_or_none()
        met = _meets(connection, values)
    room = _room(connection, values, met)
    # Those behind move up as others go; where that was missed, it is noticed here.
    if met.behind and room > (0 if capped else LINE // 2):
        admit(connection, owner_id, queue, only_if_free=True)
        met = _meets(connection, values)
        room = _room(connection, values, met)
    if met.behind or room <= 0:
        return Standing(Hold.BEHIND, None, met.heard)
    return Standing(None, giving(values, met), met.heard)


def foresee(connection: Connection, owner_id: str, queue: str, priority: int) -> int | None:
    """The turn that a job would get if it were accepted now; None: it would wait behind the line."""
    values = _flow(owner_id, queue, priority)
    met = _meets(connection, values)
    full = met.behind or _room(connection, values, met) <= 0
    return None if full else next_turn(met, priority)


def admit(
    connection: Connection, owner_id: str, queue: str, *, only_line: bool = False, only_if_free: bool = False
) -> int:
    """Let an owner's jobs move up from behind the line, as far as there is room. Returns how many.

    `only_if_free`: if somebody else is at it, that will do. `only_line`: nothing of theirs has ended, so that
    there is no new room under a cap.
    """
    whole = {"of_owner": owner_id, "in_queue": queue}
    owner = connection.execute(_CAP_IF_FREE if only_if_free else _CAP_LOCKED, whole).one_or_none()
    if owner is None:
        return 0
    cap = cap_of(owner.max_running)
    if only_line and 0 < cap <= LINE:
        return 0
    waits = connection.execute(_WHO_WAITS, whole).one()
    if not any(waits):
        return 0
    room = cap - _active(connection, whole, cap) if cap else len(Priority) * LINE
    if room <= 0:
        return 0
    met = {p: _meets(connection, _flow(owner_id, queue, p)) for p in Priority if waits._mapping[p.name]}
    found = []
    for priority in met:
        flow = _flow(owner_id, queue, priority)
        waiting = connection.execute(_NEXT, flow | {"most": min(room, LINE - met[priority].in_line)})
        found += [(row.place, row.id, priority) for row in waiting]
    found = sorted(found)[:room]
    for priority in met:
        ids = [job_id for _, job_id, its_priority in found if its_priority is priority]
        if ids:
            turns = give(connection, _flow(owner_id, queue, priority), met[priority], len(ids))
            entering = zip(ids, turns, strict=True)
            entry = _ENTER_CAPPED if cap else _ENTER
            connection.execute(entry, [{"of_job": job_id, "its_turn": turn} for job_id, turn in entering])
    return len(found)


def lock_owner(connection: Connection, owner_id: str) -> None:
    """Before a waiting job is taken out of the line: two that leave at once would wait for each other."""
    connection.execute(_CAP_LOCKED, {"of_owner": owner_id})


def left(connection: Connection, rows: Iterable[JobRow], turns: Mapping[str, int | None]) -> None:
    """These jobs left the line without having run: their owners' other jobs close the gaps and move up.

    `turns`: those they had, by their ids; None for a job that was not in line.
    """
    rows = list(rows)
    gone: dict[tuple[str, str, int], int] = {}
    for row in rows:
        turn, key = turns[row.id], (row.owner_id, row.queue, row.priority)
        if turn is not None:
            gone[key] = min(turn, gone.get(key, turn))
    for key in sorted(gone):
        close_gaps(connection, _flow(*key), gone[key])
    for owner_id, queue in sorted({(row.owner_id, row.queue) for row in rows}):
        admit(connection, owner_id, queue)


def move_up(connection: Connection, rows: Iterable[EndedRow]) -> None:
    """These jobs gave back their owners' places; each row's `capped` says whether that makes room."""
    # In one order everywhere, so that two transactions never wait for each other's owners.
    for owner_id, queue in sorted({(row.owner_id, row.queue) for row in rows if row.capped}):
        admit(connection, owner_id, queue)


def refit(connection: Connection, owner_id: str) -> None:
    """An owner's cap may have changed: what is over it goes back behind the line, or others move up."""
    whole: FlowKey = {"of_owner": owner_id}
    owner = connection.execute(_CAP_LOCKED, whole).one_or_none()
    cap = cap_of(owner.max_running) if owner is not None else 0
    if cap:
        for queue in sorted(connection.execute(_QUEUES_IN_LINE, whole).scalars()):
            _send_back(connection, owner_id, queue, cap)
    for queue in sorted(connection.execute(_QUEUES_BEHIND, whole).scalars()):
        admit(connection, owner_id, queue)


def own_place(accepted: float, priority: int) -> float:
    """A job's order behind the line when it is accepted at this time (seconds)."""
    return accepted - PLACE_SECONDS * priority


def _send_back(connection: Connection, owner_id: str, queue: str, cap: int) -> None:
    whole = {"of_owner": owner_id, "in_queue": queue}
    over = _active(connection, whole, cap + len(Priority) * 2 * LINE) - cap
    if over <= 0:
        return
    first_place: dict[int, float] = {}
    gone: dict[int, int] = {}
    for row in connection.execute(_LAST_IN_LINE, whole | {"most": over}).all():
        flow = _flow(owner_id, queue, row.priority)
        if row.priority not in first_place:
            behind = connection.execute(_FIRST_BEHIND, flow).scalar_one()
            first_place[row.priority] = row.place + _STEP_BACK if behind is None else behind
        # The last one first: each goes before those that went back already.
        place = min(row.place, first_place[row.priority] - _STEP_BACK)
        first_place[row.priority], gone[row.priority] = place, row.turn
        connection.execute(_GO_BACK, {"of_job": row.id, "its_place": place})
    for priority in sorted(gone):
        close_gaps(connection, _flow(owner_id, queue, priority), gone[priority])


def _flow(owner_id: str, queue: str, priority: int) -> FlowKey:
    return {"of_owner": owner_id, "in_queue": queue, "of_priority": int(priority)}


def _meets(connection: Connection, flow: FlowKey) -> MetRow:
    return connection.execute(_STANDING, flow | {"line": LINE}).one()


def _room(connection: Connection, flow: FlowKey, met: MetRow) -> int:
    """How many more jobs of this flow may enter the line."""
    cap = cap_of(met.max_running)
    in_line = LINE - int(met.in_line)
    return min(in_line, cap - _active(connection, flow, cap)) if cap else in_line


def _active(connection: Connection, values: FlowKey, most: int) -> int:
    return int(connection.execute(_ACTIVE, values | {"most": most}).scalar_one())
