"""Turns: which one a job gets when it enters a queue's line, and the queue's clock (docs/adr/0009).

A flow is one owner's jobs of one queue and priority. A flow's next turn is one more than the last it was
given (`jobs.models.Flow`), whether that job still waits, runs or has ended, and never less than the queue's
clock. An owner who uses two or three priorities at a time gets every second or third turn with each, so that
the three of them together get no more than another owner's one.

Giving a turn is one statement that locks the flow until the transaction ends: two jobs never get the same.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Update,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from jobs.models import Clock, Flow
from jobs.rows import ClaimedRow, MetRow
from jobs.states import Priority
from jobs.store.line.own import (
    JOBS,
    OWN,
    OWN_IN_LINE,
    OWN_RUNNING,
    FlowKey,
    in_queue,
    its,
    of_owner,
    of_priority,
    whose,
)

#: How many turns a priority is worth.
BOOST = 10

_FLOWS = Flow.__table__


def _in_use(priority: Priority) -> ColumnElement[int]:
    has_any = exists().where(whose(of_owner, in_queue, int(priority)), OWN.c.turn.is_not(None))
    return case((of_priority == int(priority), 1), (has_any, 1), else_=0)


_THE_FLOW = and_(_FLOWS.c.owner_id == of_owner, _FLOWS.c.queue == in_queue, _FLOWS.c.priority == of_priority)
#: What the next turn depends on: columns for a statement about a flow.
CLOCK_NOW = select(Clock.turn).where(Clock.queue == in_queue).scalar_subquery().label("clock")
GIVEN = select(_FLOWS.c.turn).where(_THE_FLOW).scalar_subquery().label("given")
STEP = sum((_in_use(priority) for priority in Priority), literal_column("0")).label("step")


def _giving(dialect: Any) -> Any:
    made = dialect.insert(_FLOWS).values(
        owner_id=of_owner, queue=in_queue, priority=of_priority, turn=bindparam("at_least")
    )
    one_more = _FLOWS.c.turn + bindparam("further")
    later = case((one_more > made.excluded.turn, one_more), else_=made.excluded.turn)
    return made.on_conflict_do_update(
        index_elements=list(_FLOWS.primary_key), set_={"turn": later}
    ).returning(_FLOWS.c.turn)


GIVE = {"postgresql": _giving(postgresql), "sqlite": _giving(sqlite)}


def start(clock: int | None, priority: int) -> int:
    """The turn of somebody who has just come."""
    return max(clock or 0, 0) - BOOST * priority


def next_turn(met: MetRow, priority: int) -> int:
    """The turn that a flow would be given next; `met` has the columns above."""
    first = start(met.clock, priority)
    return first if met.given is None else max(first, met.given + met.step)


def giving(flow: FlowKey, met: MetRow, count: int = 1) -> dict[str, object]:
    """What GIVE needs to know in order to return the last of so many turns of a flow."""
    before_last = (count - 1) * met.step
    first = start(met.clock, flow["of_priority"])
    return flow | {"at_least": first + before_last, "further": count * met.step}


def give(connection: Connection, flow: FlowKey, met: MetRow, count: int = 1) -> list[int]:
    """The next turns of a flow."""
    last = int(connection.execute(GIVE[connection.dialect.name], giving(flow, met, count)).scalar_one())
    return list(range(last - (count - 1) * met.step, last + 1, met.step))


_LOCK = select(_FLOWS.c.turn).where(_THE_FLOW).with_for_update()
_waiting = and_(whose(of_owner, in_queue, of_priority), OWN_IN_LINE)
_MET = select(
    CLOCK_NOW,
    STEP,
    select(func.min(OWN.c.turn)).where(_waiting).scalar_subquery().label("first"),
    select(func.max(OWN.c.turn)).where(_waiting).scalar_subquery().label("last"),
    select(func.count()).select_from(OWN).where(_waiting).scalar_subquery().label("in_line"),
    select(func.max(OWN.c.turn))
    .where(whose(of_owner, in_queue, of_priority), OWN_RUNNING)
    .scalar_subquery()
    .label("running_last"),
)
#: Without those that are just being claimed: whoever ends such a job may wait for its owner, as we do here.
_stays = select(OWN.c.id, OWN.c.turn).where(_waiting).with_for_update(skip_locked=True).subquery("stays")
_numbered = select(
    _stays.c.id,
    (
        bindparam("first_turn")
        + bindparam("step") * (func.row_number().over(order_by=(_stays.c.turn, _stays.c.id)) - 1)
    ).label("turn"),
).subquery("numbered")
_CLOSE = (
    update(JOBS)
    .where(JOBS.c.id == _numbered.c.id, JOBS.c.turn > _numbered.c.turn)
    .values(turn=_numbered.c.turn)
)
_TAKE_BACK = update(_FLOWS).where(_THE_FLOW, _FLOWS.c.turn > bindparam("last")).values(turn=bindparam("last"))


def close_gaps(connection: Connection, flow: FlowKey, gone: int) -> None:
    """Jobs left the line without having run, `gone` the first of their turns: those after them get these."""
    connection.execute(_LOCK, flow)  # nobody enters meanwhile
    met = connection.execute(_MET, flow).one()
    # Not back to the clock: what ran before had its turns, also if it has ended since.
    floor = gone if met.first is None else min(gone, met.first)
    first = max(start(met.clock, flow["of_priority"]), floor)
    lasts = [floor - met.step, *([] if met.running_last is None else [met.running_last])]
    if met.in_line:
        connection.execute(_CLOSE, flow | {"first_turn": first, "step": met.step})
        lasts.append(min(met.last, first + met.step * (met.in_line - 1)))
    connection.execute(_TAKE_BACK, flow | {"last": max(lasts)})


#: For RETURNING.
CLOCK = select(Clock.turn).where(Clock.queue == its("queue")).scalar_subquery().label("clock")


def _setting(queue: Any, turn: Any) -> Update:
    return (
        update(Clock)
        .where(
            Clock.queue.in_(
                # Skipped while another claim sets it: a claim waits for none, and the next sets it further.
                select(Clock.queue)
                .where(Clock.queue == queue, Clock.turn < turn)
                .with_for_update(skip_locked=True)
            )
        )
        .values(turn=turn)
    )


_SET_CLOCK = _setting(in_queue, bindparam("its_turn"))


def clock_after(taken: CTE, queue: Any) -> Update:
    """Part of the statement that takes jobs: `advance_clock` for the first of them."""
    return _setting(queue, select(func.min(taken.c.turn)).scalar_subquery())


def advance_clock(connection: Connection, row: ClaimedRow) -> None:
    """A job was taken: the queue's clock shows its turn, if that is the largest so far."""
    if row.turn is None or (row.clock is not None and row.turn <= row.clock):
        return
    if row.clock is None:
        dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
        first = dialect.insert(Clock).values(queue=row.queue, turn=row.turn).on_conflict_do_nothing()
        connection.execute(first)
    elif connection.dialect.name == "postgresql":
        return  # the claim has done it (`clock_after`)
    connection.execute(_SET_CLOCK, {"in_queue": row.queue, "its_turn": row.turn})
