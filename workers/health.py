"""A worker's own health: what it was told to do, whether it trusts itself, what it owes after an outage."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from fleet.store import FleetStore, Orders
from jobs.errors import LeaseLost, Unavailable
from jobs.pace import paced
from jobs.states import State
from jobs.store import JobRow, JobStore
from workers import settings
from workers.lease import Flag

_log = structlog.get_logger(__name__)

#: Outcomes of an attempt (`workers.ending`) that may be the machine's fault. What the input or the params
#: did, a limit of time, a stop that was asked for and a part of the house that was away are none.
SUSPICIOUS = frozenset({"failed: engine_crashed", "failed: out_of_memory", "retry: transient"})
#: Outcomes that left the job to its lease, though this worker lives.
ABANDONED = frozenset({"lease_lost", "not_recorded"})
#: How long to wait before a database that was away is asked again.
ASK_AGAIN_SECONDS = paced(2.0)


class Health:
    """Of one worker. The runner asks `ready` before each claim and tells how each job ended.

    `report` is for the thread that reports; everything else is for the runner's, between two jobs.
    """

    def __init__(self, fleet: FleetStore, store: JobStore, worker_id: str) -> None:
        self._fleet = fleet
        self._store = store
        self._worker_id = worker_id
        #: None: not known yet. A successor of a process that died may have to rest from its first moment.
        self._orders: Orders | None = None
        #: Held while the orders are read and kept, so that an older answer never replaces a newer one.
        self._learning = threading.Lock()
        #: Attempts that were left to their leases.
        self._owed: list[JobRow] = []
        #: The database went away in a claim, which may have taken jobs all the same.
        self._claim_unanswered = False

    @property
    def resting(self) -> bool:
        """Whether it is to claim nothing for now."""
        return self._orders is not None and self._orders.resting

    @property
    def at_ease(self) -> bool:
        """Whether it may claim as things stand: `ready` would say so without asking anybody."""
        return not self.resting and not self._unsettled

    def report(self, **values: Any) -> Orders:
        """Tell the fleet what this worker is doing (`FleetStore.report`). Raises Unavailable."""
        with self._learning:
            return self._learn(self._fleet.report(self._worker_id, **values))

    def ready(self) -> bool:
        """Whether to claim now. Gives back first what is owed: it is found while nothing runs here."""
        try:
            self._settle()
            if self._orders is None:
                with self._learning:
                    self._learn(self._fleet.orders(self._worker_id))
        except (Unavailable, SQLAlchemyError) as error:
            _log.warning("not_ready", error=str(error))
            return False
        return not self.resting

    def pause(self, ended: Flag) -> bool:
        """Wait while it is to rest, or a little when the database was away; then True: try again.

        False: there is nothing to wait for, or `ended` is set.
        """
        if not self.resting and not self._unsettled:
            return False
        # A bell that is heard while resting is one that a worker which may claim does not hear; while this
        # one is busy waiting, its parent listens for none.
        until = time.monotonic() + ASK_AGAIN_SECONDS
        while not ended.is_set() and (self.resting or time.monotonic() < until):
            time.sleep(settings.POLL_SECONDS)
        return not ended.is_set()

    def claim_unanswered(self) -> None:
        """The database went away in a claim."""
        self._claim_unanswered = True

    def judge(self, job: JobRow, outcome: str) -> None:
        """How an attempt ended here: a reason to trust this worker, to suspect it, or neither."""
        if outcome in ABANDONED:
            self._owed.append(job)
            return
        try:
            with self._learning:
                if outcome == "succeeded":
                    self._trust()
                elif outcome in SUSPICIOUS:
                    self._learn(self._fleet.suspect(self._worker_id, job.owner_id))
        except (Unavailable, SQLAlchemyError) as error:
            _log.warning("not_judged", outcome=outcome, error=str(error))

    @property
    def _unsettled(self) -> bool:
        return bool(self._owed) or self._claim_unanswered or self._orders is None

    def _trust(self) -> None:
        if self._orders is not None and self._orders.suspected:
            self._fleet.trust(self._worker_id)
            if not self._orders.quarantined:
                self._orders = replace(self._orders, suspected=())

    def _learn(self, orders: Orders) -> Orders:
        before = self._orders or Orders()
        self._orders = orders
        if orders.quarantined and not before.quarantined:
            _log.error("quarantined", worker_id=self._worker_id, owners=list(orders.suspected))
        if orders.resting != before.resting:
            _log.info("resting" if orders.resting else "working", draining=orders.draining)
        return orders

    def _settle(self) -> None:
        """Give back what this worker holds and does not run. It lives, so that counts as no failure."""
        if self._claim_unanswered:
            for job in self._store.expire_leases(worker_id=self._worker_id, charge=False):
                _log.info("claim_undone", job_id=job.id, attempt=job.attempt)
            self._claim_unanswered = False
        while self._owed:
            job = self._owed[0]
            try:
                row = self._store.release(job.id, job.attempt)
                charged = row.failures > job.failures  # its lease had been taken back before
            except LeaseLost:
                charged = True  # it runs elsewhere by now
                self._store.abandoned(job.id)  # what was stored here since is nobody's
            if charged:
                self._store.survived(job.id, self._worker_id)
            _log.info("settled", job_id=job.id, attempt=job.attempt, charged=charged)
            del self._owed[0]


def blame(fleet: FleetStore, worker_id: str, died_in: Sequence[JobRow]) -> None:
    """This worker's process died in these jobs: suspect it, or the one that is poison. Raises Unavailable.

    After a death among several that ran together nobody is suspected: which of them it was, if any, nobody
    knows, and two owners' poison behind others' jobs would look like a machine that kills everybody's. They
    run alone from then on (`expire_leases`), and a machine that is at fault kills them alone, too.
    """
    for job in died_in:
        if job.error_code == "poison_job":
            fleet.forgive([job.died_on, worker_id], job.owner_id)
    if len(died_in) != 1:
        return
    (job,) = died_in
    if job.batch_size == 1 and job.state != State.CANCELED and job.error_code != "poison_job":
        orders = fleet.suspect(worker_id, job.owner_id)
        if orders.quarantined:
            _log.error("quarantined", worker_id=worker_id, owners=list(orders.suspected))
