"""What is asked for: a job, one more like it, another place in line, other labels."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from accept.wire import JobOptions, Wire
from jobs.documents import JSONObject
from jobs.labels import Metadata, Tags


class JobRequest(JobOptions):
    """What `POST /v1/jobs` takes as JSON.

    A file field of `params` is a file id, a data: URI or an https: URL.
    """

    engine: str = Field(description="A name from GET /v1/engines.", max_length=64, examples=["neural_style"])
    params: JSONObject = Field(
        default_factory=dict, description="The engine's parameters, as its JSON Schema describes them."
    )


class LabelRequest(Wire):
    """New labels of a job; what is left out stays."""

    tags: Tags | None = Field(default=None, description="In place of those it has; none with `[]` or null.")
    metadata: Metadata | None = Field(default=None, description="In place of what it has; none with `{}`.")


class AgainRequest(JobOptions):
    """What to change in a job that is made once more; what is left out stays as it was.

    But for `start_by` and `hold`, which are not kept.
    """

    params: JSONObject = Field(
        default={},
        description="Parameters to change, as in a submission. null: the engine's default again.",
    )
    seed: int | None = Field(
        default=None,
        ge=0,
        lt=2**63,
        description="Another seed; the same as `seed` in `params`. null: a new one is drawn.",
    )


class MoveRequest(Wire):
    """Where to put a queued job among your own of the same queue and priority: `before` or `to`."""

    before: str | None = Field(
        default=None,
        pattern=r"^job_[0-9a-f]{32}$",
        description="Directly before this one of your queued jobs.",
    )
    to: Literal["front", "end"] | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.before is None) == (self.to is None):
            raise PydanticCustomError("value_error", "give either `before` or `to`", {"field": "to"})
        return self
