"""What a chain takes."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from doors.media_types import AUDIO_TYPES, IMAGE_TYPES, TEXT_TYPES
from engines.base import ANY_ENGINE, ArtifactField, EngineSpec, Params
from engines.pipeline.chain import Stage, check
from engines.ui import ui

FileRef = Annotated[str, ArtifactField((*IMAGE_TYPES, *AUDIO_TYPES, *TEXT_TYPES))]


class PipelineParams(Params):
    """Jobs of several engines, one after the other or beside each other, as one job."""

    stages: list[Stage] = Field(
        min_length=1,
        max_length=32,
        description='What is made, in any order: a stage begins when those it names ("@name") have ended.',
        json_schema_extra=ui("subject"),
    )
    files: list[FileRef] = Field(
        default=[],
        max_length=20,
        description='Files of your own, for the stages: "@files/1" is the first.',
        json_schema_extra=ui("subject", order=1),
    )

    @model_validator(mode="after")
    def _can_be_made(self) -> Self:
        check(self.stages, len(self.files))
        return self


SPEC = EngineSpec(
    name="pipeline",
    title="Chain",
    description="Makes a chain of other engines' jobs: what one stage makes, the next one takes.",
    params=PipelineParams,
    produces=(*IMAGE_TYPES, *TEXT_TYPES, "application/json", "application/zip", "video/mp4", "audio/mpeg"),
    example={
        "stages": [
            {"name": "planets", "engine": "planets", "params": {"count": 3}},
            {
                "name": "kinds",
                "engine": "planet_classifier",
                "each": "@planets",
                "params": {"image": "@each"},
            },
        ]
    },
    queue="cpu",
    time_limit=600,
    may_ask=(ANY_ENGINE,),
    # No form knows yet how to ask for a chain.
    hidden=True,
)
