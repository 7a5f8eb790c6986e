"""What workers do to jobs: claim, renew, end. Every write is guarded by the attempt number."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, cast

from sqlalchemy import Connection, CursorResult, case, false, update
from sqlalchemy.sql.dml import ReturningUpdate

from jobs import policy
from jobs.clock import now
from jobs.errors import LeaseLost
from jobs.models import Job
from jobs.rows import EndedRow, JobRow
from jobs.states import State
from jobs.store.base import StoreBase
from jobs.store.ending import ended
from jobs.store.events import Noted
from jobs.store.line import claiming
from jobs.store.outbox import announce_progress
from jobs.store.statements import (
    ASKED_TO_STOP,
    BY_ID,
    END,
    FINISH,
    JOBS,
    LEFT_OVER,
    MAX_FAILURES,
    MINE,
    RENEW,
    SUCCEED,
    plain,
)
from jobs.store.values import Beat, Claim, NewArtifact, Success

_SUCCEEDING = Noted(EndedRow, SUCCEED)


class WorkerSide(StoreBase):
    """What workers do to jobs: claim, renew, end. Every write is guarded by the attempt number."""

    def claim(
        self,
        worker_id: str,
        queue: str,
        *,
        engines: Sequence[str],
        meets: Collection[Collection[str]] = (),
        models: Sequence[str] = (),
        lease_seconds: float,
    ) -> list[JobRow]:
        """Take the job that is next in line, and those that can run together with it. Starts attempt + 1.

        Only jobs of these engines, and only those that need nothing or exactly one of the sets in `meets`. A
        job whose model is one of `models` goes before earlier ones within bounds (`line.claiming`).
        """
        wanted = Claim(worker_id, queue, engines, lease_seconds, meets, models)
        # Repeated after a lost answer it would take a second job and leave the first to its lease.
        return self.database.write(
            lambda c: claiming.claim(c, wanted), repeatable=False, survives_power_cut=False
        )

    def beat(
        self,
        job_id: str,
        attempt: int,
        *,
        lease_seconds: float,
        progress: float | None = None,
        message: str | None = None,
        preview_key: str | None = None,
    ) -> Beat:
        """Renew the lease and, when given, report progress. Raises LeaseLost."""
        renewing = RENEW.values(lease_until=now(lease_seconds))
        if progress is not None:
            renewing = renewing.values(progress=progress, version=Job.version + 1)
        if message is not None:
            renewing = renewing.values(message=plain(message)[:200])
        if preview_key is not None:
            renewing = renewing.values(preview_key=preview_key)
        mine = {"of_job": job_id, "of_attempt": attempt}

        def work(connection: Connection) -> bool:
            found = connection.execute(renewing, mine).one_or_none()
            if found is None:
                raise LeaseLost
            if found.notify and progress is not None:
                announce_progress(connection, job_id)
            return bool(found.cancel_requested)

        return Beat(cancel_requested=self.database.write(work, survives_power_cut=False))

    def cancel_requested(self, job_id: str, attempt: int) -> bool:
        """Whether this attempt must stop. Raises LeaseLost."""
        mine = {"of_job": job_id, "of_attempt": attempt}
        found = self.database.read(lambda c: c.execute(ASKED_TO_STOP, mine).scalar_one_or_none())
        if found is None:
            raise LeaseLost
        return bool(found)

    def save_checkpoint(self, job_id: str, attempt: int, key: str) -> None:
        """Remember where the newest checkpoint is. Raises LeaseLost."""
        saving = update(JOBS).where(MINE).values(checkpoint_key=key)
        mine = {"of_job": job_id, "of_attempt": attempt}
        done = self.database.write(lambda c: cast("CursorResult[Any]", c.execute(saving, mine)).rowcount)
        if not done:
            raise LeaseLost

    def succeed(
        self,
        job_id: str,
        attempt: int,
        artifacts: Sequence[NewArtifact],
        *,
        device: str | None = None,
        peak_memory: int | None = None,
        leftovers: bool = False,
    ) -> JobRow:
        """End the attempt with its results, whose bytes are stored already. Raises LeaseLost.

        `leftovers`: the attempt stored other objects too, a preview or a checkpoint, that may go now.
        """
        success = Success(job_id, attempt, artifacts, leftovers=leftovers)
        (row,) = self.succeed_together([success], device=device, peak_memory=peak_memory)
        if row is None:
            raise LeaseLost
        return row

    def succeed_together(
        self, successes: Sequence[Success], *, device: str | None = None, peak_memory: int | None = None
    ) -> list[JobRow | None]:
        """End the attempts of several jobs in one transaction; None for each that was no longer ours."""
        standing: list[JobRow] = []

        def work(connection: Connection) -> list[JobRow | None]:
            return _succeed(connection, successes, standing, device=device, peak_memory=peak_memory)

        rows = self.database.write(work)
        self.ring_for(standing)
        return rows

    def succeed_and_claim(
        self, success: Success, wanted: Claim, *, device: str | None = None, peak_memory: int | None = None
    ) -> list[JobRow]:
        """End the attempt with its results, and take what is next in line: one commit for both.

        Returns what was claimed, as `claim` does. Raises LeaseLost, and then has claimed nothing. After any
        other error `succeed` may be called: it finds out what became of the attempt.
        """

        standing: list[JobRow] = []

        def work(connection: Connection) -> list[JobRow]:
            (row,) = _succeed(connection, [success], standing, device=device, peak_memory=peak_memory)
            if row is None:
                raise LeaseLost
            return claiming.claim(connection, wanted)

        # Not repeated, as no claim is.
        rows = self.database.write(work, repeatable=False)
        taken = {row.id for row in rows}
        self.ring_for(row for row in standing if row.id not in taken)
        return rows

    def fail(
        self,
        job_id: str,
        attempt: int,
        *,
        code: str,
        detail: str,
        device: str | None = None,
        peak_memory: int | None = None,
    ) -> JobRow:
        """End the attempt and the job with an error. Raises LeaseLost."""
        failing = FINISH.values(
            state=State.FAILED.value,
            error_code=code,
            error_detail=plain(detail),
            **_ran(device, peak_memory),
        )
        return self._end(failing, job_id, attempt, State.FAILED, reason=code)

    def end_canceled(
        self, job_id: str, attempt: int, *, device: str | None = None, peak_memory: int | None = None
    ) -> JobRow:
        """The worker has stopped: the job is canceled. Raises LeaseLost."""
        canceling = FINISH.values(state=State.CANCELED.value, **_ran(device, peak_memory))
        return self._end(canceling, job_id, attempt, State.CANCELED)

    def retry_later(
        self,
        job_id: str,
        attempt: int,
        *,
        code: str,
        detail: str,
        delay_seconds: float,
        charge: bool = True,
        device: str | None = None,
        peak_memory: int | None = None,
    ) -> JobRow:
        """A transient error: queued again after a delay, or failed when the attempts are used up.

        `charge=False`: something all jobs need was away, which is no failure of this one's; it is tried
        again for as long as that lasts. A job that was asked to stop meanwhile is canceled instead. Raises
        LeaseLost.
        """
        failures = JOBS.c.failures + (1 if charge else 0)
        last = failures >= MAX_FAILURES if charge else false()
        asked = JOBS.c.cancel_requested
        retrying = END.values(
            state=case((asked, State.CANCELED.value), (last, State.FAILED.value), else_=State.QUEUED.value),
            failures=failures,
            error_code=case((asked, None), else_=code),
            error_detail=case((asked, None), else_=plain(detail)),
            run_after=now(delay_seconds),
            finished_at=case((asked | last, now()), else_=None),
            turn=case((asked | last, None), else_=JOBS.c.turn),
            progress=case((asked | last, JOBS.c.progress), else_=LEFT_OVER),
            **_ran(device, peak_memory),
        )
        return self._end(retrying, job_id, attempt, State.QUEUED, State.FAILED, State.CANCELED, reason=code)

    def release(
        self, job_id: str, attempt: int, *, device: str | None = None, peak_memory: int | None = None
    ) -> JobRow:
        """A worker that shuts down gives the job back; this counts as no failure.

        A job that was asked to stop meanwhile is canceled instead. Raises LeaseLost.
        """
        asked = JOBS.c.cancel_requested
        releasing = END.values(
            state=case((asked, State.CANCELED.value), else_=State.QUEUED.value),
            run_after=now(),
            finished_at=case((asked, now()), else_=None),
            turn=case((asked, None), else_=JOBS.c.turn),
            progress=case((asked, JOBS.c.progress), else_=LEFT_OVER),
            **_ran(device, peak_memory),
        )
        return self._end(releasing, job_id, attempt, State.QUEUED, State.CANCELED, reason="released")

    def _end(
        self,
        ending: ReturningUpdate[Any],
        job_id: str,
        attempt: int,
        *becomes: State,
        reason: str | None = None,
    ) -> JobRow:
        """Leave `running` for one of the states `becomes`, as the owner of this attempt."""
        values = {"of_job": job_id, "of_attempt": attempt, "default_cap": policy.max_running()}
        changing = Noted(EndedRow, ending)

        def work(connection: Connection) -> JobRow:
            rows = changing.run(connection, values, reason=reason)
            if not rows:
                seen = _ended_before(connection, job_id, attempt, becomes)
                if seen is None:
                    raise LeaseLost
                return seen
            ended(connection, rows)
            return rows[0]

        return self.database.write(work)


def _ran(device: str | None, peak_memory: int | None) -> dict[str, object]:
    """What is known of where the attempt ran. One that ended before its engine was loaded knows nothing."""
    return {} if device is None else {"device": device, "peak_memory": peak_memory}


def _ended_before(
    connection: Connection, job_id: str, attempt: int, becomes: Collection[State]
) -> JobRow | None:
    """The job, if a statement that was repeated after a commit whose answer was lost had ended it."""
    seen = connection.execute(BY_ID, {"job_id": job_id}).one_or_none()
    if seen is None or seen.attempt != attempt or seen.state not in becomes:
        return None
    return seen


def _succeed(
    connection: Connection,
    successes: Sequence[Success],
    standing: list[JobRow],
    *,
    device: str | None,
    peak_memory: int | None,
) -> list[JobRow | None]:
    """`standing` becomes the jobs that stand in line again by it, also when all of this is done anew."""
    ran = {"ran_on": device, "peak": peak_memory, "default_cap": policy.max_running()}
    made = {one.job_id: one for one in successes}
    found: dict[str, JobRow | None] = {}
    now_ended: list[EndedRow] = []
    # In one order everywhere, so that two transactions never wait for each other's rows.
    for job_id in sorted(made):
        mine = {"of_job": job_id, "of_attempt": made[job_id].attempt}
        rows = _SUCCEEDING.run(connection, ran | mine)
        now_ended += rows
        before = (
            _ended_before(connection, job_id, made[job_id].attempt, (State.SUCCEEDED,)) if not rows else None
        )
        found[job_id] = rows[0] if rows else before
    standing[:] = ended(connection, now_ended, successes=made)
    return [found[one.job_id] for one in successes]
