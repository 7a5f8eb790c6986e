"""What the end of a part means to the job that asked for it.

Its results are that job's to read from then on; the last part lets the job stand in line again; one that
failed or was canceled fails it. Whether a part is left is looked up under the job's lock each time and
counted nowhere, so that no count can be wrong (docs/adr/0017). Locks are taken in the order of everybody: the
running row, the owner, waiting rows.
"""

from __future__ import annotations

from sqlalchemy import (
    Connection,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal_column,
    select,
    update,
)

from jobs.clock import now
from jobs.models import Artifact, JobInput, JobPart
from jobs.rows import JobRow
from jobs.sql import fetch_one
from jobs.states import Hold, State
from jobs.store.events import note
from jobs.store.line.admitting import admit, lock_owner
from jobs.store.outbox import announce, announce_progress
from jobs.store.statements import JOBS, QUEUED

PARTS = JobPart.__table__
ARTIFACTS = Artifact.__table__
OF_JOB = PARTS.c.job_id == bindparam("of_job")
#: Never full: what follows the parts is work as well.
_MOST = 0.999

#: Those that were linked from an earlier try have ended, so these are all.
ONE_LEFT = select(exists().where(JOBS.c.part_of == bindparam("of_job"), JOBS.c.finished_at.is_(None)))
_of = JOBS.alias("of")
_MEETS = (
    select(
        _of.c.state,
        _of.c.hold,
        PARTS.c.share,
        PARTS.c.name,
        ONE_LEFT.scalar_subquery().label("one_left"),
        exists().where(ARTIFACTS.c.job_id == bindparam("of_part")).label("results"),
    )
    .join(PARTS, PARTS.c.job_id == _of.c.id)
    .where(_of.c.id == bindparam("of_job"), PARTS.c.part_id == bindparam("of_part"))
    .with_for_update(of=_of)
)
_READ_RESULTS = insert(JobInput).from_select(
    ["job_id", "artifact_id"],
    select(bindparam("of_job", type_=PARTS.c.job_id.type), ARTIFACTS.c.id).where(
        ARTIFACTS.c.job_id == bindparam("of_part"),
        ~exists().where(JobInput.job_id == bindparam("of_job"), JobInput.artifact_id == ARTIFACTS.c.id),
    ),
)
_waiting = and_(JOBS.c.id == bindparam("of_job"), QUEUED, JOBS.c.hold == literal_column("'parts'"))
_further = JOBS.c.progress + bindparam("share")
_GO_ON = (
    update(JOBS)
    .where(_waiting)
    .values(
        progress=case((_further > _MOST, _MOST), else_=_further),
        message=bindparam("said"),
        version=JOBS.c.version + 1,
    )
)
_STAND_AGAIN = _GO_ON.values(hold=Hold.BEHIND.value, run_after=now()).returning(JOBS)
_GO_ON = _GO_ON.returning(JOBS.c.notify)
_FAIL = (
    update(JOBS)
    .where(_waiting)
    .values(
        state=State.FAILED.value,
        hold=None,
        finished_at=now(),
        version=JOBS.c.version + 1,
        error_code="part_failed",
        error_detail=bindparam("detail"),
    )
    .returning(JOBS)
)
_other = PARTS.alias("other")
_another_try = (
    select(_other.c.job_id)
    .where(_other.c.part_id == JOBS.c.id, _other.c.job_id != bindparam("of_job"))
    .limit(1)
    .scalar_subquery()
)
_LET_GO = (
    update(JOBS)
    .where(JOBS.c.part_of == bindparam("of_job"))
    .values(part_of=func.coalesce(_another_try, literal_column("''")))
)


def part_ended(connection: Connection, part: JobRow) -> JobRow | None:
    """A part has ended. Returns its job, if that has changed its state or its place by it."""
    if not part.part_of:
        return None
    # Before the job's row, as whoever cancels or deletes it does. And a statement of its own: the next one
    # sees what all have done who held the lock before, so of parts that end at once exactly one is the last.
    lock_owner(connection, part.owner_id)
    job_id = part.part_of
    met = connection.execute(_MEETS, {"of_job": job_id, "of_part": part.id}).one_or_none()
    if met is None or met.state != State.QUEUED or met.hold != Hold.PARTS:
        return None
    if part.state != State.SUCCEEDED:
        what = f"{part.error_code}: {part.error_detail}" if part.error_code else str(part.state)
        failed = fetch_one(connection, JobRow, _FAIL, {"of_job": job_id, "detail": f"{met.name}: {what}"})
        note(connection, [failed] if failed is not None else [], "part_failed")
        return failed
    if met.results:
        read_results(connection, job_id, part.id)
    if not met.one_left:
        return stand_again(connection, job_id, met.share)
    values = {"of_job": job_id, "share": met.share, "said": f"{met.name} is made"}
    if connection.execute(_GO_ON, values).scalar_one():
        announce_progress(connection, job_id)
    return None


def read_results(connection: Connection, job_id: str, part_id: str) -> None:
    """The job reads what its part has made: nothing of it goes while the job may need it."""
    connection.execute(_READ_RESULTS, {"of_job": job_id, "of_part": part_id})


def stand_again(connection: Connection, job_id: str, share: float = 0.0) -> JobRow | None:
    """All its parts have ended well: the job stands in line again, and goes on when its turn comes."""
    row = fetch_one(connection, JobRow, _STAND_AGAIN, {"of_job": job_id, "share": share, "said": ""})
    if row is not None:
        note(connection, [row], "parts_ended")
        if row.notify:
            announce(connection, row)
        admit(connection, row.owner_id, row.queue)
    return row


def let_go(connection: Connection, job_id: str) -> None:
    """A job with parts is deleted: its parts belong to another try that uses them, or to nobody."""
    connection.execute(_LET_GO, {"of_job": job_id})
