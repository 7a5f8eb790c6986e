"""Sheets of what a generator makes: a row for each world, the same latents every time."""

from __future__ import annotations

import torch
from PIL import Image
from torch import Tensor

from engines.planets.model import Generator
from engines.planets.spec import LATENT
from engines.seeds import generator as draws
from engines.worlds import WORLDS
from training.planets.codes import noise

COLUMNS = 12


@torch.no_grad()
def sheet(generator: Generator, device: torch.device, seed: int, columns: int = COLUMNS) -> Image.Image:
    """(worlds x columns) pictures without gaps; rows in the order of `WORLDS`."""
    draw = draws(seed, "sheet")
    z = torch.randn(len(WORLDS), columns, LATENT, generator=draw)
    rows = [
        generator(
            z[row].to(device),
            torch.eye(len(WORLDS))[row].expand(columns, -1).to(device),
            noise(columns, generator.size, draw).to(device),
        )
        for row in range(len(WORLDS))
    ]
    return tiled(torch.stack(rows))


def tiled(pictures: Tensor) -> Image.Image:
    """(rows, columns, 3 or 4, S, S) in [-1, 1] -> one RGB picture on black."""
    rows, columns, _, side, _ = pictures.shape
    pixels = ((pictures[:, :, :3].clamp(-1, 1) + 1.0) * 127.5 + 0.5).to(torch.uint8).cpu()
    pixels = pixels.permute(0, 3, 1, 4, 2).reshape(rows * side, columns * side, 3)
    return Image.fromarray(pixels.numpy())
