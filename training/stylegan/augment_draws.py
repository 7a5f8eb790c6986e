"""What is done to each picture by the augmentations of ADA: drawn here, done in `augment`.

Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data", section 2.2 and appendix B.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Protocol, Self

import torch
from torch import Tensor

BLIT = frozenset({"xflip", "rotate90", "xint"})
GEOMETRY = frozenset({"scale", "rotate", "aniso", "xfrac"})
COLOUR = frozenset({"brightness", "contrast", "lumaflip", "hue", "saturation"})
_BGC = BLIT | GEOMETRY | COLOUR

#: The pipes by their usual names, and the augmentations in each.
PIPES: Mapping[str, frozenset[str]] = {
    "blit": BLIT,
    "geom": GEOMETRY,
    "color": COLOUR,
    "filter": frozenset({"imgfilter"}),
    "noise": frozenset({"noise"}),
    "cutout": frozenset({"cutout"}),
    "bg": BLIT | GEOMETRY,
    "bgc": _BGC,
    "bgcf": _BGC | {"imgfilter"},
    "bgcfn": _BGC | {"imgfilter", "noise"},
    "bgcfnc": _BGC | {"imgfilter", "noise", "cutout"},
}
AUGMENTATIONS = PIPES["bgcfnc"]

#: Octaves of `imgfilter`, the lowest first, and the power that pictures have in each.
BANDS = 4
_POWER = (10.0 / 13.0, 1.0 / 13.0, 1.0 / 13.0, 1.0 / 13.0)


class Source(Protocol):
    """Where random numbers come from."""

    def uniform(self, *shape: int) -> Tensor:
        """In [0, 1)."""

    def normal(self, *shape: int) -> Tensor:
        """Of mean 0 and variance 1."""


class Random:
    """The usual source."""

    def __init__(self, generator: torch.Generator) -> None:
        self._generator = generator

    def uniform(self, *shape: int) -> Tensor:
        """See `Source`."""
        return torch.rand(*shape, generator=self._generator, dtype=torch.float64)

    def normal(self, *shape: int) -> Tensor:
        """See `Source`."""
        return torch.randn(*shape, generator=self._generator, dtype=torch.float64)


@dataclass(frozen=True)
class Draws:
    """For each of B pictures what is done to it, in the order in which it is done; float64 on the CPU.

    What a picture escapes has the value that changes nothing.
    """

    #: (B,) -1 mirrored, else 1.
    mirror: Tensor
    #: (B,) quarter turns.
    quarters: Tensor
    #: (B, 2) whole pixels to the right and down.
    shift: Tensor
    #: (B,) factor.
    scale: Tensor
    #: (B,) radians before and after `stretch`.
    turn_before: Tensor
    #: (B,) factor of the width; the height is divided by it.
    stretch: Tensor
    turn_after: Tensor
    #: (B, 2) pixels to the right and down.
    drift: Tensor
    #: (B,) added to every colour.
    brightness: Tensor
    #: (B,) factor of every colour.
    contrast: Tensor
    #: (B,) 1 mirrored at the plane without luma, else 0.
    luma_flip: Tensor
    #: (B,) radians about the axis of greys.
    hue: Tensor
    #: (B,) factor of what is not grey.
    saturation: Tensor
    #: (B, BANDS) factors of the octaves, the lowest first.
    bands: Tensor
    #: (B,) standard deviation.
    noise: Tensor
    #: (B, 2) shares of width and height that are cut out, and (B, 2) the middle of it.
    hole: Tensor
    hole_centre: Tensor

    def __len__(self) -> int:
        return len(self.mirror)

    def part(self, first: int, step: int) -> Self:
        """Those of pictures first, first + step, ...: the share of one of `step` processes."""
        return type(self)(**{field.name: getattr(self, field.name)[first::step] for field in fields(self)})


def draw(names: frozenset[str], p: float, count: int, side: int, source: Source) -> Draws:
    """Draw for `count` pictures of `side` pixels; each of the augmentations `names` comes with probability p.

    All numbers are drawn, whichever are used: a change of p or of `names` moves no others.
    Raises ValueError for a name there is not.
    """
    if unknown := names - AUGMENTATIONS:
        raise ValueError(f"no augmentation is called {', '.join(sorted(unknown))}")

    def happens(name: str, probability: float = p, *shape: int) -> Tensor:
        return (source.uniform(count, *shape) < probability) & (name in names)

    def kept(name: str, drawn: Tensor, nothing: float) -> Tensor:
        chosen = happens(name).view(-1, *[1] * (drawn.dim() - 1))
        return torch.where(chosen, drawn, torch.full_like(drawn, nothing))

    # Two turns in each of which a picture is left alone with the root of 1 - p: by both together with 1 - p.
    once = 1.0 - math.sqrt(1.0 - p)

    def turned() -> Tensor:
        angle = _angle(source.uniform(count))
        return torch.where(happens("rotate", once), angle, torch.zeros_like(angle))

    return Draws(
        mirror=kept("xflip", 1.0 - 2.0 * torch.floor(2.0 * source.uniform(count)), 1.0),
        quarters=kept("rotate90", torch.floor(4.0 * source.uniform(count)), 0.0),
        shift=kept("xint", torch.round((2.0 * source.uniform(count, 2) - 1.0) * (0.125 * side)), 0.0),
        scale=kept("scale", torch.exp2(0.2 * source.normal(count)), 1.0),
        turn_before=turned(),
        stretch=kept("aniso", torch.exp2(0.2 * source.normal(count)), 1.0),
        turn_after=turned(),
        drift=kept("xfrac", 0.125 * side * source.normal(count, 2), 0.0),
        brightness=kept("brightness", 0.2 * source.normal(count), 0.0),
        contrast=kept("contrast", torch.exp2(0.5 * source.normal(count)), 1.0),
        luma_flip=kept("lumaflip", torch.floor(2.0 * source.uniform(count)), 0.0),
        hue=kept("hue", _angle(source.uniform(count)), 0.0),
        saturation=kept("saturation", torch.exp2(source.normal(count)), 1.0),
        bands=_bands(happens("imgfilter", p, BANDS), source),
        noise=kept("noise", 0.1 * source.normal(count).abs(), 0.0),
        hole=kept("cutout", torch.full((count, 2), 0.5, dtype=torch.float64), 0.0),
        hole_centre=source.uniform(count, 2),
    )


def _angle(share: Tensor) -> Tensor:
    """[0, 1) -> [-pi, pi)."""
    return (2.0 * share - 1.0) * math.pi


def _bands(chosen: Tensor, source: Source) -> Tensor:
    """(B, BANDS) factors: each chosen octave in turn, and all, so that a usual picture keeps its power."""
    power = torch.tensor(_POWER, dtype=torch.float64)
    factors = torch.ones(chosen.shape, dtype=torch.float64)
    for band in range(BANDS):
        changed = torch.ones_like(factors)
        drawn = torch.exp2(source.normal(len(chosen)))
        changed[:, band] = torch.where(chosen[:, band], drawn, torch.ones_like(drawn))
        factors = factors * changed / (power * changed.square()).sum(1, keepdim=True).sqrt()
    return factors
