"""Tags and metadata over HTTP: given, told, found by, changed."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from tests.api.helpers import finish, problem


def labelled(api, **more):
    return api.post("/v1/jobs", json={"engine": "echo", **more})


def found(api, query):
    answer = api.get(f"/v1/jobs?{query}")
    assert answer.status_code == 200, answer.text
    return [job["id"] for job in answer.json["jobs"]]


def patch(api, job_id, **body):
    return api.request("PATCH", f"/v1/jobs/{job_id}", json=body)


def test_they_are_kept_told_and_listed(api):
    metadata = {"order": 4711, "who": "Bob", "paid": True, "rate": 0.5, "note": None}
    job = labelled(api, tags=["spring", "Mars 2", "spring"], metadata=metadata).json
    assert (job["tags"], job["metadata"]) == (["spring", "Mars 2"], metadata)
    listed = api.get("/v1/jobs").json["jobs"][0]
    assert (listed["tags"], listed["metadata"]) == (job["tags"], metadata)
    plain = labelled(api).json
    assert (plain["tags"], plain["metadata"]) == ([], {})


@pytest.mark.parametrize(
    "tags", [{"tags": ["a", "b c"]}, {"tags": "a, b c"}, {"tags": '["a", "b c"]'}, {"tags[]": ["a", "b c"]}]
)
def test_a_form_takes_them_in_every_usual_shape(api, tags):
    form = {"engine": "echo", "metadata": json.dumps({"n": 1}), **tags}
    job = api.post("/v1/jobs", data=form, content_type="multipart/form-data").json
    assert (job["tags"], job["metadata"]) == (["a", "b c"], {"n": 1})


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"tags": ["x"] * 3 + [str(n) for n in range(10)]}, "tags"),
        ({"tags": [""]}, "tags.0"),
        ({"tags": ["ok", "a,b"]}, "tags.1"),
        ({"tags": [" a"]}, "tags.0"),
        ({"tags": ["x" * 41]}, "tags.0"),
        ({"tags": ["a\u0000"]}, "tags.0"),
        ({"tags": "x"}, "tags"),
        ({"metadata": {str(n): n for n in range(17)}}, "metadata"),
        ({"metadata": {"a": "x" * 5000}}, "metadata"),
        ({"metadata": {"a": [1]}}, "metadata"),
        ({"metadata": {"a": {"b": 1}}}, "metadata"),
        ({"metadata": {"a": "\u0000"}}, "metadata"),
        ({"metadata": {"": 1}}, "metadata"),
        ({"metadata": {"a": 2**60}}, "metadata"),
        ({"metadata": [1]}, "metadata"),
    ],
)  # fmt: skip
def test_what_is_no_label_is_refused_once_and_by_name(api, store, wrong, field):
    told = problem(labelled(api, **wrong), 422, "invalid_request")
    assert [error["field"] for error in told["errors"]] == [field]
    assert "Value error" not in told["errors"][0]["message"]
    assert store.page(None) == []


def test_the_list_is_narrowed_by_tag_text_and_time(api, other):
    a = labelled(api, tags=["red"], params={"text": "Moon over Kraków"}).json
    b = labelled(api, tags=["red", "blue"], metadata={"order": 4711}).json
    labelled(other, tags=["red"])
    assert found(api, "tag=red") == [b["id"], a["id"]]
    assert found(api, "tag=red&tag=blue") == [b["id"]]
    assert found(api, "q=krak%C3%93w%20moon") == [a["id"]]
    assert found(api, "q=4711&tag=red&engine=echo&state=queued") == [b["id"]]
    later = datetime.fromisoformat(b["created_at"]) + timedelta(seconds=1)
    assert found(api, f"created_after={later.isoformat().replace('+', '%2B')}") == []
    assert found(api, f"created_before={later:%Y-%m-%dT%H:%M:%S.%fZ}") == [b["id"], a["id"]]


def test_pages_of_a_tag_follow_each_other(api):
    ids = [labelled(api, tags=["t"]).json["id"] for _ in range(3)]
    first = api.get("/v1/jobs?tag=t&limit=2").json
    second = api.get(f"/v1/jobs?tag=t&limit=2&cursor={first['next_cursor']}").json
    assert [j["id"] for j in first["jobs"] + second["jobs"]] == ids[::-1]
    assert second["next_cursor"] is None


@pytest.mark.parametrize(
    "query",
    [
        f"tag={'x' * 41}",
        "tag=",
        "q=%00",
        "created_after=x",
        "created_before=2026-01-01T00:00:00",
        f"q={'x' * 101}",
    ],
)
def test_a_filter_that_makes_no_sense_is_a_400(api, query):
    problem(api.get(f"/v1/jobs?{query}"), 400, "invalid_request")


def test_they_are_changed_at_any_time_and_each_alone(api, other, store, storage):
    job = labelled(api, tags=["a"], metadata={"n": 1}).json
    finish(store, storage)
    changed = patch(api, job["id"], tags=["b"]).json
    assert (changed["tags"], changed["metadata"], changed["state"]) == (["b"], {"n": 1}, "succeeded")
    assert changed["artifacts"]
    assert patch(api, job["id"], metadata={}).json["metadata"] == {}
    assert found(api, "tag=b") == [job["id"]]
    problem(patch(other, job["id"], tags=[]), 404, "not_found")
    assert patch(api, job["id"], tags=["a,b"]).status_code == 422
    assert patch(api, job["id"], priority="high").status_code == 422


def test_a_retry_and_again_keep_them(api):
    labels = {"tags": ["a"], "metadata": {"n": 1}}
    job = labelled(api, **labels).json
    api.post(f"/v1/jobs/{job['id']}/cancel")
    retried = api.post(f"/v1/jobs/{job['id']}/retry").json
    again = api.post(f"/v1/jobs/{job['id']}/again").json
    changed = api.post(f"/v1/jobs/{job['id']}/again", json={"tags": ["b"]}).json
    assert [{k: j[k] for k in labels} for j in (retried, again)] == [labels, labels]
    assert (changed["tags"], changed["metadata"]) == (["b"], {"n": 1})
    assert found(api, "tag=a") == [again["id"], retried["id"], job["id"]]


def test_they_belong_to_the_idempotent_request(api):
    def send(**more):
        return api.post("/v1/jobs", json={"engine": "echo", **more}, headers={"Idempotency-Key": "k"})

    first = send(tags=["a"])
    assert send(tags=["a"]).json["id"] == first.json["id"]
    problem(send(tags=["b"]), 409, "idempotency_conflict")
