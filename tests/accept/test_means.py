"""One set of means: over one database, and with one memory of what its owners have."""

from __future__ import annotations

import pytest

from accept import Means
from accounts.store import AccountStore
from jobs.database import Database
from jobs.errors import InUse, TooMuchStored, Unavailable
from jobs.store import JobStore, NewArtifact, NewJob
from storage.memory import MemoryStorage


def test_it_is_built_while_the_database_is_away():
    database = Database("postgresql://ada@127.0.0.1:1/a")  # nothing listens on port 1
    means = Means.build(JobStore(database), MemoryStorage())
    with pytest.raises(Unavailable):
        means.jobs.get("job_1")
    database.close()


def test_every_store_is_over_the_one_database(lite, eve):
    file_id = lite.files.reserve()
    made = NewArtifact("a.txt", f"files/{file_id}/a.txt", "text/plain", 3, "0" * 64)
    lite.files.add(file_id, eve, made)
    job, _ = lite.jobs.submit(NewJob(eve, "echo", "cpu", params={}, seed=1, inputs=[file_id]))
    with pytest.raises(InUse):
        lite.files.delete(file_id, eve)
    lite.jobs.cancel(job.id, eve)
    lite.files.delete(file_id, eve)
    assert lite.networks.page(eve) == []
    assert lite.fleet.alive() == []


def test_what_is_stored_is_measured_by_the_limits_that_jobs_are(lite, eve):
    """One memory of an owner's limits: who forgets them for the one has forgotten them for the other."""
    accounts = AccountStore(lite.jobs.database)
    accounts.set_limits(eve, {"max_stored_bytes": 10})
    with pytest.raises(TooMuchStored):
        lite.stored.check(eve, 11)
    accounts.set_limits(eve, {"max_stored_bytes": 20})
    lite.quota.forget(eve)
    lite.stored.check(eve, 11)
