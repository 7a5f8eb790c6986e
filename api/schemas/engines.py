"""What an engine says of itself."""

from __future__ import annotations

from pydantic import Field

from accept.wire import Wire
from jobs.documents import JSONObject


class EngineView(Wire):
    """One engine: everything a form, a bot or a command line needs to offer it."""

    name: str
    title: str
    description: str
    queue: str
    params_schema: JSONObject = Field(
        description="JSON Schema (2020-12) of `params`. A field's `x-ui` says how a form asks for it: its "
        "`group` and `order`, whether it is `advanced`, the field that it only means something `with`, its "
        "`role`, what its `choices` are called and what its `ends` do. `x-ui.groups` of the whole names the "
        "groups, in their order."
    )
    files: JSONObject = Field(
        description="The params that are files: name -> {accept: [media types], multiple: bool}."
    )
    produces: list[str] = Field(description="Media types of the results.")
    example: JSONObject
    labels: dict[str, str] = Field(
        default_factory=dict,
        description="What `label` in the meta of a result may be -> what that is called.",
    )
    deterministic: bool = Field(description="Whether the same seed and params give the same result.")
    needs_weights: dict[str, bool] = Field(
        default_factory=dict, description="Optional weights files it knows -> whether one is installed."
    )


class EngineList(Wire):
    engines: list[EngineView]
