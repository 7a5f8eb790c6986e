"""What `planet_classifier` accepts, for the API, the forms and the command line. No torch here."""

from __future__ import annotations

from pydantic import Field

from engines.base import EngineSpec, ImageRef, Params
from engines.ui import named, ui
from engines.worlds import WORLDS

#: Pictures of one forward pass, always; see `network.py`.
CHUNK = 8


class PlanetClassifierParams(Params):
    """A picture, and how much is said of it. Nothing is drawn at random: the seed changes nothing."""

    image: ImageRef = Field(
        description="The picture: one planet, anywhere in it, on any background.",
        json_schema_extra=ui("subject", role="content"),
    )
    top: int = Field(
        default=3,
        ge=1,
        le=len(WORLDS),
        description="How many of the likeliest worlds `top` of the result lists.",
        json_schema_extra=ui("result", advanced=True),
    )
    threshold: float | None = Field(
        default=None,
        ge=0.0,
        le=1.0,
        description="Score below which the label is not_a_planet. Left out: the one the network came with. "
        "Higher refuses more, 0 nothing.",
        json_schema_extra=ui("result", advanced=True, ends=("refuses nothing", "refuses nearly everything")),
    )


SPEC = EngineSpec(
    name="planet_classifier",
    title="Planet classifier",
    description="Says which of twelve worlds a picture shows, or that it shows none of them.",
    params=PlanetClassifierParams,
    produces=("application/json",),
    example={"image": "art_photo", "top": 3},
    labels={world: named(world) for world in (*WORLDS, "not_a_planet")},
    queue="cpu",
    time_limit=120.0,
    max_batch=4 * CHUNK,
    batch_key=lambda _params: "classify",
    # A picture is a picture: what it takes longer to read when it is large, nobody knows at submission.
    cost=lambda _params: 0.05,
)
