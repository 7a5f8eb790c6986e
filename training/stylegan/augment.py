"""The augmentations of ADA, done to a batch of pictures; differentiable twice, for R1.

Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data", appendix B. All that moves
pixels is one warp, and all that changes colours one affine map of them. What is to be done comes from
`augment_draws`. Matrices are multiplied on the CPU, whence one copy goes to the pictures' device: nothing has
to wait for a GPU.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from training.stylegan.augment_draws import BANDS, Draws
from training.stylegan.wavelets import SYM2, SYM6, octaves

#: Pixels beyond a picture's edge that the filter of the warp looks at.
_REACH = len(SYM6) // 4
#: The tap that a pixel's place is taken to be at: the filter's centre of mass is at 5.1.
_MIDDLE = len(SYM6) // 2 - 1
#: So of the samples at twice the resolution one is at each pixel and one after it; their middle is that of
#: the pixels and this.
_OFFSET = 0.25


def augment(pictures: Tensor, draws: Draws, grain: Tensor | None = None) -> Tensor:
    """(B, 1 or 3, S, S) in [-1, 1] -> the same, augmented; values may leave the range.

    `grain`, of the pictures' shape and a variance of 1, is the noise where there is any. Raises ValueError
    when it is absent then, when the draws are not for so many pictures, and for other numbers of channels.
    """
    count, channels, side = pictures.shape[:3]
    if len(draws) != count:
        raise ValueError(f"draws for {len(draws)} pictures, and there are {count}")
    if channels not in (1, 3):
        raise ValueError(f"pictures of {channels} channels cannot be augmented; 1 or 3 can")
    backward = _backward_map(draws)
    if not _is_identity(backward):
        pictures = _warped(pictures, backward)
    colours = _colour_map(draws)
    if not _is_identity(colours):
        pictures = _recoloured(pictures, colours)
    if bool((draws.bands != 1.0).any()):
        pictures = _filtered(pictures, draws.bands)
    if bool((draws.noise != 0.0).any()):
        if grain is None:
            raise ValueError("there is noise to be added, and none was given")
        strength = draws.noise.to(pictures)[:, None, None, None]
        pictures = pictures + grain * strength
    if bool((draws.hole != 0.0).any()):
        pictures = pictures * _outside(draws, side).to(pictures)[:, None]
    return pictures


def _is_identity(matrices: Tensor) -> bool:
    """(B, N, N) -> whether all change nothing."""
    eye = torch.eye(matrices.shape[-1], dtype=matrices.dtype)
    return torch.equal(matrices, eye.expand_as(matrices))


# --- geometry ---------------------------------------------------------------------------------------


def _backward_map(draws: Draws) -> Tensor:
    """(B, 3, 3): a pixel's place after -> before; x right, y down, in pixels from the picture's middle."""
    one = torch.ones_like(draws.scale)
    steps = (
        _stretched(draws.mirror, one),
        _turned(draws.quarters * (math.pi / 2.0)),
        _shifted(draws.shift),
        _stretched(draws.scale, draws.scale),
        _turned(draws.turn_before),
        _stretched(draws.stretch, 1.0 / draws.stretch),
        _turned(draws.turn_after),
        _shifted(draws.drift),
    )
    forward = steps[0]
    for step in steps[1:]:
        forward = step @ forward
    inverse: Tensor = torch.linalg.inv(forward)
    return inverse


def _homogeneous(a: Tensor, b: Tensor, c: Tensor, d: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """(B,) each -> (B, 3, 3) [[a, b, x], [c, d, y], [0, 0, 1]]."""
    zero, one = torch.zeros_like(a), torch.ones_like(a)
    return torch.stack([a, b, x, c, d, y, zero, zero, one], 1).view(-1, 3, 3)


def _stretched(x: Tensor, y: Tensor) -> Tensor:
    zero = torch.zeros_like(x)
    return _homogeneous(x, zero, zero, y, zero, zero)


def _turned(angle: Tensor) -> Tensor:
    zero, cosine, sine = torch.zeros_like(angle), torch.cos(angle), torch.sin(angle)
    return _homogeneous(cosine, sine, -sine, cosine, zero, zero)


def _shifted(shift: Tensor) -> Tensor:
    x, y = shift.unbind(1)
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return _homogeneous(one, zero, zero, one, x, y)


def _warped(pictures: Tensor, backward: Tensor) -> Tensor:
    """(B, C, S, S) through (B, 3, 3), at twice the resolution and between wavelet filters."""
    side = pictures.shape[-1]
    around = _margins(backward, side)
    left, right, top, bottom = around
    fine = _finer(F.pad(pictures, around, mode="reflect"))
    # From a place in the output, -1 to 1 over what `_coarser` needs, to one in `fine`, -1 to 1 over that.
    outward = _box((side + _MIDDLE) / 2.0, (side + _MIDDLE) / 2.0, 0.0, 0.0)
    inward = _box((side + left + right) / 2.0, (side + top + bottom) / 2.0, right - left, bottom - top)
    theta = (torch.linalg.inv(inward) @ backward @ outward)[:, :2].to(pictures)
    wanted = 2 * (side + _MIDDLE)
    grid = F.affine_grid(theta, [*pictures.shape[:2], wanted, wanted], align_corners=False)
    return _coarser(_sampled(fine, grid))


def _box(x: float, y: float, wider: float, lower: float) -> Tensor:
    """(3, 3): a place in [-1, 1] -> in pixels, for samples over 2x by 2y of them.

    `wider`, `lower`: how many more of them are on the right than on the left, and below than above.
    """
    return torch.tensor(
        [[x, 0.0, wider / 2.0 + _OFFSET], [0.0, y, lower / 2.0 + _OFFSET], [0.0, 0.0, 1.0]],
        dtype=torch.float64,
    )


def _margins(backward: Tensor, side: int) -> list[int]:
    """Pixels to add left, right, above and below so that the warp finds all that it looks at."""
    half = (side - 1) / 2.0
    edge = half + _REACH
    corners = torch.tensor(
        [[x, y, 1.0] for x in (-edge, edge) for y in (-edge, edge)], dtype=torch.float64
    ).T  # (3, 4)
    places = (backward @ corners)[:, :2]  # (B, 2, 4)
    low, high = places.amin((0, 2)), places.amax((0, 2))
    needed = torch.stack([-low[0], high[0], -low[1], high[1]]) - half + 2 * _REACH
    # A reflection cannot be wider than what it reflects.
    return [min(max(math.ceil(margin), 0), side - 1) for margin in needed.tolist()]


def _finer(pictures: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, 2H, 2W)."""
    if pictures.device.type == "cpu":
        height, width = pictures.shape[2:]
        return _doubling(height).to(pictures) @ pictures @ _doubling(width).to(pictures).T
    channels = pictures.shape[1]
    taps = (2.0 * torch.from_numpy(SYM6)).to(pictures)
    for shape, stride in (((-1, 1), (2, 1)), ((1, -1), (1, 2))):
        kernel = taps.view(1, 1, *shape).expand(channels, -1, -1, -1)
        padding = (_MIDDLE, 0) if stride[0] == 2 else (0, _MIDDLE)
        pictures = F.conv_transpose2d(pictures, kernel, stride=stride, padding=padding, groups=channels)
    return pictures


