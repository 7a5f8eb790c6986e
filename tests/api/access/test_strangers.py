"""Wrong keys are slowed; nobody else is."""

from __future__ import annotations

import pytest

from api.access import strangers
from api.access.strangers import Strangers
from jobs.errors import RateLimited
from tests.api.helpers import Api, problem

BURST = int(strangers.BURST)


def ask(app, key: str | None, address: str = "203.0.113.7"):
    return Api(app, key).get("/v1/me", environ_overrides={"REMOTE_ADDR": address})


def test_after_some_wrong_keys_an_address_is_told_to_wait(app):
    for number in range(BURST):
        problem(ask(app, f"atl_{number}"), 401, "unauthorized")
    answer = ask(app, "atl_one_more")
    problem(answer, 429, "rate_limited")
    assert 1 <= int(answer.headers["Retry-After"]) <= 3
    # and others are not
    problem(ask(app, "atl_wrong", "203.0.113.8"), 401, "unauthorized")


def test_a_good_key_from_that_address_is_never_refused(app, make_key):
    """All of a proxy's clients have its address; also a key that was never seen before."""
    for number in range(2 * BURST):
        ask(app, f"atl_{number}")
    problem(ask(app, "atl_wrong"), 429, "rate_limited")
    for user in ("ada", "bob"):
        assert ask(app, make_key(user)).status_code == 200


def test_who_shows_no_key_is_not_counted(app):
    for _ in range(2 * BURST):
        problem(ask(app, None), 401, "unauthorized")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_budget_comes_back_with_time():
    clock = Clock()
    counted = Strangers(clock)
    for _ in range(BURST):
        counted.wrong("203.0.113.7")
    with pytest.raises(RateLimited):
        counted.wrong("203.0.113.7")
    clock.now += 1 / strangers.PER_SECOND
    counted.wrong("203.0.113.7")
    with pytest.raises(RateLimited):
        counted.wrong("203.0.113.7")
    clock.now += 3600
    for _ in range(BURST):
        counted.wrong("203.0.113.7")


def test_one_customer_s_ipv6_addresses_are_one():
    counted = Strangers(Clock())
    for number in range(BURST):
        counted.wrong(f"2001:db8::{number:x}")
    with pytest.raises(RateLimited):
        counted.wrong("2001:db8::ffff")
    counted.wrong("2001:db8:0:1::1")
    counted.wrong("")  # a UNIX socket


def test_made_up_addresses_cost_no_memory():
    counted = Strangers(Clock())
    for number in range(strangers.CAPACITY + 50):
        counted.wrong(f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}")
    assert len(counted._full_at) == strangers.CAPACITY
