"""Colours and proportions as people write them."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from engines.notation import COLOURS, Aspect, Colour, rgba, width_to_height

COLOUR, ASPECT = TypeAdapter(Colour), TypeAdapter(Aspect)


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("#fc0", (255, 204, 0, 255)),
        ("#FC08", (255, 204, 0, 136)),
        ("#ffcc01", (255, 204, 1, 255)),
        ("#ffcc0180", (255, 204, 1, 128)),
        (" White ", (255, 255, 255, 255)),
        ("transparent", (255, 255, 255, 0)),
    ],
)
def test_a_colour_is_read(text, levels):
    assert rgba(COLOUR.validate_python(text)) == levels


def test_every_name_is_a_colour():
    assert all(len(rgba(COLOUR.validate_python(name))) == 4 for name in COLOURS)


@pytest.mark.parametrize(
    "text", ["", "#", "#12", "#12345", "#gggggg", "mauvish", "rgb(1,2,3)", "#١٢٣", "x" * 99]
)
def test_what_is_no_colour_is_refused(text):
    with pytest.raises(ValidationError):
        COLOUR.validate_python(text)


@pytest.mark.parametrize(
    ("text", "aspect"), [("1:1", 1.0), ("16:9", 16 / 9), (" 4 : 3 ", 4 / 3), ("1.85:1", 1.85), ("1:20", 0.05)]
)
def test_an_aspect_is_read(text, aspect):
    assert width_to_height(ASPECT.validate_python(text)) == pytest.approx(aspect)


@pytest.mark.parametrize(
    "text", ["", "1", "0:1", "1:0", "21:1", "1:21", "-1:1", "1:1:1", "a:b", "1e9:1", "١:١"]
)
def test_what_is_no_aspect_is_refused(text):
    with pytest.raises(ValidationError):
        ASPECT.validate_python(text)
