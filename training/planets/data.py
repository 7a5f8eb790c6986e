"""Prepared pictures of planets in memory: what training and evaluation read.

`prepare.py` writes `FOLDER/<size>/<world>/<name>.png`, RGBA with the disc's mask as alpha.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor


@dataclass(frozen=True)
class Pictures:
    """All pictures of one size; a picture's label is the index of its world in `worlds`."""

    #: (N, 4, S, S) uint8: red, green, blue premultiplied by alpha, and alpha.
    pixels: Tensor
    #: (N,) int64.
    labels: Tensor
    #: "earth/003", in the same order.
    names: tuple[str, ...]
    worlds: tuple[str, ...]

    def subset(self, chosen: Tensor) -> Pictures:
        """Those at the given indices, (K,) int64."""
        names = tuple(self.names[index] for index in chosen.tolist())
        return Pictures(self.pixels[chosen], self.labels[chosen], names, self.worlds)


def load(folder: Path, size: int, worlds: tuple[str, ...]) -> Pictures:
    """Read `folder/<size>/<world>/*.png`. Raises FileNotFoundError when a world has no pictures."""
    pixels, labels, names = [], [], []
    for label, world in enumerate(worlds):
        files = sorted((folder / str(size) / world).glob("*.png"))
        if not files:
            raise FileNotFoundError(f"no pictures in {folder / str(size) / world}; run prepare.py first")
        for file in files:
            with Image.open(file, formats=("PNG",)) as opened:
                rgba = np.asarray(opened.convert("RGBA"), dtype=np.float32)
            if rgba.shape[:2] != (size, size):
                raise ValueError(f"{file} is {rgba.shape[1]} x {rgba.shape[0]}, not {size} x {size}")
            rgba = rgba.copy()
            rgba[..., :3] *= rgba[..., 3:] / 255.0
            pixels.append(torch.from_numpy((rgba + 0.5).astype(np.uint8)).permute(2, 0, 1))
            labels.append(label)
            names.append(f"{world}/{file.stem}")
    return Pictures(torch.stack(pixels).contiguous(), torch.tensor(labels), tuple(names), worlds)


def held_out(pictures: Pictures, tenth: int = 0) -> tuple[Tensor, Tensor]:
    """Indices (kept, held out): a tenth of the files, by a hash of each one's name, so that it stays."""
    digests = [hashlib.sha256(name.encode()).digest()[0] % 10 for name in pictures.names]
    chosen = torch.tensor([digest == tenth for digest in digests])
    return torch.nonzero(~chosen).flatten(), torch.nonzero(chosen).flatten()
