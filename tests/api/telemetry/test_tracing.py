"""Each request's id and its line in the log."""

from __future__ import annotations

import json
import logging

import pytest

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
