"""Keys and the shared secret."""

import pytest

from accounts.keys import digest
from accounts.store import AccountStore
from jobs.errors import NotFound


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
