"""Probes, metrics and settings."""

from __future__ import annotations

import pytest

from api import create_app
from api.settings import Settings
from fleet.store import FleetStore
from jobs.database import Database
from jobs.store import JobStore
from queue_config import QUEUES, Doorbell
from tests.api.helpers import Api, claim, finish
from tests.api.test_submit import AwayStorage


def test_a_living_process_says_so_without_any_part(make_app):
    api = Api(make_app(storage=AwayStorage()), None)
    assert api.get("/healthz").json == {"status": "ok"}


def test_without_a_broker_it_is_ready_but_degraded(anonymous):
    answer = anonymous.get("/readyz")
    assert answer.status_code == 200
    found = answer.json
    assert (found["status"], found["database"], found["storage"]) == ("degraded", "ok", "ok")
    assert found["broker"] != "ok"


def test_with_everything_there_it_is_ok(make_app, monkeypatch, redis_broker):
    monkeypatch.setenv("REDIS_URL", redis_broker.url)
    assert Api(make_app(), None).get("/readyz").json["status"] == "ok"


def test_without_storage_or_tables_it_is_not_ready(make_app, tmp_path, storage):
    answer = Api(make_app(storage=AwayStorage()), None).get("/readyz")
    assert (answer.status_code, answer.json["status"]) == (503, "unavailable")
    empty = Database(f"sqlite:///{tmp_path}/empty.db")
    answer = Api(create_app(JobStore(empty), storage, Doorbell(), Settings()), None).get("/readyz")
    assert answer.status_code == 503
    assert "migrate" in answer.json["database"]
    empty.close()


def test_metrics_tell_of_jobs_queues_workers_and_requests(api, anonymous, store, storage):
    api.job_id()
    finish(store, storage)
    api.job_id()
    claim(store)
    api.job_id()
    FleetStore(store.database).report(
        "wrk_1", hostname="h", pid=1, queues=["cpu"], engines=["echo"], weights=[], device=None
    )
    page = anonymous.get("/metrics").text
    for line in [
        'atelier_jobs{engine="echo",queue="cpu",state="succeeded"} 1.0',
        'atelier_jobs{engine="echo",queue="cpu",state="queued"} 1.0',
        'atelier_queue_depth{queue="cpu"} 1.0',
        'atelier_oldest_queued_seconds{queue="cpu"}',
        'atelier_run_seconds_count{engine="echo",state="succeeded"} 1.0',
        'atelier_workers{queue="cpu"} 1.0',
        "atelier_database_up 1.0",
        'atelier_http_requests_total{method="POST",route="/v1/jobs",status="202"}',
        'atelier_http_request_seconds_bucket{le="0.001",route="/v1/jobs"}',
    ]:
        assert line in page


def test_metrics_tell_of_every_queue_with_nothing_in_it(anonymous):
    page = anonymous.get("/metrics").text
    for queue in QUEUES:
        for name in ("atelier_queue_depth", "atelier_oldest_queued_seconds", "atelier_workers"):
            assert f'{name}{{queue="{queue}"}} 0.0' in page


def test_settings_come_from_the_environment():
    made = Settings.from_env({"ATELIER_STREAMS": "3", "ATELIER_PUBLIC_URL": "", "HOME": "/"})
    assert (made.streams, made.public_url, made.rate_per_minute) == (3, "", 600)
    with pytest.raises(ValueError, match="streams"):
        Settings.from_env({"ATELIER_STREAMS": "0"})
