"""When a job will start and end: from what such jobs took, what is in front and who is alive."""

from __future__ import annotations

import itertools

import pytest
from sqlalchemy import update

from accounts.store import AccountStore
from api.forecasting.forecast import Forecaster
from fleet.store import FleetStore
from jobs.clock import now
from jobs.models import Job
from jobs.store import Ran
from tests.api.helpers import claim, finish, took


@pytest.fixture(autouse=True)
def _nothing_is_remembered(monkeypatch):
    monkeypatch.setattr("api.forecasting.forecast.FRESH", -1.0)


def cap(store, owner_id, running):
    AccountStore(store.database).set_limits(owner_id, {"max_running": running})


def began(store, job_id, seconds):
    store.database.write(
        lambda c: c.execute(update(Job).where(Job.id == job_id).values(started_at=now(-seconds)))
    )


def test_without_a_worker_it_says_so(api, fleet):
    told = api.submit().json["forecast"]
    assert told["servable"] is False
    assert "queue cpu" in told["reason"]
    fleet(engines=["other"])
    assert "engine echo" in api.submit().json["forecast"]["reason"]
    fleet()
    assert api.submit().json["forecast"]["servable"] is True


def test_before_anything_was_measured_nobody_can_tell(api, fleet):
    fleet(job_ids=["job_x"])
    assert api.submit().json["forecast"] == {
        "servable": True, "reason": None, "starts_in": None, "ends_in": None,
    }  # fmt: skip


def test_it_follows_from_what_such_jobs_took_and_who_works(api, store, storage, fleet):
    api.submit(seconds=2.0)
    finish(store, storage)
    took(store, 2.0)
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


def test_it_follows_from_the_very_jobs_in_front(api, store, storage, fleet):
    """A short one behind a long one waits for the long one, and not for an average."""
    api.submit(seconds=2.0)
    finish(store, storage)
    took(store, 2.0)
    fleet(job_ids=["job_x"])
    api.submit(seconds=1.0)
    api.submit(seconds=600.0)
    short, long, behind = (api.submit(seconds=1.0).json["forecast"] for _ in range(3))
    assert short["starts_in"] > 500.0
    assert long["starts_in"] - short["starts_in"] == pytest.approx(1.0, abs=0.3)
    assert behind["starts_in"] > long["starts_in"]


def test_it_follows_from_what_runs(api, store, storage, fleet):
    api.submit(seconds=2.0)
    finish(store, storage)
    took(store, 2.0)
    running = api.job_id(seconds=300.0)
    row = claim(store)
    fleet(row.lease_owner, job_ids=[running])
    assert api.submit().json["forecast"]["starts_in"] == pytest.approx(300.0, rel=0.05)
    store.beat(row.id, row.attempt, lease_seconds=60, progress=0.5)
    began(store, running, 60.0)
    assert api.submit().json["forecast"]["starts_in"] == pytest.approx(60.0, rel=0.05)


def test_behind_those_that_are_looked_at_the_line_goes_on_like_them(api, store, storage, fleet, monkeypatch):
    monkeypatch.setattr("api.forecasting.forecast.FRONT", 2)
    api.submit(seconds=10.0)
    finish(store, storage)
    took(store, 10.0)
    fleet(job_ids=["job_x"])
    told = [api.submit(seconds=10.0).json["forecast"]["starts_in"] for _ in range(6)]
    steps = [after - before for before, after in itertools.pairwise(told)]
    assert steps == [pytest.approx(10.0, rel=0.05)] * 5


def test_a_running_job_by_its_progress(api, store):
    job_id = api.job_id(seconds=10.0)
    row = claim(store)
    store.beat(row.id, row.attempt, lease_seconds=60, progress=0.5)
    assert 0 <= api.get(f"/v1/jobs/{job_id}").json["forecast"]["ends_in"] < 2


def test_answers_are_remembered_for_a_while(store, monkeypatch):
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


def test_that_nothing_was_measured_is_not_remembered(api, store, storage, monkeypatch):
    monkeypatch.setattr("api.forecasting.forecast.FRESH", 5.0)
    api.submit()
    dry = {"engine": "echo", "params": {"seconds": 3.0}}
    assert api.post("/v1/jobs?dry_run=true", json=dry).json["device_seconds"] is None
    finish(store, storage)
    took(store, 0.2)
    told = api.post("/v1/jobs?dry_run=true", json=dry).json["device_seconds"]
    assert told == pytest.approx(3.0, rel=0.1), "a small first job does not make a large one dear"


def test_a_long_line_of_what_was_never_measured_is_looked_up_once(api, store, fleet, monkeypatch):
    fleet(job_ids=["job_x"])
    jobs = [api.job_id() for _ in range(8)]
    asked = []
    monkeypatch.setattr(store, "ran", lambda name: asked.append(name) or [])
    api.get(f"/v1/jobs/{jobs[-1]}")
    # For the line, for the usual job of the queue's engines, and for the job itself.
    assert asked.count("echo") <= 3


def test_under_a_running_cap_nobody_can_tell(app, api, store, fleet):
    """Ten idle workers are of no use to a job that waits for another of its owner's to end."""
    owner_id = store.get(api.job_id()).owner_id
    cap(store, owner_id, 1)
    app.extensions["atelier"].quota.forget(owner_id)
    took(store, 2.0)
    for n in range(10):
        fleet(f"wrk_{n}")
    told = api.submit().json
    assert (told["queue_position"], told["forecast"]["starts_in"]) == (2, None)
    dry = api.post("/v1/jobs?dry_run=true", json={"engine": "echo"}).json
    assert (dry["queue_position"], dry["forecast"]["starts_in"]) == (3, None)
