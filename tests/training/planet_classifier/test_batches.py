"""What the classifier is shown, from one seed and step."""

from __future__ import annotations

import pytest
import torch

from engines.planet_classifier.model import SIDE
from engines.worlds import WORLDS
from tests.training.planet_classifier.striped import planets
from training.planet_classifier.batches import NO_WORLD, Batches
from training.planet_classifier.views import TRAINING, Odds

torch.set_num_threads(1)


def test_batches_are_half_planets_and_the_same_for_a_step(batches, drawn):
    batch = batches.training(3)

    assert batch.views.shape == (12, 3, SIDE, SIDE)
    assert batch.views.min() >= 0.0
    assert batch.views.max() <= 1.0
    assert (batch.labels == NO_WORLD).sum() == 6
    again = Batches(planets(), drawn, size=12, seed=1).training(3)
    assert torch.equal(batch.views, again.views)
    assert not torch.equal(batch.views, batches.training(4).views)


def test_every_planet_comes_once_an_epoch(batches):
    epoch = torch.cat([batches._turn(step, 6) for step in range(4)])

    assert sorted(epoch.tolist()) == list(range(24))


def test_epochs_come_in_another_order_and_a_batch_may_lie_in_two(batches):
    first, second = (torch.cat([batches._turn(step, 6) for step in range(n, n + 4)]) for n in (0, 4))
    assert sorted(second.tolist()) == list(range(24))
    assert not torch.equal(first, second)
    # 24 planets, 10 a turn: the third takes the last four of an epoch and six of the next
    split = batches._turn(2, 10)
    assert torch.equal(split, torch.cat([first[20:], second[:6]]))


def test_a_batch_larger_than_all_planets_takes_them_again(batches):
    assert torch.bincount(batches._turn(0, 60), minlength=24).tolist() == pytest.approx([2.5] * 24, abs=0.5)


def test_an_odd_batch_has_one_more_that_is_none(drawn):
    batch = Batches(planets(), drawn, size=7, seed=1).training(0)
    assert (batch.labels != NO_WORLD).sum() == 3
    assert len(batch.views) == 7
    assert (batch.labels[3:] == NO_WORLD).all()


def test_labels_are_those_of_the_planets_whose_turn_it_is(drawn):
    pictures = planets()
    batches = Batches(pictures, drawn, size=12, seed=1)
    turn = batches._turn(5, 6)
    assert torch.equal(batches.training(5).labels[:6], pictures.labels[turn])
    # without changes a view is the planet
    seen = batches.training(5, share=0.0).views[:6]
    for view, label in zip(seen, pictures.labels[turn], strict=True):
        same = [int(index) for index in torch.nonzero(pictures.labels == label)]
        small = torch.nn.functional.interpolate(
            pictures.pixels[same, :3].float() / 255, (SIDE, SIDE), mode="bilinear", antialias=True
        )
        assert (small - view).abs().mean((1, 2, 3)).min() < 0.03


def test_one_view_of_each_planet_in_their_order(batches):
    shown = batches.all_planets(Odds(), 3)
    assert shown.labels.tolist() == [world for world in range(len(WORLDS)) for _ in range(2)]
    assert shown.views.shape == (24, 3, SIDE, SIDE)
    assert torch.equal(shown.views, batches.all_planets(Odds(), 4).views)  # nothing is drawn
    assert not torch.equal(batches.all_planets(TRAINING, 3).views, batches.all_planets(TRAINING, 4).views)


@pytest.mark.parametrize("count", [3, 9])
def test_as_many_negatives_as_asked(batches, count):
    made = batches.negatives(count, TRAINING, torch.Generator().manual_seed(1))
    assert made.shape == (count, 3, SIDE, SIDE)
    assert made.min() >= 0
    assert made.max() <= 1


def test_balls_are_round_and_in_the_middle(batches):
    made = batches._balls(12, Odds(), torch.Generator().manual_seed(1))
    corners = made[:, :, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.max() < 1e-3
    middle = SIDE // 2
    assert (made[:, :, middle - 9 : middle + 9, middle - 9 : middle + 9].amax((1, 2, 3)) > 0).all()
