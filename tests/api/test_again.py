"""A job that has ended, once more: the same, or with something changed."""

from __future__ import annotations

import gzip

import pytest

from tests.api.helpers import claim, data_uri, finish, picture, problem


def end(api, store, storage, how, job_id):
    """Bring a queued job to a final state."""
    if how == "succeeded":
        finish(store, storage)
    elif how == "failed":
        row = claim(store)
        store.fail(row.id, row.attempt, code="x", detail="y")
    else:
        api.post(f"/v1/jobs/{job_id}/cancel")
    assert api.get(f"/v1/jobs/{job_id}").json["state"] == how


def again(api, job_id, query="", headers=None, **body):
    return api.post(f"/v1/jobs/{job_id}/again{query}", json=body, headers=headers or {})


@pytest.fixture
def done(api, store, storage):
    """A job that succeeded."""
    job_id = api.job_id(text="old", seconds=1.5)
    finish(store, storage)
    return api.get(f"/v1/jobs/{job_id}").json


@pytest.mark.parametrize("how", ["succeeded", "failed", "canceled"])
def test_a_job_that_ended_in_any_way_is_made_once_more(api, store, storage, how):
    # given
    old = api.submit(text="again").json
    end(api, store, storage, how, old["id"])
    # when: nothing is sent
    answer = api.post(f"/v1/jobs/{old['id']}/again")
    # then
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == f"/v1/jobs/{answer.json['id']}"
    assert answer.json["id"] != old["id"]
    assert (answer.json["params"], answer.json["seed"]) == (old["params"], old["seed"])


def test_a_job_that_goes_on_is_not(api, store):
    job_id = api.job_id()
    problem(again(api, job_id), 409, "wrong_state")
    claim(store)
    assert "running" in problem(again(api, job_id), 409, "wrong_state")["detail"]


def test_what_is_sent_changes_and_the_rest_stays(api, done):
    new = again(api, done["id"], params={"text": "new"}).json
    assert (new["params"]["text"], new["params"]["seconds"]) == ("new", 1.5)
    assert new["seed"] == done["seed"]


def test_null_is_the_engine_s_default_again(api, done):
    assert again(api, done["id"], params={"text": None}).json["params"]["text"] == "hello"


def test_what_is_sent_packed_is_not_passed_over(api, done):
    packed = gzip.compress(b'{"params": {"text": "new"}}')
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    made = api.post(f"/v1/jobs/{done['id']}/again", data=packed, headers=headers)
    assert made.json["params"]["text"] == "new"


def test_another_seed_and_a_new_one(api, done):
    other = again(api, done["id"], seed=done["seed"] + 1).json
    assert (other["seed"], other["params"]["seed"]) == (done["seed"] + 1, done["seed"] + 1)
    drawn = {again(api, done["id"], seed=None).json["seed"] for _ in range(3)}
    assert len(drawn) == 3
    assert done["seed"] not in drawn


def test_options_are_kept_or_changed_but_a_hold_and_a_deadline_are_not_kept(api, store, storage):
    hook = {"url": "https://example.org/hook", "events": ["failed"]}
    sent = {"priority": "low", "timeout": 9.0, "webhook": hook, "start_by": "2035-01-01T00:00:00Z"}
    old = api.post("/v1/jobs", json={"engine": "echo", **sent}).json
    finish(store, storage)
    kept = again(api, old["id"]).json
    assert (kept["priority"], kept["timeout"], kept["webhook"], kept["start_by"]) == ("low", 9.0, hook, None)
    changed = again(api, old["id"], priority="high", timeout=None, webhook=None, hold=True).json
    assert (changed["priority"], changed["timeout"], changed["webhook"]) == ("high", None, None)
    assert changed["held"]["reason"] == "owner"


def test_a_file_comes_along_as_in_a_submission(api, store, storage):
    file_id = api.upload().json["id"]
    params = {"content": file_id, "style": [file_id], "seed": 5}
    old = api.post("/v1/jobs", json={"engine": "neural_style", "params": params}).json
    end(api, store, storage, "canceled", old["id"])
    new = again(api, old["id"], params={"style": [data_uri(picture(20, 20))]}).json
    assert new["params"]["content"] == file_id
    assert new["params"]["style"][0].startswith("art_")
    assert new["params"]["style"] != [file_id]


def test_a_file_that_is_gone_is_named(api, store, storage):
    file_id = api.upload().json["id"]
    params = {"content": file_id, "style": [file_id]}
    old = api.post("/v1/jobs", json={"engine": "neural_style", "params": params}).json
    end(api, store, storage, "canceled", old["id"])
    api.delete(f"/v1/files/{file_id}")
    found = problem(again(api, old["id"]), 422, "file_not_found")
    assert found["errors"][0]["field"] in ("content", "style")
    assert file_id in found["detail"]


def test_an_idempotency_key_is_honoured_even_when_the_old_job_is_gone(api, done):
    key = {"Idempotency-Key": "k"}
    first = again(api, done["id"], headers=key, params={"text": "x"})
    assert again(api, done["id"], headers=key, params={"text": "x"}).json["id"] == first.json["id"]
    problem(again(api, done["id"], headers=key, params={"text": "y"}), 409, "idempotency_conflict")
    api.delete(f"/v1/jobs/{done['id']}")
    replayed = again(api, done["id"], headers=key, params={"text": "x"})
    assert replayed.json["id"] == first.json["id"]
    assert replayed.headers["Idempotency-Replayed"] == "true"


def test_a_dry_run_and_a_wait_are_as_in_a_submission(api, store, done):
    told = again(api, done["id"], "?dry_run=true", params={"text": "new"})
    assert told.status_code == 200
    assert told.json["params"]["text"] == "new"
    assert [row.id for row in store.page(None)] == [done["id"]]
    assert again(api, done["id"], "?wait=0.05").json["state"] == "queued"


@pytest.mark.parametrize(
    "wrong",
    [
        {"params": {"nonsense": 1}},
        {"params": {"nonsense": None}},
        {"params": {"seconds": -1}},
        {"params": 1},
        {"seed": -1},
        {"engine": "echo"},
    ],
)
def test_what_makes_no_sense_is_refused(api, store, done, wrong):
    assert again(api, done["id"], **wrong).status_code == 422
    assert len(store.page(None)) == 1


def test_another_s_job_is_not_there(other, admin, done):
    problem(again(other, done["id"]), 404, "not_found")
    problem(again(admin, done["id"]), 404, "not_found")


def test_a_retry_says_where_else_to_go(api, done):
    assert "/again" in problem(api.post(f"/v1/jobs/{done['id']}/retry"), 409, "wrong_state")["detail"]
