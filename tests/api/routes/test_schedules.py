"""Schedules over the API: whose they are, what they show, what is refused, and a job now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from accept import Means
from jobs.models import Schedule
from schedules.store import MAX_SCHEDULES
from storage.memory import MemoryStorage
from tests.api.helpers import Api, data_uri, picture, problem
from workers.schedules import Schedules

NONE = "/v1/schedules/sch_" + "0" * 32
SOON = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
NEW = {
    "name": "Good morning",
    "cron": "0  9 * * MON-FRI",
    "zone": "Europe/Berlin",
    "job": {"engine": "echo", "params": {"text": "hi"}, "tags": ["daily"]},
}


def create(api: Api, **values) -> dict:
    answer = api.post("/v1/schedules", json=NEW | values)
    assert answer.status_code == 201, answer.text
    return answer.json


def patch(api: Api, made: dict, **values):
    return api.request("PATCH", f"/v1/schedules/{made['id']}", json=values)


def told(api: Api, made: dict, what: str):
    return api.post(f"/v1/schedules/{made['id']}/{what}")


def make_due(store, made: dict) -> None:
    past = datetime.now(UTC).replace(microsecond=0)
    setting = update(Schedule).where(Schedule.id == made["id"]).values(next_at=past)
    store.database.write(lambda c: c.execute(setting))


def test_a_schedule_is_made_seen_and_deleted(api):
    answer = api.post("/v1/schedules", json=NEW)
    made = answer.json

    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/v1/schedules/{made['id']}"
    assert (made["name"], made["cron"], made["zone"]) == ("Good morning", "0 9 * * MON-FRI", "Europe/Berlin")
    assert made["misses"] == "skip"
    assert (made["job"]["params"], made["job"]["tags"]) == ({"text": "hi"}, ["daily"])
    assert len(made["upcoming"]) == 5
    assert made["upcoming"] == sorted(made["upcoming"])
    assert (made["paused_at"], made["last_at"], made["last_job_id"], made["last_error"]) == (None,) * 4
    assert api.get(f"/v1/schedules/{made['id']}").json == made
    assert api.get("/v1/schedules").json == {"schedules": [made], "next_cursor": None}

    assert api.delete(f"/v1/schedules/{made['id']}").status_code == 204
    problem(api.get(f"/v1/schedules/{made['id']}"), 404, "not_found")


def test_a_dry_run_says_when_it_would_be_due_and_makes_nothing(api):
    answer = api.post("/v1/schedules?dry_run=true", json=NEW)

    assert answer.status_code == 200
    assert len(answer.json["upcoming"]) == 5
    assert api.get("/v1/schedules").json["schedules"] == []


def test_pages_go_back_in_time(api):
    made = [create(api)["id"] for _ in range(3)]

    first = api.get("/v1/schedules?limit=2").json
    second = api.get(f"/v1/schedules?limit=2&cursor={first['next_cursor']}").json
    found = [row["id"] for page in (first, second) for row in page["schedules"]]
    assert found == made[::-1]
    assert second["next_cursor"] is None


def test_what_is_left_out_of_a_change_stays(api):
    made = create(api)

    assert patch(api, made, name="Other").json == made | {"name": "Other"}
    moved = patch(api, made, zone="UTC", misses="once").json
    assert (moved["cron"], moved["zone"], moved["misses"]) == (made["cron"], "UTC", "once")
    assert moved["upcoming"] != made["upcoming"]
    job = patch(api, made, job={"engine": "echo", "priority": "low"}).json["job"]
    assert (job["params"], job["priority"], job["tags"]) == ({}, "low", [])


def test_a_new_name_loses_no_due_time(api, store):
    made = create(api)
    make_due(store, made)
    due = api.get(f"/v1/schedules/{made['id']}").json["upcoming"][0]

    assert patch(api, made, name="Other").json["upcoming"][0] == due
    assert patch(api, made, cron="0 10 * * *").json["upcoming"][0] > due


def test_a_paused_one_says_so_and_is_resumed(api):
    made = create(api)

    paused = told(api, made, "pause").json
    assert (paused["upcoming"], paused["paused_because"]) == ([], "owner")
    assert patch(api, made, cron="0 10 * * *").json["upcoming"] == []
    resumed = told(api, made, "resume").json
    assert (len(resumed["upcoming"]), resumed["paused_at"], resumed["paused_because"]) == (5, None, None)


def test_a_run_now_is_a_job_that_names_its_schedule(api):
    made = create(api)
    told(api, made, "pause")

    answer = told(api, made, "run")
    job = answer.json
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert (job["schedule_id"], job["params"]["text"], job["tags"]) == (made["id"], "hi", ["daily"])
    assert api.get(f"/v1/jobs/{job['id']}").json["schedule_id"] == made["id"]
    assert api.get(f"/v1/schedules/{made['id']}").json["last_job_id"] == job["id"]
    assert api.post("/v1/jobs", json={"engine": "echo"}).json["schedule_id"] is None


def test_a_run_that_is_asked_for_twice_under_one_key_is_one_job(api):
    made = create(api)
    path, headers = f"/v1/schedules/{made['id']}/run", {"Idempotency-Key": "k"}

    first, again = (api.post(path, headers=headers) for _ in range(2))
    assert again.json["id"] == first.json["id"]
    assert (first.headers.get("Idempotency-Replayed"), again.headers["Idempotency-Replayed"]) == (
        None,
        "true",
    )
    assert told(api, made, "run").json["id"] != first.json["id"]
    # Another schedule's, and a job's, are others.
    assert api.post(f"/v1/schedules/{create(api)['id']}/run", headers=headers).json["id"] != first.json["id"]
    assert api.post("/v1/jobs", json={"engine": "echo"}, headers=headers).json["id"] != first.json["id"]


def test_what_was_refused_is_shown(api, store):
    made = create(api)
    spoiling = update(Schedule).where(Schedule.id == made["id"]).values(params={"text": 7})
    store.database.write(lambda c: c.execute(spoiling))
    make_due(store, made)

    Schedules(Means.build(store, MemoryStorage())).fire()

    shown = api.get(f"/v1/schedules/{made['id']}").json
    assert (shown["last_error"]["code"], shown["refusals"]) == ("invalid_params", 1)
    assert "text" in shown["last_error"]["detail"]
    assert len(shown["upcoming"]) == 5
    problem(told(api, made, "run"), 422, "invalid_params")


def test_nobody_reaches_another_s(api, other):
    made = create(api)

    assert other.get("/v1/schedules").json["schedules"] == []
    problem(other.get(f"/v1/schedules/{made['id']}"), 404, "not_found")
    problem(patch(other, made, name="Mine"), 404, "not_found")
    problem(other.delete(f"/v1/schedules/{made['id']}"), 404, "not_found")
    for what in ("pause", "resume", "run"):
        problem(told(other, made, what), 404, "not_found")
    assert api.get(f"/v1/schedules/{made['id']}").json == made


def test_an_admin_sees_pauses_and_deletes_anybody_s_and_makes_nothing_of_it(api, admin):
    made = create(api)

    assert admin.get(f"/v1/schedules/{made['id']}").json == made
    assert told(admin, made, "pause").json["paused_because"] == "owner"
    for what in ("resume", "run"):
        problem(told(admin, made, what), 404, "not_found")
    assert admin.delete(f"/v1/schedules/{made['id']}").status_code == 204


@pytest.mark.parametrize(
    ("values", "code", "field"),
    [
        ({"cron": "* * * * *"}, "bad_schedule", "cron"),
        ({"cron": "9 o'clock"}, "bad_schedule", "cron"),
        ({"zone": "Mars"}, "bad_schedule", "zone"),
        ({"misses": "twice"}, "invalid_request", "misses"),
        ({"name": ""}, "invalid_request", "name"),
        ({"name": "a\u0000b"}, "invalid_request", "name"),
        ({"job": {"params": {}}}, "invalid_request", "job.engine"),
        ({"job": {"engine": "echo", "params": {"txt": 1}}}, "invalid_params", "txt"),
        ({"job": {"engine": "echo", "start_by": SOON}}, "bad_schedule", "start_by"),
        ({"job": {"engine": "echo", "webhook": {"url": "ftp://x"}}}, "bad_url", None),
    ],
    ids=[
        "often",
        "words",
        "zone",
        "misses",
        "nameless",
        "nul",
        "engineless",
        "params",
        "deadline",
        "webhook",
    ],
)
def test_what_is_no_schedule_is_refused_with_the_field_named(api, values, code, field):
    made = create(api)
    for answer in (api.post("/v1/schedules", json=NEW | values), patch(api, made, **values)):
        found = problem(answer, 422, code)
        assert field is None or found["errors"][0]["field"] == field
    assert api.get(f"/v1/schedules/{made['id']}").json == made


def test_its_files_are_stored_ones_and_kept(api):
    # given
    pictures = {name: data_uri(picture()) for name in ("content", "style")}
    job = {"engine": "neural_style", "params": pictures}
    found = problem(api.post("/v1/schedules", json=NEW | {"job": job}), 422, "bad_schedule")
    assert "POST /v1/files" in found["detail"]
    # when
    file = api.upload()
    made = create(api, job=job | {"params": {"content": file.json["id"], "style": file.json["id"]}})
    # then
    problem(api.delete(f"/v1/files/{file.json['id']}"), 409, "in_use")
    api.delete(f"/v1/schedules/{made['id']}")
    assert api.delete(f"/v1/files/{file.json['id']}").status_code == 204


def test_there_are_only_so_many(api):
    for _ in range(MAX_SCHEDULES):
        create(api)
    problem(api.post("/v1/schedules", json=NEW), 409, "too_many_schedules")


def test_an_idempotency_key_is_refused_where_it_would_not_help(api):
    answer = api.post("/v1/schedules", json=NEW, headers={"Idempotency-Key": "k"})
    problem(answer, 400, "idempotency_not_supported")
    problem(api.get(NONE), 404, "not_found")
