"""/v1/jobs: from submission to deletion."""

from __future__ import annotations

import io
import time

import pytest

from tests.api.helpers import claim, finish, picture, problem


def test_a_job_is_accepted_and_followed_to_its_result(api, store, storage):
    # given
    answer = api.submit(text="hi", seconds=0.5)
    assert answer.status_code == 202
    job = answer.json
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert job["state"] == "queued"
    assert job["queue_position"] == 1
    assert job["params"] == {"text": "hi", "seconds": 0.5, "together": False, "seed": job["seed"]}
    assert 0 <= job["seed"] < 2**32
    # when
    finish(store, storage)
    # then
    done = api.get(f"/v1/jobs/{job['id']}").json
    assert done["state"] == "succeeded"
    assert done["queue_position"] is None
    assert done["device"] == "cpu"
    assert done["timings"]["run"] >= 0
    (artifact,) = done["artifacts"]
    assert api.get(artifact["url"]).data == b"hello"


def test_the_position_counts_what_is_ahead(api):
    ids = [api.job_id() for _ in range(3)]
    assert [api.get(f"/v1/jobs/{i}").json["queue_position"] for i in ids] == [1, 2, 3]


def test_progress_and_failure_are_shown(api, store):
    job_id = api.job_id()
    row = claim(store)
    store.beat(row.id, row.attempt, lease_seconds=60, progress=0.4, message="drawing")
    running = api.get(f"/v1/jobs/{job_id}").json
    assert (running["state"], running["progress"], running["message"]) == ("running", 0.4, "drawing")
    store.fail(row.id, row.attempt, code="out_of_memory", detail="Too large.")
    failed = api.get(f"/v1/jobs/{job_id}").json
    assert failed["error"] == {"code": "out_of_memory", "detail": "Too large."}


@pytest.mark.parametrize(
    ("params", "field", "code"),
    [
        ({"seconds": "1"}, "seconds", "float_type"),
        ({"seconds": -1}, "seconds", "greater_than_equal"),
        ({"seconds": 1e300}, "seconds", "less_than_equal"),
        ({"text": "x" * 1001}, "text", "string_too_long"),
        ({"text": None}, "text", "string_type"),
        ({"seed": -1}, "seed", "greater_than_equal"),
        ({"seed": 2**63}, "seed", "less_than"),
        ({"seed": 1.5}, "seed", "int_type"),
        ({"wings": 2}, "wings", "extra_forbidden"),
    ],
)
def test_wrong_params_are_named(api, params, field, code):
    found = problem(api.submit(**params), 422, "invalid_params")
    assert found["errors"][0]["field"] == field
    assert found["errors"][0]["code"] == code
    assert "x" * 300 not in str(found)


def test_missing_params_are_named(api):
    found = problem(api.post("/v1/jobs", json={"engine": "neural_style"}), 422, "invalid_params")
    assert {e["field"] for e in found["errors"]} == {"content", "style"}


def test_an_unknown_engine_is_a_404(api):
    problem(api.post("/v1/jobs", json={"engine": "alchemy"}), 404, "engine_not_found")
    problem(api.post("/v1/jobs", json={"engine": "../echo"}), 404, "engine_not_found")


@pytest.mark.parametrize(
    "job_id", ["job_" + "0" * 32, "job_1", "art_" + "0" * 32, "%00", "job_" + "0" * 5000, "..", "' OR 1=1"]
)
def test_unknown_ids_are_404(api, job_id):
    assert api.get(f"/v1/jobs/{job_id}").status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""), ("POST", "/cancel"), ("POST", "/retry"), ("DELETE", ""), ("GET", "/events"),
        ("GET", "/preview"),
    ],
)  # fmt: skip
def test_another_owners_job_is_a_404(api, other, method, path):
    job_id = api.job_id()
    problem(other.request(method, f"/v1/jobs/{job_id}{path}"), 404, "not_found")
    assert api.get(f"/v1/jobs/{job_id}").json["state"] == "queued"


def test_an_admin_reads_cancels_and_deletes_anybodys_job(api, admin, store, storage):
    # given
    job_id = api.job_id()
    finish(store, storage)
    waiting = api.job_id()
    # then
    assert admin.get(f"/v1/jobs/{job_id}").json["artifacts"]
    assert admin.get(f"/v1/jobs/{job_id}/events").status_code == 200
    problem(admin.get(f"/v1/jobs/{job_id}/preview"), 404, "not_found")
    assert admin.post(f"/v1/jobs/{waiting}/cancel").json["state"] == "canceled"
    problem(admin.post(f"/v1/jobs/{waiting}/retry"), 404, "not_found")
    assert admin.delete(f"/v1/jobs/{job_id}").status_code == 204
    problem(api.get(f"/v1/jobs/{job_id}"), 404, "not_found")


