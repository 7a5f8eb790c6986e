"""What a generator draws from, by chance, for training and measuring."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from engines.planets.model import noise_of
from engines.planets.spec import LATENT
from engines.worlds import WORLDS


def drawn(count: int, size: int, draw: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Latents (B, 128), worlds (B, 12), each equally likely, and noise (B, noise_of(size))."""
    z = torch.randn(count, LATENT, generator=draw)
    worlds = torch.randint(len(WORLDS), (count,), generator=draw)
    return z, F.one_hot(worlds, len(WORLDS)).float(), noise(count, size, draw)


def noise(count: int, size: int, draw: torch.Generator) -> Tensor:
    """(B, noise_of(size)) of mean 0 and variance 1; uniform, as the engine makes it of bytes."""
    return (torch.rand(count, noise_of(size), generator=draw) - 0.5).mul_(math.sqrt(12.0))
