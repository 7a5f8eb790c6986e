"""Keys, the shared secret, living workers, locks."""

import pytest

from jobs.accounts import AccountStore, digest
from jobs.errors import NotFound
from jobs.fleet import FleetStore


def test_a_key_is_known_by_its_digest_only(database):
    accounts = AccountStore(database)
    key, row = accounts.create_key("ada", name="laptop", admin=True)
    assert key not in str(tuple(row))
    assert row.digest == digest(key)
    found = accounts.authenticate(key)
    assert (found.id, found.admin, found.user_id) == (row.id, True, row.user_id)
    assert accounts.authenticate(key + "x") is None


def test_two_keys_of_one_name_are_one_owner(database):
    accounts = AccountStore(database)
    first = accounts.create_key("ada")[1]
    second = accounts.create_key("ada")[1]
    assert first.user_id == second.user_id
    assert [k.id for k in list(accounts.keys(first.user_id))] == [second.id, first.id]
    assert {k.user_name for k in list(accounts.keys())} == {"ada"}


def test_a_revoked_key_opens_nothing(database):
    accounts = AccountStore(database)
    key, row = accounts.create_key("ada")
    accounts.revoke(row.id)
    assert accounts.authenticate(key) is None
    with pytest.raises(NotFound):
        accounts.revoke(row.id)


def test_the_shared_secret_is_the_same_for_all(database):
    accounts = AccountStore(database)
    assert accounts.shared_secret("content") == accounts.shared_secret("content")
    assert accounts.shared_secret("content") != accounts.shared_secret("other")


def report(fleet, worker_id, **changes):
    values = {
        "hostname": "h", "pid": 1, "queues": ["cpu"], "engines": ["echo"], "weights": [], "device": None,
        "job_id": None,
    }  # fmt: skip
    fleet.report(worker_id, **(values | changes))


def test_a_worker_that_reports_is_alive_until_it_leaves(database):
    fleet = FleetStore(database)
    report(fleet, "wrk_1")
    report(fleet, "wrk_1", device="cpu", weights=["vgg19"])
    (row,) = fleet.alive()
    assert (row.device, row.weights, row.queues) == ("cpu", ["vgg19"], ["cpu"])
    fleet.forget_dead(after_seconds=60)
    assert len(fleet.alive()) == 1
    fleet.leave("wrk_1")
    assert fleet.alive() == []


def test_one_holder_at_a_time(database):
    fleet = FleetStore(database)
    assert fleet.lock("sweeper", "a", seconds=30)
    assert fleet.lock("sweeper", "a", seconds=30)
    assert not fleet.lock("sweeper", "b", seconds=30)
    fleet.unlock("sweeper", "b")
    assert not fleet.lock("sweeper", "b", seconds=30)
    fleet.unlock("sweeper", "a")
    assert fleet.lock("sweeper", "b", seconds=-1)
    assert fleet.lock("sweeper", "a", seconds=30), "b's lock has run out"
