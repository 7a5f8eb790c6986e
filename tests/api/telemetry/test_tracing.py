"""Each request's id and its line in the log."""

from __future__ import annotations

import json
import logging

import pytest
from structlog.contextvars import bind_contextvars, get_contextvars

from api.telemetry.tracing import request_id
from jobs.logs import configure_logging


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


@pytest.fixture
def told(monkeypatch):
    """What is logged of requests: (event, fields)."""
    lines = []

    class Log:
        def info(self, event, **fields):
            lines.append((event, fields))

    monkeypatch.setattr("api.telemetry.tracing._log", Log())
    return lines


def test_probes_have_no_line(anonymous, told):
    for path in ("/healthz", "/readyz", "/metrics"):
        anonymous.get(path)
    assert told == []


def test_a_line_names_the_route_and_not_what_was_asked_for(api, told):
    """Ids and made-up paths would make each line, and each row of the metrics, one of its own."""
    api.get("/v1/jobs/job_" + "a" * 32)
    api.get("/v1/engines/nothing")
    api.get("/no/such/path")
    assert [(fields["route"], fields["status"]) for _, fields in told] == [
        ("/v1/jobs/{job_id}", 404),
        ("/v1/engines/{name}", 404),
        ("unmatched", 404),
    ]


def test_what_one_request_bound_is_not_in_the_next_one_s_lines(app, anonymous):
    bound = []

    @app.get("/binds")
    def binds():
        bound.append(get_contextvars())
        bind_contextvars(job_id="job_1")
        return request_id()

    ids = [anonymous.get("/binds").text for _ in range(2)]
    assert bound == [{"request_id": one} for one in ids]
    assert len(set(ids)) == 2
