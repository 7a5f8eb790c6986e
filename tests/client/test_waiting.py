"""Waiting for a job, question by question."""

from __future__ import annotations

import pytest

from client.errors import NoServer, NotFinished, refused
from client.patience import PATIENCE_SECONDS
from client.waiting import HOLD_SECONDS, PAUSE_SECONDS, Waiting
from tests.client.helpers import job


def held(waiting: Waiting, now: float) -> float:
    return float(waiting.call(now).query["wait"] or 0)


def test_the_answer_is_held_back_and_then_asked_for_again():
    waiting = Waiting("job_1", None, 0.0)
    assert held(waiting, 0.0) == HOLD_SECONDS
    assert waiting.pause(job("running"), HOLD_SECONDS) == 0.0
    assert held(waiting, HOLD_SECONDS) == HOLD_SECONDS
    assert waiting.pause(job("succeeded"), 30.0) is None


def test_a_server_that_answers_at_once_is_not_asked_at_once():
    waiting = Waiting("job_1", None, 0.0)
    waiting.call(10.0)
    assert waiting.pause(job("queued"), 10.25) == PAUSE_SECONDS - 0.25


def test_only_so_long():
    waiting = Waiting("job_1", 2.0, 0.0)
    assert held(waiting, 0.0) == 2.0
    assert waiting.pause(job("queued"), 0.1) == pytest.approx(0.9)
    assert held(waiting, 1.5) == 0.5
    with pytest.raises(NotFinished) as caught:
        waiting.pause(job("queued"), 2.0)
    assert caught.value.job["id"] == "job_1"
    assert Waiting("job_1", 0.0, 0.0).call(0.0).query["wait"] is None


def test_a_server_may_be_away_for_a_while():
    waiting = Waiting("job_1", None, 0.0)
    assert waiting.away(NoServer("cut"), 0.0) == PAUSE_SECONDS
    assert waiting.away(refused(503, {"retry_after": 7}), 60.0) == 7.0
    with pytest.raises(NoServer):
        waiting.away(NoServer("cut"), PATIENCE_SECONDS + 1)


def test_but_not_longer_than_anybody_waits():
    with pytest.raises(NoServer):
        Waiting("job_1", 1.0, 0.0).away(NoServer("cut"), 1.0)


def test_what_will_not_change_is_told():
    with pytest.raises(NotFinished):
        Waiting("job_1", None, 0.0).away(NotFinished(job("queued")), 0.0)
    with pytest.raises(type(refused(404, {}))):
        Waiting("job_1", None, 0.0).away(refused(404, {}), 0.0)
