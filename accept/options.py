"""How a job is to be treated, whatever its engine."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from accept.wire import JobOptions
from jobs.errors import InvalidParams
from jobs.states import Priority
from webhooks.addresses import check_url

PriorityName = Literal["low", "normal", "high"]
PRIORITIES: dict[PriorityName, Priority] = {
    "low": Priority.LOW,
    "normal": Priority.NORMAL,
    "high": Priority.HIGH,
}
_NAMES = {priority: name for name, priority in PRIORITIES.items()}


def priority_name(priority: int) -> PriorityName:
    """How a priority is called on the wire."""
    return _NAMES[Priority(priority)]


def check_options(options: JobOptions) -> None:
    """Raises InvalidParams and BadURL."""
    if options.start_by is not None and options.start_by <= datetime.now(UTC):
        wrong = {"field": "start_by", "message": "This time has passed.", "code": "start_by_passed"}
        raise InvalidParams("The job could not start in time.", errors=[wrong])
    if options.webhook is not None:
        check_url(options.webhook.url)
