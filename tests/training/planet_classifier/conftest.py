"""Batches of striped planets and drawn things."""

from __future__ import annotations

import pytest

from tests.training.planet_classifier.striped import planets
from training.planet_classifier import negatives
from training.planet_classifier.batches import Batches


@pytest.fixture(scope="session")
def drawn():
    return negatives.drawn(13, 1)


@pytest.fixture
def batches(drawn):
    return Batches(planets(), drawn, size=12, seed=1)
