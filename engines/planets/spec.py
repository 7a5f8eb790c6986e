"""What `planets` accepts, for the API, the forms and the command line. No torch here."""

from __future__ import annotations

import base64
import binascii
import math
import struct
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from engines.base import EngineSpec, Params, wrong
from engines.ui import ui
from engines.worlds import WORLDS, WorldName

#: Sizes of the nets that come with the project, in pixels.
NETWORKS = (64, 128)
#: Pictures of one pass through a net, always: a planet is the same to the last bit alone and among others.
CHUNK = 16
#: Numbers in a latent.
LATENT = 128
MAX_COUNT = 64
#: Frames of one animation at most; at 512 px they take about a quarter of a second each on a CPU.
MAX_FRAMES = 600

_Share = Annotated[float, Field(ge=0.0, le=1000.0)]
_Mix = Annotated[dict[WorldName, _Share], Field(min_length=1, max_length=len(WORLDS))]


def _in_lower_case(value: object) -> object:
    """People write Mars; a class of `stylegan` may be written so as well."""
    if isinstance(value, str):
        return value.lower()
    if isinstance(value, dict):
        lower = {name.lower() if isinstance(name, str) else name: share for name, share in value.items()}
        # One world in two spellings would lose a share: the one that is not its name is refused.
        return lower if len(lower) == len(value) else value
    return value


#: A world's name, `any`, or a mix of worlds.
World = Annotated[
    Annotated[Literal["any", WorldName], Tag("name")] | Annotated[_Mix, Tag("mix")],
    # By type, so that an error names what is wrong and not every alternative.
    Discriminator(lambda value: "mix" if isinstance(value, dict) else "name"),
    BeforeValidator(_in_lower_case),
]


def _checked_latent(text: str) -> str:
    decode_latent(text)
    return text


_Latent = Annotated[str, Field(max_length=700), AfterValidator(_checked_latent)]


