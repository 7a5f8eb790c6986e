"""The leases of running attempts: renewed from a thread, and the place where a job learns it must stop."""

from __future__ import annotations

import contextvars
import enum
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import structlog
from sqlalchemy.exc import SQLAlchemyError

from jobs.errors import LeaseLost, Unavailable
from jobs.store import JobStore
from workers import settings

_log = structlog.get_logger(__name__)


class Flag:
    """An Event without its lock, which the handlers of two signals could both want."""

    def __init__(self) -> None:
        self._set = False

    def set(self) -> None:
        """From now on it is set."""
        self._set = True

    def clear(self) -> None:
        """From now on it is not."""
        self._set = False

    def is_set(self) -> bool:
        """Whether it was set."""
        return self._set


class Stop(enum.Enum):
    """Why an attempt must stop."""

    CANCELED = "canceled"
    #: The worker shuts down, or was told to: save a checkpoint and give the job back.
    RELEASED = "released"
    #: Another attempt owns the job, or nobody knows.
    LOST = "lost"
    TIMED_OUT = "timed_out"


class Lease:
    """One attempt's lease; a `Keeper` keeps it alive.

    `report` leaves the newest progress for the keeper to write; `stop` says whether and why to stop. When
    the engine ignores that for HARD_STOP_SECONDS, the keeper ends the job in the database and then the
    process: a hung CUDA call cannot be interrupted in any other way.
    """

    def __init__(
        self,
        store: JobStore,
        job_id: str,
        attempt: int,
        *,
        draining: Flag,
        end_process: Callable[[int], None] = os._exit,
    ) -> None:
        self._store = store
        self._job_id = job_id
        self._attempt = attempt
        self._draining = draining
        self._deadline = math.inf
        self._end_process = end_process
        self._stop: Stop | None = None
        self._stop_since = 0.0
        self._report: tuple[float, str, str | None] | None = None
        # The claim has renewed it and written that nothing is done yet: a job of a second costs no beat.
        self._renewed = self._reported = time.monotonic()
        self._engine_ended = False
        self._engine_lived = 0.0
        # The job's logging context: the keeper's lines about it carry the job's and the request's id.
        self._context = contextvars.copy_context()

    @property
    def stop(self) -> Stop | None:
        """Why to stop now; None to go on."""
        if self._stop is None and self._draining.is_set():
            return Stop.RELEASED
        return self._stop

    def limit(self, seconds: float) -> None:
        """From now on the job may take this long; then it stops as timed out."""
        self._deadline = time.monotonic() + seconds

    def release(self) -> None:
        """The job is to be given back, though this process goes on."""
        self._set(Stop.RELEASED)

    def engine_began(self) -> None:
        """From now on an engine that does not stop when it is told to is ended hard."""
        self._engine_ended = False
        self.engine_lives()

    def engine_lives(self) -> None:
        """The engine, which runs other jobs together with this one, goes on as it should."""
        self._engine_lived = time.monotonic()

    def engine_ended(self) -> None:
        """No engine runs the job: there is nothing to end hard, and its time does not go by."""
        self._engine_ended = True
        self._deadline = math.inf

    def report(self, progress: float, message: str, preview_key: str | None) -> None:
        """Leave the newest progress for the keeper to write."""
        self._report = (progress, message, preview_key)

    def keep(self, *, ask: bool = True) -> bool:
        """Renew, write the news, look whether to stop. False when the database did not answer.

        Without `ask` the database is left alone, and only the clock is looked at.
        """
        return self._context.run(self._keep, ask)

    def _keep(self, ask: bool) -> bool:
        answered = False
        try:
            if ask:
                self._tick()
                answered = True
        except LeaseLost:
            answered = True
            self._set(Stop.LOST)
        except (Unavailable, SQLAlchemyError) as error:
            # The thread must outlive any fault of the database: without it nobody renews or cancels.
            _log.warning("lease_not_renewed", error=str(error))
        if not answered and time.monotonic() - self._renewed > settings.GIVE_UP_SECONDS:
            self._set(Stop.LOST)
        if time.monotonic() > self._deadline:
            self._set(Stop.TIMED_OUT)
        lived = max(self._stop_since, self._engine_lived)
        overdue = time.monotonic() - lived > settings.HARD_STOP_SECONDS
        if self._stop and overdue and not self._engine_ended:
            self._end_hard(self._stop)
        return answered

    def _tick(self) -> None:
        now = time.monotonic()
        report = self._report
        if report and now - self._reported >= settings.PROGRESS_SECONDS:
            progress, message, preview_key = report
            beat = self._store.beat(
                self._job_id,
                self._attempt,
                lease_seconds=settings.LEASE_SECONDS,
                progress=progress,
                message=message,
                preview_key=preview_key,
            )
            if self._report is report:
                self._report = None
            self._reported = self._renewed = time.monotonic()
            canceled = beat.cancel_requested
        elif now - self._renewed >= settings.RENEW_SECONDS:
            canceled = self._store.beat(
                self._job_id, self._attempt, lease_seconds=settings.LEASE_SECONDS
            ).cancel_requested
            self._renewed = time.monotonic()
        else:
            canceled = self._store.cancel_requested(self._job_id, self._attempt)
        if canceled:
            self._set(Stop.CANCELED)

    def _set(self, stop: Stop) -> None:
        if self._stop is None:
            self._stop, self._stop_since = stop, time.monotonic()

    def _end_hard(self, stop: Stop) -> None:
        _log.error("engine_ignored_stop", stop=stop.value, seconds=settings.HARD_STOP_SECONDS)
        try:
            if stop is Stop.CANCELED:
                self._store.end_canceled(self._job_id, self._attempt)
            elif stop is Stop.TIMED_OUT:
                self._store.fail(
                    self._job_id, self._attempt, code="timeout", detail="The job ran for too long."
                )
            else:  # if it is still ours: neither an order nor an outage is a failure of the job's
                self._store.release(self._job_id, self._attempt)
        except (LeaseLost, Unavailable, SQLAlchemyError) as error:
            _log.warning("hard_stop_not_recorded", error=str(error))  # its lease runs out instead
        self._end_process(70)


class Keeper:
    """Keeps leases alive, those of jobs that run together, from one thread for all jobs of a process.

    A thread that is started and joined for each job costs a short one a tenth of its time.
    """

    def __init__(self) -> None:
        self._leases: Sequence[Lease] = ()
        #: Held while they are looked after: nothing is done to a lease after it was let go.
        self._looking = threading.Lock()
        self._some = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def keeping(self, leases: Sequence[Lease]) -> Iterator[None]:
        """Keep these alive meanwhile; one set at a time."""
        self._leases = leases
        self._some.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
            self._thread.start()
        try:
            yield
        finally:
            self._some.clear()
            with self._looking:
                self._leases = ()

    def _run(self) -> None:
        while True:
            self._some.wait()
            time.sleep(settings.POLL_SECONDS)
            with self._looking:
                answered = True
                for lease in self._leases:
                    # In an outage each would wait for it anew, and the last one's time would never come.
                    answered = lease.keep(ask=answered) and answered
