"""Picture arithmetic shared by both methods: resizing, blurring, padding. (C, H, W) float32."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from engines.neural_style.schedule import Size


def resize(image: Tensor, size: Size) -> Tensor:
    """Bicubic, antialiased when shrinking, clamped to 0..1."""
    if image.shape[-2:] == size:
        return image
    resized = F.interpolate(image[None], size=size, mode="bicubic", align_corners=False, antialias=True)
    return resized[0].clamp(0, 1)


def blur(image: Tensor, sigma: float) -> Tensor:
    """Gaussian blur, edges replicated."""
    radius = math.ceil(3 * sigma)
    offsets = torch.arange(-radius, radius + 1, dtype=image.dtype, device=image.device)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = kernel / kernel.sum()
    planes = image[:, None]  # (C, 1, H, W)
    planes = F.conv2d(F.pad(planes, (radius, radius, 0, 0), mode="replicate"), kernel.view(1, 1, 1, -1))
    planes = F.conv2d(F.pad(planes, (0, 0, radius, radius), mode="replicate"), kernel.view(1, 1, -1, 1))
    return planes[:, 0]


def gradient(plane: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences of (1, H, W) along x and along y."""
    padded = F.pad(plane[None], (1, 1, 1, 1), mode="replicate")[0]
    along_x = (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]) / 2
    along_y = (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]) / 2
    return along_x, along_y


def pad(image: Tensor, border: int) -> Tensor:
    """Reflect at the borders; a side too short to be reflected is replicated."""
    height, width = image.shape[-2:]
    rows = "reflect" if height > border else "replicate"
    columns = "reflect" if width > border else "replicate"
    padded = F.pad(image[None], (border, border, 0, 0), mode=columns)
    return F.pad(padded, (0, 0, border, border), mode=rows)[0]
