"""What `collage` accepts, for the API, the forms and the command line."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from engines.base import EngineSpec, ImageRef, Params, wrong
from engines.notation import Aspect, Colour, rgba
from engines.ui import ui

MAX_PICTURES = 100

_Caption = Annotated[str, Field(max_length=200)]


class CollageParams(Params):
    """Pictures, and how they are put together. Nothing is drawn at random: the seed changes nothing."""

    images: list[ImageRef] = Field(
        title="Pictures",
        min_length=1,
        max_length=MAX_PICTURES,
        description="One to a hundred pictures, in their order.",
        json_schema_extra=ui("subject", role="content"),
    )
    layout: Literal["grid", "mosaic", "strip"] = Field(
        default="grid",
        description="grid: equal cells. mosaic: rows in which every picture keeps its shape. strip: one row, "
        "or one column.",
        json_schema_extra=ui("look"),
    )
    columns: int | None = Field(
        default=None,
        ge=1,
        le=MAX_PICTURES,
        description="How many are side by side: in a grid exactly, in a mosaic about so many. Left out: as "
        "many as make a sheet of about 4:3.",
        json_schema_extra=ui("look", order=1),
    )
    direction: Literal["row", "column"] = Field(
        default="row",
        description="How a strip runs: in a row all are equally high, in a column equally wide.",
        json_schema_extra=ui("look", order=1, choices={"row": "Side by side", "column": "One below another"}),
    )
    fit: Literal["cover", "contain"] = Field(
        default="cover",
        description="In a grid. cover: the picture fills its cell, and what is too much is cut off. contain: "
        "all of it is shown, with background beside it.",
        json_schema_extra=ui("look", order=2, choices={"cover": "Fill", "contain": "Show all"}),
    )
    cell: Aspect | None = Field(
        title="Cells' shape",
        default=None,
        description="Width to height of a grid's cells, such as 1:1. Left out: as most of the pictures are.",
        json_schema_extra=ui("look", order=2, advanced=True),
    )
    gap: int | None = Field(
        default=None,
        ge=0,
        le=1000,
        description="Space between pictures in pixels. Left out: a hundredth of the width.",
        json_schema_extra=ui("look", order=3, advanced=True),
    )
    margin: int | None = Field(
        default=None,
        ge=0,
        le=2000,
        description="Space around all of it in pixels. Left out: as between the pictures.",
        json_schema_extra=ui("look", order=3, advanced=True),
    )
    background: Colour = Field(
        default="white",
        description="Colour behind the pictures: #ffcc00, a name such as black, or transparent. Captions are "
        "dark on a bright one and bright on a dark one.",
        json_schema_extra=ui("look", order=4),
    )
    captions: list[_Caption] | None = Field(
        default=None,
        max_length=MAX_PICTURES,
        description="A short text under each picture, in their order; an empty one is none. Latin, Greek and "
        "Cyrillic letters; what the font lacks is left out, which the result says.",
        json_schema_extra=ui("captions", order=1, advanced=True),
    )
    caption: _Caption | None = Field(
        default=None,
        description="A text under the whole, in larger letters.",
        json_schema_extra=ui("captions"),
    )
    width: int = Field(
        default=1600,
        ge=64,
        le=8192,
        description="Width of the result in pixels; its height follows from the pictures.",
        json_schema_extra=ui("result"),
    )
    format: Literal["png", "jpeg", "webp"] = Field(
        default="png",
        description="File type of the result.",
        json_schema_extra=ui("result", role="format", advanced=True),
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.captions is not None and len(self.captions) > len(self.images):
            raise wrong("captions", f"{len(self.captions)} are too many for {len(self.images)} picture(s)")
        if self.format == "jpeg" and rgba(self.background)[3] < 255:
            raise wrong("background", "a jpeg cannot be seen through: it needs png or webp")
        return self

    def spaces(self) -> tuple[int, int]:
        """Gap and margin in pixels."""
        gap = round(self.width / 100) if self.gap is None else self.gap
        return gap, gap if self.margin is None else self.margin


# Seconds of one core, measured on a Xeon.
#: A picture: reading one of a few megapixels, mostly.
_PICTURE = 0.15
#: A pixel of the result: scaled and put in place, and written into a file.
_PLACED = 1.5e-7
_ENCODED = {"png": 3.2e-7, "webp": 2.5e-7, "jpeg": 0.9e-7}


def _cost(params: CollageParams) -> float:
    """Taken to be 4:3, as most come out."""
    pixels = params.width**2 * 0.75
    return len(params.images) * _PICTURE + pixels * (_PLACED + _ENCODED[params.format])


SPEC = EngineSpec(
    name="collage",
    title="Collage",
    description="Puts up to a hundred pictures onto one: a contact sheet, a mosaic, a strip, with captions.",
    params=CollageParams,
    produces=("image/png", "image/jpeg", "image/webp"),
    example={"images": ["art_one", "art_two", "art_three"], "layout": "mosaic", "width": 1200},
    queue="cpu",
    time_limit=900.0,
    cost=_cost,
)