def _coarser(pictures: Tensor) -> Tensor:
    """(B, C, 2H + 10, 2W + 10) -> (B, C, H, W)."""
    if pictures.device.type == "cpu":
        height, width = (size // 2 - _MIDDLE for size in pictures.shape[2:])
        return _halving(height).to(pictures) @ pictures @ _halving(width).to(pictures).T
    channels = pictures.shape[1]
    taps = torch.from_numpy(SYM6).to(pictures)
    for shape, stride in (((-1, 1), (2, 1)), ((1, -1), (1, 2))):
        kernel = taps.view(1, 1, *shape).expand(channels, -1, -1, -1)
        pictures = F.conv2d(pictures, kernel, stride=stride, groups=channels)
    return pictures


# A CPU is slow at convolutions of few channels: as matrices, zeros and all, both filters take a tenth of the
# time at 64 px, where they were a third of a training step.


@cache
def _doubling(size: int) -> Tensor:
    """(2 size, size) float64: what `_finer` does to a column."""
    return 2.0 * _halving(size).T[_MIDDLE : _MIDDLE + 2 * size]


@cache
def _halving(size: int) -> Tensor:
    """(size, 2 size + 10) float64: what `_coarser` does to a column."""
    matrix = torch.zeros(size, 2 * (size + _MIDDLE), dtype=torch.float64)
    rows = torch.arange(size)
    for number, tap in enumerate(SYM6):
        matrix[rows, 2 * rows + number] = float(tap)
    return matrix


def _sampled(pictures: Tensor, grid: Tensor) -> Tensor:
    """(B, C, H, W) at (B, h, w, 2) -> (B, C, h, w), bilinear; outside is 0."""
    found: Tensor = _Sample.apply(pictures, grid)  # type: ignore[no-untyped-call]  # torch has no types for it
    return found


class _Sample(torch.autograd.Function):
    """Bilinear sampling at fixed places: linear in the pictures, so its derivative's derivative is itself.

    torch's own is differentiable twice in recent releases only, and would work for the grid as well.
    """

    @staticmethod
    def forward(ctx: Any, pictures: Tensor, grid: Tensor) -> Tensor:
        """See `_sampled`."""
        ctx.save_for_backward(pictures, grid)
        return F.grid_sample(pictures, grid, mode="bilinear", padding_mode="zeros", align_corners=False)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        """The transpose, in the pictures alone."""
        pictures, grid = ctx.saved_tensors
        spread: Tensor = _Spread.apply(slopes[0], pictures, grid)  # type: ignore[no-untyped-call]
        return spread, None


class _Spread(torch.autograd.Function):
    """The transpose of `_Sample`."""

    @staticmethod
    def forward(ctx: Any, slope: Tensor, pictures: Tensor, grid: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C, H, W); of `pictures` only the shape matters."""
        ctx.save_for_backward(grid)
        bilinear, zeros = 0, 0
        found, _ = torch.ops.aten.grid_sampler_2d_backward(
            slope, pictures, grid, bilinear, zeros, False, (True, False)
        )
        spread: Tensor = found
        return spread

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None, None]:
        """`_Sample` again."""
        (grid,) = ctx.saved_tensors
        return _sampled(slopes[0], grid), None, None


# --- colour -----------------------------------------------------------------------------------------


def _colour_map(draws: Draws) -> Tensor:
    """(B, 4, 4): a pixel's colour (red, green, blue, 1) before -> after."""
    count = len(draws)
    eye = torch.eye(4, dtype=torch.float64).repeat(count, 1, 1)
    grey = torch.tensor([1.0, 1.0, 1.0, 0.0], dtype=torch.float64) / math.sqrt(3.0)
    onto_grey = torch.outer(grey, grey)

    def factor(values: Tensor) -> Tensor:
        return values[:, None, None]

    brightness = eye.clone()
    brightness[:, :3, 3] = draws.brightness[:, None]
    contrast = eye.clone()
    contrast[:, range(3), range(3)] = draws.contrast[:, None]
    # Householder 1958: mirrored at the plane through 0 across the greys.
    luma = eye - 2.0 * onto_grey * factor(draws.luma_flip)
    hue = _about_grey(draws.hue)
    saturation = onto_grey + (eye - onto_grey) * factor(draws.saturation)
    saturation[:, 3, 3] = 1.0
    return saturation @ hue @ luma @ contrast @ brightness


def _about_grey(angle: Tensor) -> Tensor:
    """(B,) -> (B, 4, 4) a turn about the axis of greys (Rodrigues 1840)."""
    turn = torch.eye(4, dtype=torch.float64).repeat(len(angle), 1, 1)
    cosine, sine = torch.cos(angle)[:, None, None], torch.sin(angle)[:, None, None]
    across = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]], dtype=torch.float64)
    along = torch.full((3, 3), 1.0 / 3.0, dtype=torch.float64)
    same = torch.eye(3, dtype=torch.float64)
    turn[:, :3, :3] = cosine * same + sine / math.sqrt(3.0) * across + (1.0 - cosine) * along
    return turn


