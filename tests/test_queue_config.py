"""The doorbell is rung as long as somebody could hear it."""

from __future__ import annotations

import time

import pytest
import redis

from queue_config import Doorbell, publisher_app


@pytest.fixture
def doorbell(redis_broker, monkeypatch):
    """One at a Redis to which no worker listens."""
    with redis.Redis(port=redis_broker.port) as client:
        client.flushall()
    monkeypatch.setenv("REDIS_URL", redis_broker.url)
    return Doorbell(publisher_app())


def rung(doorbell: Doorbell, queue: str) -> int:
    """How many rings are unheard once all that were asked for are through."""
    for _ in range(500):
        if doorbell._waiting.empty():
            break
        time.sleep(0.01)
    time.sleep(0.05)
    return doorbell.waiting(queue)


def test_each_of_few_is_rung_for(doorbell):
    for _ in range(30):
        doorbell.wake("cpu")

    assert rung(doorbell, "cpu") == 30


def test_where_nobody_hears_the_rings_more_of_them_are_left_out(doorbell):
    for _ in range(600):
        doorbell.wake("cpu")

    assert Doorbell.UNHEARD <= rung(doorbell, "cpu") <= Doorbell.UNHEARD + Doorbell.LOOK


def test_another_queue_is_rung_all_the_same(doorbell):
    for _ in range(300):
        doorbell.wake("cpu")
    doorbell.wake("gpu")

    assert rung(doorbell, "gpu") == 1


def test_it_is_rung_again_once_the_rings_were_heard(doorbell):
    for _ in range(300):
        doorbell.wake("cpu")
    rung(doorbell, "cpu")
    with doorbell._app.connection_for_write() as connection:
        connection.default_channel.queue_purge("cpu")
    time.sleep(Doorbell.REST)

    doorbell.wake("cpu")

    assert rung(doorbell, "cpu") == 1
