"""Augmented views for the classifier: where a thing lies, how it is lit, and what a camera makes of it.

A picture is (4, S, S), red, green, blue premultiplied by alpha, as `data.Pictures` holds it; a view is what
the network sees, (3, SIDE, SIDE) in 0..1. Every number is drawn from one generator, so a batch can be made
again.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from engines.planet_classifier.model import SIDE


@dataclass(frozen=True)
class Odds:
    """How likely each kind of change is."""

    scale: float = 0.0
    shift: float = 0.0
    crop: float = 0.0
    turn: float = 0.0
    phase: float = 0.0
    background: float = 0.0
    bars: float = 0.0
    colour: float = 0.0
    grey: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
    jpeg: float = 0.0

    def times(self, share: float) -> Odds:
        """All odds, times `share`."""
        return Odds(**{field.name: getattr(self, field.name) * share for field in fields(self)})


#: What training sees.
TRAINING = Odds(
    scale=0.5,
    shift=0.5,
    crop=0.12,
    turn=0.6,
    phase=0.25,
    background=0.5,
    bars=0.2,
    colour=0.5,
    grey=0.02,
    blur=0.2,
    noise=0.2,
    jpeg=0.25,
)


def kinds() -> dict[str, Odds]:
    """Each kind of change alone and certain, none of them, and all as in training."""
    alone = {field.name: replace(Odds(), **{field.name: 1.0}) for field in fields(Odds)}
    return {"none": Odds(), **alone, "training": TRAINING}


def uniform(draw: torch.Generator, count: int, low: float, high: float) -> Tensor:
    """(count,) numbers between the two."""
    return torch.rand(count, generator=draw) * (high - low) + low


def chosen(draw: torch.Generator, count: int, odds: float) -> Tensor:
    """(count,) bool, each true with these odds."""
    return torch.rand(count, generator=draw) < odds


class Pyramid:
    """Pictures at several sizes, so that a small view of one does not alias."""

    def __init__(self, pixels: Tensor) -> None:
        """`pixels`: (N, 4, S, S) uint8, premultiplied."""
        self.levels = [pixels]
        while self.levels[-1].shape[-1] > SIDE // 3:
            halves = [F.avg_pool2d(part.float(), 2) for part in torch.split(self.levels[-1], 64)]
            self.levels.append(torch.cat([half.round().to(torch.uint8) for half in halves]))
        self.extents = _extents(pixels)

    def __len__(self) -> int:
        return len(self.levels[0])

    def sample(self, indices: Tensor, grid: Tensor, scales: Tensor) -> Tensor:
        """Pictures seen through sampling grids, (B, SIDE, SIDE, 2) in -1..1 -> (B, 4, SIDE, SIDE) in 0..1.

        `scales`: (B,) how much of the view's side the picture's side takes, which says what level is sampled.
        """
        out = torch.empty(len(indices), 4, *grid.shape[1:3])
        wanted = scales * SIDE * 0.999
        level = torch.zeros(len(indices), dtype=torch.int64)
        for number, pixels in enumerate(self.levels):
            level[wanted <= pixels.shape[-1]] = number  # the smallest that is large enough
        for number, pixels in enumerate(self.levels):
            mine = torch.nonzero(level == number).flatten()
            if len(mine):
                source = pixels[indices[mine]].float() / 255.0
                out[mine] = F.grid_sample(source, grid[mine], "bilinear", "zeros", align_corners=False)
        return out


def _extents(pixels: Tensor) -> Tensor:
    """(N, 2) half width and half height of what is opaque, the half side being 1."""
    side = pixels.shape[-1]
    found = []
    for part in torch.split(pixels, 64):
        opaque = part[:, 3] > 127
        found.append(torch.stack([opaque.any(1).sum(1), opaque.any(2).sum(1)], 1).float() / side)
    return torch.cat(found).clamp(min=0.05)


@dataclass(frozen=True)
class Placement:
    """Where each picture lies in its view."""

    #: (B, SIDE, SIDE, 2): for each pixel of the view, the place in the picture, -1..1.
    grid: Tensor
    #: (B,): how much of the view's side the picture's side takes.
    scales: Tensor


def place(count: int, odds: Odds, draw: torch.Generator) -> Placement:
    """Sizes, offsets, turns and reflections of things; as they are where nothing is drawn."""
    small = torch.exp(uniform(draw, count, math.log(0.28), math.log(1.05)))
    scales = torch.where(chosen(draw, count, odds.scale), small, torch.ones(count))
    room = ((1.0 - scales) + 0.1).clamp(min=0.0)[:, None]
    moved = (torch.rand(count, 2, generator=draw) * 2.0 - 1.0) * room
    shifts = torch.where(chosen(draw, count, odds.shift)[:, None], moved, torch.zeros(count, 2))
    # A crop: larger than the view, its middle towards an edge.
    cropped = chosen(draw, count, odds.crop)
    large = uniform(draw, count, 1.0, 1.7)
    towards = uniform(draw, count, 0.0, 2.0 * math.pi)
    far = uniform(draw, count, 0.0, 0.55)
    aside = torch.stack([towards.cos() * far, towards.sin() * far], 1)
    scales = torch.where(cropped, large, scales)
    shifts = torch.where(cropped[:, None], aside, shifts)
    turned = chosen(draw, count, odds.turn)
    angles = uniform(draw, count, -0.45, 0.45) * turned
    mirrored = 1.0 - 2.0 * (turned & chosen(draw, count, 0.5)).float()
    flipped = 1.0 - 2.0 * (turned & chosen(draw, count, 0.5)).float()
    return Placement(_grid(scales, shifts, angles, mirrored, flipped), scales)


def place_filling(count: int, draw: torch.Generator) -> Placement:
    """Pictures that fill their views: a little larger, anywhere that leaves no gap, mirrored or not."""
    scales = uniform(draw, count, 1.0, 1.4)
    shifts = (torch.rand(count, 2, generator=draw) * 2.0 - 1.0) * (scales - 1.0)[:, None]
    mirrored = 1.0 - 2.0 * chosen(draw, count, 0.5).float()
    return Placement(_grid(scales, shifts, torch.zeros(count), mirrored, torch.ones(count)), scales)


def _grid(scales: Tensor, shifts: Tensor, angles: Tensor, mirrored: Tensor, flipped: Tensor) -> Tensor:
    """(B, SIDE, SIDE, 2) of source = flip(turn((place - shift) / scale))."""
    cos, sin = angles.cos() / scales, angles.sin() / scales
    rows = [torch.stack([cos * mirrored, -sin * mirrored], 1), torch.stack([sin * flipped, cos * flipped], 1)]
    turn = torch.stack(rows, 1)  # (B, 2, 2)
    theta = torch.cat([turn, -(turn @ shifts[:, :, None])], 2)  # (B, 2, 3)
    return F.affine_grid(theta, [len(scales), 1, SIDE, SIDE], align_corners=False)


def shade(views: Tensor, grid: Tensor, extents: Tensor, odds: float, draw: torch.Generator) -> Tensor:
    """Phases: (B, 4, SIDE, SIDE) things lit from one side as balls are: Lambert's law, some ambient light.

    `extents`: (B, 2) half axes of each ball in its picture, as `Pyramid.extents`.
    """
    count = len(views)
    lit = chosen(draw, count, odds)
    slant = uniform(draw, count, 0.3, 1.4)  # up to just before the half phase
    around = uniform(draw, count, 0.0, 2.0 * math.pi)
    ambient = uniform(draw, count, 0.02, 0.15).view(-1, 1, 1)
    gain = uniform(draw, count, 1.0, 1.4).view(-1, 1, 1)
    soft = uniform(draw, count, 0.5, 1.0).view(-1, 1, 1)
    if not lit.any():
        return views
    across = grid / extents[:, None, None, :]
    depth = (1.0 - across.square().sum(3)).clamp(min=0.0).sqrt()
    light = torch.stack([slant.sin() * around.cos(), slant.sin() * around.sin(), slant.cos()], 1)[
        :, :, None, None
    ]
    facing = across[..., 0] * light[:, 0] + across[..., 1] * light[:, 1] + depth * light[:, 2]
    shading = ambient + (1.0 - ambient) * facing.clamp(min=1e-4, max=1.0) ** soft * gain
    shading = torch.where(lit.view(-1, 1, 1), shading, torch.ones_like(shading))
    rgb = torch.minimum(views[:, :3] * shading[:, None], views[:, 3:])
    return torch.cat([rgb, views[:, 3:]], 1)


def compose(views: Tensor, backgrounds: Tensor) -> Tensor:
    """(B, 4, S, S) premultiplied over (B, 3, S, S) -> (B, 3, S, S)."""
    return views[:, :3] + backgrounds * (1.0 - views[:, 3:])


def develop(rgb: Tensor, odds: Odds, draw: torch.Generator) -> Tensor:
    """What cameras, screens and files do to pictures, (B, 3, S, S) in 0..1 -> the same."""
    rgb = _bars(_colour(rgb, odds, draw), odds.bars, draw)
    rgb = _noise(_blur(rgb, odds.blur, draw), odds.noise, draw)
    return _jpeg(rgb.clamp(0.0, 1.0), odds.jpeg, draw)


def _colour(rgb: Tensor, odds: Odds, draw: torch.Generator) -> Tensor:
    """Exposure, contrast, saturation, white balance and gamma; sometimes no colour at all."""
    count = len(rgb)
    on = chosen(draw, count, odds.colour).float().view(-1, 1, 1, 1)
    grey_on = chosen(draw, count, odds.grey).float().view(-1, 1, 1, 1)
    exposure, contrast, saturation, gamma = (
        1.0 + on * (torch.exp(uniform(draw, count, -spread, spread)).view(-1, 1, 1, 1) - 1.0)
        for spread in (0.3, 0.2, 0.3, 0.2)
    )
    balance = 1.0 + on * 0.07 * (torch.rand(count, 3, 1, 1, generator=draw) * 2.0 - 1.0)
    rgb = (rgb.clamp(min=1e-4) * exposure * balance).clamp(min=1e-4, max=1.0) ** gamma
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)  # Rec. 601 luma
    grey = (rgb * weights).sum(1, keepdim=True)
    rgb = grey + (rgb - grey) * saturation * (1.0 - grey_on)
    return ((rgb - 0.5) * contrast + 0.5 * contrast.clamp(max=1.0)).clamp(0.0, 1.0)


def _bars(rgb: Tensor, odds: float, draw: torch.Generator) -> Tensor:
    """The black bars that a letterboxed picture of another shape has; up to more than half of it."""
    count, side = len(rgb), rgb.shape[-1]
    on = chosen(draw, count, odds)
    shares = uniform(draw, count, 0.45, 1.0)
    upright = chosen(draw, count, 0.5)
    if not on.any():
        return rgb
    places = ((torch.arange(side).float() + 0.5) / side * 2.0 - 1.0).abs()
    keep = (places[None] <= shares[:, None]).float()  # (B, S)
    keep = torch.where(on[:, None], keep, torch.ones_like(keep))
    rows = torch.where(upright[:, None], torch.ones_like(keep), keep)
    columns = torch.where(upright[:, None], keep, torch.ones_like(keep))
    return rgb * rows[:, None, :, None] * columns[:, None, None, :]


def _blur(rgb: Tensor, odds: float, draw: torch.Generator) -> Tensor:
    """Gaussian, up to 1.3 pixels."""
    count = len(rgb)
    on = chosen(draw, count, odds)
    sigma = uniform(draw, count, 0.3, 1.3)
    mine = torch.nonzero(on).flatten()
    if not len(mine):
        return rgb
    reach = 3
    offsets = torch.arange(-reach, reach + 1).float()
    kernels = torch.exp(-0.5 * (offsets[None] / sigma[mine, None]) ** 2)
    kernels = kernels / kernels.sum(1, keepdim=True)  # (K, 7)
    planes = F.pad(rgb[mine], (reach,) * 4, mode="replicate").flatten(0, 1)[None]  # (1, 3K, ...)
    each = kernels.repeat_interleave(3, 0)
    planes = F.conv2d(planes, each.view(-1, 1, 1, 2 * reach + 1), groups=len(each))
    planes = F.conv2d(planes, each.view(-1, 1, 2 * reach + 1, 1), groups=len(each))
    out = rgb.clone()
    out[mine] = planes[0].view(len(mine), 3, *rgb.shape[2:])
    return out


def _noise(rgb: Tensor, odds: float, draw: torch.Generator) -> Tensor:
    """Gaussian, of up to 0.07, the same in all channels or not."""
    count = len(rgb)
    on = chosen(draw, count, odds)
    strength = uniform(draw, count, 0.01, 0.07)
    mono = chosen(draw, count, 0.5)
    mine = torch.nonzero(on).flatten()
    if not len(mine):
        return rgb
    noise = torch.randn(len(mine), *rgb.shape[1:], generator=draw)
    noise = torch.where(mono[mine].view(-1, 1, 1, 1), noise[:, :1], noise)
    out = rgb.clone()
    out[mine] += noise * strength[mine].view(-1, 1, 1, 1)
    return out


def _jpeg(rgb: Tensor, odds: float, draw: torch.Generator) -> Tensor:
    """Through a real encoder, quality 15 to 90."""
    count = len(rgb)
    on = chosen(draw, count, odds)
    quality = uniform(draw, count, 15.0, 90.0)
    out = rgb.clone()
    for index in torch.nonzero(on).flatten().tolist():
        pixels = (rgb[index] * 255.0 + 0.5).to(torch.uint8).permute(1, 2, 0).numpy()
        file = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(pixels)).save(file, "JPEG", quality=int(quality[index]))
        with Image.open(file, formats=("JPEG",)) as opened:
            decoded = np.asarray(opened, dtype=np.float32) / 255.0
        out[index] = torch.from_numpy(decoded).permute(2, 0, 1)
    return out
