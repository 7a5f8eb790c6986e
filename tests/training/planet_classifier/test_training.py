"""A run learns, goes on from its checkpoint as if it had not stopped, and calibrates."""

from __future__ import annotations

import pytest
import torch

from engines.planet_classifier.model import SIDE
from engines.worlds import WORLDS
from training.planet_classifier import negatives
from training.planet_classifier.batches import NO_WORLD, Batches
from training.planet_classifier.training import Held, Logits, Recipe, Training, calibrate, look, validation
from training.planet_classifier.views import Odds
from training.planets.data import Pictures

torch.set_num_threads(1)


def planets(each=2, side=128):
    """Discs with stripes, of another direction and colour for each world."""
    axis = (torch.arange(side) + 0.5) / side * 2.0 - 1.0
    y, x = axis[:, None].expand(side, side), axis.expand(side, side)
    inside = (x.square() + y.square() < 0.9).float()
    pixels, labels = [], []
    for world in range(len(WORLDS)):
        for number in range(each):
            angle = torch.tensor(world * 0.5)
            stripes = 0.5 + 0.5 * torch.sin((x * angle.cos() + y * angle.sin()) * (8.0 + number * 0.3))
            colour = torch.tensor([world % 3, world // 3 % 3, world % 4 * 0.6]).add(0.5).view(3, 1, 1) / 2.5
            rgb = colour.clamp(max=1.0) * stripes * inside
            pixels.append(torch.cat([rgb, inside[None]]) * 255.0)
            labels.append(world)
    names = tuple(f"{WORLDS[label]}/{index}" for index, label in enumerate(labels))
    return Pictures(torch.stack(pixels).to(torch.uint8), torch.tensor(labels), names, WORLDS)


@pytest.fixture(scope="module")
def drawn():
    return negatives.drawn(13, 1)


@pytest.fixture
def batches(drawn):
    return Batches(planets(), drawn, size=12, seed=1)


RECIPE = Recipe(steps=4, batch=12, warm_up=2)


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


def test_a_stopped_run_goes_on_as_if_it_had_not(batches, tmp_path):
    cpu = torch.device("cpu")
    whole = Training(RECIPE, batches, cpu, half=False)
    for _ in range(3):
        whole.step()

    first = Training(RECIPE, batches, cpu, half=False)
    for _ in range(2):
        first.step()
    first.save(tmp_path / "checkpoint.pt", seconds=2.5)
    second = Training(RECIPE, batches, cpu, half=False)
    progress = second.restore(tmp_path / "checkpoint.pt")
    second.step()

    assert progress == {"seconds": 2.5}
    assert second.steps == 3
    for name, value in whole.averaged.state_dict().items():
        assert torch.equal(value, second.averaged.state_dict()[name]), name


def test_a_checkpoint_of_another_recipe_is_refused(batches, tmp_path):
    Training(RECIPE, batches, torch.device("cpu"), half=False).save(tmp_path / "checkpoint.pt")
    other = Training(Recipe(steps=5, batch=12), batches, torch.device("cpu"), half=False)

    with pytest.raises(ValueError, match="other settings: steps, warm_up"):
        other.restore(tmp_path / "checkpoint.pt")


def test_it_learns(batches):
    # A long run's beginning: little is augmented yet, and the rate hardly falls.
    training = Training(Recipe(steps=1000, batch=12, warm_up=3), batches, torch.device("cpu"), half=False)
    losses = [training.step() for _ in range(14)]

    for name in ("world", "planet"):
        first = sum(loss[name] for loss in losses[:3]) / 3
        last = sum(loss[name] for loss in losses[-5:]) / 5
        assert last < 0.95 * first, name


def test_validation_shows_all_planets_as_they_are_and_augmented(batches):
    held = validation(batches, rounds=2, seed=1)

    assert (held.labels == NO_WORLD).sum() == 48
    assert len(held.views) == 96
    plain = batches.all_planets(Odds(), 1)
    assert torch.equal(held.views[:24], plain.views)
    assert torch.equal(plain.labels, planets().labels)
    assert held.shares.unique().tolist() == [0.0, 1.0]


def test_calibration_takes_planets_for_the_temperature_and_all_for_the_score():
    labels = torch.tensor([0, 1, 2, NO_WORLD, NO_WORLD])
    worlds = torch.eye(12)[[0, 1, 5, 7, 7]] * 6.0
    scores = torch.tensor([2.0, 1.5, 2.5, -2.0, -1.0])
    held = Held(torch.empty(5, 3, 1, 1), labels, torch.zeros(5))

    calibration = calibrate(Logits(worlds, scores), held)

    assert calibration.temperature > 1.0  # one of three sure answers is wrong
    assert (
        calibration.scores(torch.tensor([3.0])).item() > 0.5 > calibration.scores(torch.tensor([-3.0])).item()
    )


def test_the_threshold_is_what_nearly_all_plain_planets_reach():
    count = 400
    planets = torch.cat([torch.linspace(3.0, 5.0, count), torch.full((count,), -1.0)])
    logits = torch.cat([planets, torch.full((count,), -4.0)])
    labels = torch.cat([torch.zeros(2 * count), torch.full((count,), NO_WORLD)]).long()
    shares = torch.cat(
        [torch.zeros(count), torch.ones(count), torch.zeros(count)]
    )  # the second are augmented
    held = Held(torch.empty(3 * count, 3, 1, 1), labels, shares)

    calibration = calibrate(Logits(torch.zeros(3 * count, 12), logits), held)

    refused = (calibration.scores(planets[:count]) < calibration.threshold).float().mean()
    assert 0.5 <= calibration.threshold <= 0.95
    assert refused <= 0.015


def test_looking_changes_nothing(batches):
    training = Training(RECIPE, batches, torch.device("cpu"), half=False)
    before = {name: value.clone() for name, value in training.averaged.state_dict().items()}

    found = look(training.averaged, batches.training(0).views)

    assert found.worlds.shape == (12, 12)
    assert found.planets.shape == (12,)
    assert all(torch.equal(value, before[name]) for name, value in training.averaged.state_dict().items())