class PlanetsParams(Params):
    """Some new planets, or an animation that goes from one to the next."""

    world: World = Field(
        default="any",
        description="Which of the twelve worlds they are like: a name, `any` (each draws its own), or a mix "
        'such as {"earth": 0.6, "mars": 0.4}, of which only the proportions count.',
        json_schema_extra=ui("subject"),
    )
    count: int = Field(
        default=1, ge=1, le=MAX_COUNT, description="How many planets.", json_schema_extra=ui("result")
    )
    first: int = Field(
        default=0,
        ge=0,
        lt=2**31,
        description="Number of the first planet of the seed. Planet 7 of a seed is the same planet, "
        "whether it is made alone or as one of many.",
        json_schema_extra=ui("subject", advanced=True),
    )
    size: int = Field(
        default=128,
        ge=64,
        le=512,
        description="Side of a picture in pixels. Up to 128 the next larger net draws it; "
        "above, the net of 128 does and the picture is enlarged, which the result says.",
        json_schema_extra=ui("result", role="size"),
    )
    variation: float = Field(
        default=1.0,
        ge=0.0,
        le=1.5,
        description="How far planets of a world differ: 0 gives its most typical one every time, but for the "
        "grain, 1 what was learnt, above 1 stranger ones.",
        json_schema_extra=ui("look", ends=("always the most typical", "strange ones")),
    )
    transparent: bool = Field(
        default=False,
        description="Nothing instead of black space around the disc, with a clean edge. Not for jpeg.",
        json_schema_extra=ui("look"),
    )
    grid: bool = Field(
        default=False,
        description="One contact sheet in place of single pictures.",
        json_schema_extra=ui("result"),
    )
    morph: Literal["webp", "mp4"] | None = Field(
        default=None,
        description="A looping animation through the planets in place of pictures, as WebP or MP4. "
        "One planet alone goes to the next of its seed and back.",
        json_schema_extra=ui("film"),
    )
    morph_to: World | None = Field(
        title="Morph to",
        default=None,
        description="The world of every second planet of the animation, where it is to be another.",
        json_schema_extra=ui("film", only_with="morph"),
    )
    morph_seconds: float = Field(
        title="Seconds",
        default=2.0,
        ge=0.25,
        le=20.0,
        description="The animation's time from one planet to the next, in seconds.",
        json_schema_extra=ui("film", only_with="morph"),
    )
    morph_fps: int = Field(
        title="Frames/s",
        default=24,
        ge=4,
        le=60,
        description="The animation's frames a second.",
        json_schema_extra=ui("film", only_with="morph"),
    )
    latent: _Latent | None = Field(
        default=None,
        description="A latent from an earlier result (base64): that very planet again, in another size or as "
        "another world. Takes the place of the seed, for one planet.",
        json_schema_extra=ui("subject", role="latent", advanced=True),
    )
    precision: Literal["exact", "fast"] = Field(
        default="exact",
        description="`exact` computes in float32, so that a planet looks the same on every machine. `fast` "
        "computes in bfloat16 where the processor has it, in a third of the time; some pixels then differ by "
        "a few grey levels.",
        json_schema_extra=ui("result", role="precision", advanced=True),
    )
    format: Literal["png", "jpeg", "webp"] = Field(
        default="png",
        description="File type of pictures. All carry seed, latent and world as metadata.",
        json_schema_extra=ui("result", role="format", advanced=True),
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for name, world in (("world", self.world), ("morph_to", self.morph_to)):
            if isinstance(world, dict) and sum(world.values()) <= 0.0:
                raise wrong(name, f"the weights of {name} must not all be zero")
        if self.transparent and (self.morph == "mp4" or (self.morph is None and self.format == "jpeg")):
            raise wrong("transparent", "needs png or webp: jpeg and mp4 have no transparency")
        if self.morph_to is not None and self.morph is None:
            raise wrong("morph_to", "needs morph")
        if self.grid and self.morph is not None:
            raise wrong("grid", "grid and morph exclude each other")
        if self.morph is not None and self.frames() > MAX_FRAMES:
            frames = f"this animation has {self.frames()} frames; at most {MAX_FRAMES} are made"
            raise wrong("morph_seconds", frames)
        if self.latent is not None and (self.count != 1 or self.morph is not None):
            raise wrong("latent", "makes one planet: count must be 1, without morph")
        return self

    def planets(self) -> int:
        """How many different planets the job needs: an animation of one also needs where it goes."""
        return max(self.count, 2) if self.morph is not None else self.count

    def frames(self) -> int:
        """Pictures in the animation."""
        return self.planets() * max(1, round(self.morph_seconds * self.morph_fps))


def encode_latent(values: list[float]) -> str:
    """128 numbers -> base64 of little-endian float32."""
    return base64.b64encode(struct.pack(f"<{LATENT}f", *values)).decode("ascii")


def decode_latent(text: str) -> list[float]:
    """Base64 of 128 little-endian float32 -> the numbers. Raises ValueError."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"this is not base64: {error}") from error
    if len(data) != 4 * LATENT:
        raise ValueError(f"this has {len(data)} bytes, not {4 * LATENT}: a latent is {LATENT} float32")
    values = list(struct.unpack(f"<{LATENT}f", data))
    if not all(math.isfinite(value) and abs(value) < 100.0 for value in values):
        raise ValueError("this holds a number that is not finite, or absurdly large")
    return values


def network(size: int) -> int:
    """The net that draws pictures of `size` pixels: the smallest that is large enough, else the largest."""
    return next((side for side in NETWORKS if side >= size), NETWORKS[-1])


def _batch_key(params: PlanetsParams) -> str | None:
    """Small jobs of one net run as one forward pass; a long job would hold the short ones up."""
    small = params.morph is None and params.count <= 4 and params.size <= 256
    return f"{network(params.size)} {params.precision}" if small else None


# Seconds of one core, measured on a Xeon without units for bfloat16.
#: A pass of CHUNK pictures, by net.
_PASS = {64: 0.085, 128: 0.17}
#: A pixel in a file.
_ENCODED = {"png": 3.2e-7, "webp": 1.6e-7, "jpeg": 0.9e-7}
#: A frame of an animation, and each of its pixels.
_FRAME, _FRAME_PIXEL = 0.01, 2e-7
#: Where the processor has bfloat16 `fast` takes a third of the time, elsewhere it is `exact`: in between.
_FAST = 0.6


def _cost(params: PlanetsParams) -> float:
    """Drawing, in full passes, and writing files."""
    pictures = params.frames() if params.morph is not None else params.count
    drawing = math.ceil(pictures / CHUNK) * _PASS[network(params.size)]
    pixels = params.size**2
    file = _FRAME + pixels * _FRAME_PIXEL if params.morph is not None else pixels * _ENCODED[params.format]
    return drawing * (_FAST if params.precision == "fast" else 1.0) + pictures * file


SPEC = EngineSpec(
    name="planets",
    title="Planets",
    description="Invents planets in the manner of twelve worlds: pictures, contact sheets, animations.",
    params=PlanetsParams,
    produces=("image/png", "image/jpeg", "image/webp", "video/mp4"),
    example={"world": "mars", "count": 4, "size": 128, "seed": 7},
    queue="gpu",
    time_limit=1800.0,
    max_batch=32,
    batch_key=_batch_key,
    model_for=lambda params: str(network(params.size)),
    cost=_cost,
)
