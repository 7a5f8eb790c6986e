"""A job that is made of jobs, in words."""

from __future__ import annotations

import pytest
from rich.console import Console

from cli import stages


def stage(name, state="running", **more):
    plain = {"name": name, "state": state, "progress": 0.375, "jobs": 8, "succeeded": 3}
    return plain | {"artifacts": 3, "attempts": 4, "seconds": 200.0} | more


def job(state="queued", *its, **more):
    return {"id": "job_1", "state": state, "stages": list(its)} | more


MADE = stage("planets", "succeeded")


@pytest.mark.parametrize(
    ("found", "said", "current"),
    [
        (job("queued"), "", None),
        (job("queued", MADE), "", None),
        (job("queued", MADE, stage("kinds")), "kinds 3/8", "kinds"),
        (job("queued", stage("film", jobs=1, succeeded=0)), "film 38%", "film"),
        (job("queued", stage("a", "queued"), stage("b")), "a 3/8, b 3/8", "a"),
        (job("queued", *map(stage, "abcd")), "a 3/8, b 3/8, 2 more", "a"),
        (job("failed", stage("a", "failed"), stage("b", "canceled")), "", None),
    ],
    ids=["no-stages", "all-made", "one", "one-of-one-job", "two", "many", "ended"],
)
def test_which_stages_are_under_way_and_how_far(found, said, current):
    assert (stages.where(found), stages.current(found)) == (said, current)


def test_stages_are_a_small_table():
    console = Console(width=80, record=True)
    console.print(stages.table([MADE, stage("[b]kinds", jobs=1, succeeded=0)]))
    assert [line.split() for line in console.export_text().splitlines()] == [
        ["STAGE", "STATE", "DONE", "PROGRESS", "ATTEMPTS", "RAN"],
        ["planets", "succeeded", "3/8", "38%", "4", "3m20s"],
        ["[b]kinds", "running", "0/1", "38%", "4", "3m20s"],
    ]


def test_parts_stand_in_columns_with_what_they_made_or_why_not():
    artifact = {"id": "art_1", "name": "a.png", "media_type": "image/png", "size": 2048}
    plain = {"engine": "planets", "artifacts": [], "error": None, "progress": 0.5}
    failed = {"state": "failed", "error": {"code": "timeout", "detail": "Too long."}}
    assert stages.lines(
        [
            {"name": "a", "job": plain | {"id": "job_1", "state": "succeeded", "artifacts": [artifact]}},
            {"name": "kinds-1", "job": plain | {"id": "job_2", "engine": "echo"} | failed},
            {"name": "kinds-2", "job": plain | {"id": "job_3", "engine": "echo", "state": "running"}},
        ]
    ) == [
        "a        succeeded    planets  job_1",
        "  art_1  a.png  image/png  2.0 KiB",
        "kinds-1  failed       echo     job_2",
        "  Too long. (timeout)",
        "kinds-2  running 50%  echo     job_3",
    ]
    assert stages.lines([]) == []


@pytest.mark.parametrize("state", ["failed", "canceled"])
def test_one_that_ended_badly_says_how_it_goes_on(state):
    said = stages.way_on(job(state, MADE))
    assert "`atelier retry job_1` goes on" in said
    assert "`atelier parts job_1`" in said


def test_one_that_did_not_or_has_no_parts_says_nothing_of_it():
    assert stages.way_on(job("failed")) == stages.way_on(job("succeeded", MADE)) == ""
