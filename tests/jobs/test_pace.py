"""The pace: what it may be, and what it divides in a process that is told one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from jobs.pace import parse

PROGRAM = """
from fleet.store import ALIVE_SECONDS
from workers import settings
print(settings.LEASE_SECONDS, settings.RENEW_SECONDS, ALIVE_SECONDS, settings.DRAIN_SECONDS)
"""


@pytest.mark.parametrize(("text", "pace"), [("", 1.0), ("1", 1.0), ("2.5", 2.5), ("20", 20.0)])
def test_a_pace_is_a_number(text, pace):
    assert parse(text) == pace


@pytest.mark.parametrize("text", ["0", "0.5", "-1", "21", "nan", "inf", "fast"])
def test_what_is_none_is_refused_by_name(text):
    with pytest.raises(ValueError, match="ATELIER_PACE is a number from 1 to 20"):
        parse(text)


def test_it_divides_what_is_waited_out_and_not_what_a_slow_machine_may_take():
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | {"ATELIER_PACE": "3"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert [float(one) for one in ran.stdout.split()] == [4.0, 1.0, 5.0, 12.0]
