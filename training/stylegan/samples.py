"""Sheets of what a generator makes: a row for each class, the same latents every time."""

from __future__ import annotations

import torch
from PIL import Image
from torch import Tensor

from engines.seeds import generator as draws
from engines.stylegan.model import Generator
from training.planets.samples import tiled
from training.stylegan.dataset import Pictures

#: Pictures in a row, and rows where there are no classes, or more than so many.
COLUMNS, ROWS = 12, 8


def row_labels(pictures: Pictures) -> Tensor:
    """(rows, label_size): each class once, or labels of pictures spread over the dataset."""
    size = pictures.label_size
    if 0 < size <= 2 * ROWS and pictures.classes:
        return torch.eye(size)
    step = max(len(pictures) // ROWS, 1)
    return torch.stack([pictures.label(row * step % len(pictures)) for row in range(ROWS)])


@torch.no_grad()
def sheet(generator: Generator, labels: Tensor, device: torch.device, seed: int) -> Image.Image:
    """(rows x COLUMNS) pictures without gaps, with fixed noise."""
    latents = torch.randn(len(labels), COLUMNS, generator.config.z_dim, generator=draws(seed, "sheet"))
    rows = [
        generator(z.to(device), label.expand(COLUMNS, -1).to(device))
        for z, label in zip(latents, labels, strict=True)
    ]
    made = torch.stack(rows)
    return tiled(made.expand(-1, -1, 3, -1, -1) if made.shape[2] == 1 else made)
