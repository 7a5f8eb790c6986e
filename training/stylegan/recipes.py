"""Which networks, and how they are trained: the named configurations, as data. No torch here.

`auto` chooses by the side of the pictures and the number of GPUs; the others are those of the papers (Karras
et al. 2020a, "Analyzing and Improving the Image Quality of StyleGAN", and 2020b, "Training Generative
Adversarial Networks with Limited Data").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engines.stylegan.config import RESOLUTIONS, Architecture, DiscriminatorConfig, GeneratorConfig

Pipe = Literal["blit", "geom", "color", "filter", "noise", "cutout", "bg", "bgc", "bgcf", "bgcfn", "bgcfnc"]
Name = Literal["auto", "paper256", "paper512", "paper1024", "stylegan2", "cifar"]

_Positive = Annotated[float, Field(gt=0.0, le=1e9)]
_Share = Annotated[float, Field(ge=0.0, le=1.0)]

#: channel_base of the papers' full networks.
_CHANNEL_BASE = 32_768


class Recipe(BaseModel):
    """What decides the result, together with the pictures and the number of steps."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    generator: GeneratorConfig
    discriminator: DiscriminatorConfig
    seed: int = Field(default=0, ge=0, lt=2**63)
    #: Real pictures a step, on all GPUs together.
    batch: int = Field(ge=1, le=4096)
    #: Adam's, of both networks.
    learning_rate: float = Field(gt=0.0, le=1.0)
    #: Weight of R1, and the steps from one to the next.
    gamma: float = Field(ge=0.0, le=1e6)
    r1_interval: int = Field(default=16, ge=1, le=1000)
    #: Weight of the path length, 0 for none; the steps from one to the next; what its running mean forgets.
    path_length: float = Field(default=2.0, ge=0.0, le=1e6)
    path_length_interval: int = Field(default=4, ge=1, le=1000)
    path_length_decay: _Share = 0.01
    #: How often a picture is made from two latents.
    style_mixing: _Share = 0.9
    #: Thousand pictures in which the average of the generator forgets half, and that as a share of what has
    #: been shown so far, where that is less; None: always the former.
    average_kimg: _Positive
    average_ramp: _Positive | None = None
    #: The augmentations; None: none.
    augment: Pipe | None = "bgc"
    #: The mean sign that their probability is moved by; None: it stays `augment_p`.
    augment_target: float | None = Field(default=0.6, ge=-1.0, le=1.0)
    #: The probability to begin with.
    augment_p: _Share = 0.0
    #: Thousand pictures in which it goes from 0 to 1.
    augment_kimg: _Positive = 500.0
    #: Where training ends, in thousand pictures.
    kimg: float = Field(default=25_000.0, gt=0.0, le=1e9)

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        ours, theirs = self.generator, self.discriminator
        for name in ("c_dim", "img_resolution", "img_channels"):
            if getattr(ours, name) != getattr(theirs, name):
                raise ValueError(f"{name} is not the same for both networks")
        if self.augment is not None and ours.img_channels not in (1, 3):
            raise ValueError("only pictures of 1 or 3 channels can be augmented")
        return self

    def changed(self, **values: object) -> Self:
        """The same with other values, checked like these. Raises ValueError for what cannot be."""
        return type(self).model_validate(self.model_dump() | values)

    def average_keeps(self, images: int) -> float:
        """What the average keeps of itself at a step, after `images` real pictures."""
        half = self.average_kimg * 1000.0
        if self.average_ramp is not None:
            half = min(half, images * self.average_ramp)
        return float(0.5 ** (self.batch / max(half, 1e-8)))


@dataclass(frozen=True)
class _Base:
    """What the configurations differ in."""

    batch: int
    group: int
    channel_base: int
    learning_rate: float
    gamma: float
    average_kimg: float
    average_ramp: float | None = None
    mapping_layers: int = 8
    path_length: float = 2.0
    style_mixing: float = 0.9
    discriminator: Architecture = "resnet"


_PAPERS: dict[str, _Base] = {
    "paper256": _Base(64, 8, _CHANNEL_BASE // 2, 0.0025, 1.0, 20.0),
    "paper512": _Base(64, 8, _CHANNEL_BASE, 0.0025, 0.5, 20.0),
    "paper1024": _Base(32, 4, _CHANNEL_BASE, 0.002, 2.0, 10.0),
    "stylegan2": _Base(32, 4, _CHANNEL_BASE, 0.002, 10.0, 10.0),
    "cifar": _Base(
        64,
        32,
        _CHANNEL_BASE,
        0.0025,
        0.01,
        500.0,
        mapping_layers=2,
        path_length=0.0,
        style_mixing=0.0,
        discriminator="orig",
    ),
}


def _automatic(side: int, gpus: int) -> _Base:
    """`auto`: what memory allows, and R1 by the formula of Karras et al. 2020b."""
    batch = max(min(gpus * min(4096 // side, 32), 64), gpus)
    return _Base(
        batch=batch,
        group=min(batch // gpus, 4),
        channel_base=_CHANNEL_BASE if side >= 512 else _CHANNEL_BASE // 2,
        learning_rate=0.002 if side >= 1024 else 0.0025,
        gamma=0.0002 * side**2 / batch,
        average_kimg=batch * 10 / 32,
        average_ramp=0.05,
        mapping_layers=2,
    )


def recipe(name: Name, side: int, channels: int = 3, classes: int = 0, gpus: int = 1) -> Recipe:
    """The configuration for pictures of `side` pixels; change what else you like with `changed`.

    `classes`: the numbers in a label. Raises ValueError for a side there is no network of.
    """
    if side not in RESOLUTIONS[1:]:
        raise ValueError(
            f"no network is trained on pictures of {side} pixels; the sides are {RESOLUTIONS[1:]}"
        )
    base = _automatic(side, gpus) if name == "auto" else _PAPERS[name]
    both: dict[str, Any] = {"c_dim": classes, "img_resolution": side, "img_channels": channels}
    return Recipe(
        generator=GeneratorConfig(**both, channel_base=base.channel_base, mapping_layers=base.mapping_layers),
        discriminator=DiscriminatorConfig(
            **both,
            channel_base=base.channel_base,
            architecture=base.discriminator,
            mbstd_group_size=base.group,
        ),
        batch=base.batch,
        learning_rate=base.learning_rate,
        gamma=base.gamma,
        path_length=base.path_length,
        style_mixing=base.style_mixing,
        average_kimg=base.average_kimg,
        average_ramp=base.average_ramp,
    )
