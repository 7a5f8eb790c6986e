"""A run learns, goes on from its checkpoint as if it had not stopped, and calibrates."""

from __future__ import annotations

import pytest
import torch

from tests.training.planet_classifier.striped import planets
from training.planet_classifier.batches import NO_WORLD
from training.planet_classifier.training import Held, Logits, Recipe, Training, calibrate, look, validation
from training.planet_classifier.views import Odds

torch.set_num_threads(1)


RECIPE = Recipe(steps=4, batch=12, warm_up=2)


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
