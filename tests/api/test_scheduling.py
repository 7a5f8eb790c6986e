"""Priorities, deadlines, holds and moves over HTTP; dry runs and usage."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import engines
from accept.wire import JobOptions
from accounts.store import AccountStore
from tests.api.helpers import claim, data_uri, finish, picture, problem, took
from tests.examples import examples


@pytest.fixture(autouse=True)
def _nothing_is_remembered(monkeypatch):
    monkeypatch.setattr("api.forecasting.forecast.FRESH", -1.0)


def options(api, **more):
    return api.post("/v1/jobs", json={"engine": "echo", **more})


def cap(store, owner_id, running):
    AccountStore(store.database).set_limits(owner_id, {"max_running": running})


class TestOptions:
    def test_they_are_kept_and_told(self, api):
        soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        webhook = {"url": "https://example.org/hook", "events": ["failed"]}
        job = options(api, priority="high", start_by=soon, timeout=5.5, hold=True, webhook=webhook).json
        told = api.get(f"/v1/jobs/{job['id']}").json
        assert (told["priority"], told["timeout"], told["webhook"]) == ("high", 5.5, webhook)
        assert datetime.fromisoformat(told["start_by"]) == datetime.fromisoformat(soon)
        assert told["held"]["reason"] == "owner"
        assert told["queue_position"] is None

    def test_a_form_takes_them_too(self, api):
        form = {
            "engine": "echo",
            "text": "x",
            "priority": "low",
            "timeout": "7",
            "hold": "true",
            "start_by": "",
        }
        form["webhook"] = json.dumps({"url": "https://example.org/hook"})
        job = api.post("/v1/jobs", data=form, content_type="multipart/form-data").json
        assert (job["priority"], job["timeout"], job["held"]["reason"]) == ("low", 7, "owner")
        assert job["webhook"]["events"] == ["succeeded", "failed", "canceled"]
        assert job["start_by"] is None

    @pytest.mark.parametrize(
        "wrong",
        [
            {"priority": "urgent"},
            {"priority": 5},
            {"timeout": 0},
            {"timeout": -1},
            {"timeout": 1e9},
            {"timeout": "5"},
            {"start_by": "2999-01-01T00:00:00"},
            {"start_by": "tomorrow"},
            {"start_by": 0},
            {"hold": "yes"},
            {"webhook": "https://example.org"},
            {"webhook": {}},
            {"webhook": {"url": "https://example.org", "events": ["exploded"]}},
            {"webhook": {"url": "https://example.org", "secret": "mine"}},
            {"deadline": 5},
        ],
    )
    def test_what_makes_no_sense_is_refused(self, api, store, wrong):
        assert options(api, **wrong).status_code in (400, 422)
        assert store.page(None) == []

    def test_a_start_that_has_passed_is_refused(self, api):
        problem(options(api, start_by="2001-01-01T00:00:00Z"), 422, "invalid_params")

    @pytest.mark.parametrize("url", ["http://127.0.0.1/x", "https://10.0.0.1/", "file:///etc/passwd"])
    def test_a_webhook_into_a_private_network_is_refused(self, api, store, url):
        assert options(api, webhook={"url": url}).status_code == 422
        assert store.page(None) == []

    def test_they_belong_to_the_idempotent_request(self, api):
        def send(**more):
            return api.post("/v1/jobs", json={"engine": "echo", **more}, headers={"Idempotency-Key": "k"})

        first = send(priority="high")
        assert send(priority="high").json["id"] == first.json["id"]
        problem(send(), 409, "idempotency_conflict")

    def test_a_retry_keeps_priority_timeout_and_webhook(self, api, store):
        job = options(api, priority="low", timeout=9, webhook={"url": "https://example.org/"}).json
        store.cancel(job["id"], None)
        again = api.post(f"/v1/jobs/{job['id']}/retry").json
        assert (again["priority"], again["timeout"]) == ("low", 9)
        assert again["webhook"] == job["webhook"]

    def test_no_engine_has_a_parameter_of_such_a_name(self):
        names = set(JobOptions.model_fields) | {"engine", "params"}
        assert not [n for n in engines.names() if names & engines.spec(n).params.model_fields.keys()]

    @settings(
        max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(
        sent=st.dictionaries(
            st.sampled_from([*JobOptions.model_fields, "x"]),
            st.none() | st.booleans() | st.floats() | st.text(max_size=30) | st.lists(st.none()),
        )
    )
    def test_whatever_is_sent_the_answer_is_clear(self, api, sent):
        body = json.dumps({"engine": "echo", **sent})
        answer = api.post("/v1/jobs", data=body, content_type="application/json")
        assert answer.status_code in (202, 400, 422), answer.text


class TestOwnOrder:
    def test_hold_and_release(self, api, store):
        first, second = api.job_id(), api.job_id()
        assert api.post(f"/v1/jobs/{first}/hold").json["held"]["reason"] == "owner"
        assert claim(store).id == second
        assert api.post(f"/v1/jobs/{first}/release").json["held"] is None
        assert claim(store).id == first
        problem(api.post(f"/v1/jobs/{first}/hold"), 409, "wrong_state")

    def test_move(self, api, store):
        a, b, c = (api.job_id() for _ in range(3))
        assert api.post(f"/v1/jobs/{c}/move", json={"to": "front"}).json["queue_position"] == 1
        assert api.post(f"/v1/jobs/{a}/move", json={"to": "end"}).json["queue_position"] == 3
        assert api.post(f"/v1/jobs/{b}/move", json={"before": c}).status_code == 200
        assert [claim(store).id for _ in range(3)] == [b, c, a]

    @pytest.mark.parametrize(
        "wrong", [{}, {"to": "middle"}, {"before": "x"}, {"to": "end", "before": None, "y": 1}]
    )
    def test_a_move_to_nowhere_is_refused(self, api, wrong):
        assert api.post(f"/v1/jobs/{api.job_id()}/move", json=wrong).status_code == 422

    @pytest.mark.parametrize("what", ["hold", "release", "move"])
    def test_others_jobs_are_not_there(self, api, other, what):
        problem(other.post(f"/v1/jobs/{api.job_id()}/{what}", json={"to": "front"}), 404, "not_found")

    def test_a_job_over_its_owner_s_cap_says_why_it_waits(self, app, api, store):
        cap(store, store.get(api.job_id()).owner_id, 1)
        app.extensions["atelier"].quota.forget(store.page(None)[0].owner_id)
        job = api.submit().json
        assert job["held"]["reason"] == "running_cap"
        assert "1 of your jobs" in job["held"]["detail"]
        assert job["queue_position"] == 2


class TestDryRun:
    def test_it_validates_estimates_and_accepts_nothing(self, api, store, storage, fleet):
        api.submit(seconds=2.0)
        finish(store, storage)
        took(store, 2.0)
        fleet()
        answer = api.post("/v1/jobs?dry_run=true", json={"engine": "echo", "params": {"seconds": 6.0}})
        assert answer.status_code == 200
        told = answer.json
        assert told["params"] == {"text": "hello", "seconds": 6.0, "together": False, "seed": None}
        assert told["device_seconds"] == pytest.approx(6.0, rel=0.05)
        assert told["queue_position"] == 1
        assert told["forecast"]["ends_in"] == pytest.approx(told["device_seconds"], abs=0.1)
        assert len(store.page(None)) == 1

    def test_what_a_submission_would_refuse_it_refuses(self, api):
        answer = api.post("/v1/jobs?dry_run=true", json={"engine": "echo", "params": {"seconds": -1}})
        problem(answer, 422, "invalid_params")
        problem(api.post("/v1/jobs?dry_run=true", json={"engine": "no"}), 404, "engine_not_found")

    def test_it_stores_no_file(self, api, storage):
        params = {"content": data_uri(picture(64, 64)), "style": [data_uri(picture(64, 64))]}
        body = {"engine": "neural_style", "params": params}
        answer = api.post("/v1/jobs?dry_run=true", json=body)
        assert answer.status_code == 200, answer.text
        assert list(storage.list("")) == []


class TestUsage:
    def test_sums_by_day_engine_and_outcome_also_of_deleted_jobs(self, api, store, storage):
        for _ in range(3):
            api.submit()
            done = finish(store, storage)
        took(store, 1.5)
        canceled = api.job_id()
        store.cancel(canceled, None)
        store.delete(done.id, None)
        report = api.get("/v1/usage").json
        today = datetime.now(UTC).date().isoformat()
        assert (report["jobs"], report["cpu_seconds"], report["gpu_seconds"]) == (4, 4.5, 0.0)
        assert [(line["day"], line["state"], line["jobs"]) for line in report["lines"]] == [
            (today, "canceled", 1), (today, "succeeded", 3),
        ]  # fmt: skip

    def test_each_sees_their_own_and_an_admin_everybody_s(self, api, other, admin, store, storage):
        api.submit()
        finish(store, storage)
        assert other.get("/v1/usage").json["jobs"] == 0
        assert admin.get("/v1/usage?all=true").json["jobs"] == 1
        problem(other.get("/v1/usage?all=true"), 403, "forbidden")

    @pytest.mark.parametrize(
        "query",
        [
            "first=x",
            "first=2026-02-01&last=2026-01-01",
            "first=2020-01-01&last=2026-01-01",
            "last=0001-01-00",
        ],
    )
    def test_days_that_make_no_sense(self, api, query):
        assert api.get(f"/v1/usage?{query}").status_code in (400, 422)

    def test_the_first_day_there_is(self, api):
        assert api.get("/v1/usage?last=0001-01-01").status_code == 200
