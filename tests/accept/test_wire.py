"""What may be asked for with any job: what is left out, and what is refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from accept.wire import JobOptions, WebhookRequest
from jobs.news import DEFAULT_EVENTS, Event

URL = "https://example.com/hook"


def test_a_job_of_which_nothing_is_said_is_treated_as_usual():
    made = JobOptions()
    assert (made.priority, made.hold, made.timeout, made.start_by, made.webhook) == (
        "normal", False, None, None, None,
    )  # fmt: skip
    assert made.model_fields_set == set()


def test_a_webhook_hears_the_usual_news_and_its_list_is_its_own():
    one, other = WebhookRequest(url=URL), WebhookRequest(url=URL)
    one.events.append(Event.PROGRESS)
    assert other.events == list(DEFAULT_EVENTS)
    assert WebhookRequest(url=URL, events=["failed"]).events == [Event.FAILED]


@pytest.mark.parametrize(
    "options",
    [
        {"prority": "high"},
        {"priority": "urgent"},
        {"timeout": 0},
        {"timeout": 86_400.5},
        {"timeout": "nan"},
        {"start_by": "soon"},
        {"start_by": "2027-03-28T10:00:00"},
        {"hold": "perhaps"},
        {"webhook": URL},
        {"webhook": {"url": URL, "events": []}},
        {"webhook": {"url": URL, "events": ["born"]}},
        {"webhook": {"url": URL + "a" * 2048}},
        {"webhook": {"url": URL, "secret": "x"}},
        {"tags": [f"tag{n}" for n in range(11)]},
    ],
    ids=lambda options: "-".join(options),
)
def test_what_is_not_meant_is_refused(options):
    with pytest.raises(ValidationError):
        JobOptions.model_validate(options)
