"""What the diagnostic engine takes."""

from pydantic import Field

from engines.base import EngineSpec, Params
from engines.ui import ui


class EchoParams(Params):
    """Sleep, report progress, give the text back."""

    text: str = Field(
        default="hello",
        max_length=1000,
        description="Given back as the result; empty: there is no result file, which makes the job a no-op.",
        json_schema_extra=ui("subject"),
    )
    seconds: float = Field(
        default=0.0,
        ge=0,
        le=3600,
        description="How long to pretend to work, in seconds.",
        json_schema_extra=ui("subject"),
    )
    together: bool = Field(
        default=False,
        description="Whether it may run in one batch with other such jobs, of anybody's.",
        json_schema_extra=ui("result"),
    )


SPEC = EngineSpec(
    name="echo",
    title="Echo (diagnostic)",
    description="Waits, then returns a small text. It proves that a queue, a worker and the storage work.",
    params=EchoParams,
    produces=("text/plain",),
    example={"text": "hello", "seconds": 0.5},
    queue="cpu",
    time_limit=4000,
    max_batch=16,
    batch_key=lambda params: "together" if params.together else None,
    cost=lambda params: params.seconds,
    hidden=True,
)
