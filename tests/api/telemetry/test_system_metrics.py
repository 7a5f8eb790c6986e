"""What Prometheus is told of jobs, queues, workers and webhooks."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update

from accounts.store import AccountStore
from fleet.store import FleetStore
from jobs.clock import now
from jobs.errors import Unavailable
from jobs.models import Delivery, Job, Worker
from jobs.store import JobStore
from tests.api.helpers import claim, finish


@pytest.fixture(autouse=True)
def _nothing_is_remembered(monkeypatch):
    monkeypatch.setattr("api.forecasting.forecast.FRESH", -1.0)
    monkeypatch.setattr("api.telemetry.aside.FRESH", 0.0)
    monkeypatch.setattr("api.telemetry.aside.SHARE", 1e9)
    monkeypatch.setattr("api.telemetry.system_metrics.FRESH", -1.0)


@pytest.fixture
def told(anonymous):
    """A metric's value by its labels; None where there is no such sample."""

    def ask(name, **labels):
        for family in text_string_to_metric_families(anonymous.get("/metrics").text):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
        return None

    return ask


@pytest.fixture
def worker(store):
    found = FleetStore(store.database)

    def report(name="wrk_1", marks=None, **changes):
        values = {"hostname": "h", "pid": 1, "queues": ["cpu"], "engines": ["echo"], "weights": []}
        found.report(name, **(values | {"device": "cpu"} | changes))
        if marks:
            store.database.write(lambda c: c.execute(update(Worker).where(Worker.id == name).values(**marks)))

    return report


def change(store, job_id, **values):
    store.database.write(lambda c: c.execute(update(Job).where(Job.id == job_id).values(**values)))


def test_the_depth_is_what_workers_may_take_now_and_the_rest_is_told_apart(api, store, told):
    owner = store.get(api.job_id()).owner_id
    store.cancel(store.page(None)[0].id, None)
    waiting, pausing, held = (api.job_id() for _ in range(3))
    change(store, waiting, run_after=now(-50.0))
    change(store, pausing, run_after=now(500.0))
    api.post(f"/v1/jobs/{held}/hold")
    change(store, held, run_after=now(-9000.0))
    AccountStore(store.database).set_limits(owner, {"max_running": 2})
    api.job_id()

    assert told("atelier_queue_depth", queue="cpu") == 1
    assert [told("atelier_queue_held", queue="cpu", hold=h) for h in ("owner", "behind", "pause")] == [
        1,
        1,
        1,
    ]
    assert 50 <= told("atelier_oldest_queued_seconds", queue="cpu") < 80
    assert told("atelier_jobs", engine="echo", queue="cpu", state="queued") == 4


def test_work_is_told_in_seconds_of_a_device(api, store, storage, told):
    api.submit(seconds=1.0)
    assert told("atelier_queue_device_seconds", queue="cpu", engine="echo") is None  # nothing was measured
    finish(store, storage)
    store.database.write(lambda c: c.execute(update(Job).values(device_seconds=2.0, run_seconds=2.0)))
    alone = []
    for seconds in (3.0, 40.0):
        body = {"engine": "echo", "params": {"seconds": seconds}}
        alone.append(api.post("/v1/jobs?dry_run=true", json=body).json["device_seconds"])
        api.submit(seconds=seconds)

    both = told("atelier_queue_device_seconds", queue="cpu", engine="echo")
    assert both == pytest.approx(sum(alone), abs=0.01), "what a dry run says is what operators are told"
    assert alone[1] > 10 * alone[0]


@pytest.mark.parametrize(
    ("changes", "marks", "stuck"),
    [
        ({}, None, 0),
        ({"engines": ["other"]}, None, 1),
        ({"queues": ["gpu"]}, None, 1),
        ({}, {"draining": True}, 1),
        ({}, {"quarantined_at": now()}, 1),
    ],
)
def test_jobs_that_nobody_can_take(api, worker, told, changes, marks, stuck):
    api.job_id()
    worker(marks=marks, **changes)

    assert told("atelier_unservable_jobs", queue="cpu", engine="echo") == stuck


def test_a_job_on_hold_is_nobody_s_to_take(api, told):
    api.post("/v1/jobs", json={"engine": "echo", "hold": True})

    assert told("atelier_unservable_jobs", queue="cpu", engine="echo") is None


def test_what_workers_are_at(worker, told):
    worker("wrk_1")
    worker("wrk_2", job_ids=["job_x"])
    worker("wrk_3", marks={"draining": True}, job_ids=["job_y"])
    worker("wrk_4", marks={"draining": True, "quarantined_at": now()}, queues=["cpu", "gpu"])

    states = ("idle", "busy", "draining", "quarantined")
    assert [told("atelier_workers_by_state", queue="cpu", state=s) for s in states] == [1, 1, 1, 1]
    assert [told("atelier_workers_by_state", queue="gpu", state=s) for s in states] == [0, 0, 0, 1]
    assert told("atelier_workers", queue="cpu") == 4
    assert told("atelier_workers_quarantined", queue="gpu") == 1


def test_webhooks_that_wait(api, store, told):
    hook = {"url": "https://example.org/", "events": ["queued"]}
    api.post("/v1/jobs", json={"engine": "echo", "webhook": hook})
    store.database.write(lambda c: c.execute(update(Delivery).values(due_at=now(-30.0))))

    assert told("atelier_webhooks_pending") == 1
    assert 30 <= told("atelier_webhooks_oldest_due_seconds") < 60


def test_attempts_and_what_came_of_them(api, store, told):
    api.job_id()
    row = claim(store)
    change(store, row.id, failures=2, attempt=3)

    assert told("atelier_attempts", engine="echo", queue="cpu") == 3
    assert told("atelier_attempts_failed", engine="echo", queue="cpu") == 2
    assert told("atelier_jobs", engine="echo", queue="cpu", state="running") == 1


def away(*_):
    raise Unavailable


@pytest.fixture
def broken(monkeypatch, request):
    """Before the app is made, which keeps the methods it asks."""
    monkeypatch.setattr(JobStore, request.param, away)


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize("broken", ["kept"], indirect=True)
def test_a_count_that_cannot_be_had_hides_no_other(api, told):
    api.job_id()

    assert told("atelier_jobs", engine="echo", queue="cpu", state="queued") is None
    assert told("atelier_database_up") == 1
    assert told("atelier_queue_depth", queue="cpu") == 1


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize("broken", ["in_line", "not_in_line"], indirect=True)
def test_no_depth_is_not_a_depth_of_zero(api, told):
    api.job_id()

    assert told("atelier_queue_depth", queue="cpu") is None
    assert told("atelier_database_up") == 1


def test_a_database_that_is_away_is_told(told, monkeypatch):
    monkeypatch.setattr(FleetStore, "alive", away)

    assert told("atelier_database_up") == 0
    assert told("atelier_workers", queue="cpu") is None
