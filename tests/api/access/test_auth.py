"""Keys: who may do what, how often, and until when."""

from __future__ import annotations

import contextlib
import os
import signal
import time

import pytest

from accounts.store import AccountStore
from api.access.keyring import CAPACITY, TTL, Keyring
from api.access.limits import Limiter
from jobs.errors import RateLimited
from tests.api.helpers import Api, eventually, problem
from tests.services import redis_server


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Bearer nonsense", "Basic YTpi", "nonsense", "Bearer \xff\xfe"]
)
def test_without_a_valid_key_everything_is_a_401(app, header):
    api = Api(app, None)
    headers = {} if header is None else {"Authorization": header}
    for method, path in [
        ("GET", "/v1/me"), ("GET", "/v1/jobs"), ("POST", "/v1/jobs"), ("GET", "/v1/engines"),
        ("POST", "/v1/files"), ("GET", "/v1/keys"), ("GET", "/v1/jobs/job_" + "0" * 32 + "/events"),
        ("GET", "/v1/files/art_" + "0" * 32 + "/content"),
    ]:  # fmt: skip
        answer = api.request(method, path, headers=headers)
        problem(answer, 401, "unauthorized")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_me_tells_whose_key_it_is(api):
    me = api.get("/v1/me").json
    assert (me["user"], me["admin"]) == ("ada", False)
    assert api.key.startswith(me["prefix"])
    assert "key" not in me


def test_an_admin_makes_lists_and_revokes_keys(admin, app):
    # given
    answer = admin.post("/v1/keys", json={"user": "eve", "name": "laptop", "rate_per_minute": 7})
    assert answer.status_code == 201
    made = answer.json
    eve = Api(app, made["key"])
    assert eve.get("/v1/me").json["rate_per_minute"] == 7
    assert made["id"] in {k["id"] for k in admin.get("/v1/keys").json["keys"]}
    assert made["key"] not in admin.get("/v1/keys").text
    # when
    assert admin.delete(f"/v1/keys/{made['id']}").status_code == 204
    # then
    problem(eve.get("/v1/me"), 401, "unauthorized")
    problem(admin.delete(f"/v1/keys/{made['id']}"), 404, "not_found")
    revoked = next(k for k in admin.get("/v1/keys").json["keys"] if k["id"] == made["id"])
    assert revoked["revoked_at"] is not None


@pytest.mark.parametrize(
    "body", [{}, {"user": ""}, {"user": "a\0"}, {"user": "x" * 101}, {"user": "a", "rate_per_minute": 0}]
)
def test_keys_that_make_no_sense_are_refused(admin, body):
    problem(admin.post("/v1/keys", json=body), 422, "invalid_request")


def test_others_may_not_touch_keys(api):
    problem(api.get("/v1/keys"), 403, "forbidden")
    problem(api.post("/v1/keys", json={"user": "me", "admin": True}), 403, "forbidden")
    problem(api.delete("/v1/keys/key_" + "0" * 32), 403, "forbidden")


def test_everybody_sees_and_revokes_their_own_keys_and_no_others(api, other, app, make_key):
    # given
    lost = Api(app, make_key("ada", name="a lost laptop"))
    own = api.get("/v1/me/keys").json["keys"]
    assert {key["id"] for key in own} == {api.get("/v1/me").json["id"], lost.get("/v1/me").json["id"]}
    assert {key["user"] for key in own} == {"ada"}
    assert lost.key not in api.get("/v1/me/keys").text
    (lost_id,) = [key["id"] for key in own if key["name"] == "a lost laptop"]
    # when somebody else tries
    problem(other.delete(f"/v1/me/keys/{lost_id}"), 404, "not_found")
    assert lost.get("/v1/me").status_code == 200
    # and when she does
    assert api.delete(f"/v1/me/keys/{lost_id}").status_code == 204
    # then
    problem(lost.get("/v1/me"), 401, "unauthorized")
    assert [key["revoked_at"] is None for key in api.get("/v1/me/keys").json["keys"]] == [False, True]
    problem(api.delete(f"/v1/me/keys/{lost_id}"), 404, "not_found")


def test_a_key_may_end_itself_and_an_admin_s_ends_no_others_by_this_path(api, admin):
    problem(admin.delete(f"/v1/me/keys/{api.get('/v1/me').json['id']}"), 404, "not_found")
    assert api.delete(f"/v1/me/keys/{api.get('/v1/me').json['id']}").status_code == 204
    problem(api.get("/v1/me"), 401, "unauthorized")


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


def test_over_its_rate_a_key_gets_429_and_others_do_not(make_app, make_key):
    app = make_app(rate_per_minute=5)
    api, other, quick = (
        Api(app, make_key("ada")),
        Api(app, make_key("bob")),
        make_key("eve", rate_per_minute=50),
    )
    assert [api.get("/v1/me").status_code for _ in range(6)] == [200] * 5 + [429]
    answer = api.get("/v1/me")
    found = problem(answer, 429, "rate_limited")
    assert 1 <= int(answer.headers["Retry-After"]) <= 61
    assert found["retry_after"] == int(answer.headers["Retry-After"])
    assert other.get("/v1/me").status_code == 200
    assert {Api(app, quick).get("/v1/me").status_code for _ in range(20)} == {200}


def test_all_keys_of_an_owner_count_together_each_against_its_own_limit(make_app, make_key):
    app = make_app(rate_per_minute=5)
    first, second = Api(app, make_key("ada")), Api(app, make_key("ada"))
    roomy = Api(app, make_key("ada", rate_per_minute=8))
    assert [first.get("/v1/me").status_code for _ in range(3)] == [200] * 3
    assert [second.get("/v1/me").status_code for _ in range(3)] == [200, 200, 429]
    assert [roomy.get("/v1/me").status_code for _ in range(4)] == [200, 200, 200, 429]
    assert Api(app, make_key("bob")).get("/v1/me").status_code == 200


def _taken(limiter: Limiter, key: str, per_minute: int, tries: int) -> int:
    taken = 0
    for _ in range(tries):
        with contextlib.suppress(RateLimited):
            limiter.hit(key, per_minute)
            taken += 1
    return taken


@pytest.mark.parametrize("per_minute", [5, 100, 600])
def test_two_processes_share_one_limit_through_redis(redis_broker, per_minute):
    one, two = Limiter(0, redis_broker.url), Limiter(0, redis_broker.url)
    key = f"shared-{per_minute}"
    taken = _taken(one, key, per_minute, per_minute // 2) + _taken(two, key, per_minute, 2 * per_minute)
    # a process may keep a second's worth to itself
    assert per_minute - per_minute // 60 <= taken <= per_minute


def test_a_frozen_redis_costs_one_request_a_quarter_second_and_fails_none():
    with redis_server() as server:
        limiter = Limiter(0, server.url)
        limiter.hit("k", 30)
        os.kill(server.pid, signal.SIGSTOP)
        try:
            times = []
            for _ in range(20):
                began = time.monotonic()
                limiter.hit("k", 30)
                times.append(time.monotonic() - began)
        finally:
            os.kill(server.pid, signal.SIGCONT)
    assert max(times) < 1.0
    assert sum(t > 0.1 for t in times) <= 2


def test_a_dead_redis_limits_locally(make_app, make_key):
    api = Api(make_app(rate_per_minute=3), make_key())
    assert [api.get("/v1/me").status_code for _ in range(4)] == [200, 200, 200, 429]
