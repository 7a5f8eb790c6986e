"""The sweeper: takes back lost leases, rings for waiting jobs nobody heard of, deletes what is nobody's.

Any number may run; a lock in the database lets one work at a time. `python -m workers.sweep`.
"""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType

import structlog
from kombu.exceptions import OperationalError

from jobs.database import Database
from jobs.errors import Unavailable
from jobs.files import FileStore
from jobs.fleet import FleetStore
from jobs.ids import new_id
from jobs.logs import configure_logging
from jobs.store import JobStore
from queue_config import Doorbell
from storage import open_storage
from storage.base import Storage, StorageUnavailable
from workers import settings

_log = structlog.get_logger(__name__)

#: Rings a queue gets in one sweep at most: a woken worker goes on until its queues are empty.
MOST_RINGS = 256


class Sweeper:
    """One pass is `sweep`; `run` repeats it."""

    def __init__(self, database: Database, storage: Storage, doorbell: Doorbell) -> None:
        self._store = JobStore(database)
        self._files = FileStore(database)
        self._fleet = FleetStore(database)
        self._storage = storage
        self._doorbell = doorbell
        self._id = new_id("wrk")
        self._expire_from = 0.0
        self._forget_at = 0.0

    def run(self, ended: threading.Event) -> None:
        """Sweep until `ended` is set."""
        while not ended.wait(settings.SWEEP_SECONDS):
            try:
                self.sweep()
            except Unavailable as error:
                # While the database was away no worker could renew its lease. Give the living ones the
                # time to do so before their jobs are taken from them.
                self._expire_from = time.monotonic() + settings.LEASE_SECONDS
                _log.warning("sweep_failed", error=error.detail)
        try:
            self._fleet.unlock("sweeper", self._id)
        except Unavailable as error:
            _log.info("lock_left_to_expire", error=error.detail)

    def sweep(self) -> None:
        """One pass, if no other sweeper is at it. Raises Unavailable when the database is away."""
        if not self._fleet.lock("sweeper", self._id, seconds=5 * settings.SWEEP_SECONDS):
            return
        if time.monotonic() >= self._expire_from:
            for job in self._store.expire_leases():
                _log.warning("lease_expired", job_id=job.id, attempt=job.attempt, state=job.state)
        self._ring()
        self._clean()
        if time.monotonic() >= self._forget_at:
            self._fleet.forget_dead()
            self._forget_at = time.monotonic() + 600

    def _ring(self) -> None:
        """Top the doorbells up to the number of waiting jobs: this is what no lost message can survive."""
        for queue, due in self._store.due_by_queue().items():
            try:
                missing = due - self._doorbell.waiting(queue)
                for _ in range(min(missing, MOST_RINGS)):
                    self._doorbell.ring(queue)
            except (OperationalError, OSError) as error:
                _log.warning("broker_away", queue=queue, error=str(error))
                return

    def _clean(self) -> None:
        for row in self._files.due_cleanups():
            try:
                keys = [info.key for info in self._storage.list(row.prefix)]
                for start in range(0, len(keys), 500):
                    for key in self._files.unreferenced(keys[start : start + 500]):
                        self._storage.delete(key)
            except StorageUnavailable as error:
                _log.warning("storage_away", error=str(error))
                return
            self._files.cleaned(row.id)


def main() -> None:
    """Run a sweeper until SIGTERM or Ctrl-C."""
    configure_logging("sweeper")
    ended = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        ended.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    database = Database(pool_size=2)
    _log.info("sweeper_started")
    Sweeper(database, open_storage(), Doorbell()).run(ended)
    database.close()


if __name__ == "__main__":
    main()
