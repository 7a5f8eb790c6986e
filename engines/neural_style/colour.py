"""Moving colours: sliced optimal transport, Monge-Kantorovich, luma and chroma.

Pictures are (3, H, W) float32 RGB in 0..1, pixel lists (N, 3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601

_SAMPLE = 20_000  # pixels a colour map is fitted on
_KNOTS = 128  # quantiles in one 1-D table
_ROTATIONS = 20
_CHUNK = 1 << 16  # pixels mapped at a time: stays in cache
#: Variance under which a colour direction counts as noise (a standard deviation of 1.4 %).
_NOISE_VARIANCE = 2e-4


def luma(image: Tensor) -> Tensor:
    """(3, H, W) -> (1, H, W)."""
    weights = image.new_tensor(_LUMA).view(3, 1, 1)
    return (image * weights).sum(0, keepdim=True)


def with_chroma_of(result: Tensor, content: Tensor) -> Tensor:
    """The luma of `result` under the chroma of `content`, both (3, H, W).

    Where that leaves the RGB cube the chroma is scaled down instead of clipping channels: hues stay.
    """
    light = luma(result)  # (1, H, W)
    chroma = content - luma(content)  # (3, H, W)
    room = torch.where(chroma > 0, (1 - light) / chroma.clamp(min=1e-6), light / (-chroma).clamp(min=1e-6))
    scale = room.amin(0, keepdim=True).clamp(0, 1)
    combined: Tensor = light + scale * chroma
    return combined.clamp(0, 1)


def monge_kantorovich(image: Tensor, target: Tensor) -> Tensor:
    """Recolour `image` so that its mean and covariance become those of `target`; both (3, H, W).

    The linear optimal-transport map between two Gaussians (Pitié and Kokaram 2007).
    """
    pixels, goal = image.flatten(1).double(), target.flatten(1).double()  # (3, N), (3, M)
    noise = _NOISE_VARIANCE * torch.eye(3, dtype=torch.float64, device=image.device)
    cov, goal_cov = _covariance(pixels) + noise, _covariance(goal) + noise
    root = _matrix_power(cov, 0.5)
    inverse_root = _matrix_power(cov, -0.5)
    move = inverse_root @ _matrix_power(root @ goal_cov @ root, 0.5) @ inverse_root  # (3, 3)
    moved = move @ (pixels - pixels.mean(1, keepdim=True)) + goal.mean(1, keepdim=True)
    return moved.float().view_as(image).clamp(0, 1)


def _covariance(pixels: Tensor) -> Tensor:
    centred = pixels - pixels.mean(1, keepdim=True)
    return centred @ centred.T / pixels.shape[1]


def _matrix_power(matrix: Tensor, power: float) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    powered: Tensor = vectors @ torch.diag(values.clamp(min=1e-12) ** power) @ vectors.T
    return powered


def sample_pixels(images: list[Tensor], shares: list[float], generator: torch.Generator) -> Tensor:
    """About 20,000 pixels drawn from the pictures in these shares -> (n, 3)."""
    drawn = []
    for image, share in zip(images, shares, strict=True):
        pixels = image.flatten(1).T  # (N, 3)
        count = round(_SAMPLE * share)
        pick = torch.randint(pixels.shape[0], (count,), generator=generator)
        drawn.append(pixels[pick.to(image.device)])
    return torch.cat(drawn)


@dataclass(frozen=True)
class _Table:
    """A monotone 1-D map given by its knots: x ascending and distinct, y ascending."""

    x: Tensor
    y: Tensor

    def to(self, device: torch.device) -> _Table:
        return _Table(self.x.to(device), self.y.to(device))

    def __call__(self, values: Tensor) -> Tensor:
        if self.x.numel() == 1:
            return self.y.expand_as(values)
        right = torch.searchsorted(self.x, values.contiguous()).clamp_(1, self.x.numel() - 1)
        left = right - 1
        x0, y0 = self.x[left], self.y[left]
        part = ((values - x0) / (self.x[right] - x0)).clamp_(0, 1)
        return y0 + part * (self.y[right] - y0)


@dataclass(frozen=True)
class ColourMap:
    """A colour change as a chain of (rotation, three 1-D tables)."""

    steps: list[tuple[Tensor, list[_Table]]]

    def apply(self, image: Tensor, pulse: Callable[[], None] = lambda: None) -> Tensor:
        """(3, H, W) -> (3, H, W), clamped to 0..1. Calls `pulse` often; it may raise to stop."""
        pixels = image.flatten(1).T.contiguous()  # (N, 3)
        parts = []
        for chunk in torch.split(pixels, _CHUNK):
            pulse()
            parts.append(self._move(chunk))
        moved = torch.cat(parts)
        return moved.T.reshape(image.shape).clamp(0, 1)

    def _move(self, pixels: Tensor) -> Tensor:
        for rotation, tables in self.steps:
            pixels = _match(pixels, rotation, tables)
        return pixels


def _match(pixels: Tensor, rotation: Tensor, tables: list[_Table]) -> Tensor:
    turned = (pixels @ rotation).T.contiguous()  # (3, N)
    matched = torch.stack([table(row) for table, row in zip(tables, turned, strict=True)])
    return matched.T @ rotation.T


def sliced_transport(source: Tensor, target: Tensor, generator: torch.Generator) -> ColourMap:
    """Fit the map that moves the pixels `source` (N, 3) onto the distribution of `target` (M, 3).

    Iterative distribution transfer (Pitié, Kokaram, Dahyot 2007): quantile matching along the axes of a
    new random rotation, 20 times. Fitted on samples with 128-knot tables; the map then costs 60 table
    look-ups a pixel instead of 60 full-resolution sorts.
    """
    device = source.device
    # Fitted on the CPU, where sums have one order: every device then applies the very same map.
    source, target = source.cpu(), target.cpu()
    levels = torch.linspace(0, 1, _KNOTS)
    steps = []
    for _ in range(_ROTATIONS):
        turn, _ = torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=torch.float64))
        rotation = turn.float()
        from_knots = torch.quantile(source @ rotation, levels, dim=0)  # (128, 3)
        to_knots = torch.quantile(target @ rotation, levels, dim=0)
        tables = [_table(from_knots[:, axis], to_knots[:, axis]) for axis in range(3)]
        source = _match(source, rotation, tables)
        steps.append((rotation.to(device), [table.to(device) for table in tables]))
    return ColourMap(steps)


def _table(x: Tensor, y: Tensor) -> _Table:
    """Knots with runs of one x (flat areas) merged: such a run goes to the middle of its targets."""
    grid = (x * 2**14).round() / 2**14
    distinct, run = torch.unique_consecutive(grid, return_inverse=True)
    total = torch.zeros_like(distinct).index_add_(0, run, y)
    return _Table(distinct, total / torch.bincount(run, minlength=distinct.numel()))
