"""What the discriminator always looks through, so that it cannot learn ninety pictures by heart.

Differentiable augmentations, applied to real and made pictures alike (Zhao et al. 2020), each with a
probability p that follows how sure the discriminator is of the real ones (Karras et al. 2020, "Training
Generative Adversarial Networks with Limited Data", ADA). Well below p = 1 they do not leak into what is made.

Departure: rotation by any angle. A planet has no upright, but its pictures have; so it stays an augmentation.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

#: The sign of the discriminator's answer to real pictures, on average, above which p grows (ADA, section 3).
TARGET = 0.6
#: Thousand pictures in which p can go from 0 to 1. ADA's 500 is for runs a hundred times as long.
RAMP_KIMG = 100.0
#: Above this, augmented pictures start to be made (ADA, figure 3).
MOST = 0.8
#: Steps over which the sign is averaged before p moves.
INTERVAL = 4


class Augment:
    """The augmentations, their probability `p`, and the rule that moves it."""

    def __init__(self, p: float = 0.0, fixed: bool = False) -> None:
        """`fixed`: p stays as it is."""
        self.p = p
        self.fixed = fixed
        self._signs: list[float] = []

    def __call__(self, x: Tensor, draw: torch.Generator) -> Tensor:
        """(B, 4, S, S) in [-1, 1], colours premultiplied -> the same, augmented; numbers come from `draw`."""
        if self.p <= 0.0:
            return x
        x = (x + 1.0) * 0.5  # outside the disc everything is 0 now: what geometry moves in is empty space
        x = _colour(x, self.p, draw)
        x = _geometry(x, self.p, draw)
        x = _cutout(x, self.p, draw)
        return x * 2.0 - 1.0

    def observe(self, real_scores: Tensor) -> None:
        """Take note of what the discriminator said of a batch of real pictures, (B,), and move p."""
        if self.fixed:
            return
        self._signs.append(real_scores.detach().sign().mean().item())
        if len(self._signs) == INTERVAL:
            step = len(real_scores) * INTERVAL / (RAMP_KIMG * 1000.0)
            sure = sum(self._signs) / INTERVAL > TARGET
            self.p = min(max(self.p + (step if sure else -step), 0.0), MOST)
            self._signs.clear()

    def state(self) -> dict[str, float | list[float]]:
        """Everything that changes, for a checkpoint."""
        return {"p": self.p, "signs": list(self._signs)}

    def restore(self, state: dict[str, float | list[float]]) -> None:
        """Continue from `state()`."""
        self.p, self._signs = float(state["p"]), list(state["signs"])  # type: ignore[arg-type]


def _uniform(count: int, low: float, high: float, x: Tensor, draw: torch.Generator) -> Tensor:
    return (torch.rand(count, generator=draw) * (high - low) + low).to(x.device)


def _chosen(count: int, p: float, x: Tensor, draw: torch.Generator) -> Tensor:
    """(B,) float: 1 with probability p, else 0."""
    return (torch.rand(count, generator=draw) < p).float().to(x.device)


def _colour(x: Tensor, p: float, draw: torch.Generator) -> Tensor:
    """Brightness, saturation and contrast of the disc; the mask stays."""
    count = len(x)
    rgb, alpha = x[:, :3], x[:, 3:]
    on = [_chosen(count, p, x, draw).view(-1, 1, 1, 1) for _ in range(3)]
    brightness = _uniform(count, -0.25, 0.25, x, draw).view(-1, 1, 1, 1) * on[0]
    saturation = 1.0 + (_uniform(count, 0.0, 2.0, x, draw).view(-1, 1, 1, 1) - 1.0) * on[1]
    contrast = 1.0 + (_uniform(count, 0.5, 1.5, x, draw).view(-1, 1, 1, 1) - 1.0) * on[2]
    grey = rgb.mean(1, keepdim=True)
    rgb = grey + (rgb - grey) * saturation
    area = alpha.sum((1, 2, 3), keepdim=True) + 1.0
    mean = rgb.sum((1, 2, 3), keepdim=True) / (3.0 * area) * alpha
    rgb = mean + (rgb - mean) * contrast + brightness * alpha
    return torch.cat([rgb, alpha], dim=1)


def _geometry(x: Tensor, p: float, draw: torch.Generator) -> Tensor:
    """Rotation, scale and shift, in one bilinear resampling."""
    count = len(x)
    turn = _uniform(count, -math.pi, math.pi, x, draw) * _chosen(count, p, x, draw)
    scale = torch.exp2(_uniform(count, -0.35, 0.35, x, draw) * _chosen(count, p, x, draw))
    shift = torch.stack([_uniform(count, -0.25, 0.25, x, draw) for _ in range(2)], dim=1)  # of half a side
    shift = shift * _chosen(count, p, x, draw)[:, None]
    cosine, sine = torch.cos(turn) * scale, torch.sin(turn) * scale
    rows = [torch.stack([cosine, -sine, shift[:, 0]], 1), torch.stack([sine, cosine, shift[:, 1]], 1)]
    grid = F.affine_grid(torch.stack(rows, 1), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _cutout(x: Tensor, p: float, draw: torch.Generator) -> Tensor:
    """A square of half the side, anywhere, becomes empty."""
    count, side = len(x), x.shape[-1]
    centre = torch.rand(2, count, generator=draw).to(x.device) * side  # (2, B)
    place = torch.arange(side, device=x.device) + 0.5
    near = (place[None, None, :] - centre[:, :, None]).abs() < side / 4  # (2, B, S)
    hidden = near[0][:, :, None] & near[1][:, None, :]  # (B, S, S)
    keep = 1.0 - hidden.float() * _chosen(count, p, x, draw)[:, None, None]
    return x * keep[:, None]
