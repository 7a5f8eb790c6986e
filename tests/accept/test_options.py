"""How a job is to be treated."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from accept.options import PRIORITIES, check_options, priority_name
from accept.wire import JobOptions, WebhookRequest
from jobs.errors import BadURL, InvalidParams


def test_every_priority_has_one_name():
    assert {name: priority_name(priority) for name, priority in PRIORITIES.items()} == {
        name: name for name in PRIORITIES
    }


def test_a_job_that_could_not_start_in_time_is_refused():
    at = datetime.now(UTC)
    check_options(JobOptions(start_by=at + timedelta(minutes=1)))
    with pytest.raises(InvalidParams) as refused:
        check_options(JobOptions(start_by=at - timedelta(seconds=1)))
    assert refused.value.extra["errors"][0]["field"] == "start_by"


def test_a_webhook_goes_to_the_public_internet():
    check_options(JobOptions(webhook=WebhookRequest(url="https://example.com/hook")))
    with pytest.raises(BadURL):
        check_options(JobOptions(webhook=WebhookRequest(url="https://127.0.0.1/hook")))
