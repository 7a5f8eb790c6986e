"""The budget of bytes: in order, by owner, for a time, and given back whatever happens."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from api.requests.budget import Budget
from jobs.errors import Unavailable
from tests.api.helpers import eventually

LONG = 30.0


@contextmanager
def waiting(budget: Budget, owner: str, size: int) -> Iterator[threading.Event]:
    """Somebody who takes this in a thread of their own; the event tells that they have it."""
    has, done = threading.Event(), threading.Event()

    def take() -> None:
        with budget.take(owner, size):
            has.set()
            done.wait(LONG)

    before = len(budget._line)
    thread = threading.Thread(target=take)
    thread.start()
    eventually(lambda: has.is_set() or len(budget._line) > before)
    try:
        yield has
    finally:
        done.set()
        thread.join(LONG)
        assert not thread.is_alive()


def test_what_is_there_is_had_at_once_and_given_back():
    budget = Budget(100, patience=0)
    for _ in range(3):
        with budget.take("ada", 75), budget.take("bob", 25):
            pass


def test_who_finds_no_room_in_time_is_told_when_to_come_back():
    budget = Budget(100, patience=0.01)
    with (
        budget.take("ada", 60),
        pytest.raises(Unavailable) as refused,
        budget.take("bob", 60),
    ):
        pytest.fail("there was no room")
    assert refused.value.problem_code == "busy"
    assert refused.value.extra["retry_after"] > 0
    # and nothing of it stays
    with budget.take("bob", 75):
        pass


def test_bytes_come_back_when_what_they_were_for_fails():
    budget = Budget(100, patience=0)
    with pytest.raises(ZeroDivisionError), budget.take("ada", 75):
        _ = 1 / 0
    with budget.take("ada", 75):
        pass


def test_one_owner_leaves_a_quarter_to_others():
    budget = Budget(100, patience=0.01)
    with budget.take("ada", 50), budget.take("ada", 25):
        with pytest.raises(Unavailable), budget.take("ada", 1):
            pytest.fail("that is more than three quarters")
        with budget.take("bob", 25):
            pass


def test_what_can_never_be_had_is_not_waited_for():
    with pytest.raises(ValueError, match="never"), Budget(100, patience=LONG).take("ada", 76):
        pytest.fail("nobody may have so many")


def test_the_large_are_not_passed_by_the_small():
    budget = Budget(100, patience=LONG)
    with ExitStack() as first:
        first.enter_context(budget.take("ada", 60))
        with waiting(budget, "bob", 70) as large, waiting(budget, "eve", 10) as small:
            assert not small.is_set()  # though there is room for it
            first.close()
            assert large.wait(LONG)
            assert small.wait(LONG)


def test_an_owner_s_own_line_is_in_nobody_else_s_way():
    budget = Budget(100, patience=LONG)
    with ExitStack() as first:
        first.enter_context(budget.take("ada", 70))
        with waiting(budget, "ada", 10) as own, waiting(budget, "bob", 20) as other:
            assert other.wait(LONG)
            assert not own.is_set()
            first.close()
            assert own.wait(LONG)


def test_who_gives_up_lets_those_behind_them_in():
    budget = Budget(100, patience=0.3)
    with budget.take("ada", 60):
        gave_up = threading.Event()

        def large() -> None:
            with pytest.raises(Unavailable), budget.take("bob", 70):
                pytest.fail("there was no room")
            gave_up.set()

        thread = threading.Thread(target=large)
        thread.start()
        eventually(lambda: budget._line)
        patient = Budget.take(budget, "eve", 10)
        budget._patience = LONG
        with patient:
            assert gave_up.wait(LONG)
        thread.join(LONG)
