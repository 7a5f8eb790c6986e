"""Figures agree with brute force, and calibration finds what was put in."""

from __future__ import annotations

import math

import pytest
import torch

from engines.planet_classifier.network import Calibration
from training.planet_classifier import figures


@pytest.fixture
def draw():
    return torch.Generator().manual_seed(3)


def test_auroc_counts_pairs(draw):
    positive = torch.randint(0, 6, (40,), generator=draw).float()  # with ties
    negative = torch.randint(-2, 4, (30,), generator=draw).float()
    wins = (positive[:, None] > negative).double() + 0.5 * (positive[:, None] == negative).double()

    assert figures.auroc(positive, negative) == pytest.approx(wins.mean().item())


def test_auroc_of_what_is_apart_and_of_what_is_the_same():
    assert figures.auroc(torch.tensor([2.0, 3.0]), torch.tensor([0.0, 1.0])) == 1.0
    assert figures.auroc(torch.tensor([0.0, 1.0]), torch.tensor([2.0, 3.0])) == 0.0
    assert figures.auroc(torch.ones(5), torch.ones(7)) == 0.5


def test_calibration_error_by_hand():
    confidence = torch.tensor([0.95, 0.95, 0.95, 0.95, 0.62, 0.62])
    correct = torch.tensor([True, True, True, False, True, True])

    expected = 4 / 6 * abs(0.95 - 0.75) + 2 / 6 * abs(0.62 - 1.0)
    assert figures.expected_calibration_error(confidence, correct, 10) == pytest.approx(expected, abs=1e-6)


def test_calibration_error_of_the_calibrated_is_small(draw):
    confidence = torch.rand(200_000, generator=draw)
    correct = torch.rand(200_000, generator=draw) < confidence

    assert figures.expected_calibration_error(confidence, correct) < 0.01


def test_full_confidence_has_a_bin():
    assert figures.expected_calibration_error(torch.ones(3), torch.ones(3, dtype=torch.bool)) == 0.0


def test_the_temperature_is_found(draw):
    honest = torch.randn(20_000, 12, generator=draw) * 2.0
    labels = torch.multinomial(honest.softmax(1), 1, generator=draw).flatten()

    assert figures.temperature(honest * 2.5, labels) == pytest.approx(2.5, rel=0.05)


def test_the_temperature_stays_finite_without_mistakes():
    logits = torch.eye(12) * 10.0

    assert 0.2 < figures.temperature(logits, torch.arange(12)) < 1.0


def test_platt_finds_the_sigmoid(draw):
    logits = torch.randn(20_000, generator=draw) * 3.0
    planet = torch.rand(20_000, generator=draw) < torch.sigmoid(logits * 0.8)

    slope, offset = figures.platt(logits[planet], logits[~planet])

    assert slope == pytest.approx(0.8, rel=0.08)
    assert offset == pytest.approx(0.0, abs=0.1)


def test_platt_is_finite_where_nothing_overlaps():
    slope, offset = figures.platt(torch.full((50,), 4.0), torch.full((80,), -4.0))
    scores = Calibration(slope=slope, offset=offset).scores(torch.tensor([4.0, -4.0]))

    assert math.isfinite(slope)
    assert scores[0] == pytest.approx(51 / 52, abs=0.01)
    assert scores[1] == pytest.approx(1 / 82, abs=0.01)


def test_the_error_of_scores_weighs_both_sets_alike():
    sure = Calibration(slope=100.0)

    right = figures.score_calibration_error(sure, torch.ones(10), -torch.ones(1000))
    half = figures.score_calibration_error(sure, torch.tensor([1.0, -1.0]), -torch.ones(1000))

    assert right == pytest.approx(0.0, abs=1e-6)
    assert half == pytest.approx(0.25, abs=1e-6)
