"""What is done for the jobs of a worker's child that died: others may have them before the lease ends.

Its successor does it as its first act. While the database is away it goes on trying, in a thread of its own:
it may have claimed other jobs by the time the database answers. When the worker ends there is no successor,
and the parent, which knows no database, starts `python -m workers.lost_child`.
"""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from collections.abc import Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError

from fleet.store import FleetStore
from jobs.database import Database
from jobs.errors import Unavailable
from jobs.logs import configure_logging
from jobs.states import State
from jobs.store import JobStore
from workers import settings
from workers.health import ASK_AGAIN_SECONDS, blame

_log = structlog.get_logger(__name__)


def free_leases(
    *, charge: bool, ring: Callable[[str], None] = lambda _queue: None
) -> threading.Thread | None:
    """This worker's child has died: let another worker take its jobs now instead of after the lease.

    `charge`: whether that is a failure of the jobs' and perhaps this machine's fault, as it is not when we
    ended the child to shut down, or when the database was away as well. `ring` wakes a queue, a little before
    the sweeper does. Returns the thread that goes on trying, while the database is away.
    """
    worker_id = settings.worker_id()
    if worker_id is None:
        return None
    died = time.monotonic()
    database = Database(pool_size=1)
    if _freed(database, worker_id, died, charge=charge, ring=ring):
        database.close()
        return None
    later = threading.Thread(
        target=_free_later, args=(database, worker_id, died, ring), name="free-leases", daemon=True
    )
    later.start()
    return later


def _free_later(database: Database, worker_id: str, died: float, ring: Callable[[str], None]) -> None:
    give_up = died + settings.WRITE_PATIENCE_SECONDS
    while time.monotonic() + ASK_AGAIN_SECONDS < give_up:
        time.sleep(ASK_AGAIN_SECONDS)
        if _freed(database, worker_id, died, charge=False, ring=ring):
            break
    else:
        _log.warning("leases_left", worker_id=worker_id)  # they run out by themselves
    database.close()


def _freed(
    database: Database, worker_id: str, died: float, *, charge: bool, ring: Callable[[str], None]
) -> bool:
    """Whether the database took note."""
    try:
        freed = JobStore(database).expire_leases(
            worker_id=worker_id, claimed_before=time.monotonic() - died, charge=charge
        )
        for job in freed:
            _log.warning(
                "lease_freed",
                job_id=job.id,
                request_id=job.request_id,
                attempt=job.attempt,
                state=job.state,
            )
    except (Unavailable, SQLAlchemyError) as error:
        _log.warning("lease_not_freed", error=str(error))
        return False
    try:
        if charge:
            blame(FleetStore(database), worker_id, freed)
    except (Unavailable, SQLAlchemyError) as error:
        _log.warning("not_blamed", error=str(error))
    for queue in {job.queue for job in freed if job.state == State.QUEUED}:
        ring(queue)
    return True


def main() -> None:
    """Free them once a line comes in. None comes when the child has ended well: there is nothing to do."""
    configure_logging("worker")
    if sys.stdin.readline():
        # A database that hangs must not keep a process whose parent has long been gone.
        signal.alarm(math.ceil(settings.EXIT_SECONDS))
        later = free_leases(charge=False)
        if later is not None:  # as long as the parent would have tried
            later.join(settings.EXIT_SECONDS - settings.DRAIN_SECONDS)


if __name__ == "__main__":
    main()
