"""Frames to film, and the film of them."""

from __future__ import annotations

from fractions import Fraction

from PIL import Image

from engines.films import FILMS

RATES = [Fraction(12), Fraction(24), Fraction(30_000, 1001), Fraction(60)]


def colours(count: int, size: tuple[int, int], mode: str = "RGB") -> list[Image.Image]:
    fill = [(n * 255 // count, 80, 120) + ((200,) if mode == "RGBA" else ()) for n in range(count)]
    return [Image.new(mode, size, shade) for shade in fill]


def made(kind, rate, frames, target, state=None):
    with FILMS[kind](rate, state) as film:
        for frame in frames[film.done :]:
            film.add(frame)
        film.finish(target, {"seed": 5})
    return target.read_bytes()
