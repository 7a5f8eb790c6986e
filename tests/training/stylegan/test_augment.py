"""The augmentations of ADA: against the golden arrays, how often they come, and twice differentiable."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from training.stylegan.ada import INTERVAL, Controller
from training.stylegan.augment import augment
from training.stylegan.augment_draws import AUGMENTATIONS, BANDS, PIPES, Draws, Random, draw
from training.stylegan.wavelets import SYM2, SYM6, octaves

torch.set_num_threads(1)

GOLDEN = Path(__file__).parents[3].parent / "shared" / "golden" / "stylegan2" / "augment" / "io.npz"
#: The golden data have no noise: it has no percentile.
ONE_BY_ONE = sorted(AUGMENTATIONS - {"noise"})
CASES = [f"{name}@{q}" for name in ONE_BY_ONE for q in (0.2, 0.7)]
CASES += ["bgc@0.2", "bgc@0.35", "bgc@0.7", "bgcfc@0.35", "gray_bgc@0.35"]


class Percentile:
    """Every draw has the value that the golden data takes for the percentile q."""

    def __init__(self, q: float) -> None:
        self._q = q

    def uniform(self, *shape: int) -> Tensor:
        return torch.full(shape, self._q, dtype=torch.float64)

    def normal(self, *shape: int) -> Tensor:
        return torch.erfinv(torch.full(shape, 2.0 * self._q - 1.0, dtype=torch.float64))


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    if not GOLDEN.is_file():
        pytest.skip("the golden data are not at hand (../shared/golden)")
    with np.load(GOLDEN, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def random(seed: int = 1) -> Random:
    return Random(torch.Generator().manual_seed(seed))


def pictures(count: int = 4, channels: int = 3, side: int = 16) -> Tensor:
    return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(5)) * 2 - 1


class TestGolden:
    def test_every_array_is_compared(self, golden):
        assert {name for name in golden if "@" in name} == set(CASES)

    @pytest.mark.parametrize("case", CASES)
    def test_an_augmentation_is_the_official_one(self, golden, case):
        # given
        name, q = case.removeprefix("gray_").split("@")
        names = {"bgc": PIPES["bgc"], "bgcfc": PIPES["bgcf"] | PIPES["cutout"]}.get(name, frozenset({name}))
        given = torch.from_numpy(golden["gray_images" if case.startswith("gray_") else "images"])
        draws = draw(names, 1.0, len(given), given.shape[-1], Percentile(float(q)))
        # The golden data have the turn before the stretch alone.
        draws = replace(draws, turn_after=torch.zeros(len(given), dtype=torch.float64))
        # when
        found = augment(given, draws)
        # then
        np.testing.assert_allclose(found.numpy(), golden[case], rtol=0, atol=2e-5)

    def test_the_filters_are_the_official_ones(self, golden):
        np.testing.assert_allclose(SYM6, golden["Hz_geom"], rtol=0, atol=1e-7)
        np.testing.assert_allclose(octaves(SYM2, BANDS), golden["Hz_fbank"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("taps", [SYM2, SYM6])
def test_wavelets_are_orthonormal(taps):
    for lag in range(0, len(taps), 2):
        product = 2.0 * float(taps[lag:] @ taps[: len(taps) - lag])
        assert product == pytest.approx(1.0 if lag == 0 else 0.0, abs=1e-11)


def test_octaves_add_up_to_the_signal_and_split_it():
    bands = octaves(SYM2, BANDS)
    whole = bands.sum(0)
    assert whole[len(whole) // 2] == pytest.approx(1.0)
    assert np.abs(np.delete(whole, len(whole) // 2)).max() < 1e-12
    response = np.abs(np.fft.rfft(bands, 1024, axis=1))  # (4, 513): from 0 to half the sampling rate
    assert response[0, 0] == pytest.approx(1.0)
    assert [int(band.argmax()) for band in response[1:]] == sorted(int(b.argmax()) for b in response[1:])
    assert response[3, -1] == pytest.approx(1.0)


class TestDraws:
    def test_at_zero_nothing_is_done(self):
        given = pictures()
        assert augment(given, draw(AUGMENTATIONS, 0.0, 4, 16, random())) is given

    @pytest.mark.parametrize("name", sorted(AUGMENTATIONS))
    def test_each_comes_as_often_as_asked(self, name):
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

    def test_they_are_as_strong_as_the_paper_says(self):
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

    def test_a_changed_octave_leaves_a_usual_picture_its_power(self):
        bands = draw(frozenset({"imgfilter"}), 0.2, 2000, 32, random()).bands
        power = torch.tensor([10.0, 1.0, 1.0, 1.0], dtype=torch.float64) / 13.0
        for band in range(BANDS):
            others = [other for other in range(BANDS) if other != band]
            level = bands[:, others[:1]]
            alone = (bands[:, others] == level).all(1) & (bands[:, band] != level[:, 0])
            assert alone.sum() > 50
            kept = (power * bands[alone].square()).sum(1)
            assert torch.allclose(kept, torch.ones_like(kept))

    def test_another_probability_moves_no_other_number(self):
        rare, often = (draw(AUGMENTATIONS, p, 2000, 32, random()) for p in (0.2, 0.6))
        kept = rare.scale != 1.0
        assert kept.any()
        assert torch.equal(rare.scale[kept], often.scale[kept])
        assert torch.equal(rare.hole_centre, often.hole_centre)

    def test_parts_are_the_whole(self):
        whole = draw(AUGMENTATIONS, 0.5, 6, 16, random())
        parts = [whole.part(rank, 2) for rank in range(2)]
        assert [len(part) for part in parts] == [3, 3]
        for field in fields(Draws):
            first, second = (getattr(part, field.name) for part in parts)
            assert torch.equal(torch.stack([first, second], 1).flatten(0, 1), getattr(whole, field.name))

    def test_an_unknown_name_is_refused(self):
        with pytest.raises(ValueError, match="solarise"):
            draw(frozenset({"solarise"}), 0.5, 4, 16, random())


class TestAugment:
    def test_a_picture_does_not_depend_on_its_company(self):
        """Margins are those of the picture that moves furthest; the others must not see them."""
        given = pictures(8, side=32)
        draws = draw(PIPES["bgcf"], 0.7, 8, 32, random(3))
        together = augment(given, draws)
        for place in range(8):
            alone = augment(given[place : place + 1], draws.part(place, 8))
            assert torch.allclose(alone[0], together[place], atol=5e-5)

    @pytest.mark.parametrize("channels", [1, 3])
    def test_it_is_differentiable_twice(self, channels):
        draws = draw(PIPES["bgcfnc"], 0.8, 2, 8, random(2))
        given = pictures(2, channels, 8).double().requires_grad_(True)
        grain = torch.randn(given.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

        def squared(x: Tensor) -> Tensor:
            return augment(x, draws, grain).square()

        assert torch.autograd.gradcheck(squared, (given,), fast_mode=True)
        assert torch.autograd.gradgradcheck(squared, (given,), fast_mode=True)

    def test_noise_is_as_strong_as_drawn(self):
        draws = draw(frozenset({"noise"}), 1.0, 3, 64, random())
        given = torch.zeros(3, 3, 64, 64)
        found = augment(given, draws, torch.randn(given.shape, generator=torch.Generator().manual_seed(1)))
        deviation = found.std((1, 2, 3))
        assert torch.allclose(deviation.double(), draws.noise, rtol=0.05)
        with pytest.raises(ValueError, match="noise"):
            augment(given, draws)

    def test_what_moves_in_is_a_reflection(self):
        nothing = draw(frozenset(), 1.0, 1, 16, random())
        moved = replace(nothing, shift=torch.tensor([[3.0, -2.0]], dtype=torch.float64))
        given = pictures(1)
        expected = torch.nn.functional.pad(given, [3, 0, 0, 2], mode="reflect")[:, :, 2:, :16]
        assert torch.allclose(augment(given, moved), expected, atol=1e-4)

    def test_draws_for_another_batch_and_other_channels_are_refused(self):
        draws = draw(AUGMENTATIONS, 0.5, 4, 16, random())
        with pytest.raises(ValueError, match="draws for 4 pictures"):
            augment(pictures(3), draws)
        with pytest.raises(ValueError, match="2 channels"):
            augment(pictures(4, 2), draws)


class TestController:
    def test_p_grows_while_the_discriminator_is_sure_and_falls_to_zero_at_most(self):
        control = Controller(kimg=1.0)
        for _ in range(10 * INTERVAL):
            control.observe(0.9, 20)
        assert control.p == pytest.approx(10 * INTERVAL * 20 / 1000)
        for _ in range(100 * INTERVAL):
            control.observe(0.1, 20)
        assert control.p == 0.0

    def test_it_is_not_bounded_above(self):
        control = Controller(p=1.0, kimg=1.0)
        for _ in range(INTERVAL):
            control.observe(1.0, 20)
        assert control.p > 1.0

    def test_five_hundred_thousand_pictures_take_p_from_0_to_1(self):
        control = Controller()
        for _ in range(500_000 // 64):
            control.observe(1.0, 64)
        assert control.p == pytest.approx(1.0, abs=1e-3)

    def test_its_state_survives_between_two_moves(self):
        whole, parted, other = Controller(), Controller(), Controller()
        for sign in (1.0, 0.5):
            whole.observe(sign, 8)
            parted.observe(sign, 8)
        other.restore(parted.state())
        for sign in (0.9, 0.8):
            whole.observe(sign, 8)
            other.observe(sign, 8)
        assert other.p == whole.p > 0

    def test_without_a_target_p_stays(self):
        control = Controller(p=0.3, target=None)
        for _ in range(10 * INTERVAL):
            control.observe(1.0, 64)
        assert control.p == 0.3

    def test_what_is_no_number_says_nothing(self):
        control = Controller()
        for _ in range(INTERVAL):
            control.observe(math.nan, 64)
        assert control.p == 0.0
        assert control.state()["signs"] == []
