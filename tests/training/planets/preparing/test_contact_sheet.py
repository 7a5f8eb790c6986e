"""A contact sheet has a place for each picture, shows what is transparent as such, and takes any caption."""

from __future__ import annotations

import numpy as np
from PIL import Image

from training.planets.preparing.contact_sheet import sheet


def test_pictures_lie_in_rows_and_transparency_shows_the_background():
    picture = Image.new("RGBA", (64, 64), (0, 255, 0, 255))
    picture.paste((0, 0, 0, 0), (0, 0, 32, 64))

    page = sheet([(picture, f"{number:03}") for number in range(5)], tile=64, columns=3, background="#ff00ff")

    pixels = np.asarray(page).astype(int)
    assert page.mode == "RGB"
    assert page.width < 3 * 80
    assert 2 * 64 < page.height < 2 * 100
    green, magenta = (pixels == (0, 255, 0)).all(axis=2), (pixels == (255, 0, 255)).all(axis=2)
    assert green.sum() == 5 * 32 * 64
    assert magenta.sum() > 5 * 32 * 64


def test_large_and_wide_pictures_are_made_to_fit():
    page = sheet([(Image.new("RGB", (1000, 20), (255, 0, 0)), "wide")], tile=50)

    assert page.width <= 60
    assert (np.asarray(page) == (255, 0, 0)).all(axis=2).sum() == 50


def test_any_caption():
    page = sheet(
        [(Image.new("L", (5, 5)), "слишком тёмный \N{FULL MOON SYMBOL} " * 40), (Image.new("1", (5, 5)), "")]
    )

    assert page.width < 300


def test_no_pictures():
    assert sheet([]).size >= (1, 1)
