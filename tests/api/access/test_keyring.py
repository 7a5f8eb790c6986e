"""Keys that were looked up lately: for how long, and how many."""

from __future__ import annotations

from accounts.store import AccountStore
from api.access.keyring import CAPACITY, TTL, Keyring
from tests.api.helpers import eventually


def test_a_key_revoked_elsewhere_stops_working_within_seconds(api, store):
    accounts = AccountStore(store.database)
    assert api.get("/v1/me").status_code == 200
    accounts.revoke(api.get("/v1/me").json["id"])
    eventually(lambda: api.get("/v1/jobs").status_code == 401, TTL + 3)


def test_known_keys_cost_no_sql_and_wrong_ones_no_memory(store):
    class Counting(AccountStore):
        asked = 0

        def authenticate(self, key):
            self.asked += 1
            return super().authenticate(key) if key != "flood" else None

    accounts = Counting(store.database)
    key, _ = accounts.create_key("ada")
    keyring = Keyring(accounts)
    for _ in range(10):
        assert keyring.find(key) is not None
        assert keyring.find("wrong") is None
    assert accounts.asked == 2
    keyring._known.update({str(n): (0.0, None) for n in range(CAPACITY + 50)})
    keyring.find("flood")
    assert len(keyring._known) == CAPACITY
