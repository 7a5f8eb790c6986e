"""What `neural_style` accepts, for the API, the forms and the command line. No torch here."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from engines.base import EngineSpec, ImageRef, Params, wrong
from engines.neural_style.schedule import gatys_seconds, patches_seconds
from engines.ui import ui

MAX_STYLES = 4
MAX_COUNT = 16


def _as_list(value: Any) -> Any:
    """One style may be given without a list around it."""
    return [value] if isinstance(value, str) else value


#: What the JSON Schema says of `style`; the bounds are repeated, as it does not see the field's own.
_OneOrMore = Annotated[list[ImageRef], Field(min_length=1, max_length=MAX_STYLES)] | ImageRef

StyleWeight = Annotated[float, Field(ge=0.0, le=1000.0)]


class NeuralStyleParams(Params):
    """One stylised picture."""

    content: ImageRef = Field(
        title="Your photo",
        description="The picture to repaint: its subject and composition are kept.",
        json_schema_extra=ui("subject", role="content"),
    )
    style: Annotated[list[ImageRef], BeforeValidator(_as_list, json_schema_input_type=_OneOrMore)] = Field(
        min_length=1,
        max_length=MAX_STYLES,
        description="One to four pictures whose strokes and colours are used.",
        json_schema_extra=ui("subject", role="style"),
    )
    style_weights: list[StyleWeight] | None = Field(
        title="Style shares",
        default=None,
        min_length=1,
        max_length=MAX_STYLES,
        description="How much of each style, in the order of the styles; only the proportions count. "
        "Left out: equal shares.",
        json_schema_extra=ui("subject", advanced=True),
    )
    count: int = Field(
        default=1,
        ge=1,
        le=MAX_COUNT,
        description="How many pictures: of the seed, of the next seed, and so on. `gatys` makes one, as it "
        "draws nothing at random; `auto` is `patches` for more.",
        json_schema_extra=ui("result"),
    )
    method: Literal["auto", "patches", "gatys"] = Field(
        default="patches",
        description="patches: real strokes of the style pictures, needs no weights, seconds on a CPU. gatys: "
        "matches VGG-19 feature statistics, needs the vgg19 weights and preferably a GPU. auto: gatys on a "
        "GPU with its weights installed, patches otherwise.",
        json_schema_extra=ui("look", choices={"auto": "Automatic", "patches": "Brush strokes"}),
    )
    strength: float = Field(
        default=0.5,
        ge=0.0,
        le=1.0,
        description="0 keeps the content's detail, 1 paints most freely. Faces get painted over from 0.7 on.",
        json_schema_extra=ui("look", role="strength", ends=("keeps the detail", "paints freely")),
    )
    stroke: float = Field(
        title="Stroke size",
        default=1.0,
        ge=0.5,
        le=2.0,
        description="Size of the strokes: the style pictures are scaled by this. 2 takes twice the time.",
        json_schema_extra=ui("look", ends=("fine strokes", "broad strokes")),
    )
    preserve_color: Literal["none", "match", "luma"] = Field(
        title="Colours",
        default="none",
        description="none: the style's colours. match: strokes of a style recoloured like the content. "
        "luma: the content's own hues, the style acts on light and dark alone.",
        json_schema_extra=ui(
            "look", choices={"none": "From the style", "match": "Matched", "luma": "From the photo"}
        ),
    )
    size: int = Field(
        default=768,
        ge=64,
        le=2048,
        description="Long side of the result in pixels. The content is scaled to it, up or down, "
        "and keeps its aspect.",
        json_schema_extra=ui("result", role="size"),
    )
    quality: Literal["draft", "normal", "best"] = Field(
        default="normal",
        description="More iterations: richer strokes, proportionally more time.",
        json_schema_extra=ui("result", role="quality"),
    )
    format: Literal["png", "jpeg"] = Field(
        default="png",
        description="File type of the result. Both carry the seed and parameters as metadata.",
        json_schema_extra=ui("result", role="format", advanced=True),
    )

    @model_validator(mode="after")
    def _weights_belong_to_styles(self) -> Self:
        if self.style_weights is not None:
            if len(self.style_weights) != len(self.style):
                entries = f"{len(self.style_weights)} entries for {len(self.style)} style(s)"
                raise wrong("style_weights", f"these are {entries}; give one for each")
            if sum(self.style_weights) <= 0.0:
                raise wrong("style_weights", "they must not all be zero")
        return self

    @model_validator(mode="after")
    def _pictures_differ(self) -> Self:
        if self.count > 1 and self.method == "gatys":
            raise wrong("count", "gatys draws nothing at random, so that it must be 1")
        if self.seed is not None and self.seed + self.count > 2**63:
            raise wrong("seed", f"there are no {self.count} seeds from this seed on")
        return self

    def pictures(self) -> list[Self]:
        """The params of each single picture. One alone is made from the same."""
        if self.count == 1:
            return [self]
        method = "patches" if self.method == "auto" else self.method
        first = self.seed or 0
        return [
            self.model_copy(update={"count": 1, "method": method, "seed": first + n})
            for n in range(self.count)
        ]

    def shares(self) -> list[float]:
        """The styles' weights, summing to 1."""
        given = self.style_weights or [1.0] * len(self.style)
        return [weight / sum(given) for weight in given]


def weights_for(params: NeuralStyleParams) -> tuple[str, ...]:
    """Gatys needs VGG-19. `auto` needs nothing: it falls back to patches."""
    return ("vgg19",) if params.method == "gatys" else ()


def _cost(params: NeuralStyleParams) -> float:
    """By what the method computes. Pictures are taken to be 4 : 3: nobody knows their shape yet.

    `auto` is counted as `patches`, which it is wherever there is no GPU.
    """
    content = (round(params.size * 0.75), params.size)
    if params.method == "gatys":
        return gatys_seconds(content, params.quality)
    style = (round(content[0] * params.stroke), round(content[1] * params.stroke))
    used = sum(share > 0 for share in params.shares())
    return params.count * patches_seconds(content, [style] * used, params.quality)


SPEC = EngineSpec(
    name="neural_style",
    title="Neural style",
    description="Repaints a photo with the strokes and colours of one or more pictures.",
    params=NeuralStyleParams,
    produces=("image/png", "image/jpeg"),
    example={"content": "art_photo", "style": ["art_painting"], "strength": 0.5, "size": 768, "seed": 7},
    queue="gpu",
    time_limit=7200.0,
    cost=_cost,
    needs=(frozenset({"vgg19"}),),
    weights_for=weights_for,
)
