"""A service that fails again and again is left alone, tried once, and asked again when it is back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engines.base import Away, BadInput, EngineError, Interrupted, Transient
from engines.circuit import FAILURES, FIRST_PAUSE, LONGEST_PAUSE, WITHIN, Circuit


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def circuit(clock: Clock) -> Circuit:
    return Circuit("chat", clock)


def call(circuit: Circuit, error: BaseException | None = None) -> None:
    with circuit.call():
        if error is not None:
            raise error


def fail(circuit: Circuit, times: int = 1, error: Callable[[], Transient] = lambda: Away("away")) -> None:
    for _ in range(times):
        with pytest.raises(Transient):
            call(circuit, error())


def opened(circuit: Circuit) -> None:
    fail(circuit, FAILURES)
    assert circuit.is_open


def test_it_opens_after_failures_in_a_row(circuit):
    fail(circuit, FAILURES - 1)
    assert not circuit.is_open
    fail(circuit)
    assert circuit.is_open
    with pytest.raises(Away) as refused:
        call(circuit)
    assert refused.value.retry_after == pytest.approx(FIRST_PAUSE)


@pytest.mark.parametrize("end", [None, BadInput("no"), EngineError("no")], ids=["answer", "bad", "refused"])
def test_whatever_shows_that_it_is_there_begins_the_count_anew(circuit, end):
    fail(circuit, FAILURES - 1)
    if end is None:
        call(circuit)
    else:
        with pytest.raises(EngineError):
            call(circuit, end)
    fail(circuit, FAILURES - 1)
    assert not circuit.is_open


def test_failures_that_are_far_apart_are_none_in_a_row(circuit, clock):
    for _ in range(3 * FAILURES):
        fail(circuit)
        clock.now += WITHIN / (FAILURES - 1) + 1
    assert not circuit.is_open


def test_a_call_that_is_given_up_says_nothing(circuit):
    fail(circuit, FAILURES - 1)
    with pytest.raises(Interrupted):
        call(circuit, Interrupted("canceled"))
    fail(circuit)
    assert circuit.is_open


def test_one_call_tries_and_closes_it(circuit, clock):
    opened(circuit)
    clock.now += FIRST_PAUSE
    assert not circuit.is_open
    with circuit.call(), pytest.raises(Away):
        call(circuit)  # another one meanwhile
    call(circuit)
    fail(circuit, FAILURES - 1)
    assert not circuit.is_open


def test_each_try_that_fails_makes_the_pause_longer_up_to_a_bound(circuit, clock):
    opened(circuit)
    pause = FIRST_PAUSE
    for _ in range(10):
        clock.now += pause
        fail(circuit)
        pause = min(2 * pause, LONGEST_PAUSE)
        clock.now += pause - 0.1
        assert circuit.is_open
        clock.now += 0.1
        assert not circuit.is_open
        clock.now -= pause
    assert pause == LONGEST_PAUSE


def test_a_try_that_is_given_up_leaves_the_next_one_to_try(circuit, clock):
    opened(circuit)
    clock.now += FIRST_PAUSE
    with pytest.raises(Interrupted):
        call(circuit, Interrupted("canceled"))
    call(circuit)
    assert not circuit.is_open


def test_it_is_left_alone_as_long_as_it_says_within_bounds(circuit, clock):
    fail(circuit, FAILURES, lambda: Away("busy", retry_after=90))
    clock.now += 89
    assert circuit.is_open
    clock.now += 1
    fail(circuit, 1, lambda: Away("busy", retry_after=1e9))
    clock.now += LONGEST_PAUSE
    assert not circuit.is_open


def test_those_that_fail_together_open_it_once(circuit, clock):
    calls = [circuit.call() for _ in range(16)]
    for one in calls:
        one.__enter__()
    for one in calls:
        assert not one.__exit__(Away, Away("away"), None)
    clock.now += FIRST_PAUSE
    assert not circuit.is_open
