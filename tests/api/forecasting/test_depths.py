"""A backlog that was found deep is taken to be so for a moment, and no other one with it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from api.forecasting import depths
from api.forecasting.depths import FRESH, Depths
from jobs.states import Hold
from jobs.store import MAX_POSITION


class Jobs:
    """A store whose every job stands where a test says."""

    def __init__(self) -> None:
        self.stands: int | None = MAX_POSITION
        self.asked = 0

    def position(self, _new) -> int | None:
        self.asked += 1
        return self.stands


def job(owner="usr_a", queue="cpu", priority=0, hold=Hold.BEHIND):
    return SimpleNamespace(owner_id=owner, queue=queue, priority=priority, hold=hold)


@pytest.fixture
def jobs() -> Jobs:
    return Jobs()


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    found = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(depths, "time", SimpleNamespace(monotonic=lambda: found.now))
    return found


def test_a_deep_backlog_is_counted_once_a_moment(jobs, clock):
    found = Depths(jobs)
    assert [found.position(job()) for _ in range(5)] == [MAX_POSITION] * 5
    assert jobs.asked == 1
    clock.now += FRESH
    jobs.stands = 7
    assert found.position(job()) == 7
    assert jobs.asked == 2


@pytest.mark.parametrize(
    "other",
    [job(owner="usr_b"), job(queue="gpu"), job(priority=1), job(hold=None), job(hold=Hold.OWNER)],
    ids=["owner", "queue", "priority", "in line", "held"],
)
def test_no_other_stands_as_deep_for_that(jobs, other):
    found = Depths(jobs)
    found.position(job())
    jobs.stands = 3
    assert found.position(other) == 3


@pytest.mark.parametrize(
    ("hold", "stands"),
    [(Hold.BEHIND, MAX_POSITION - 1), (Hold.BEHIND, None), (None, MAX_POSITION), (Hold.OWNER, None)],
    ids=["shallow", "unknown", "in line", "held"],
)
def test_what_is_not_a_deep_backlog_is_looked_up_each_time(jobs, hold, stands):
    found = Depths(jobs)
    jobs.stands = stands
    assert [found.position(job(hold=hold)) for _ in range(3)] == [stands] * 3
    assert jobs.asked == 3
    jobs.stands = 5
    assert found.position(job()) == 5, "and says nothing of the next one's"


def test_many_owners_cost_no_memory(jobs, monkeypatch):
    monkeypatch.setattr(depths, "CAPACITY", 10)
    found = Depths(jobs)
    for n in range(100):
        found.position(job(owner=f"usr_{n}"))
        assert len(found._deep_until) <= 10