def test_an_admin_lists_everybodys_jobs_when_asked_to(api, other, admin):
    ids = [api.job_id(), other.job_id(), admin.job_id()]
    assert [j["id"] for j in admin.get("/v1/jobs").json["jobs"]] == ids[2:]
    assert [j["id"] for j in admin.get("/v1/jobs?all=true").json["jobs"]] == ids[::-1]
    problem(api.get("/v1/jobs?all=true"), 403, "forbidden")
    assert [j["id"] for j in api.get("/v1/jobs?all=false").json["jobs"]] == ids[:1]


def test_the_list_pages_and_filters(api, other, store, storage):
    ids = [api.job_id() for _ in range(5)]
    other.job_id()
    finish(store, storage)
    first = api.get("/v1/jobs?limit=2").json
    second = api.get(f"/v1/jobs?limit=2&cursor={first['next_cursor']}").json
    third = api.get(f"/v1/jobs?limit=2&cursor={second['next_cursor']}").json
    seen = [j["id"] for page in (first, second, third) for j in page["jobs"]]
    assert seen == ids[::-1]
    assert third["next_cursor"] is None
    assert [j["id"] for j in api.get("/v1/jobs?state=succeeded").json["jobs"]] == ids[:1]
    assert len(api.get("/v1/jobs?state=succeeded&state=queued").json["jobs"]) == 5
    assert api.get("/v1/jobs?engine=neural_style").json["jobs"] == []
    assert len(api.get("/v1/jobs?state=succeeded").json["jobs"][0]["artifacts"]) == 1


def test_a_queued_job_is_canceled_at_once_and_a_running_one_is_asked(api, store):
    queued = api.job_id()
    answer = api.post(f"/v1/jobs/{queued}/cancel")
    assert (answer.status_code, answer.json["state"]) == (200, "canceled")
    running = api.job_id()
    claim(store)
    answer = api.post(f"/v1/jobs/{running}/cancel")
    assert (answer.status_code, answer.json["state"], answer.json["cancel_requested"]) == (
        202,
        "running",
        True,
    )
    again = api.post(f"/v1/jobs/{queued}/cancel")
    assert (again.status_code, again.json["state"]) == (200, "canceled")


def test_a_retry_is_a_new_job_with_the_same_params_and_seed(api):
    old = api.submit(text="again").json
    problem(api.post(f"/v1/jobs/{old['id']}/retry"), 409, "wrong_state")
    api.post(f"/v1/jobs/{old['id']}/cancel")
    answer = api.post(f"/v1/jobs/{old['id']}/retry", headers={"Idempotency-Key": "r1"})
    new = answer.json
    assert answer.status_code == 202
    assert new["id"] != old["id"]
    assert (new["params"], new["seed"], new["state"]) == (old["params"], old["seed"], "queued")
    replay = api.post(f"/v1/jobs/{old['id']}/retry", headers={"Idempotency-Key": "r1"})
    assert replay.json["id"] == new["id"]
    assert replay.headers["Idempotency-Replayed"] == "true"


def test_a_retry_whose_file_was_deleted_is_refused(api):
    file_id = api.upload().json["id"]
    params = {"content": file_id, "style": [file_id]}
    old = api.post("/v1/jobs", json={"engine": "neural_style", "params": params}).json
    problem(api.delete(f"/v1/files/{file_id}"), 409, "in_use")
    api.post(f"/v1/jobs/{old['id']}/cancel")
    assert api.delete(f"/v1/files/{file_id}").status_code == 204
    problem(api.post(f"/v1/jobs/{old['id']}/retry"), 422, "file_not_found")


def test_deleting_takes_the_results_along(api, store, storage):
    job_id = api.job_id()
    finish(store, storage)
    url = api.get(f"/v1/jobs/{job_id}").json["artifacts"][0]["url"]
    assert api.delete(f"/v1/jobs/{job_id}").status_code == 204
    problem(api.get(f"/v1/jobs/{job_id}"), 404, "not_found")
    problem(api.get(url), 404, "not_found")
    running = api.job_id()
    claim(store)
    problem(api.delete(f"/v1/jobs/{running}"), 409, "wrong_state")


def test_a_wait_answers_when_its_time_is_over(api):
    began = time.monotonic()
    answer = api.post("/v1/jobs?wait=0.3", json={"engine": "echo"})
    assert answer.json["state"] == "queued"
    assert 0.25 < time.monotonic() - began < 5


def test_the_preview_is_a_jpeg_that_a_page_can_show(api, anonymous, store, storage):
    job_id = api.job_id()
    problem(api.get(f"/v1/jobs/{job_id}/preview"), 404, "not_found")
    row = claim(store)
    storage.put(f"jobs/{job_id}/1/preview.jpg", io.BytesIO(picture(kind="JPEG")))
    store.beat(row.id, 1, lease_seconds=60, progress=0.1, preview_key=f"jobs/{job_id}/1/preview.jpg")
    url = api.get(f"/v1/jobs/{job_id}").json["preview_url"]
    answer = anonymous.get(url)
    assert answer.data == picture(kind="JPEG")
    assert answer.content_type == "image/jpeg"
    problem(anonymous.get(f"/v1/jobs/{job_id}/preview"), 401, "unauthorized")
