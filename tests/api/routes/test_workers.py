"""The fleet over HTTP: who is there, what each is at, draining and resuming."""

from __future__ import annotations

import pytest

from fleet.store import FleetStore
from jobs.ids import new_id
from tests.api.helpers import problem


@pytest.fixture
def fleet(store):
    return FleetStore(store.database)


@pytest.fixture
def worker(fleet):
    """A worker that reports, and reports again with changes."""
    worker_id = new_id("wrk")

    def report(**changes):
        values = {
            "hostname": "atlas", "pid": 7, "queues": ["cpu"], "engines": ["echo"], "weights": ["vgg19"],
            "device": "cuda: NVIDIA H200", "models": ["echo"],
        }  # fmt: skip
        fleet.report(worker_id, **(values | changes))
        return worker_id

    report()
    return report


def state_of(admin, worker_id):
    return admin.get(f"/v1/workers/{worker_id}").json["state"]


def test_a_worker_is_shown_as_it_reported_itself(admin, worker):
    worker_id = worker(job_ids=["job_1"])
    (shown,) = admin.get("/v1/workers").json["workers"]
    assert shown == admin.get(f"/v1/workers/{worker_id}").json
    assert (shown["id"], shown["hostname"], shown["pid"]) == (worker_id, "atlas", 7)
    assert (shown["device"], shown["models"]) == ("cuda: NVIDIA H200", ["echo"])
    assert (shown["queues"], shown["engines"], shown["weights"]) == (["cpu"], ["echo"], ["vgg19"])
    assert (shown["state"], shown["job_ids"]) == ("busy", ["job_1"])
    assert (shown["draining"], shown["suspected"], shown["quarantined_at"]) == (False, [], None)


def test_the_first_state_that_holds_is_told(admin, fleet, worker, monkeypatch):
    worker_id = worker()
    assert state_of(admin, worker_id) == "idle"
    worker(job_ids=["job_1"])
    assert state_of(admin, worker_id) == "busy"
    fleet.drain(worker_id)
    assert state_of(admin, worker_id) == "draining"
    for owner_id in ("usr_1", "usr_2", "usr_3"):
        fleet.suspect(worker_id, owner_id)
    assert state_of(admin, worker_id) == "quarantined"
    monkeypatch.setattr("fleet.store.ALIVE_SECONDS", -1)
    assert state_of(admin, worker_id) == "silent"


def test_a_drained_worker_is_told_and_a_resumed_one_too(admin, fleet, worker):
    worker_id = worker(job_ids=["job_1"])
    answer = admin.post(f"/v1/workers/{worker_id}/drain")
    assert answer.status_code == 200
    assert (answer.json["state"], answer.json["job_ids"]) == ("draining", ["job_1"])
    assert fleet.orders(worker_id).draining
    assert not fleet.orders(worker_id).releasing
    answer = admin.post(f"/v1/workers/{worker_id}/resume")
    assert (answer.status_code, answer.json["state"]) == (200, "busy")
    assert not fleet.orders(worker_id).resting


@pytest.mark.parametrize(
    ("sent", "releasing"), [({"release": True}, True), ({"release": False}, False), ({}, False)]
)
def test_a_drain_may_ask_for_the_running_job_too(admin, fleet, worker, sent, releasing):
    worker_id = worker(job_ids=["job_1"])
    answer = admin.post(f"/v1/workers/{worker_id}/drain", json=sent)
    assert (answer.status_code, answer.json["releasing"]) == (200, releasing)
    assert fleet.orders(worker_id).releasing is releasing


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ({"json": {"release": 1}}, 422, "invalid_request"),
        ({"json": {"now": True}}, 422, "invalid_request"),
        ({"data": "{", "content_type": "application/json"}, 400, "invalid_json"),
        ({"data": "release", "content_type": "text/plain"}, 415, "unsupported_media_type"),
    ],
)
def test_a_drain_that_is_not_understood_drains_nothing(admin, fleet, worker, sent, status, code):
    worker_id = worker()
    problem(admin.post(f"/v1/workers/{worker_id}/drain", **sent), status, code)
    assert not fleet.orders(worker_id).draining


def test_an_empty_body_is_none(admin, worker):
    sent = {"data": b"", "content_type": "application/json"}
    assert admin.post(f"/v1/workers/{worker()}/drain", **sent).status_code == 200


def test_a_resume_lifts_a_quarantine(admin, fleet, worker):
    worker_id = worker()
    for owner_id in ("usr_1", "usr_2", "usr_3"):
        fleet.suspect(worker_id, owner_id)
    shown = admin.get(f"/v1/workers/{worker_id}").json
    assert shown["suspected"] == ["usr_1", "usr_2", "usr_3"]
    assert shown["quarantined_at"] is not None
    shown = admin.post(f"/v1/workers/{worker_id}/resume").json
    assert (shown["state"], shown["suspected"], shown["quarantined_at"]) == ("idle", [], None)


def test_the_fleet_is_for_admins(api, anonymous, worker):
    worker_id = worker()
    for ask, path in (("GET", ""), ("GET", f"/{worker_id}"), ("POST", f"/{worker_id}/drain"),
                      ("POST", f"/{worker_id}/resume")):  # fmt: skip
        problem(api.request(ask, f"/v1/workers{path}"), 403, "forbidden")
        problem(anonymous.request(ask, f"/v1/workers{path}"), 401, "unauthorized")


def test_a_worker_that_is_not_there_is_not_found(admin):
    missing = new_id("wrk")
    problem(admin.get(f"/v1/workers/{missing}"), 404, "not_found")
    problem(admin.post(f"/v1/workers/{missing}/drain"), 404, "not_found")
    problem(admin.post(f"/v1/workers/{missing}/resume"), 404, "not_found")


def test_the_metrics_count_those_in_quarantine(anonymous, fleet, worker):
    worker_id = worker()
    for owner_id in ("usr_1", "usr_2", "usr_3"):
        fleet.suspect(worker_id, owner_id)
    page = anonymous.get("/metrics").text
    assert 'atelier_workers_quarantined{queue="cpu"} 1.0' in page
    assert 'atelier_workers_quarantined{queue="gpu"} 0.0' in page
    assert 'atelier_workers{queue="cpu"} 1.0' in page
