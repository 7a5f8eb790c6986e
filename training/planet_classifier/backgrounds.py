"""What may lie behind a planet, or any other thing: (B, 3, SIDE, SIDE) in 0..1."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from engines.planet_classifier.model import SIDE
from training.planet_classifier.views import Pyramid, chosen, place_filling, uniform

#: One colour is frequent: pictures that were cut out lie on it.
_WEIGHTS = torch.tensor([2.0, 1.0, 3.0, 1.0, 1.0, 2.0])


def backgrounds(count: int, odds: float, frames: Pyramid, draw: torch.Generator) -> Tensor:
    """Black, or with these odds: stars, a gradient, one colour, noise, a nebula, part of one of `frames`."""
    on = chosen(draw, count, odds)
    kind = torch.multinomial(_WEIGHTS, max(count, 1), replacement=True, generator=draw)[:count]
    kind = torch.where(on, kind, torch.full_like(kind, -1))
    out = torch.zeros(count, 3, SIDE, SIDE)
    for number, make in enumerate((stars, gradients, flat, noise, nebulae)):
        mine = torch.nonzero(kind == number).flatten()
        if len(mine):
            out[mine] = make(len(mine), draw)
    mine = torch.nonzero(kind == len(_WEIGHTS) - 1).flatten()
    if len(mine):
        out[mine] = pieces(len(mine), frames, draw)
    return out


def stars(count: int, draw: torch.Generator) -> Tensor:
    """Points of light, some bright, a little coloured, with or without halo; the sky not always black."""
    density = uniform(draw, count, 0.001, 0.03).view(-1, 1, 1, 1)
    points = (torch.rand(count, 1, SIDE, SIDE, generator=draw) < density).float()
    bright = torch.rand(count, 1, SIDE, SIDE, generator=draw) ** 3
    tint = 0.75 + 0.25 * torch.rand(count, 3, SIDE, SIDE, generator=draw)
    sky = points * bright * tint * 1.4
    halo = F.avg_pool2d(sky, 3, 1, 1) * uniform(draw, count, 0.0, 3.0).view(-1, 1, 1, 1)
    glow = torch.rand(count, 3, 1, 1, generator=draw) * uniform(draw, count, -0.1, 0.12).clamp(min=0).view(
        -1, 1, 1, 1
    )
    return (sky + halo + glow).clamp(0.0, 1.0)


def gradients(count: int, draw: torch.Generator) -> Tensor:
    """From corner to corner between four colours."""
    corners = torch.rand(count, 3, 2, 2, generator=draw)
    return F.interpolate(corners, (SIDE, SIDE), mode="bilinear", align_corners=True)


def flat(count: int, draw: torch.Generator) -> Tensor:
    """One colour, a grey, or white, where transparency ends up."""
    colours = torch.rand(count, 3, 1, 1, generator=draw)
    colours = torch.where(chosen(draw, count, 0.33).view(-1, 1, 1, 1), colours[:, :1], colours)
    colours = torch.where(chosen(draw, count, 0.25).view(-1, 1, 1, 1), torch.ones(()), colours)
    return colours.expand(count, 3, SIDE, SIDE)


def noise(count: int, draw: torch.Generator) -> Tensor:
    """Grain of a size between one pixel and a twelfth of the side, grey or coloured, around some level."""
    out = torch.empty(count, 3, SIDE, SIDE)
    for index in range(count):
        side = int(torch.randint(12, SIDE + 1, (1,), generator=draw))
        channels = 3 if torch.rand(1, generator=draw) < 0.5 else 1
        grain = torch.randn(1, channels, side, side, generator=draw)
        strength, level = float(uniform(draw, 1, 0.03, 0.4)), torch.rand(1, 3, 1, 1, generator=draw)
        out[index] = F.interpolate(grain, (SIDE, SIDE), mode="nearest")[0] * strength + level[0]
    return out.clamp(0.0, 1.0)


def nebulae(count: int, draw: torch.Generator) -> Tensor:
    """Smooth clouds of two colours over black, with stars."""
    clouds = sum(
        F.interpolate(torch.randn(count, 2, side, side, generator=draw), (SIDE, SIDE), mode="bicubic")
        / side**0.5
        for side in (3, 6, 12, 24)
    )
    colours = torch.rand(count, 3, 2, generator=draw)
    rgb = torch.einsum("bkhw,bck->bchw", torch.as_tensor(clouds).clamp(min=0.0), colours)
    return (rgb * uniform(draw, count, 0.2, 1.0).view(-1, 1, 1, 1) + stars(count, draw)).clamp(0.0, 1.0)


def pieces(count: int, frames: Pyramid, draw: torch.Generator) -> Tensor:
    """Parts of other pictures."""
    indices = torch.randint(len(frames), (count,), generator=draw)
    where = place_filling(count, draw)
    return frames.sample(indices, where.grid, where.scales)[:, :3]
