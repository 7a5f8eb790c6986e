"""Priorities, deadlines, holds and moves over HTTP; dry runs, forecasts and usage."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

import engines
from accept.wire import JobOptions
from accounts.store import AccountStore
from api.forecasting.forecast import Forecaster
from fleet.store import FleetStore
from jobs.clock import now
from jobs.models import Job
from jobs.store import Ran
from tests.api.helpers import claim, data_uri, finish, picture, problem
from tests.examples import examples


@pytest.fixture
def fleet(store):
    """Reports workers, and forgets what the API remembers of them."""
    found = FleetStore(store.database)

    def report(worker="wrk_1", **changes):
        values = {
            "hostname": "h", "pid": 1, "queues": ["cpu"], "engines": ["echo"], "weights": [], "device": "cpu",
        } | changes  # fmt: skip
        found.report(worker, **values)

    return report


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


class TestForecast:
    def test_without_a_worker_it_says_so(self, api, fleet):
        told = api.submit().json["forecast"]
        assert told["servable"] is False
        assert "queue cpu" in told["reason"]
        fleet(engines=["other"])
        assert "engine echo" in api.submit().json["forecast"]["reason"]
        fleet()
        assert api.submit().json["forecast"]["servable"] is True

    def test_before_anything_was_measured_nobody_can_tell(self, api, fleet):
        fleet(job_ids=["job_x"])
        assert api.submit().json["forecast"] == {
            "servable": True, "reason": None, "starts_in": None, "ends_in": None,
        }  # fmt: skip

    def test_it_follows_from_what_such_jobs_took_and_who_works(self, api, store, storage, fleet):
        api.submit(seconds=2.0)
        finish(store, storage)
        self.took(store, 2.0)
        fleet()
        told = api.submit(seconds=4.0).json["forecast"]
        assert (told["starts_in"], told["ends_in"]) == (0.0, pytest.approx(4.0, abs=0.2))
        fleet(job_ids=["job_x"])
        for _ in range(3):
            told = api.submit(seconds=4.0).json["forecast"]
        # Three in front, and half of one as they were lately, for nobody knows what runs.
        assert told["starts_in"] == pytest.approx(3 * 4.0 + 1.0, rel=0.05)
        fleet("wrk_2", job_ids=["job_y"])
        # Four in front of it, two at a time.
        assert api.submit(seconds=4.0).json["forecast"]["starts_in"] == pytest.approx(2 * 4.0 + 1.0, rel=0.05)

    def test_it_follows_from_the_very_jobs_in_front(self, api, store, storage, fleet):
        """A short one behind a long one waits for the long one, and not for an average."""
        api.submit(seconds=2.0)
        finish(store, storage)
        self.took(store, 2.0)
        fleet(job_ids=["job_x"])
        api.submit(seconds=1.0)
        api.submit(seconds=600.0)
        short, long, behind = (api.submit(seconds=1.0).json["forecast"] for _ in range(3))
        assert short["starts_in"] > 500.0
        assert long["starts_in"] - short["starts_in"] == pytest.approx(1.0, abs=0.3)
        assert behind["starts_in"] > long["starts_in"]

    def test_it_follows_from_what_runs(self, api, store, storage, fleet):
        api.submit(seconds=2.0)
        finish(store, storage)
        self.took(store, 2.0)
        running = api.job_id(seconds=300.0)
        row = claim(store)
        fleet(row.lease_owner, job_ids=[running])
        assert api.submit().json["forecast"]["starts_in"] == pytest.approx(300.0, rel=0.05)
        store.beat(row.id, row.attempt, lease_seconds=60, progress=0.5)
        self.began(store, running, 60.0)
        assert api.submit().json["forecast"]["starts_in"] == pytest.approx(60.0, rel=0.05)

    def test_behind_those_that_are_looked_at_the_line_goes_on_like_them(
        self, api, store, storage, fleet, monkeypatch
    ):
        monkeypatch.setattr("api.forecasting.forecast.FRONT", 2)
        api.submit(seconds=10.0)
        finish(store, storage)
        self.took(store, 10.0)
        fleet(job_ids=["job_x"])
        told = [api.submit(seconds=10.0).json["forecast"]["starts_in"] for _ in range(6)]
        steps = [after - before for before, after in itertools.pairwise(told)]
        assert steps == [pytest.approx(10.0, rel=0.05)] * 5

    @staticmethod
    def began(store, job_id, seconds):
        store.database.write(
            lambda c: c.execute(update(Job).where(Job.id == job_id).values(started_at=now(-seconds)))
        )

    def test_a_running_job_by_its_progress(self, api, store):
        job_id = api.job_id(seconds=10.0)
        row = claim(store)
        store.beat(row.id, row.attempt, lease_seconds=60, progress=0.5)
        assert 0 <= api.get(f"/v1/jobs/{job_id}").json["forecast"]["ends_in"] < 2

    @staticmethod
    def took(store, seconds):
        store.database.write(
            lambda c: c.execute(update(Job).values(run_seconds=seconds, device_seconds=seconds))
        )

    def test_answers_are_remembered_for_a_while(self, store, monkeypatch):
        monkeypatch.setattr("api.forecasting.forecast.FRESH", 5.0)
        now = [0.0]
        forecaster = Forecaster(store, FleetStore(store.database), clock=lambda: now[0])
        asked = []
        ran = [Ran("cpu", 1.0, 1.0, 1.0)]
        monkeypatch.setattr(store, "ran", lambda name: asked.append(name) or ran)
        forecaster.speed("echo")
        forecaster.speed("echo")
        now[0] = 6.0
        forecaster.speed("echo")
        assert asked == ["echo", "echo"]

    def test_that_nothing_was_measured_is_not_remembered(self, api, store, storage, monkeypatch):
        monkeypatch.setattr("api.forecasting.forecast.FRESH", 5.0)
        api.submit()
        dry = {"engine": "echo", "params": {"seconds": 3.0}}
        assert api.post("/v1/jobs?dry_run=true", json=dry).json["device_seconds"] is None
        finish(store, storage)
        self.took(store, 0.2)
        told = api.post("/v1/jobs?dry_run=true", json=dry).json["device_seconds"]
        assert told == pytest.approx(3.0, rel=0.1), "a small first job does not make a large one dear"

    def test_a_long_line_of_what_was_never_measured_is_looked_up_once(self, api, store, fleet, monkeypatch):
        fleet(job_ids=["job_x"])
        jobs = [api.job_id() for _ in range(8)]
        asked = []
        monkeypatch.setattr(store, "ran", lambda name: asked.append(name) or [])
        api.get(f"/v1/jobs/{jobs[-1]}")
        # For the line, for the usual job of the queue's engines, and for the job itself.
        assert asked.count("echo") <= 3

    def test_under_a_running_cap_nobody_can_tell(self, app, api, store, fleet):
        """Ten idle workers are of no use to a job that waits for another of its owner's to end."""
        owner_id = store.get(api.job_id()).owner_id
        cap(store, owner_id, 1)
        app.extensions["atelier"].quota.forget(owner_id)
        self.took(store, 2.0)
        for n in range(10):
            fleet(f"wrk_{n}")
        told = api.submit().json
        assert (told["queue_position"], told["forecast"]["starts_in"]) == (2, None)
        dry = api.post("/v1/jobs?dry_run=true", json={"engine": "echo"}).json
        assert (dry["queue_position"], dry["forecast"]["starts_in"]) == (3, None)


class TestDryRun:
    def test_it_validates_estimates_and_accepts_nothing(self, api, store, storage, fleet):
        api.submit(seconds=2.0)
        finish(store, storage)
        TestForecast.took(store, 2.0)
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
        TestForecast.took(store, 1.5)
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
