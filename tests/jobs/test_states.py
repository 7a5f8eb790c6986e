"""States and where they lead."""

from __future__ import annotations

import pytest

from jobs.states import FINAL, TRANSITIONS, Priority, State


@pytest.mark.parametrize("state", list(State))
def test_final_means_no_way_out(state):
    assert (not TRANSITIONS[state]) == (state in FINAL)


def test_every_state_is_told_where_it_leads_and_only_to_states():
    assert set(TRANSITIONS) == set(State)
    assert all(to < set(State) for to in TRANSITIONS.values())
    assert not any(state in to for state, to in TRANSITIONS.items())


def test_every_job_can_end_and_be_canceled():
    for state in set(State) - FINAL:
        assert State.CANCELED in TRANSITIONS[state]
        assert TRANSITIONS[state] & FINAL > {State.CANCELED}


def test_only_a_worker_s_job_can_succeed_and_come_back():
    assert [state for state in State if State.SUCCEEDED in TRANSITIONS[state]] == [State.RUNNING]
    assert [state for state in State if State.QUEUED in TRANSITIONS[state]] == [State.RUNNING]


def test_priorities_are_in_order():
    assert sorted(Priority, reverse=True) == [Priority.HIGH, Priority.NORMAL, Priority.LOW]
    assert Priority.NORMAL == 0, "the column's default"
