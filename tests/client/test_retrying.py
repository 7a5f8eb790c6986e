"""When a request is sent once more."""

from __future__ import annotations

import pytest

from client.errors import Damaged, NoServer, NotAtelier, TimedOut, refused
from client.retrying import Retries

LOST = NoServer("cut")


@pytest.mark.parametrize(
    ("error", "repeatable", "pause"),
    [
        (LOST, True, 0.3),
        (TimedOut("late"), True, 0.3),
        (LOST, False, None),
        (Damaged("half"), True, 0.3),
        (NotAtelier("page", 502), True, 0.3),
        (NotAtelier("page", 502), False, None),
        (NotAtelier("page", 200), True, None),
        (refused(503, {"retry_after": 2}), False, 2.0),
        (refused(429, {"retry_after": 3}), False, 3.0),
        (refused(429, {"retry_after": 4}), True, None),
        (refused(503, {}), False, 0.3),
        (refused(500, {}), True, None),
        (refused(422, {}), True, None),
    ],
    ids=[
        *("lost", "late", "lost once", "damaged", "gateway", "gateway once", "page"),
        *("unavailable", "limited", "limited long", "unsaid", "internal", "invalid"),
    ],
)
def test_what_can_help_and_harms_nobody(error, repeatable, pause):
    assert Retries().after(error, 1, repeatable=repeatable) == pause


def test_only_so_often_and_further_apart():
    assert [Retries().after(LOST, tried, repeatable=True) for tried in (1, 2, 3)] == [0.3, 0.6, None]
    assert Retries(tries=1).after(LOST, 1, repeatable=True) is None
    patient = Retries(tries=9, longest=60)
    assert patient.after(refused(429, {"retry_after": 60}), 8, repeatable=False) == 60.0
