"""What workers do to jobs: claim, renew, end. Every write is guarded by the attempt number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any, cast

from sqlalchemy import Connection, CursorResult, case, insert, update
from sqlalchemy.sql.dml import ReturningUpdate

from jobs.clock import now
from jobs.errors import LeaseLost
from jobs.ids import new_id
from jobs.models import Artifact, Job
from jobs.states import FINAL, State
from jobs.store.base import StoreBase
from jobs.store.rows import Beat, JobRow, NewArtifact
from jobs.store.statements import (
    ASKED_TO_STOP,
    BY_ID,
    CLAIM,
    END,
    JOBS,
    MAX_FAILURES,
    MINE,
    RENEW,
    SUCCEED,
    needs,
    plain,
    record,
    tidy,
)


class WorkerSide(StoreBase):
    """What workers do to jobs: claim, renew, end. Every write is guarded by the attempt number."""

    def claim(
        self,
        worker_id: str,
        queue: str,
        *,
        engines: Sequence[str],
        weights: Sequence[str] = (),
        lease_seconds: float,
        limit: int = 1,
    ) -> list[JobRow]:
        """Take the best waiting jobs of a queue: highest priority, then oldest. Starts attempt + 1.

        Only jobs of these engines, and only those that need no other weights files than these.
        """
        values = {
            "from_queue": queue,
            "known": list(engines),
            "had": [needs(some) for n in range(len(weights) + 1) for some in combinations(weights, n)],
            "most": limit,
            "worker_id": worker_id,
            "lease": lease_seconds,
        }

        def work(connection: Connection) -> list[JobRow]:
            rows = list(connection.execute(CLAIM, values))
            for row in rows:
                record(connection, row)
            return rows

        # Repeated after a lost answer it would take a second job and leave the first to its lease.
        return self.database.write(work, repeatable=False, survives_power_cut=False)

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
        found = self.database.write(
            lambda c: c.execute(renewing, mine).scalar_one_or_none(), survives_power_cut=False
        )
        if found is None:
            raise LeaseLost
        return Beat(cancel_requested=found)

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
        leftovers: bool = False,
    ) -> JobRow:
        """End the attempt with its results, whose bytes are stored already. Raises LeaseLost.

        `leftovers`: the attempt stored other objects too, a preview or a checkpoint, that may go now.
        """

        def add(connection: Connection, row: JobRow) -> None:
            if leftovers or attempt > 1:
                tidy(connection, row)
            if artifacts:
                connection.execute(
                    insert(Artifact),
                    [
                        {
                            "id": new_id("art"),
                            "owner_id": row.owner_id,
                            "job_id": job_id,
                            "name": a.name,
                            "key": a.key,
                            "media_type": a.media_type,
                            "size": a.size,
                            "sha256": a.sha256,
                            "width": a.width,
                            "height": a.height,
                            "meta": dict(a.meta),
                        }
                        for a in artifacts
                    ],
                )

        return self._end(SUCCEED, job_id, attempt, State.SUCCEEDED, then=add, ran_on=device)

    def fail(self, job_id: str, attempt: int, *, code: str, detail: str, device: str | None = None) -> JobRow:
        """End the attempt and the job with an error. Raises LeaseLost."""
        failing = END.values(
            state=State.FAILED.value,
            finished_at=now(),
            error_code=code,
            error_detail=plain(detail),
            device=device,
        )
        return self._end(failing, job_id, attempt, State.FAILED, reason=code)

    def end_canceled(self, job_id: str, attempt: int) -> JobRow:
        """The worker has stopped: the job is canceled. Raises LeaseLost."""
        canceling = END.values(state=State.CANCELED.value, finished_at=now())
        return self._end(canceling, job_id, attempt, State.CANCELED)

    def retry_later(
        self, job_id: str, attempt: int, *, code: str, detail: str, delay_seconds: float
    ) -> JobRow:
        """A transient error: queued again after a delay, or failed when the attempts are used up.

        A job that was asked to stop meanwhile is canceled instead. Raises LeaseLost.
        """
        last = JOBS.c.failures + 1 >= MAX_FAILURES
        asked = JOBS.c.cancel_requested
        retrying = END.values(
            state=case((asked, State.CANCELED.value), (last, State.FAILED.value), else_=State.QUEUED.value),
            failures=JOBS.c.failures + 1,
            error_code=case((asked, None), else_=code),
            error_detail=case((asked, None), else_=plain(detail)),
            run_after=now(delay_seconds),
            finished_at=case((asked | last, now()), else_=None),
        )
        return self._end(retrying, job_id, attempt, State.QUEUED, State.FAILED, State.CANCELED, reason=code)

    def release(self, job_id: str, attempt: int) -> JobRow:
        """A worker that shuts down gives the job back; this counts as no failure.

        A job that was asked to stop meanwhile is canceled instead. Raises LeaseLost.
        """
        asked = JOBS.c.cancel_requested
        releasing = END.values(
            state=case((asked, State.CANCELED.value), else_=State.QUEUED.value),
            run_after=now(),
            finished_at=case((asked, now()), else_=None),
        )
        return self._end(releasing, job_id, attempt, State.QUEUED, State.CANCELED, reason="released")

    def _end(
        self,
        ending: ReturningUpdate[Any],
        job_id: str,
        attempt: int,
        *becomes: State,
        reason: str | None = None,
        then: Callable[[Connection, JobRow], None] | None = None,
        **values: Any,
    ) -> JobRow:
        """Leave `running` for one of the states `becomes`, as the owner of this attempt."""
        values |= {"of_job": job_id, "of_attempt": attempt}

        def work(connection: Connection) -> JobRow:
            row = connection.execute(ending, values).one_or_none()
            if row is None:
                # The statement may have been repeated after a commit whose answer was lost.
                seen = connection.execute(BY_ID, {"job_id": job_id}).one_or_none()
                if seen is None or seen.attempt != attempt or seen.state not in becomes:
                    raise LeaseLost
                return seen
            record(connection, row, reason)
            if then is not None:
                then(connection, row)
            if row.state in FINAL and row.state != State.SUCCEEDED:
                tidy(connection, row)
            return row

        return self.database.write(work)
