"""What a picture costs follows from what the methods compute."""

from __future__ import annotations

import math

import pytest

from engines.neural_style import schedule
from engines.neural_style.spec import SPEC, NeuralStyleParams


def cost(**params):
    return SPEC.cost(NeuralStyleParams(**{"content": "art_photo", "style": ["art_painting"]} | params))


@pytest.mark.parametrize(
    ("size", "quality", "seconds"),
    [
        ((192, 256), "draft", 2.1),
        ((192, 256), "normal", 2.5),
        ((384, 512), "draft", 7.1),
        ((1536, 2048), "draft", 99.5),
    ],
)
def test_patches_take_about_what_was_measured(size, quality, seconds):
    """Processor seconds, without what it takes to read the pictures."""
    assert schedule.patches_seconds(size, [size], quality) == pytest.approx(seconds, rel=0.25)


def test_gatys_is_much_more_work_than_patches():
    assert cost(method="gatys", size=256) > 10 * cost(size=256)
    assert cost(method="gatys", size=256) < cost(method="gatys", size=512)
    assert cost(method="gatys", quality="draft") < cost(method="gatys", quality="best")


def test_a_style_of_no_weight_costs_nothing():
    two = {"style": ["art_a", "art_b"]}
    assert cost(**two, style_weights=[1, 0]) == cost() < cost(**two)


@pytest.mark.parametrize("size", [64, 128, 768, 2048])
@pytest.mark.parametrize("method", ["patches", "gatys", "auto"])
def test_every_picture_costs_something(size, method):
    assert 0 < cost(size=size, method=method) < math.inf


def test_a_search_that_is_not_exact_looks_furthest_at_first():
    first, second, *others = schedule.level_work((600, 800), [(600, 800)], 1.0, 8)
    assert first > second > others[0] == others[-1]


def test_an_exact_one_is_the_same_each_time():
    assert len(set(schedule.level_work((60, 80), [(60, 80)], 1.0, 8))) == 1
