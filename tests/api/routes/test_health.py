"""Probes, metrics, request ids and the answers nobody planned."""

from __future__ import annotations

import json
import logging

import pytest

from api import create_app
from api.settings import Settings
from fleet.store import FleetStore
from jobs.database import Database
from jobs.logs import configure_logging
from jobs.store import JobStore
from queue_config import QUEUES, Doorbell
from tests.api.helpers import Api, claim, finish, problem
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


@pytest.mark.parametrize(
    ("given", "kept"), [("abc-123", True), ("x" * 65, False), ("a b", False), ("", False)]
)
def test_the_request_id_is_in_the_answer_and_in_the_job(api, store, given, kept):
    answer = api.submit({"X-Request-ID": given})
    shown = answer.headers["X-Request-ID"]
    assert (shown == given) is kept
    assert store.get(answer.json["id"]).request_id == shown


def test_one_json_line_a_request(api, capsys):
    before = logging.getLogger().handlers[:]
    configure_logging("api")
    try:
        api.get("/v1/me", headers={"X-Request-ID": "find-me"})
    finally:
        logging.getLogger().handlers[:] = before
    lines = [json.loads(x) for x in capsys.readouterr().err.splitlines() if "find-me" in x]
    requests = [x for x in lines if x["event"] == "request"]
    assert len(requests) == 1
    assert requests[0] | {"method": "GET", "route": "/v1/me", "status": 200, "process": "api"} == requests[0]
    assert requests[0]["ms"] > 0


def test_a_misspelt_query_parameter_is_told(api):
    problem(api.get("/v1/jobs?stat=queued"), 400, "unknown_parameter")
    problem(api.get("/v1/me?x=" + "y" * 5000), 400, "unknown_parameter")


def test_unknown_paths_and_methods_are_problems(api):
    problem(api.get("/v2/jobs"), 404, "not_found")
    answer = api.request("PUT", "/v1/jobs")
    problem(answer, 405, "method_not_allowed")
    assert "POST" in answer.headers["Allow"]


def test_an_unforeseen_error_is_a_500_without_its_stack(make_app, make_key):
    class Broken(AwayStorage):
        def put(self, *_args, **_more):
            raise ZeroDivisionError("secret detail")

    answer = Api(make_app(storage=Broken()), make_key()).upload()
    found = problem(answer, 500, "internal")
    assert "secret" not in answer.text
    assert found["instance"] == answer.headers["X-Request-ID"]


def test_engines_describe_themselves(api):
    names = [e["name"] for e in api.get("/v1/engines").json["engines"]]
    assert "neural_style" in names
    assert "echo" not in names
    everything = [e["name"] for e in api.get("/v1/engines?hidden=true").json["engines"]]
    assert "echo" in everything
    assert "stylegan_import" not in everything, "it runs by itself"
    assert "by hand" in api.get("/v1/engines/stylegan_import").json["description"]
    style = api.get("/v1/engines/neural_style").json
    assert style["files"]["style"]["multiple"] is True
    assert style["files"]["content"]["multiple"] is False
    assert style["params_schema"]["properties"]["content"]["x-artifact"]
    problem(api.get("/v1/engines/alchemy"), 404, "engine_not_found")
    problem(api.get("/v1/engines?hidden=perhaps"), 400, "invalid_request")


def test_settings_come_from_the_environment():
    made = Settings.from_env({"ATELIER_STREAMS": "3", "ATELIER_PUBLIC_URL": "", "HOME": "/"})
    assert (made.streams, made.public_url, made.rate_per_minute) == (3, "", 600)
    with pytest.raises(ValueError, match="streams"):
        Settings.from_env({"ATELIER_STREAMS": "0"})
