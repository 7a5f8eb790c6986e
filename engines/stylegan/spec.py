"""What `stylegan` accepts, for the API, the forms and the command line. No torch here."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import struct
from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, create_model, model_validator

from engines.base import (
    EngineSpec,
    NetworkFacts,
    NetworkRef,
    Params,
    Seed,
    ShippedNetwork,
    network_sha256,
    wrong,
)
from engines.shipped_networks import described
from engines.stylegan import fitting
from engines.stylegan.fitting import Facts
from engines.ui import ui

#: Networks that come with the project.
SHIPPED = ("planets-preview",)
WEIGHTS = Path(__file__).parent / "weights"
MAX_COUNT = 64
#: Twenty minutes at 60 a second.
MAX_FRAMES = 72_000
#: Numbers of a w that any network may have.
_LONGEST_W = 2048

Stop = TypeVar("Stop")

_RANGES = re.compile(r"\d{1,19}(-\d{1,19})?(,\d{1,19}(-\d{1,19})?)*")
_RATE = re.compile(r"\d{1,6}/\d{1,5}")


def _seeds_of(text: str) -> list[int]:
    """ "1,5,10-12" -> [1, 5, 10, 11, 12]. Raises ValueError when it is too long or makes no sense."""
    if not _RANGES.fullmatch(text):
        raise ValueError("write numbers and ranges without spaces, such as 7 or 1,5,10-12")
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        start, end = int(first), int(last or first)
        if end < start or end >= 2**63:
            raise ValueError(f"{part} is no range of seeds")
        if len(found) + end - start + 1 > MAX_COUNT:
            raise ValueError(f"at most {MAX_COUNT} seeds")
        found += range(start, end + 1)
    return found


def _checked_seeds(text: str) -> str:
    _seeds_of(text)
    return text


def _checked_w(text: str) -> str:
    decode_w(text)
    return text


def _checked_rate(value: int | str) -> int | str:
    if isinstance(value, str) and not _RATE.fullmatch(value):
        raise ValueError("give a number, or a fraction such as 30000/1001")
    try:
        rate = Fraction(value)
    except ZeroDivisionError:
        rate = Fraction(0)
    if not 1 <= rate <= 120:
        raise ValueError("from 1 to 120 frames a second")
    return value


# Their patterns are for forms; pydantic would show them to people.
_SeedText = Annotated[
    str,
    Field(max_length=1000, json_schema_extra={"pattern": f"^{_RANGES.pattern}$"}),
    AfterValidator(_checked_seeds),
]
_SeedList = Annotated[list[Seed], Field(min_length=1, max_length=MAX_COUNT)]
_W = Annotated[str, Field(max_length=4 * _LONGEST_W * 2), AfterValidator(_checked_w)]
_Rate = Annotated[
    Annotated[int, Field(ge=1, le=120)]
    | Annotated[str, Field(max_length=12, json_schema_extra={"pattern": f"^{_RATE.pattern}$"})],
    AfterValidator(_checked_rate),
]


class StyleganParams(Params):
    """Pictures of a StyleGAN2 network, or a film that walks from one to the next."""

    network: Annotated[str, NetworkRef("stylegan", shipped=SHIPPED)] = Field(
        default=SHIPPED[0],
        description="Which network draws: its name or its id.",
        json_schema_extra=ui("subject"),
    )
    seeds: _SeedList | _SeedText | None = Field(
        default=None,
        description="Which pictures: a list of seeds, or text such as 1,5,10-12. The same ones as with the "
        "official program. Left out: as many as `count` says, from `seed` on.",
        json_schema_extra=ui("subject", advanced=True),
    )
    points: Annotated[list[_W], Field(min_length=1, max_length=MAX_COUNT)] | None = Field(
        default=None,
        description="In place of seeds: saved points, each the `w` (base64) of an earlier result.",
        json_schema_extra=ui("subject", role="latent", advanced=True),
    )
    count: int = Field(
        default=1,
        ge=1,
        le=MAX_COUNT,
        description="How many pictures, where neither seeds nor points say it.",
        json_schema_extra=ui("result"),
    )
    truncation: float = Field(
        default=0.7,
        ge=-2.0,
        le=2.0,
        description="How far pictures go from the average one: 0 gives the average, 1 what was learnt, less "
        "than 1 fewer surprises and fewer failures.",
        json_schema_extra=ui("look"),
    )
    truncation_cutoff: int | None = Field(
        title="Truncation cutoff",
        default=None,
        ge=0,
        le=32,
        description="Truncate only so many of the coarsest layers; left out: all.",
        json_schema_extra=ui("look", advanced=True),
    )
    noise: Literal["const", "random", "none"] = Field(
        default="const",
        description="The fine grain: the network's own, drawn by each picture's seed (for points: by the "
        "job's), or none.",
        json_schema_extra=ui("look", choices={"const": "Fixed"}),
    )
    mix: (
        Annotated[dict[Literal["coarse", "middle", "fine"], Seed], Field(min_length=1, max_length=3)] | None
    ) = Field(
        default=None,
        description="Take coarse (4 to 8 pixels), middle (16 to 32) or fine (64 and more) styles of all "
        'pictures from other seeds, as in {"fine": 7}.',
        json_schema_extra=ui("look", advanced=True),
    )
    grid: bool = Field(
        default=False,
        description="One contact sheet in place of single pictures.",
        json_schema_extra=ui("result"),
    )
    precision: Literal["exact", "fast"] = Field(
        default="exact",
        description="`exact` computes in float32. `fast` uses 16 bits where the device is faster with them; "
        "a few grey levels differ.",
        json_schema_extra=ui("result", role="precision", advanced=True),
    )
    format: Literal["png", "jpeg", "webp"] = Field(
        default="png",
        description="File type of pictures. All carry network, seed and w as metadata.",
        json_schema_extra=ui("result", role="format", advanced=True),
    )
    walk: Literal["mp4", "webp", "zip"] | None = Field(
        default=None,
        description="A film through the pictures in place of them: MP4, WebP, or a ZIP of PNG files. "
        "One seed alone goes to the next one and back.",
        json_schema_extra=ui("film"),
    )
    space: Literal["z", "w"] = Field(
        default="w",
        description="In which space the film walks. w is smoother; points are always in w.",
        json_schema_extra=ui("film", only_with="walk", choices={"z": "z", "w": "w"}),
    )
    interpolation: Literal["linear", "spherical"] = Field(
        default="linear",
        description="How the film walks from point to point: straight, or along an arc.",
        json_schema_extra=ui(
            "film", only_with="walk", choices={"linear": "Straight", "spherical": "Along an arc"}
        ),
    )
    easing: Literal["none", "smooth"] = Field(
        default="smooth",
        description="Whether the film walks at one speed, or slower at each picture.",
        json_schema_extra=ui("film", only_with="walk", choices={"none": "Even"}),
    )
    loop: bool = Field(
        default=True,
        description="The film returns to its first picture at the end. Where the last is the first "
        "already, as in 1,2,1, the walk is closed, and it is not passed twice.",
        json_schema_extra=ui("film", only_with="walk"),
    )
    frames: int = Field(
        default=48,
        ge=1,
        le=7200,
        description="The film's frames from one picture to the next.",
        json_schema_extra=ui("film", only_with="walk"),
    )
    fps: _Rate = Field(
        title="Frames/s",
        default=24,
        description='The film\'s frames a second, a number or a fraction such as "30000/1001".',
        json_schema_extra=ui("film", only_with="walk"),
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.seeds is not None and self.points is not None:
            raise wrong("points", "seeds and points exclude each other")
        if self.grid and self.walk is not None:
            raise wrong("grid", "grid and walk exclude each other")
        if self.walk is not None:
            if self.points is not None and len(self.points) < 2:
                raise wrong("points", "a walk needs two points at least")
            if self.film_frames() > MAX_FRAMES:
                frames = f"this walk has {self.film_frames()} frames; at most {MAX_FRAMES} are made"
                raise wrong("frames", frames)
        return self

    @property
    def label(self) -> int | str | None:
        """The class that is asked for."""
        wanted: int | str | None = getattr(self, "class")
        return wanted

    def chosen_seeds(self) -> list[int]:
        """The seeds of the pictures; a walk of one goes on to the next."""
        if isinstance(self.seeds, str):
            found = _seeds_of(self.seeds)
        elif self.seeds is not None:
            found = list(self.seeds)
        else:
            first = self.seed or 0
            found = [(first + number) % 2**63 for number in range(self.count)]
        if self.walk is not None and len(found) == 1:
            found.append((found[0] + 1) % 2**63)
        return self._closed_once(found)

    def chosen_points(self) -> list[list[float]]:
        """The saved points of the pictures; none where there are seeds."""
        return self._closed_once([decode_w(text) for text in self.points or []])

    def stops(self) -> int:
        """Pictures, or those a walk passes."""
        return len(self.chosen_points() if self.points is not None else self.chosen_seeds())

    def film_frames(self) -> int:
        """Frames of the walk. One that does not return ends on its last picture."""
        return self.stops() * self.frames if self.loop else (self.stops() - 1) * self.frames + 1

    def _closed_once(self, stops: list[Stop]) -> list[Stop]:
        """Without the last one where a walk that returns ends with its first: it would stand still there.

        Equal ones next to each other are a pause, which may be meant, and so are two that are all there is.
        """
        closed_by_hand = self.walk is not None and self.loop and len(stops) > 2 and stops[0] == stops[-1]
        return stops[:-1] if closed_by_hand else stops


# `class` is a word of Python's own, so the field cannot be written like the others.
_WithClass = create_model(
    "StyleganParams",
    __base__=StyleganParams,
    __doc__=StyleganParams.__doc__,
    **{
        "class": (
            Annotated[int, Field(ge=0, lt=65_536)]
            | Annotated[str, Field(min_length=1, max_length=100)]
            | None,
            Field(
                default=None,
                description="For networks with classes: number or name of one. Left out: each seed draws "
                "its own.",
                json_schema_extra=ui("subject", advanced=True),
            ),
        )
    },  # type: ignore[call-overload]  # a dict of fields is not what the overloads know
)


def encode_w(values: list[float]) -> str:
    """Numbers -> base64 of little-endian float32."""
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode("ascii")


def decode_w(text: str) -> list[float]:
    """Base64 of little-endian float32 -> the numbers. Raises ValueError."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"this w is not base64: {error}") from error
    if not data or len(data) % 4 or len(data) > 4 * _LONGEST_W:
        raise ValueError(f"this w has {len(data)} bytes, which is no number of float32 that a network has")
    values = list(struct.unpack(f"<{len(data) // 4}f", data))
    if not all(math.isfinite(value) and abs(value) < 1e4 for value in values):
        raise ValueError("this w holds a number that is not finite, or absurdly large")
    return values


