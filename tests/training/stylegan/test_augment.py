"""The augmentations of ADA: against the golden arrays, how often they come, and twice differentiable."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from training.stylegan.augment import augment
from training.stylegan.augment_draws import AUGMENTATIONS, PIPES, Random, draw

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


class TestAugment:
    def test_at_zero_nothing_is_done(self):
        given = pictures()
        assert augment(given, draw(AUGMENTATIONS, 0.0, 4, 16, random())) is given

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
