"""Drawn planets with a known outline, for the tests of the preparation."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from training.planets.preparing.disc import Disc, grid

BALL = Disc(210.3, 171.8, 120.5, 120.5, 0.0)
EGG = Disc(200.4, 190.2, 150.3, 84.6, 0.6)


def assert_same(found: Disc | None, drawn: Disc, pixels: float) -> None:
    """Both outlines run within that many pixels of each other."""
    assert found is not None
    x, y, _, _ = drawn.outline(180)
    assert np.abs(found.distance(x, y)).max() < pixels


def texture(width: int, height: int, seed: int, detail: float = 1.0) -> np.ndarray:
    """Smooth noise of several scales in 0.5..1, (H, W); `detail` scales the finest."""
    random = np.random.default_rng(seed)
    total = np.zeros((height, width))
    for cell, strength in ((64, 1.0), (16, 0.7), (4, 0.5 * detail), (2, 0.4 * detail)):
        shape = (height // cell + 2, width // cell + 2)
        part = Image.fromarray(random.uniform(-1, 1, shape).astype(np.float32))
        total += strength * np.asarray(part.resize((width, height), Image.Resampling.BICUBIC))
    return np.clip(0.75 + 0.15 * total, 0.5, 1.0)


def planet(
    size: tuple[int, int],
    disc: Disc,
    *,
    colour: tuple[int, int, int] = (200, 150, 110),
    background: tuple[int, int, int] = (0, 0, 0),
    light: tuple[float, float, float] | None = None,
    noise: float = 0.0,
    seed: int = 0,
    detail: float = 1.0,
) -> Image.Image:
    """An RGB picture of `size` (width, height) of a lit body; `light` is a direction (x, y, towards us)."""
    width, height = size
    x, y = grid(width, height)
    shade = texture(width, height, seed, detail)
    if light is not None:
        u, v = (x - disc.x) / disc.major, (y - disc.y) / disc.major
        normal = np.stack([u, v, np.sqrt(np.maximum(1 - u * u - v * v, 0))])
        towards = np.array(light) / np.linalg.norm(light)
        shade = shade * np.clip(np.tensordot(towards, normal, 1) * 1.3, 0, 1)
    cover = disc.coverage(width, height)[..., None]
    pixels = np.array(colour) * shade[..., None] * cover + np.array(background) * (1 - cover)
    pixels += np.random.default_rng(seed + 1).normal(0, noise, pixels.shape) if noise else 0.0
    return Image.fromarray(np.clip(pixels + 0.5, 0, 255).astype(np.uint8))


def captioned(
    image: Image.Image, box: tuple[int, int, int, int], text: str = "Press Esc to leave"
) -> Image.Image:
    """A copy with a grey box and text over it."""
    copy = image.copy()
    draw = ImageDraw.Draw(copy)
    draw.rectangle(box, fill=(70, 70, 74))
    draw.text((box[0] + 4, box[1] + 2), text, fill=(240, 240, 240))
    return copy
