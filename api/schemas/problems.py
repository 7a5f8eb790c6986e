"""What went wrong: with a request, and with a job."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from accept.wire import Wire


class Problem(BaseModel):
    """An RFC 9457 problem document. `code` is stable; `detail` is for people."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="A URI reference that names the kind of problem.")
    title: str
    status: int
    detail: str
    code: str
    instance: str | None = Field(default=None, description="The request's id, as in the logs.")


class Failure(Wire):
    """Why a job failed."""

    code: str = Field(description="Stable and machine-readable.")
    detail: str
