"""Fresh random generators: the numbers of one step depend on its place alone, so a checkpoint needs none."""

from __future__ import annotations

import hashlib

import torch


def generator(seed: int, purpose: str, level: int = 0, iteration: int = 0) -> torch.Generator:
    """A CPU generator for one step; the same on every device, whatever ran before."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{level}/{iteration}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
