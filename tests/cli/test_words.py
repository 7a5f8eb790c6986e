"""What the API says of a job, in words."""

from __future__ import annotations

import pytest

from cli import words
from jobs.store import MAX_POSITION

USAGE = {
    "queue_seconds": 3.0,
    "run_seconds": 24.0,
    "device_seconds": 12.0,
    "peak_memory": None,
    "batch_size": 1,
}


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        *((0.2, "1 s"), (4.4, "4 s"), (38.0, "40 s"), (89.0, "90 s"), (91.0, "2 min"), (130.0, "2 min")),
        *((5000.0, "83 min"), (3 * 3600.0, "3 h"), (72 * 3600.0, "3 days")),
    ],
)
def test_a_forecast_is_no_more_exact_than_it_is(seconds, shown):
    assert words.about(seconds) == shown


@pytest.mark.parametrize(
    ("job", "shown"),
    [
        (
            {"state": "queued", "queue_position": 2, "forecast": {"starts_in": 41.0, "ends_in": 120.0}},
            "position 2, starts in about 40 s, ends in about 2 min",
        ),
        (
            {"queue_position": 1, "forecast": {"servable": True, "starts_in": 0.0}},
            "position 1, starts at once",
        ),
        ({"queue_position": 7, "forecast": {"servable": True, "starts_in": None}}, "position 7"),
        (
            {"queue_position": 1, "forecast": {"servable": False, "reason": "No worker serves gpu."}},
            "position 1, no live worker can take it: No worker serves gpu.",
        ),
        (
            {"state": "queued", "held": {"reason": "owner", "detail": "x"}, "forecast": {"servable": True}},
            "on hold until you release it",
        ),
        (
            {"held": {"reason": "running_cap", "detail": "2 of your jobs may run."}, "queue_position": 3},
            "held: 2 of your jobs may run., position 3",
        ),
        (
            {"state": "queued", "held": {"reason": "parts", "detail": "x"}, "forecast": {"servable": True}},
            "goes on when its parts are made",
        ),
        ({"state": "running", "forecast": {"starts_in": 0.0, "ends_in": 3.2}}, "ends in about 3 s"),
        ({"state": "succeeded", "forecast": None}, ""),
        ({"queue_position": MAX_POSITION}, "position 1000 or later"),
    ],
)
def test_where_a_job_stands(job, shown):
    assert words.outlook(job) == shown


def test_an_ordinary_job_has_nothing_to_tell_of_its_treatment():
    assert words.treatment({"priority": "normal", "start_by": None, "timeout": None, "webhook": None}) == ""


def test_what_was_asked_for():
    hook = {"url": "https://example.org", "events": ["failed"]}
    told = words.treatment(
        {"priority": "low", "start_by": "2020-01-01T00:00:00Z", "timeout": 5, "webhook": hook}
    )
    assert told == (
        "low priority, to start by 2020, 5.0 s an attempt at most, webhook to https://example.org (failed)"
    )


def test_what_it_used():
    assert words.used({"usage": USAGE | {"run_seconds": 0.0}}) == ""
    assert words.used({"usage": USAGE}) == "used 12 s of a device"
    assert words.used({"usage": USAGE | {"batch_size": 2, "peak_memory": 2**31}}) == (
        "used 12 s of a device, ran 24 s together with 1 more, 2.0 GiB at its peak"
    )


@pytest.mark.parametrize(
    ("state", "attempt", "device", "shown"),
    [
        ("queued", 0, None, ""),
        ("running", 1, None, ""),
        ("canceled", 0, None, ", never started"),
        ("canceled", 1, "cpu", ", on cpu"),
        ("failed", 3, None, ""),
    ],
)
def test_where_it_ran(state, attempt, device, shown):
    assert words.place({"state": state, "attempt": attempt, "device": device}) == shown


@pytest.mark.parametrize(
    ("job", "shown"),
    [
        ({"state": "queued", "held": None}, "queued"),
        ({"state": "queued", "held": {"reason": "owner"}}, "on hold"),
        ({"state": "queued", "held": {"reason": "parts"}, "progress": 0.48}, "in parts 48%"),
        ({"state": "running", "progress": 0.5}, "running 50%"),
        ({"state": "failed", "progress": 0.5}, "failed"),
    ],
    ids=["queued", "owner", "parts", "running", "failed"],
)
def test_the_state_in_a_list(job, shown):
    assert words.state(job) == shown


@pytest.mark.parametrize(
    ("more", "shown"),
    [
        ({}, ""),
        ({"part_of": None, "retry_of": None}, ""),
        ({"part_of": "job_1"}, "part of job_1"),
        ({"part_of": "job_1", "retry_of": "job_2"}, "part of job_1, another try of job_2"),
    ],
    ids=["old-server", "none", "part", "both"],
)
def test_whose_part_and_which_try_it_is(more, shown):
    assert words.relations(more) == shown


@pytest.mark.parametrize(
    ("job", "shown"),
    [
        ({"state": "canceled", "error": None}, "The job was canceled. (canceled)"),
        ({"error": {"code": "timeout", "detail": "a: b"}}, "a: b (timeout)"),
        (
            {"error": {"code": "part_failed", "detail": "kinds-002: out_of_memory: Too large."}},
            "its part kinds-002 did not succeed: out_of_memory: Too large. (part_failed)",
        ),
        ({"error": {"code": "part_failed", "detail": "said else"}}, "said else (part_failed)"),
    ],
    ids=["canceled", "plain", "part", "part-said-otherwise"],
)
def test_why_it_did_not_succeed(job, shown):
    assert words.failure(job) == shown


def test_what_it_took():
    job = {"state": "succeeded", "timings": {"queued": 1.0, "run": 3.0}}
    stages = [{"jobs": 1, "seconds": 5.0}, {"jobs": 8, "seconds": 40.0}]
    assert words.took(job) == "queued 1.0 s, ran 3.0 s"
    assert words.took(job | {"stages": stages}) == "took 4.0 s, its 9 parts ran 45 s"
    assert words.took(job | {"state": "failed", "stages": stages[:1]}) == "its part ran 5.0 s"
