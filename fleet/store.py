"""FleetStore: what the workers report and are told, and whom they suspect."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, func, select, true, update

from fleet.locks import Locks
from jobs.clock import now
from jobs.errors import NotFound
from jobs.models import Worker
from jobs.pace import paced
from jobs.rows import OrdersRow, SeenWorkerRow, WorkerRow
from jobs.sql import Values, fetch_all, fetch_one, fetch_the_one, insert_or

#: A worker that has not reported for this long is not counted as alive.
ALIVE_SECONDS = paced(15.0)
#: Owners whose jobs fail on a worker, one after the other, before it trusts itself no more. Different ones:
#: one owner's jobs may all be wrong in the same way.
QUARANTINE_OWNERS = 3

_WORKERS = Worker.__table__


@dataclass(frozen=True)
class Orders:
    """What a worker learns when it reports."""

    #: Claim nothing more.
    draining: bool = False
    #: Give back what runs.
    releasing: bool = False
    #: Owners whose jobs failed on it since its last success.
    suspected: tuple[str, ...] = ()
    #: Claim nothing more, because of those.
    quarantined: bool = False

    @property
    def resting(self) -> bool:
        """Whether it is to claim nothing."""
        return self.draining or self.quarantined


_ORDERS = (
    _WORKERS.c.draining,
    _WORKERS.c.releasing,
    _WORKERS.c.suspected,
    _WORKERS.c.quarantined_at,
)


def _orders(told: OrdersRow) -> Orders:
    return Orders(told.draining, told.releasing, tuple(told.suspected), told.quarantined_at is not None)


class FleetStore(Locks):
    """Workers and locks, in one database."""

    def report(
        self,
        worker_id: str,
        *,
        hostname: str,
        pid: int,
        queues: Sequence[str],
        engines: Sequence[str],
        weights: Sequence[str],
        device: str | None,
        models: Sequence[str] = (),
        job_ids: Sequence[str] = (),
    ) -> Orders:
        """A worker says that it lives and what it is doing, and is told what it is to do."""
        values = {
            "hostname": hostname,
            "pid": pid,
            "queues": list(queues),
            "engines": list(engines),
            "weights": list(weights),
            "device": device,
            "models": list(models),
            "job_ids": list(job_ids),
            "heartbeat_at": now(),
        }
        made = insert_or(self.database.engine, Worker).values(id=worker_id, **values)
        said = made.on_conflict_do_update(index_elements=[Worker.id], set_=values).returning(*_ORDERS)
        return _orders(
            self.database.write(lambda c: fetch_the_one(c, OrdersRow, said), survives_power_cut=False)
        )

    def orders(self, worker_id: str) -> Orders:
        """What a worker is to do that has not reported yet: its process may be the successor of another."""
        query = select(*_ORDERS).where(Worker.id == worker_id)
        told = self.database.read(lambda c: fetch_one(c, OrdersRow, query))
        return Orders() if told is None else _orders(told)

    def leave(self, worker_id: str) -> None:
        """A worker ends."""
        self.database.write(lambda c: c.execute(delete(Worker).where(Worker.id == worker_id)))

    def alive(self) -> list[WorkerRow]:
        """The workers that reported lately."""
        query = select(Worker.__table__).where(Worker.heartbeat_at > now(-ALIVE_SECONDS))
        return self.database.read(lambda c: fetch_all(c, WorkerRow, query))

    def count_alive(self) -> int:
        """How many workers reported lately."""
        query = select(func.count()).select_from(Worker).where(Worker.heartbeat_at > now(-ALIVE_SECONDS))
        return self.database.read(lambda c: int(c.execute(query).scalar_one()))

    def workers(self) -> list[SeenWorkerRow]:
        """All that reported within the last hour or so, each with `alive`; the longest there first."""
        return self._listed(true())

    def worker(self, worker_id: str) -> SeenWorkerRow:
        """One of them. Raises NotFound."""
        found = self._listed(Worker.id == worker_id)
        if not found:
            raise NotFound("There is no such worker, or it has been silent for long.")
        return found[0]

    def _listed(self, which: ColumnElement[bool]) -> list[SeenWorkerRow]:
        alive = (Worker.heartbeat_at > now(-ALIVE_SECONDS)).label("alive")
        query = select(_WORKERS, alive).where(which).order_by(Worker.id)
        return self.database.read(lambda c: fetch_all(c, SeenWorkerRow, query))

    def drain(self, worker_id: str, *, release: bool = False) -> None:
        """Let a worker take no more jobs; with `release`, give back now what it runs. Raises NotFound."""
        self._tell(worker_id, {"draining": True} | ({"releasing": True} if release else {}))

    def resume(self, worker_id: str) -> None:
        """Let a worker take jobs again that was drained or quarantined. Raises NotFound."""
        self._tell(
            worker_id, {"draining": False, "releasing": False, "suspected": [], "quarantined_at": None}
        )

    def _tell(self, worker_id: str, values: Values) -> None:
        telling = update(_WORKERS).where(_WORKERS.c.id == worker_id).values(**values).returning(_WORKERS.c.id)
        if self.database.write(lambda c: c.execute(telling).one_or_none()) is None:
            raise NotFound("There is no such worker, or it has been silent for long.")

    def suspect(self, worker_id: str, owner_id: str) -> Orders:
        """A job of this owner failed on this worker, and it may be the worker's fault.

        After QUARANTINE_OWNERS different ones with no success between, the worker is quarantined.
        """

        def work(connection: Connection) -> Orders:
            worker = self._locked(connection, worker_id)
            if worker is None:
                return Orders()
            suspected = [*worker.suspected, *([] if owner_id in worker.suspected else [owner_id])]
            return self._settle(connection, worker, suspected)

        return self.database.write(work)

    def trust(self, worker_id: str) -> None:
        """A job has succeeded on this worker: what failed before it was not the worker's fault."""
        trusting = update(_WORKERS).where(_WORKERS.c.id == worker_id, _WORKERS.c.quarantined_at.is_(None))
        self.database.write(lambda c: c.execute(trusting.values(suspected=[])))

    def forgive(self, worker_ids: Iterable[str | None], owner_id: str) -> None:
        """It was this owner's job, and not these workers; None is nobody."""

        def work(connection: Connection) -> None:
            # In one order everywhere: no deadlock.
            for worker_id in sorted({one for one in worker_ids if one is not None}):
                worker = self._locked(connection, worker_id)
                if worker is not None and owner_id in worker.suspected:
                    self._settle(connection, worker, [one for one in worker.suspected if one != owner_id])

        self.database.write(work)

    def _locked(self, connection: Connection, worker_id: str) -> WorkerRow | None:
        query = select(_WORKERS).where(_WORKERS.c.id == worker_id).with_for_update()
        return fetch_one(connection, WorkerRow, query)

    def _settle(self, connection: Connection, worker: WorkerRow, suspected: list[str]) -> Orders:
        """Quarantine a worker with so many suspected owners, or lift that."""
        since = None if len(suspected) < QUARANTINE_OWNERS else worker.quarantined_at or now()
        settling = update(_WORKERS).where(_WORKERS.c.id == worker.id)
        changed = settling.values(suspected=suspected, quarantined_at=since).returning(*_ORDERS)
        return _orders(fetch_the_one(connection, OrdersRow, changed))

    def forget_dead(self, after_seconds: float = 3600.0) -> None:
        """Drop the rows of workers that have been silent for long."""
        self.database.write(
            lambda c: c.execute(delete(Worker).where(Worker.heartbeat_at < now(-after_seconds)))
        )
