"""Answers that take long."""

from __future__ import annotations

import threading

import pytest

from api.telemetry import aside
from api.telemetry.aside import Aside
from jobs.errors import Unavailable
from tests.api.helpers import eventually


class Question:
    """Answers 1, 2, 3 ...; while `open` is not set it takes its time."""

    def __init__(self):
        self.asked = 0
        self.open = threading.Event()
        self.open.set()
        self.broken = False

    def __call__(self):
        self.asked += 1
        number = self.asked
        self.open.wait(10)
        if self.broken:
            raise Unavailable
        return number


@pytest.fixture
def question(monkeypatch):
    monkeypatch.setattr(aside, "FRESH", 0.0)
    monkeypatch.setattr(aside, "SHARE", 1e9)
    made = Question()
    yield made
    made.open.set()


def test_a_quick_answer_is_a_new_one(question):
    found = Aside(question)

    assert [found.get() for _ in range(3)] == [1, 2, 3]


def test_an_answer_serves_for_a_while(question, monkeypatch):
    monkeypatch.setattr(aside, "FRESH", 60.0)
    found = Aside(question)

    assert [found.get() for _ in range(3)] == [1, 1, 1]


def test_who_would_wait_long_gets_the_older_one_and_nobody_asks_twice(question, monkeypatch):
    monkeypatch.setattr(aside, "PATIENCE", 0.02)
    found = Aside(question)
    question.open.clear()
    assert found.get() is None
    question.open.set()
    eventually(lambda: found.get() is not None)
    newest = found.get()
    question.open.clear()

    assert [found.get() for _ in range(3)] in ([newest] * 3, [newest, newest + 1, newest + 1])
    assert question.asked <= newest + 2


def test_what_took_long_serves_for_long(question, monkeypatch):
    monkeypatch.setattr(aside, "SHARE", 1e-6)
    monkeypatch.setattr(aside, "PATIENCE", 5.0)
    found = Aside(question)
    question.open.clear()
    threading.Timer(0.05, question.open.set).start()

    assert [found.get() for _ in range(3)] == [1, 1, 1]


def test_after_a_failure_there_is_none_and_it_is_asked_again(question):
    found = Aside(question)
    assert found.get() == 1
    question.broken = True
    assert found.get() is None
    question.broken = False
    assert found.get() == 3
