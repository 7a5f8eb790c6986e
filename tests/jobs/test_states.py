"""States and where they lead."""

from __future__ import annotations

import pytest

from jobs.states import FINAL, TRANSITIONS, State


@pytest.mark.parametrize("state", list(State))
def test_final_means_no_way_out(state):
    assert (not TRANSITIONS[state]) == (state in FINAL)
