"""Planets that are easily told apart."""

from __future__ import annotations

import torch

from engines.worlds import WORLDS
from training.planets.data import Pictures


def planets(each=2, side=128):
    """Discs with stripes, of another direction and colour for each world."""
    axis = (torch.arange(side) + 0.5) / side * 2.0 - 1.0
    y, x = axis[:, None].expand(side, side), axis.expand(side, side)
    inside = (x.square() + y.square() < 0.9).float()
    pixels, labels = [], []
    for world in range(len(WORLDS)):
        for number in range(each):
            angle = torch.tensor(world * 0.5)
            stripes = 0.5 + 0.5 * torch.sin((x * angle.cos() + y * angle.sin()) * (8.0 + number * 0.3))
            colour = torch.tensor([world % 3, world // 3 % 3, world % 4 * 0.6]).add(0.5).view(3, 1, 1) / 2.5
            rgb = colour.clamp(max=1.0) * stripes * inside
            pixels.append(torch.cat([rgb, inside[None]]) * 255.0)
            labels.append(world)
    names = tuple(f"{WORLDS[label]}/{index}" for index, label in enumerate(labels))
    return Pictures(torch.stack(pixels).to(torch.uint8), torch.tensor(labels), names, WORLDS)
