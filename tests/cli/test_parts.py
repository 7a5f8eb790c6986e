"""`atelier parts`: the jobs that a job is made of."""

from __future__ import annotations

import json

import pytest

from jobs.store import NewJob, NewPart


@pytest.fixture
def chain(here):
    """The id of a job that waits for three parts."""
    job_id = here.submit()
    (job,) = here.store.claim("wrk_1", "cpu", engines=["echo"], lease_seconds=60)

    def part(name, stage):
        new = NewJob(owner_id=job.owner_id, engine="echo", queue="cpu", params={"text": name}, seed=1)
        return NewPart(name, stage, 0.3, f"digest of {name}", new)

    here.store.wait_for(job.id, job.attempt, [part("a", "draw"), part("b", "draw"), part("c", "join")])
    return job_id


def test_they_are_listed_and_narrowed(run, chain):
    listed = run("parts", chain)
    assert listed.exit_code == 0, listed.output
    assert [line.split()[:3] for line in listed.output.splitlines()] == [
        [name, "queued", "echo"] for name in "abc"
    ]
    assert run("parts", chain, "--stage", "join").output.split()[0] == "c"
    assert "no such part" in run("parts", chain, "--state", "failed").output


def test_json_is_what_the_api_gives(run, chain):
    found = json.loads(run("parts", chain, "--json", "--stage", "draw").output)["parts"]
    assert [(one["name"], one["stage"], one["job"]["part_of"]) for one in found] == [
        ("a", "draw", chain),
        ("b", "draw", chain),
    ]


def test_a_job_that_is_not_made_of_jobs_says_so(run, here):
    assert "not made of jobs" in run("parts", here.submit()).output


def test_the_stages_are_shown_with_the_job(run, chain):
    part_id = json.loads(run("parts", chain, "--json").output)["parts"][0]["job"]["id"]
    shown = run("jobs", chain).output
    assert "goes on when its parts are made" in shown
    assert [line.split()[:3] for line in shown.splitlines() if "0/" in line] == [
        ["draw", "queued", "0/2"],
        ["join", "queued", "0/1"],
    ]
    assert "in parts 0%" in run("jobs").output
    assert f"part of {chain}" in run("jobs", part_id).output


def test_a_canceled_one_says_how_it_goes_on(run, chain):
    run("cancel", chain)
    assert f"`atelier retry {chain}` goes on" in run("jobs", chain).output
    again = run("retry", chain, "--detach").output.strip()
    assert f"another try of {chain}" in run("jobs", again).output
