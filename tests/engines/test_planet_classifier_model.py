"""The network's parts: shapes, how a block begins, and what it does to pictures first."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from engines.planet_classifier.model import FEATURES, SIDE, Block, PlanetClassifier, parameters_of
from engines.worlds import WORLDS


def seeded(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


@pytest.fixture(scope="module")
def network() -> PlanetClassifier:
    torch.manual_seed(1)
    return PlanetClassifier().eval()


@pytest.mark.parametrize(("before", "after", "stride"), [(4, 4, 1), (4, 8, 1), (4, 8, 2), (4, 4, 2)])
@torch.no_grad()
def test_a_block_begins_as_its_shortcut(before, after, stride):
    block = Block(before, after, stride).eval()
    x = torch.rand(2, before, 6, 6, generator=seeded(0))
    assert block(x.clone()).shape == (2, after, 6 // stride, 6 // stride)
    torch.testing.assert_close(block(x.clone()), block.shortcut(x).relu())


@torch.no_grad()
def test_a_shortcut_that_halves_drops_no_pixel():
    block = Block(4, 4, 2).eval()
    x = torch.zeros(1, 4, 4, 4)
    x[..., 1, 1] = 1.0  # where every second pixel is not
    assert block(x)[..., 0, 0].tolist() == [[0.25] * 4]


@torch.no_grad()
def test_answers_are_a_logit_of_each_world_and_one_of_being_any(network):
    x = torch.rand(3, 3, SIDE, SIDE, generator=seeded(2))
    world, planet = network(x)
    assert (world.shape, planet.shape) == ((3, len(WORLDS)), (3,))
    features = network.features(x)
    assert features.shape == (3, FEATURES)
    torch.testing.assert_close(world, features @ network.world.weight.T + network.world.bias)
    assert network.answers(features.bfloat16())[0].dtype == torch.float32


@torch.no_grad()
def test_another_size_is_resized_as_pillow_does_it(network):
    picture = Image.effect_noise((160, 160), 90).convert("RGB")
    resized = picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    x, small = (torch.from_numpy(np.array(one)).permute(2, 0, 1)[None] / 255 for one in (picture, resized))
    assert (network.features(x) - network.features(small)).abs().max() < 0.02


def test_it_is_of_a_million_and_a_half_parameters(network):
    assert parameters_of(network) == sum(p.numel() for p in network.parameters())
    assert 1.4e6 < parameters_of(network) < 1.6e6