def _recoloured(pictures: Tensor, colours: Tensor) -> Tensor:
    """(B, 1 or 3, S, S) through (B, 4, 4); a grey becomes the mean of what its colours would."""
    count, channels = pictures.shape[:2]
    if channels == 1:
        row = colours[:, :3].mean(1)  # (B, 4)
        factor, offset = row[:, :3].sum(1), row[:, 3]
        return pictures * factor.to(pictures).view(-1, 1, 1, 1) + offset.to(pictures).view(-1, 1, 1, 1)
    matrix, offset = colours[:, :3, :3].to(pictures), colours[:, :3, 3:].to(pictures)
    moved = torch.baddbmm(offset, matrix, pictures.reshape(count, channels, -1))
    return moved.view(pictures.shape)


# --- what is added and taken away -------------------------------------------------------------------


def _filtered(pictures: Tensor, bands: Tensor) -> Tensor:
    """(B, C, S, S) with the octaves of each picture by (B, BANDS), along both axes."""
    count, channels, side = pictures.shape[:3]
    taps = bands @ torch.from_numpy(octaves(SYM2, BANDS))  # (B, L)
    kernel = taps.to(pictures).repeat_interleave(channels, 0)[:, None]  # (B C, 1, L)
    margin = taps.shape[1] // 2
    x = pictures.reshape(1, count * channels, side, side)
    while margin:  # a reflection cannot be wider than what it reflects: small pictures take several
        step = min(margin, x.shape[-1] - 1)
        x, margin = F.pad(x, [step] * 4, mode="reflect"), margin - step
    x = F.conv2d(x, kernel[:, :, None, :], groups=count * channels)
    x = F.conv2d(x, kernel[:, :, :, None], groups=count * channels)
    return x.view_as(pictures)


def _outside(draws: Draws, side: int) -> Tensor:
    """(B, S, S): 0 in the hole and 1 around it."""
    place = (torch.arange(side, dtype=torch.float64) + 0.5) / side
    near = (place - draws.hole_centre[:, :, None]).abs() < draws.hole[:, :, None] / 2.0  # (B, 2, S)
    return (~(near[:, 0, None, :] & near[:, 1, :, None])).double()
