"""Dates that clients send: a dry run and the submission say the same, and neither is our error."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.api.helpers import problem

BAD = ["9999-12-31T23:59:59-23:59", "2999-01-01T00:00:00Z", "1795740000", "2036-11-26T23:59:00"]


@pytest.mark.parametrize("start_by", BAD)
@pytest.mark.parametrize("query", ["", "?dry_run=true"])
def test_a_time_that_cannot_be_kept_is_refused_by_both(api, start_by, query):
    answer = api.post(f"/v1/jobs{query}", json={"engine": "echo", "start_by": start_by})
    assert problem(answer, 422, "invalid_request")["errors"][0]["field"] == "start_by"


@pytest.mark.parametrize("start_by", BAD)
def test_a_form_too(api, start_by):
    form = {"engine": "echo", "start_by": start_by}
    answer = api.post("/v1/jobs", data=form, content_type="multipart/form-data")
    assert problem(answer, 422, "invalid_request")["errors"][0]["field"] == "start_by"


def test_an_offset_is_taken(api):
    soon = (datetime.now(UTC) + timedelta(hours=2)).replace(microsecond=0)
    there = soon.astimezone(tz=None).isoformat()
    answer = api.post("/v1/jobs", json={"engine": "echo", "start_by": there})
    assert answer.status_code == 202, answer.text
    assert datetime.fromisoformat(answer.json["start_by"]) == soon


def test_days_of_the_usage_are_written_out(api):
    problem(api.get("/v1/usage?first=86400"), 400, "invalid_request")
    assert api.get("/v1/usage?first=9999-12-01&last=9999-12-31").status_code == 200
