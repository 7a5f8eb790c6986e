"""The bytes that an owner stores: added up seldom, exact for what a process let in."""

from __future__ import annotations

import pytest
from sqlalchemy import insert

from accept import stored
from accept.quota import Quota
from accept.stored import Stored
from accounts.store import AccountStore
from jobs.errors import TooMuchStored
from jobs.files import FileStore
from jobs.models import Artifact, Network, NetworkFile
from jobs.store import JobStore
from tests.jobs.conftest import owner


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ada(database):
    owner_id = owner(database)
    AccountStore(database).set_limits(owner_id, {"max_stored_bytes": 1600})
    return owner_id


@pytest.fixture
def process(database, clock):
    """The sums of one API process; `sums` counts how often it added up."""
    files = FileStore(database)
    made = Stored(files, Quota(JobStore(database), AccountStore(database), clock), clock)
    made.sums = 0
    adding = files.stored_bytes

    def counted(owner_id):
        made.sums += 1
        return adding(owner_id)

    files.stored_bytes = counted
    return made


def keep(database, owner_id: str, *sizes: int) -> None:
    """Files that somebody else, another process or a worker, has stored."""
    rows = [
        {"id": f"art_{owner_id[-8:]}{n:024x}", "owner_id": owner_id, "name": "x", "key": f"files/{n}/x"}
        | {"media_type": "image/png", "size": size, "sha256": "0" * 64}
        for n, size in enumerate(sizes)
    ]
    database.write(lambda c: c.execute(insert(Artifact), rows))


def test_uploads_results_and_networks_are_one_sum(database, ada):
    bob = owner(database, "bob")
    keep(database, ada, 100, 20)
    keep(database, bob, 7)
    files = FileStore(database)
    assert (files.stored_bytes(ada), files.stored_bytes(bob)) == (120, 7)

    file = {"sha256": "a" * 64, "key": "jobs/1/1/n", "size": 5000}
    network = {
        "kind": "stylegan",
        "state": "ready",
        "upload_sha256": "b" * 64,
        "upload_size": 9,
        "job_id": "job_1",
    }
    theirs = [
        network | {"id": f"net_{name}", "owner_id": who, "name": name, "sha256": file["sha256"]}
        for name, who in (("one", ada), ("two", bob))
    ]
    database.write(lambda c: (c.execute(insert(NetworkFile), [file]), c.execute(insert(Network), theirs)))
    assert (files.stored_bytes(ada), files.stored_bytes(bob)) == (5120, 5007)
    assert files.stored_bytes("usr_nobody") == 0


def test_it_adds_up_seldom_and_is_exact_for_what_it_let_in(process, clock, ada):
    for _ in range(16):
        process.check(ada, 100)
    with pytest.raises(TooMuchStored):
        process.check(ada, 100)
    assert process.sums == 1
    # none of it came to be stored, as a second later is seen
    clock.now += stored.FULL_TTL
    process.check(ada, 100)
    assert process.sums == 2


def test_what_others_stored_is_seen_before_the_room_is_gone(process, database, clock, ada):
    process.check(ada, 100)
    keep(database, ada, 1500)
    process.check(ada, 100)  # by the old sum
    clock.now += stored.FULL_TTL
    with pytest.raises(TooMuchStored) as refused:
        process.check(ada, 101)
    assert refused.value.extra == {"used": 1500, "allowed": 1600}
    clock.now += stored.TTL
    process.check(ada, 100)


def test_without_a_limit_nothing_is_added_up(process, database, ada):
    AccountStore(database).set_limits(ada, {"max_stored_bytes": 0})
    process.check(ada, 10**15)
    process.check("usr_nobody", 1)
    assert process.sums == 0
