"""What can be told of a job to those who listen elsewhere."""

from __future__ import annotations

from enum import StrEnum


class Event(StrEnum):
    """What can be told of a job; the message's type is `job.<event>`."""

    #: Accepted, or waiting again for its next attempt.
    QUEUED = "queued"
    #: A worker took it.
    STARTED = "started"
    #: It came further; only the newest is told.
    PROGRESS = "progress"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


#: Of these an address hears that names none itself: how it ended.
DEFAULT_EVENTS = (Event.SUCCEEDED, Event.FAILED, Event.CANCELED)