def fitted(params: StyleganParams, facts: Facts) -> StyleganParams:
    """The params as this network takes them. Raises BadInput for what it cannot draw."""
    label = fitting.class_label(params.label, facts)
    fitting.check_points(map(len, params.chosen_points()), facts)
    fitting.check_truncation(params.truncation, facts)
    fitting.check_mix(params.mix or (), facts)
    if params.walk is not None:
        fitting.check_colours(params.walk, "walk", facts)
        fitting.check_film(params.walk, params.film_frames(), facts)
    else:
        fitting.check_colours(params.format, "format", facts)
    if params.grid:
        fitting.check_sheet(params.stops(), facts)
    return params if label == params.label else params.model_copy(update={"class": label})


def _check(params: StyleganParams, networks: Mapping[str, NetworkFacts]) -> StyleganParams:
    known = networks.get(params.network)
    return params if known is None else fitted(params, Facts.of(known))


@cache
def _shipped() -> tuple[ShippedNetwork, ...]:
    def facts(metadata: Mapping[str, str]) -> dict[str, Any]:
        return Facts.read(json.loads(metadata["config"]), json.loads(metadata["classes"])).as_dict()

    return described(WEIGHTS, SHIPPED, facts)


def _model_for(params: StyleganParams) -> str:
    return network_sha256(params.network) or params.network


#: Seconds of one core for a picture, or a frame, of a shipped network, which has 64 pixels a side.
_PICTURE, _SHIPPED_SIDE = 0.0105, 64


def _cost(params: StyleganParams) -> float:
    """By pictures or frames, as of a shipped network."""
    return _PICTURE * (params.film_frames() if params.walk is not None else params.stops())


def _network_cost(config: Mapping[str, Any]) -> float:
    """By its pixels: the papers' networks of 256 and 512 pixels take 1.7 times that, narrower ones less."""
    return (float(config.get("resolution", _SHIPPED_SIDE)) / _SHIPPED_SIDE) ** 2


SPEC = EngineSpec(
    name="stylegan",
    title="StyleGAN2",
    description="Pictures and walks of any StyleGAN2-ADA network: those shipped, and your own.",
    params=_WithClass,
    produces=("image/png", "image/jpeg", "image/webp", "video/mp4", "application/zip"),
    example={"network": "planets-preview", "seeds": "1-4", "truncation": 0.7},
    queue="gpu",
    time_limit=14_400.0,
    model_for=_model_for,
    cost=_cost,
    check=_check,
    shipped_networks=_shipped,
    network_cost=_network_cost,
)
