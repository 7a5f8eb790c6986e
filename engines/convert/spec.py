"""What `convert` accepts, for the API, the forms and the command line."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from engines.base import EngineSpec, ImageRef, Params, wrong
from engines.notation import Aspect, Colour, rgba
from engines.ui import ui

MAX_SIDE = 16_000

#: (left to right, top to bottom), 0 to 1; `auto` looks.
ANCHORS = {
    "center": (0.5, 0.5),
    "top": (0.5, 0.0),
    "bottom": (0.5, 1.0),
    "left": (0.0, 0.5),
    "right": (1.0, 0.5),
}


class ConvertParams(Params):
    """A picture, and what is to become of it. Nothing is drawn at random: the seed changes nothing."""

    image: ImageRef = Field(description="The picture.", json_schema_extra=ui("subject", role="content"))
    crop: Aspect | None = Field(
        default=None,
        description="Cut to this width to height, such as 1:1, 4:3 or 16:9. Left out: nothing is cut.",
        json_schema_extra=ui("look"),
    )
    focus: Literal["center", "top", "bottom", "left", "right", "auto"] = Field(
        default="center",
        description="Which part is kept where something is cut off. auto: where there is most to be seen.",
        json_schema_extra=ui("look", order=1, choices={"center": "Middle", "auto": "Automatic"}),
    )
    fit: Literal["inside", "cover", "contain", "stretch"] = Field(
        default="inside",
        description="How both a width and a height are kept. inside: neither is exceeded. cover: filled, and "
        "what is too much is cut off. contain: all is shown, with background beside it. stretch: distorted.",
        json_schema_extra=ui(
            "look", order=2, advanced=True, choices={"cover": "Fill", "contain": "Show all"}
        ),
    )
    background: Colour | None = Field(
        default=None,
        description="Put behind the picture: #ffcc00, or a name such as black. Left out: what can be seen "
        "through stays so, and is white in a jpeg.",
        json_schema_extra=ui("look", order=3, advanced=True),
    )
    width: int | None = Field(
        default=None,
        ge=1,
        le=MAX_SIDE,
        description="Width of the result in pixels. With no height, that follows from it.",
        json_schema_extra=ui("result"),
    )
    height: int | None = Field(
        default=None,
        ge=1,
        le=MAX_SIDE,
        description="Height of the result in pixels. With no width, that follows from it.",
        json_schema_extra=ui("result"),
    )
    scale: float | None = Field(
        default=None,
        ge=0.01,
        le=8.0,
        description="In place of a width or height: how many times as large. Above 1 it is enlarged.",
        json_schema_extra=ui("result", order=1, advanced=True),
    )
    enlarge: bool = Field(
        default=False,
        description="Whether a picture that is smaller than the width or height is enlarged to it.",
        json_schema_extra=ui("result", order=1, advanced=True),
    )
    format: Literal["png", "jpeg", "webp", "avif"] = Field(
        default="png",
        description="File type of the result.",
        json_schema_extra=ui("result", order=2, role="format"),
    )
    quality: int | None = Field(
        default=None,
        ge=1,
        le=100,
        description="Of a jpeg, webp or avif: less makes a smaller file. Left out: 93, 92 and 80.",
        json_schema_extra=ui("result", order=3, advanced=True, ends=("smallest file", "best picture")),
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.scale is not None and (self.width is not None or self.height is not None):
            raise wrong("scale", "takes the place of width and height: give one or the other")
        if self.fit != "inside" and (self.width is None or self.height is None):
            raise wrong("fit", f"{self.fit} needs both a width and a height")
        if self.quality is not None and self.format == "png":
            raise wrong("quality", "a png loses nothing: it is of jpeg, webp and avif")
        if self.background is not None and self.format == "jpeg" and rgba(self.background)[3] < 255:
            raise wrong("background", "a jpeg cannot be seen through: it needs another format")
        return self


# Seconds of one core, measured on a Xeon.
#: Reading and scaling a picture of some megapixels.
_READ = 0.5
#: A pixel in a file.
_ENCODED = {"png": 3.2e-7, "webp": 2.5e-7, "jpeg": 0.9e-7, "avif": 1.5e-6}
#: Of a picture whose size nobody said: a photograph's.
_PIXELS = 12e6


def _cost(params: ConvertParams) -> float:
    pixels = _PIXELS
    if params.scale is not None:
        pixels *= params.scale**2
    elif params.width is not None or params.height is not None:
        width = params.width or (params.height or 0) * 4 / 3
        pixels = width * (params.height or width * 3 / 4)
    return _READ + pixels * _ENCODED[params.format]


SPEC = EngineSpec(
    name="convert",
    title="Convert",
    description="Makes a picture smaller or larger, cuts it to a shape, saves it as another type of file.",
    params=ConvertParams,
    produces=("image/png", "image/jpeg", "image/webp", "image/avif"),
    example={"image": "art_photo", "crop": "1:1", "width": 512},
    queue="cpu",
    time_limit=600.0,
    cost=_cost,
)
