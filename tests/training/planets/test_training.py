"""Training runs: the same for a seed, resumable to the bit, looked at through augmentations."""

from __future__ import annotations

import pytest
import torch

from engines.worlds import WORLDS
from training.planets.augment import INTERVAL, MOST, Augment
from training.planets.data import Pictures
from training.planets.training import Recipe, Training

torch.set_num_threads(1)

RECIPE = Recipe(size=64, batch=8, augment=0.5)


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    """Two discs of each world's own grey."""
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    alpha = ((x - 31.5).hypot(y - 31.5) < 26).float() * 255
    rows = [torch.stack([alpha * (world + 1) / 12] * 3 + [alpha]) for world in range(12) for _ in range(2)]
    names = tuple(f"{world}/{n}" for world in WORLDS for n in range(2))
    labels = torch.arange(12).repeat_interleave(2)
    return Pictures(torch.stack(rows).to(torch.uint8), labels, names, WORLDS)


def started(pictures: Pictures, recipe: Recipe = RECIPE) -> Training:
    return Training(recipe, pictures, torch.device("cpu"), half=False)


def weights(training: Training) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in training.average.parameters()])


def test_a_resumed_run_goes_on_as_if_it_had_never_stopped(pictures, tmp_path):
    # given: a run of four steps, and one that is stopped after two
    whole = started(pictures)
    losses = [whole.step() for _ in range(4)]
    first = started(pictures)
    first.step()
    first.step()
    first.save(tmp_path / "checkpoint.pt", best=3.5)
    # when
    second = started(pictures)
    more = second.restore(tmp_path / "checkpoint.pt")
    resumed = [second.step() for _ in range(2)]
    # then
    assert more == {"best": 3.5}
    assert resumed == losses[2:]
    assert torch.equal(weights(second), weights(whole))
    assert second.images == whole.images == 32


def test_another_seed_is_another_run(pictures):
    one, other = started(pictures), started(pictures, Recipe(size=64, batch=8, augment=0.5, seed=2))
    assert one.step() != other.step()


def test_a_checkpoint_of_other_settings_is_refused(pictures, tmp_path):
    started(pictures).save(tmp_path / "checkpoint.pt")
    with pytest.raises(ValueError, match="seed"):
        started(pictures, Recipe(size=64, batch=8, augment=0.5, seed=2)).restore(tmp_path / "checkpoint.pt")


def test_pictures_of_another_size_are_refused(pictures):
    with pytest.raises(ValueError, match="pictures of 64 pixels for a net of 128"):
        started(pictures, Recipe(size=128))


def test_training_makes_discs_of_noise(pictures):
    """A few steps suffice for the mask to begin to find its place."""
    training = started(pictures, Recipe(size=64, batch=8, augment=0.0))
    for _ in range(16):
        training.step()
    codes = training.sample(16, torch.Generator().manual_seed(1))
    with torch.no_grad():
        mask = training.finished()(*codes)[:, 3]
    assert mask[:, 24:40, 24:40].mean() > mask[:, :6, :6].mean() + 0.2


def test_the_finished_generator_s_statistics_are_its_own(pictures):
    training = started(pictures)
    training.step()
    finished = training.finished()
    assert not finished.training
    assert not torch.equal(finished.first_norm.norm.running_var, training.average.first_norm.norm.running_var)
    assert finished.first_norm.norm.momentum == 0.1


class TestAugment:
    @staticmethod
    def draw() -> torch.Generator:
        return torch.Generator().manual_seed(1)

    @staticmethod
    def batch(pictures: Pictures) -> torch.Tensor:
        return pictures.pixels.float() / 127.5 - 1.0

    def test_at_zero_nothing_happens(self, pictures):
        x = self.batch(pictures)
        assert Augment(0.0)(x, self.draw()) is x

    def test_what_is_moved_in_is_empty_space(self, pictures):
        x = self.batch(pictures)
        seen = Augment(1.0)(x, self.draw())
        assert seen.shape == x.shape
        assert not torch.allclose(seen, x)
        outside = seen[:, 3] < -0.999
        assert outside.any()
        assert (seen[:, :3].amax(1)[outside] < -0.99).all()

    def test_some_pictures_stay_as_they_are_below_one(self, pictures):
        x = self.batch(pictures)
        seen = Augment(0.1)(x, self.draw())
        same = (seen - x).abs().amax((1, 2, 3)) < 1e-4
        assert 0 < same.sum() < len(x)

    def test_gradients_pass(self, pictures):
        x = self.batch(pictures).requires_grad_(True)
        Augment(1.0)(x, self.draw()).square().sum().backward()
        assert x.grad is not None
        assert torch.isfinite(x.grad).all()
        assert (x.grad.abs().sum((1, 2, 3)) > 0).all()

    def test_p_follows_the_discriminator(self):
        augment = Augment()
        for _ in range(1000 * INTERVAL):
            augment.observe(torch.ones(64))
        assert augment.p == MOST
        for _ in range(10 * INTERVAL):
            augment.observe(-torch.ones(64))
        assert 0 <= augment.p < MOST

    def test_its_state_survives_in_between(self):
        whole, parted = Augment(), Augment()
        for _ in range(2):
            whole.observe(torch.ones(8))
            parted.observe(torch.ones(8))
        other = Augment()
        other.restore(parted.state())
        for _ in range(2):
            whole.observe(torch.ones(8))
            other.observe(torch.ones(8))
        assert other.p == whole.p > 0

    def test_fixed_stays(self):
        augment = Augment(0.3, fixed=True)
        for _ in range(100):
            augment.observe(torch.ones(8))
        assert augment.p == 0.3


class TestGrowth:
    def test_a_larger_net_starts_with_what_the_smaller_one_learnt(self, pictures, tmp_path):
        # given
        small = started(pictures)
        small.step()
        small.save(tmp_path / "checkpoint.pt")
        large = Training(Recipe(size=128, batch=8), enlarged(pictures), torch.device("cpu"), half=False)
        # when
        large.grow_from(tmp_path / "checkpoint.pt")
        # then
        for ours, theirs in ((large.generator, small.generator), (large.average, small.average)):
            assert torch.equal(ours.first.weight, theirs.first.weight)
            assert torch.equal(ours.blocks[3].convolution.weight, theirs.blocks[3].convolution.weight)
        assert torch.equal(large.discriminator.pool.weight, small.discriminator.pool.weight)
        for level in (1, 2, 3):
            ours, theirs = large.discriminator.down[level + 1], small.discriminator.down[level]
            assert torch.equal(ours.weight, theirs.weight)
        assert all(value == value for value in large.step().values())

    def test_it_does_not_shrink_nor_change_its_kind(self, pictures, tmp_path):
        started(pictures).save(tmp_path / "checkpoint.pt")
        with pytest.raises(ValueError, match="64 px v1"):
            started(pictures).grow_from(tmp_path / "checkpoint.pt")
        wide = Recipe(size=128, variant="v2", batch=8)
        large = Training(wide, enlarged(pictures), torch.device("cpu"), half=False)
        with pytest.raises(ValueError, match="64 px v1"):
            large.grow_from(tmp_path / "checkpoint.pt")


def enlarged(pictures: Pictures) -> Pictures:
    """The same pictures at twice the side."""
    twice = pictures.pixels.repeat_interleave(2, 2).repeat_interleave(2, 3)
    return Pictures(twice, pictures.labels, pictures.names, pictures.worlds)
