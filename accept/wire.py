"""What may be asked for with any job, as it crosses the wire. `snake_case`, RFC 3339 UTC times."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from jobs.dates import When
from jobs.labels import Metadata, Tags
from jobs.news import DEFAULT_EVENTS, Event
from webhooks.addresses import MAX_URL


class Wire(BaseModel):
    """Base of every wire model."""

    model_config = ConfigDict(extra="forbid")


class WebhookRequest(Wire):
    """Where to tell of this one job. Signed with the secret of GET /v1/webhooks/secret."""

    url: str = Field(max_length=MAX_URL, description="An https: URL on the public internet.")
    events: list[Event] = Field(
        default_factory=lambda: list(DEFAULT_EVENTS),
        min_length=1,
        max_length=len(Event),
        description="Which changes to tell of.",
    )


class JobOptions(Wire):
    """How a job is to be treated, whatever its engine. No engine has a parameter of these names."""

    priority: Literal["low", "normal", "high"] = Field(
        default="normal",
        description="`high` goes some turns ahead and `low` some back, in everybody's line. Nothing waits "
        "for ever, and one owner's `high` jobs do not starve another's.",
    )
    start_by: When | None = Field(
        default=None, description="The job fails (`start_by_passed`) if it has not started by then."
    )
    timeout: float | None = Field(
        default=None,
        gt=0,
        le=86_400,
        description="Seconds an attempt may run, if less than the engine's own limit.",
    )
    hold: bool = Field(default=False, description="Wait until POST /v1/jobs/{job_id}/release.")
    webhook: WebhookRequest | None = Field(default=None, description="Where to tell of this job.")
    tags: Tags = Field(default=[], description="Labels of your own to find it by, at most 10.")
    metadata: Metadata = Field(
        default={},
        description="What you want to remember with it: at most 16 names with a text, number, true, false or "
        "null each, 4,096 bytes as JSON.",
    )
