"""Chores: each at its own pace, and what stops one stops no other."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import DataError
from structlog.testing import CapturingLogger

from jobs.errors import Unavailable
from workers import chores as module
from workers.chores import Chore, do_due


@pytest.fixture
def time(monkeypatch):
    """What the clock says; a test turns it."""

    class Time:
        now = 1000.0

    monkeypatch.setattr(module, "clock", lambda: Time.now)
    return Time


@pytest.fixture
def said(monkeypatch):
    """The lines of the log."""
    log = CapturingLogger()
    monkeypatch.setattr(module, "_log", log)
    return log.calls


def doing(done, name, every=0.0, *, more=None):
    def do():
        done.append(name)
        return more

    return Chore(name, every, do)


def failing(name, error):
    def do():
        raise error

    return Chore(name, 0, do)


REFUSED = DataError("UPDATE", {}, ValueError("refused"))


def test_each_has_its_own_pace_and_all_keep_their_order(time):
    done = []
    chores = [doing(done, "slow", 60), doing(done, "always"), doing(done, "often", 10)]
    passes = []
    for passed in (0, 2, 10, 60):
        time.now = 1000.0 + passed
        do_due(chores)
        passes.append(" ".join(done))
        done.clear()
    assert passes == ["slow always often", "always", "always often", "slow always often"]


@pytest.mark.parametrize(("more", "times"), [(True, 3), (False, 1), (None, 1)])
def test_one_that_has_more_to_do_goes_on_in_the_next_pass(more, times):
    done = []
    chore = doing(done, "a", 60, more=more)
    for _ in range(3):
        do_due([chore])
    assert len(done) == times


def test_one_that_is_put_off_waits_and_is_never_due_sooner_for_it(time):
    done = []
    chore = doing(done, "a", 60)
    chore.put_off(8)
    chore.put_off(5)
    for passed in (0, 7, 8, 9):
        time.now = 1000.0 + passed
        do_due([chore])
        chore.put_off(0)
    assert done == ["a"]


def test_a_failure_is_counted_and_said_and_stops_nothing_but_its_chore(said):
    done = []
    broken = failing("broken", REFUSED)
    for _ in range(2):
        do_due([doing(done, "before"), broken, doing(done, "after")])
    assert done == ["before", "after"] * 2
    assert broken.failures == 2
    assert [(call.args[0], call.kwargs["chore"], call.kwargs["failures"]) for call in said] == [
        ("chore_failed", "broken", 1),
        ("chore_failed", "broken", 2),
    ]


def test_an_outage_ends_the_pass_and_is_no_chore_s_failure(said):
    done = []
    away = failing("away", Unavailable("away"))
    with pytest.raises(Unavailable):
        do_due([doing(done, "before", 60), away, doing(done, "after")])
    assert (done, away.failures, said) == (["before"], 0, [])
    away.do = lambda: None
    do_due([away, doing(done, "after")])
    assert done == ["before", "after"]
