"""`atelier usage`: a line for each day and engine, and sums."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from cli.main import main
from client import Client


def line(day, engine, device, state, jobs, seconds, owner="usr_1"):
    return {
        "day": day, "owner_id": owner, "engine": engine, "device": device, "state": state, "jobs": jobs,
        "queue_seconds": 1.0, "run_seconds": 2 * seconds, "device_seconds": seconds,
    }  # fmt: skip


LINES = [
    line("2026-11-20", "neural_style", "gpu", "succeeded", 3, 90.0),
    line("2026-11-20", "neural_style", "gpu", "failed", 1, 10.0),
    line("2026-11-21", "neural_style", "gpu", "canceled", 2, 0.0, "usr_2"),
    line("2026-11-21", "echo", "cpu", "succeeded", 5, 4.0),
]
REPORT = {"first": "2026-11-01", "last": "2026-11-21", "lines": LINES, "jobs": 11}


@pytest.fixture
def usage(monkeypatch, tmp_path):
    monkeypatch.setenv("ATELIER_URL", "http://127.0.0.1:9")
    asked = {}
    monkeypatch.setattr(Client, "usage", lambda _, **query: asked.update(query) or REPORT)

    def run(*arguments: str):
        return CliRunner().invoke(main, ["--data-dir", str(tmp_path), "usage", *arguments])

    run.asked = asked
    return run


def test_outcomes_are_put_together_and_devices_summed_apart(usage):
    rows = [row.split() for row in usage().stdout.splitlines()]

    assert rows[0] == ["DAY", "ENGINE", "ON", "JOBS", "FAILED", "CANCELED", "WAITED", "RAN", "USED"]
    assert rows[1:] == [
        ["2026-11-20", "neural_style", "gpu", "4", "1", "0", "2.0s", "3m20s", "100s"],
        ["2026-11-21", "echo", "cpu", "5", "0", "0", "1.0s", "8.0s", "4.0s"],
        ["2026-11-21", "neural_style", "gpu", "2", "0", "2", "1.0s", "0.0s", "0.0s"],
        ["total", "gpu", "6", "1", "2", "3.0s", "3m20s", "100s"],
        ["total", "cpu", "5", "0", "0", "1.0s", "8.0s", "4.0s"],
    ]


def test_days_and_owners_are_asked_for(usage):
    text = usage("--first", "2026-11-01", "--last", "2026-11-21", "--all").stdout

    assert usage.asked == {"first": "2026-11-01", "last": "2026-11-21", "all": "true"}
    assert "OWNER" in text
    assert "usr_2" in text


def test_as_the_api_gives_it(usage):
    assert json.loads(usage("--json").stdout) == REPORT
    assert usage.asked == {"first": None, "last": None, "all": None}


def test_a_day_that_is_none(usage):
    assert usage("--first", "2026-13-01").exit_code == 2
    assert usage.asked == {}
