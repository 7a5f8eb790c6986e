"""A job that is made of jobs, as HTTP tells of it: one job with stages, and its parts if asked for."""

from __future__ import annotations

import pytest

from jobs.store import NewJob, NewPart
from tests.api.helpers import claim, finish, problem


@pytest.fixture
def film(api, store):
    """The view of a job that waits for three parts, in two stages."""
    job_id = api.job_id(text="film")
    job = claim(store)

    def part(name, stage):
        new = NewJob(owner_id=job.owner_id, engine="echo", queue="cpu", params={"text": name}, seed=1)
        return NewPart(name, stage, 0.3, f"digest of {name}", new)

    store.wait_for(job.id, job.attempt, [part("a", "draw"), part("b", "draw"), part("c", "join")])

    def look():
        return api.get(f"/v1/jobs/{job_id}").json

    return look


def test_it_is_one_job_with_stages(film, api, store, storage):
    shown = film()
    assert (shown["state"], shown["held"]["reason"], shown["queue_position"]) == ("queued", "parts", None)
    assert [(s["name"], s["state"], s["jobs"]) for s in shown["stages"]] == [
        ("draw", "queued", 2),
        ("join", "queued", 1),
    ]
    finish(store, storage)
    draw, join = film()["stages"]
    assert (draw["state"], draw["progress"], draw["succeeded"], draw["artifacts"]) == ("running", 0.5, 1, 1)
    assert (join["state"], join["attempts"]) == ("queued", 0)
    assert film()["progress"] == pytest.approx(0.3)
    # lists show whole jobs, with their stages
    (listed,) = api.get("/v1/jobs").json["jobs"]
    assert listed["id"] == shown["id"]
    assert listed["stages"] == film()["stages"]


def test_its_parts_are_listed_in_pages_with_their_results(film, api, store, storage):
    finish(store, storage)
    url = f"/v1/jobs/{film()['id']}/parts"
    first = api.get(f"{url}?limit=2").json
    assert [(p["name"], p["stage"], p["job"]["state"]) for p in first["parts"]] == [
        ("a", "draw", "succeeded"),
        ("b", "draw", "queued"),
    ]
    assert first["parts"][0]["job"]["part_of"] == film()["id"]
    assert [a["name"] for a in first["parts"][0]["job"]["artifacts"]] == ["echo.txt"]
    rest = api.get(f"{url}?limit=2&cursor={first['next_cursor']}").json
    assert ([p["name"] for p in rest["parts"]], rest["next_cursor"]) == (["c"], None)
    problem(api.get(f"{url}?cursor=x"), 400, "invalid_request")


def test_nobody_sees_another_s_parts(film, api, make_key):
    stranger = {"Authorization": f"Bearer {make_key('mallory')}"}
    job_id = film()["id"]
    part_id = api.get(f"/v1/jobs/{job_id}/parts").json["parts"][0]["job"]["id"]
    for path in (f"/v1/jobs/{job_id}/parts", f"/v1/jobs/{part_id}"):
        problem(api.get(path, headers=stranger), 404, "not_found")


def test_a_job_that_is_not_made_of_jobs_has_none(api):
    job_id = api.job_id()
    assert api.get(f"/v1/jobs/{job_id}/parts").json == {"parts": [], "next_cursor": None}
    assert api.get(f"/v1/jobs/{job_id}").json["stages"] == []


def test_a_failed_part_fails_it_and_a_retry_says_what_it_is_a_try_of(film, api, store):
    row = claim(store)
    store.fail(row.id, row.attempt, code="engine_error", detail="no paint")
    shown = film()
    assert (shown["state"], shown["error"]["code"]) == ("failed", "part_failed")
    assert "a: engine_error: no paint" in shown["error"]["detail"]
    assert shown["stages"][0]["state"] == "failed"
    again = api.post(f"/v1/jobs/{shown['id']}/retry").json
    assert again["retry_of"] == shown["id"]
    # a part alone may be tried again as well, as a job of its own
    part_id = api.get(f"/v1/jobs/{shown['id']}/parts").json["parts"][0]["job"]["id"]
    alone = api.post(f"/v1/jobs/{part_id}/retry").json
    assert (alone["part_of"], alone["retry_of"]) == (None, part_id)


def test_it_can_be_canceled_and_deleted_while_it_waits(film, api, store):
    shown = film()
    problem(api.post(f"/v1/jobs/{shown['id']}/hold"), 409, "wrong_state")
    assert api.post(f"/v1/jobs/{shown['id']}/cancel").json["state"] == "canceled"
    store.end_nobody_s_parts()
    assert {s["state"] for s in film()["stages"]} == {"canceled"}
    assert api.delete(f"/v1/jobs/{shown['id']}").status_code == 204


def test_a_part_cannot_be_deleted_under_it(film, api):
    part_id = api.get(f"/v1/jobs/{film()['id']}/parts").json["parts"][0]["job"]["id"]
    problem(api.delete(f"/v1/jobs/{part_id}"), 409, "in_use")
