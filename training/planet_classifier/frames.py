"""Drawn pictures that fill their square and show no planet. Each maker is (chance, side) -> RGB picture."""

from __future__ import annotations

import string

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Array = npt.NDArray[np.float64]


def to_picture(rgb: Array) -> Image.Image:
    """(S, S, 3) in 0..1 -> RGB picture."""
    return Image.fromarray((np.clip(rgb, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8))


def any_colour(chance: np.random.Generator) -> tuple[int, int, int]:
    """A colour for drawing; every fourth is a grey."""
    if chance.random() < 0.25:
        grey = int(chance.integers(0, 256))
        return grey, grey, grey
    red, green, blue = (int(value) for value in chance.integers(0, 256, 3))
    return red, green, blue


def fractal(chance: np.random.Generator, side: int, slope: float) -> Array:
    """(S, S) noise whose amplitude falls with frequency to the power `slope`, 0..1."""
    across = np.fft.fftfreq(side)[:, None]
    down = np.fft.rfftfreq(side)[None]
    radius = np.maximum(np.hypot(across, down), 1.0 / side)
    phases = np.exp(2j * np.pi * chance.random(radius.shape))
    values = np.fft.irfft2(phases * chance.rayleigh(size=radius.shape) / radius**slope, (side, side))
    low, high = np.percentile(values, (1.0, 99.0))
    found: Array = np.clip((values - low) / max(high - low, 1e-9), 0.0, 1.0)
    return found


def palette(chance: np.random.Generator, values: Array) -> Array:
    """(S, S) in 0..1 -> (S, S, 3): through a ramp of some random colours."""
    count = int(chance.integers(2, 6))
    stops = np.sort(chance.random(count))
    colours = chance.random((count, 3))
    if chance.random() < 0.25:
        colours = np.repeat(colours[:, :1], 3, 1)
    return np.stack([np.interp(values, stops, colours[:, channel]) for channel in range(3)], -1)


def flat(chance: np.random.Generator, side: int) -> Image.Image:
    """One colour; black and white are frequent."""
    pick = chance.random()
    colour = (0, 0, 0) if pick < 0.25 else (255, 255, 255) if pick < 0.45 else any_colour(chance)
    return Image.new("RGB", (side, side), colour)


def gradient(chance: np.random.Generator, side: int) -> Image.Image:
    """Linear or round, or nearly dark with one glow."""
    y, x = np.mgrid[0:side, 0:side] / side
    angle = chance.uniform(0.0, 2.0 * np.pi)
    values = x * np.cos(angle) + y * np.sin(angle)
    if chance.random() < 0.5:
        values = np.hypot(x - chance.random(), y - chance.random())
    values = (values - values.min()) / max(np.ptp(values), 1e-9)
    return to_picture(palette(chance, values))


def grain(chance: np.random.Generator, side: int) -> Image.Image:
    """White noise, uniform or normal, of some grain and strength, grey or coloured."""
    fine = int(chance.integers(4, side + 1))
    channels = 3 if chance.random() < 0.5 else 1
    if chance.random() < 0.4:
        values = chance.random((fine, fine, channels))
    else:
        values = chance.random(channels) + chance.normal(
            0.0, chance.uniform(0.01, 0.4), (fine, fine, channels)
        )
    small = to_picture(np.repeat(values, 3 // channels, 2))
    return small.resize((side, side), Image.Resampling(int(chance.choice([0, 2, 3]))))


def cloth(chance: np.random.Generator, side: int) -> Image.Image:
    """Fractal textures: clouds, marble, rock."""
    values = fractal(chance, side, chance.uniform(0.6, 2.2))
    if chance.random() < 0.3:
        values = np.abs(values * 2.0 - 1.0)
    return to_picture(palette(chance, values))


def pattern(chance: np.random.Generator, side: int) -> Image.Image:
    """Checkerboards, stripes, waves, dots, at any angle."""
    y, x = np.mgrid[0:side, 0:side].astype(np.float64)
    angle, period = chance.uniform(0.0, np.pi), chance.uniform(3.0, side / 2)
    u = (x * np.cos(angle) + y * np.sin(angle)) / period
    v = (y * np.cos(angle) - x * np.sin(angle)) / period
    kind = chance.integers(4)
    if kind == 0:
        values = (np.floor(u) + np.floor(v)) % 2
    elif kind == 1:
        values = (u % 1.0 < chance.uniform(0.2, 0.8)).astype(np.float64)
    elif kind == 2:
        values = 0.5 + 0.5 * np.sin(2.0 * np.pi * u)
    else:
        values = (np.hypot(u % 1.0 - 0.5, v % 1.0 - 0.5) < chance.uniform(0.1, 0.45)).astype(np.float64)
    return to_picture(palette(chance, values))


def shapes(chance: np.random.Generator, side: int) -> Image.Image:
    """Some polygons, boxes, lines and ellipses."""
    picture = flat(chance, side * 2)
    pen = ImageDraw.Draw(picture)
    for _ in range(int(chance.integers(1, 15))):
        points = [
            (float(x), float(y))
            for x, y in chance.uniform(-0.2, 1.2, (int(chance.integers(3, 7)), 2)) * side * 2
        ]
        colour = any_colour(chance)
        kind = chance.integers(4)
        if kind == 0:
            pen.polygon(points, fill=colour)
        elif kind == 1:
            pen.line(points, fill=colour, width=int(chance.integers(1, 12)))
        else:
            (left, top), (right, bottom) = np.sort(np.array(points[:2]), 0)
            box = (float(left), float(top), float(right), float(bottom))
            (pen.rectangle if kind == 2 else pen.ellipse)(box, fill=colour)
    return picture.resize((side, side), Image.Resampling.BOX)


def text(chance: np.random.Generator, side: int) -> Image.Image:
    """A page, a sign, a screen: lines of letters."""
    picture = flat(chance, side)
    pen = ImageDraw.Draw(picture)
    size = float(chance.uniform(7.0, 48.0))
    font = ImageFont.load_default(size)
    letters = list(string.ascii_letters + string.digits + "     .,;!?")
    colour, y = any_colour(chance), float(chance.uniform(-5.0, 20.0))
    while y < side:
        line = "".join(chance.choice(letters, 40))
        pen.text((float(chance.uniform(-10.0, 20.0)), y), line, fill=colour, font=font)
        y += size * float(chance.uniform(1.1, 1.8))
    return picture


def sky(chance: np.random.Generator, side: int) -> Image.Image:
    """Space without a planet: stars, sometimes a cloud of light or a bright glow."""
    rgb = np.zeros((side, side, 3))
    if chance.random() < 0.5:
        cloud = fractal(chance, side, chance.uniform(1.4, 2.4))[..., None]
        rgb += (
            np.clip(cloud - chance.uniform(0.2, 0.7), 0.0, 1.0) * chance.random(3) * chance.uniform(0.3, 1.5)
        )
    if chance.random() < 0.4:
        y, x = np.mgrid[0:side, 0:side] / side
        distance = np.hypot(x - chance.random(), y - chance.random())
        glow = np.exp(-distance / chance.uniform(0.02, 0.15))[..., None]
        rgb += glow * (0.5 + 0.5 * chance.random(3))
    count = int(chance.integers(0, 400))
    rows, columns = chance.integers(0, side, (2, count))
    rgb[rows, columns] += (chance.random((count, 1)) ** 2) * (0.7 + 0.3 * chance.random((count, 3)))
    return to_picture(rgb)


MAKERS = (flat, gradient, grain, cloth, pattern, shapes, text, sky, cloth)
