"""The services that a job's run may need, handed on as one to runner, attempt and context."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from accept.means import Means
from fleet.store import FleetStore
from jobs.database import Database
from jobs.files import FileStore
from jobs.networks import NetworkStore
from jobs.providers import ProviderStore
from jobs.store import JobStore
from storage.base import Storage
from workers import settings
from workers.networks import NetworkCache


def _nobody(_queue: str) -> None:
    """Whoever sleeps is woken by the sweeper."""


@dataclass(frozen=True)
class House:
    """What is shared by all jobs of a process. A further service is one line here, and one in `of`."""

    store: JobStore
    files: FileStore
    fleet: FleetStore
    networks: NetworkStore
    providers: ProviderStore
    #: Networks on this machine's disk.
    cache: NetworkCache
    storage: Storage

    @cached_property
    def means(self) -> Means:
        """What it takes to make the jobs that a job asks for."""
        return Means.build(self.store, self.storage)

    @classmethod
    def of(cls, database: Database, storage: Storage, ring: Callable[[str], None] = _nobody) -> Self:
        """The house around a database and an object store; `ring` wakes a queue's workers."""
        return cls(
            store=JobStore(database, ring=ring),
            files=FileStore(database),
            fleet=FleetStore(database),
            networks=NetworkStore(database),
            providers=ProviderStore(database),
            cache=NetworkCache(settings.networks_dir(), settings.networks_bytes()),
            storage=storage,
        )
