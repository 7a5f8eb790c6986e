"""Requests a minute: of each owner, over all processes, with and without a Redis."""

from __future__ import annotations

import contextlib
import os
import signal
import time

import pytest

from api.access.limits import Limiter
from jobs.errors import RateLimited
from tests.api.helpers import Api, problem
from tests.services import redis_server


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
