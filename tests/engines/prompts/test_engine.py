"""Several jobs at once: each with its own answer, its own failure and its own stop."""

from __future__ import annotations

import time

import pytest

import engines
from engines.base import Away, Output
from engines.prompts.answers import AnswerRefused
from tests.chat import drips, refuses, says
from tests.engines.recording import RecordingContext


@pytest.fixture
def contexts(tmp_path):
    return [RecordingContext(scratch=tmp_path) for _ in range(16)]


def slowly(seconds):
    def way(handler, request):
        time.sleep(seconds)
        says("late")(handler, request)

    return way


def test_they_wait_together(server, engine, params, contexts):
    server.will(*[slowly(0.5)] * 16)
    items = [(params(seed=n), context) for n, context in enumerate(contexts)]
    began = time.monotonic()
    made = dict(engine.run_batch(items))
    assert time.monotonic() - began < 6  # one after the other: 8
    assert sorted(made) == list(range(16))
    assert [made[n].meta["seed"] for n in range(16)] == list(range(16))


def test_each_has_its_own_end(server, engine, params, contexts):
    def by_seed(handler, request):
        {1: says("one"), 2: refuses("no"), 3: drips()}[request["seed"]](handler, request)

    server.will(*[by_seed] * 3)
    contexts[2].stop_at = 3
    made = dict(engine.run_batch([(params(seed=n + 1), contexts[n]) for n in range(3)]))
    assert isinstance(made[0], Output)
    assert isinstance(made[1], AnswerRefused)
    assert 2 not in made


def test_answers_are_handed_on_as_they_come(server, engine, params, contexts):
    def by_seed(handler, request):
        (slowly(1.0) if request["seed"] == 0 else says("soon"))(handler, request)

    server.will(by_seed, by_seed)
    made = engine.run_batch([(params(seed=n), contexts[n]) for n in range(2)])
    assert next(made)[0] == 1
    assert next(made)[0] == 0


def test_who_leaves_early_leaves_nothing_behind(server, engine, params, contexts):
    def by_seed(handler, request):
        (drips() if request["seed"] == 0 else says("soon"))(handler, request)

    server.will(by_seed, by_seed)
    made = engine.run_batch([(params(seed=n), contexts[n]) for n in range(2)])
    next(made)
    began = time.monotonic()
    made.close()
    assert time.monotonic() - began < 5


def test_where_nothing_is_set_up_each_goes_back(engine, params, contexts, monkeypatch):
    monkeypatch.delenv("ATELIER_CHAT_URL", raising=False)
    monkeypatch.delenv("ATELIER_CHAT_MODEL", raising=False)
    ((index, error),) = engine.run_batch([(params(), contexts[0])])
    assert index == 0
    assert isinstance(error, Away)


def test_its_jobs_wait_for_a_worker_with_the_key_and_a_service_that_answers(params):
    placement = engines.spec("prompts").placement(params())
    assert placement.queue == "net"
    assert set(placement.needs) == {"secret:chat", "provider:chat"}
    assert placement.batch_most == 16
