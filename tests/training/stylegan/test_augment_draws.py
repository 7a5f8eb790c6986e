"""What is done to each picture: how often, how strongly, and by which numbers."""

from __future__ import annotations

import math
from dataclasses import fields

import pytest
import torch

from training.stylegan.augment_draws import AUGMENTATIONS, BANDS, PIPES, Draws, Random, draw


def random(seed: int = 1) -> Random:
    return Random(torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", sorted(AUGMENTATIONS))
def test_each_comes_as_often_as_asked(name):
    # given: draws of which a picture's are changed or not
    count, p = 20_000, 0.3
    draws = draw(frozenset({name}), p, count, 64, random())
    nothing = draw(frozenset(), p, count, 64, random())
    # when
    changed = torch.zeros(count, dtype=torch.bool)
    for field in fields(Draws):
        if field.name != "hole_centre":
            different = getattr(draws, field.name) != getattr(nothing, field.name)
            changed |= different.view(count, -1).any(1)
    # then: a flip, a quarter turn may be drawn and be none; each octave comes by itself
    visible = {"xflip": 0.5, "rotate90": 0.75, "lumaflip": 0.5}.get(name, 1.0)
    expected = 1.0 - (1.0 - p) ** BANDS if name == "imgfilter" else p * visible
    assert changed.double().mean().item() == pytest.approx(expected, abs=0.02)


def test_they_are_as_strong_as_the_paper_says():
    count, side = 50_000, 64
    draws = draw(AUGMENTATIONS, 1.0, count, side, random())
    spread = {
        "scale": (draws.scale.log2(), 0.2),
        "stretch": (draws.stretch.log2(), 0.2),
        "drift": (draws.drift / side, 0.125),
        "brightness": (draws.brightness, 0.2),
        "contrast": (draws.contrast.log2(), 0.5),
        "saturation": (draws.saturation.log2(), 1.0),
    }
    for name, (values, deviation) in spread.items():
        assert values.std().item() == pytest.approx(deviation, rel=0.02), name
        assert values.mean().item() == pytest.approx(0.0, abs=0.02), name
    for angle in (draws.turn_before, draws.turn_after, draws.hue):
        assert angle.abs().max() <= math.pi
        assert angle.std().item() == pytest.approx(math.pi / math.sqrt(3.0), rel=0.02)
    assert draws.shift.abs().max() == 8
    assert torch.equal(draws.shift, draws.shift.round())
    assert set(draws.quarters.tolist()) == {0.0, 1.0, 2.0, 3.0}
    assert draws.noise.square().mean().sqrt().item() == pytest.approx(0.1, rel=0.02)


def test_a_changed_octave_leaves_a_usual_picture_its_power():
    bands = draw(frozenset({"imgfilter"}), 0.2, 2000, 32, random()).bands
    power = torch.tensor([10.0, 1.0, 1.0, 1.0], dtype=torch.float64) / 13.0
    for band in range(BANDS):
        others = [other for other in range(BANDS) if other != band]
        level = bands[:, others[:1]]
        alone = (bands[:, others] == level).all(1) & (bands[:, band] != level[:, 0])
        assert alone.sum() > 50
        kept = (power * bands[alone].square()).sum(1)
        assert torch.allclose(kept, torch.ones_like(kept))


def test_another_probability_moves_no_other_number():
    rare, often = (draw(AUGMENTATIONS, p, 2000, 32, random()) for p in (0.2, 0.6))
    kept = rare.scale != 1.0
    assert kept.any()
    assert torch.equal(rare.scale[kept], often.scale[kept])
    assert torch.equal(rare.hole_centre, often.hole_centre)


def test_parts_are_the_whole():
    whole = draw(AUGMENTATIONS, 0.5, 6, 16, random())
    parts = [whole.part(rank, 2) for rank in range(2)]
    assert [len(part) for part in parts] == [3, 3]
    for field in fields(Draws):
        first, second = (getattr(part, field.name) for part in parts)
        assert torch.equal(torch.stack([first, second], 1).flatten(0, 1), getattr(whole, field.name))


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="solarise"):
        draw(frozenset({"solarise"}), 0.5, 4, 16, random())


def test_at_zero_and_without_names_everything_is_what_changes_nothing():
    for names, p in ((AUGMENTATIONS, 0.0), (frozenset(), 1.0)):
        draws = draw(names, p, 50, 16, random())
        for name, nothing in {
            "mirror": 1, "quarters": 0, "shift": 0, "scale": 1, "turn_before": 0, "stretch": 1,
            "turn_after": 0, "drift": 0, "brightness": 0, "contrast": 1, "luma_flip": 0, "hue": 0,
            "saturation": 1, "noise": 0, "hole": 0,
        }.items():  # fmt: skip
            assert bool((getattr(draws, name) == nothing).all()), name
        assert torch.allclose(draws.bands, torch.ones(50, BANDS, dtype=torch.float64))


def test_the_names_of_others_move_no_number():
    alone = draw(frozenset({"hue"}), 0.5, 200, 16, random())
    among = draw(AUGMENTATIONS, 0.5, 200, 16, random())
    assert torch.equal(alone.hue, among.hue)


def test_both_turns_together_come_as_often_as_one_would():
    draws = draw(frozenset({"rotate"}), 0.36, 20_000, 16, random())
    for turn in (draws.turn_before, draws.turn_after):
        assert (turn != 0).double().mean().item() == pytest.approx(0.2, abs=0.02)


def test_pipes_are_made_of_one_another():
    assert PIPES["bgc"] == PIPES["blit"] | PIPES["geom"] | PIPES["color"]
    assert PIPES["bgc"] < PIPES["bgcf"] < PIPES["bgcfn"] < PIPES["bgcfnc"] == AUGMENTATIONS
    assert len(AUGMENTATIONS) == 3 + 4 + 5 + 1 + 1 + 1
