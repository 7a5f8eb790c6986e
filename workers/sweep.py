"""The sweeper: takes back lost leases, rings for waiting jobs nobody heard of, deletes what is nobody's.

Any number may run; a lock in the database lets one work at a time. `python -m workers.sweep`.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import structlog
from kombu.exceptions import OperationalError
from sqlalchemy.exc import SQLAlchemyError

import engines
from accept import Means
from accounts.store import AccountStore
from fleet.store import FleetStore
from jobs.database import Database
from jobs.errors import Unavailable
from jobs.files import FileStore
from jobs.ids import new_id
from jobs.logs import configure_logging
from jobs.networks import NetworkStore
from jobs.providers import ProviderStore
from jobs.rows import FolderRow
from jobs.store import JobStore
from queue_config import Doorbell
from storage import open_storage
from storage.base import Storage, StorageUnavailable
from webhooks.deliveries import DeliveryStore
from workers import settings
from workers.chores import Chore, clock, do_due
from workers.expiry import Expiry, OldAnswers, OldCodes, OldMessages
from workers.schedules import Schedules
from workers.told import until_told

_log = structlog.get_logger(__name__)

#: Lost leases taken back in one statement.
EXPIRE_AT_ONCE = 100
#: Jobs ended in one transaction because they are late or nobody has their engine, and transactions of that
#: kind in one sweep: a thousand that are late together must not delay taking back a lease.
LATE_AT_ONCE = 100
LATE_TURNS = 5
#: Parts of ended jobs that are ended in one sweep, each in a transaction of its own.
PARTS_AT_ONCE = 200
#: Owners whose jobs behind the line are looked at in one pass.
OWNERS_AT_ONCE = 100
#: Unheard rings that a queue is topped up to, beside one for each living worker: for those that have not
#: reported yet. A woken worker goes on until its queues are empty; each further ring wakes one for nothing.
SPARE_RINGS = 16
#: Rings a queue gets in one sweep at most.
MOST_RINGS = 256
#: Networks' files looked at in one transaction.
FILES_AT_ONCE = 100
#: Folders looked through in one pass at most, so that the expiry has its turn.
MOST_FOLDERS = 2000


class Sweeper:
    """One pass is `sweep`, and `expire` and `clean` for what is kept no longer and its objects.

    `run` repeats both, each in a thread of its own. A further chore is a line in one of the two lists.
    """

    def __init__(self, database: Database, storage: Storage, doorbell: Doorbell) -> None:
        self._store = JobStore(database)
        self._files = FileStore(database)
        self._fleet = FleetStore(database)
        self._networks = NetworkStore(database)
        self._storage = storage
        self._doorbell = doorbell
        self._id = new_id("wrk")
        self._leading = False
        #: The database was away: a lease that ran out meanwhile says nothing of its job or its worker.
        self._outage = False
        self._swept: float | None = None
        #: The last owner whose jobs were let into the line; the next pass goes on after them.
        self._topped_up: str | None = None
        #: Those that put off what would take the workers' silence for their death.
        self._leases = Chore("leases", 0, self._expire)
        self._silence = Chore("silence", settings.FORGET_SECONDS, self._forget)
        self.chores = (
            self._leases,
            Chore("late jobs", 0, self._end_late),
            Chore("parts", 0, self._end_parts),
            Chore("schedules", 0, Schedules(Means.build(self._store, storage)).fire),
            Chore("line", settings.TOP_UP_SECONDS, self._top_up),
            Chore("doorbells", 0, self._ring),
            self._silence,
        )
        #: In a thread of their own: neither a slow object store nor a million old results may delay taking
        #: back a lease.
        self.slow_chores = (
            Chore("results and uploads", settings.EXPIRY_SECONDS, Expiry(self._store, self._files).look),
            Chore("link codes", settings.EXPIRY_SECONDS, OldCodes(AccountStore(database)).look),
            Chore("networks", settings.EXPIRY_SECONDS, self._free_networks),
            Chore("answers", settings.EXPIRY_SECONDS, OldAnswers(ProviderStore(database)).look),
            Chore("messages", settings.EXPIRY_SECONDS, OldMessages(DeliveryStore(database)).look),
        )

    def run(self, ended: threading.Event) -> None:
        """Sweep until `ended` is set."""
        cleaner = threading.Thread(target=self._run_cleaner, args=(ended,), name="cleaner", daemon=True)
        cleaner.start()
        while not ended.wait(settings.SWEEP_SECONDS):
            try:
                self.sweep()
            except (Unavailable, SQLAlchemyError) as error:
                _log.warning("sweep_failed", error=str(error))
                self.after_outage()
        try:
            self._fleet.unlock("sweeper", self._id)
        except (Unavailable, SQLAlchemyError) as error:
            _log.info("lock_left_to_expire", error=str(error))

    def after_outage(self) -> None:
        """The database was away just now: what nobody did meanwhile says nothing of the workers."""
        # No worker could renew its lease. Give the living ones the time to do so before their jobs are taken
        # from them; they try every half second, and a job that is taken too early is charged nothing.
        self._leases.put_off(settings.REUNION_SECONDS)
        self._silence.put_off(settings.RETURN_SECONDS)
        self._outage = True

    def sweep(self) -> None:
        """One pass, if no other sweeper is at it. Raises Unavailable when the database is away."""
        self._leading = self._fleet.lock("sweeper", self._id, seconds=5 * settings.SWEEP_SECONDS)
        if not self._leading:
            self._swept = None
            return
        now = clock()
        if self._swept is None or now - self._swept > 3 * settings.SWEEP_SECONDS:
            # Nobody swept for a while: the machine may have slept, the database hung. Workers that slept
            # too renew their leases in their first seconds, and report a little later.
            self._leases.put_off(settings.RENEW_SECONDS + settings.MARGIN_SECONDS)
            self._silence.put_off(settings.RETURN_SECONDS)
        self._swept = now
        do_due(self.chores)

    def expire(self) -> None:
        """Remove what was kept long enough, and networks nobody needs. Raises Unavailable."""
        do_due(self.slow_chores)

    def clean(self) -> None:
        """Delete the objects that no row names, of one folder after the other."""
        done = 0
        while done < MOST_FOLDERS and (due := self._files.due_cleanups()):
            if not self._clean(due):
                return
            done += len(due)

    def _clean(self, due: Sequence[FolderRow]) -> bool:
        for row in due:
            try:
                keys = [info.key for info in self._storage.list(row.prefix)]
                for start in range(0, len(keys), 500):
                    for key in self._files.unreferenced(keys[start : start + 500]):
                        self._storage.delete(key)
            except StorageUnavailable as error:
                _log.warning("storage_away", prefix=row.prefix, error=str(error))
                # Behind the others: one object that cannot be deleted must not hold them up.
                self._files.postpone(row.id, 60)
                return False
            self._files.cleaned(row.id)
        return True

    def _run_cleaner(self, ended: threading.Event) -> None:
        while not ended.wait(settings.SWEEP_SECONDS):
            if self._leading:
                try:
                    self.expire()
                    self.clean()
                except (Unavailable, SQLAlchemyError) as error:
                    _log.warning("clean_up_failed", error=str(error))

    def _expire(self) -> None:
        while True:
            lost = self._store.expire_leases(limit=EXPIRE_AT_ONCE, charge=not self._outage)
            for job in lost:
                _log.warning(
                    "lease_expired",
                    job_id=job.id,
                    request_id=job.request_id,
                    attempt=job.attempt,
                    state=job.state,
                )
                if job.error_code == "poison_job":
                    self._fleet.forgive([job.died_on], job.owner_id)
            if len(lost) < EXPIRE_AT_ONCE:
                self._outage = False
                return

    def _end_late(self) -> None:
        for _ in range(LATE_TURNS):
            late = self._store.end_late(limit=LATE_AT_ONCE)
            for job in late:
                _log.info("start_by_passed", job_id=job.id, request_id=job.request_id)
            if len(late) < LATE_AT_ONCE:
                return

    def _end_parts(self) -> None:
        ended = self._store.end_nobody_s_parts(limit=PARTS_AT_ONCE)
        if ended:
            _log.info("parts_ended_with_their_job", parts=ended)

    def _top_up(self) -> bool:
        """Let jobs into the line. True: not all owners were looked at."""
        self._topped_up = self._store.top_up(after=self._topped_up or "", limit=OWNERS_AT_ONCE)
        return self._topped_up is not None

    def _free_networks(self) -> bool:
        return len(self._networks.free(limit=FILES_AT_ONCE)) == FILES_AT_ONCE

    def _ring(self) -> None:
        """Ring for waiting jobs as often as there are workers to hear it: no lost message survives this."""
        waiting = self._store.due_by_queue()
        most = self._fleet.count_alive() + SPARE_RINGS if waiting else 0
        for queue, due in waiting.items():
            try:
                missing = min(due, most) - self._doorbell.waiting(queue)
                for _ in range(min(missing, MOST_RINGS)):
                    self._doorbell.ring(queue)
            except (OperationalError, OSError) as error:
                _log.warning("broker_away", queue=queue, error=str(error))
                return

    def _forget(self) -> bool:
        """What is looked at now and then: workers long silent, removed engines' jobs. True: there is more."""
        self._fleet.forget_dead()
        known = {name for worker in self._fleet.alive() for name in worker.engines} | set(engines.names())
        for _ in range(LATE_TURNS):
            gone = self._store.fail_orphans(
                sorted(known), after_seconds=settings.ENGINE_GONE_SECONDS, limit=LATE_AT_ONCE
            )
            for job in gone:
                _log.warning("engine_gone", job_id=job.id, engine=job.engine)
            if len(gone) < LATE_AT_ONCE:
                return False
        return True


def _sweep(ended: threading.Event) -> None:
    database = Database(pool_size=2)
    _log.info("sweeper_started")
    Sweeper(database, open_storage(), Doorbell()).run(ended)
    database.close()


def main() -> None:
    """Run a sweeper until SIGTERM or Ctrl-C."""
    configure_logging("sweeper")
    until_told(_sweep)


if __name__ == "__main__":
    main()
