"""What it takes to make a job: the stores that are asked, and the limits that hold."""

from __future__ import annotations

from dataclasses import dataclass

from accept.quota import Quota
from accept.stored import Stored
from accounts.store import AccountStore
from fleet.store import FleetStore
from jobs.files import FileStore
from jobs.networks import NetworkStore
from jobs.store import JobStore
from storage.base import Storage


@dataclass(frozen=True)
class Means:
    """One set for each process, handed on as one."""

    jobs: JobStore
    files: FileStore
    networks: NetworkStore
    fleet: FleetStore
    storage: Storage
    quota: Quota
    stored: Stored

    @classmethod
    def build(cls, jobs: JobStore, storage: Storage) -> Means:
        """All that belongs to these two. Connects to nothing."""
        files = FileStore(jobs.database)
        quota = Quota(jobs, AccountStore(jobs.database))
        return cls(
            jobs=jobs,
            files=files,
            networks=NetworkStore(jobs.database),
            fleet=FleetStore(jobs.database),
            storage=storage,
            quota=quota,
            stored=Stored(files, quota),
        )
