"""The generator made ready to draw is the generator."""

from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F

from engines.planets.fast import FastGenerator
from engines.planets.model import VARIANTS, Generator, noise_of


def trained(size: int, variant: str) -> Generator:
    """Random, but with statistics and noise that matter."""
    torch.manual_seed(3)
    net = Generator(size, variant)
    for name, value in net.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2.0)
        elif name.endswith("running_mean") or "grain" in name:
            value.normal_(0.0, 0.2)
    return net.eval().requires_grad_(False)


def codes(count: int, size: int) -> tuple[torch.Tensor, ...]:
    draw = torch.Generator().manual_seed(1)
    worlds = F.one_hot(torch.arange(count) % 12, 12).float()
    return torch.randn(count, 128, generator=draw), worlds, torch.randn(count, noise_of(size), generator=draw)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("size", [64, 128])
def test_in_float32_it_draws_the_same(size, variant):
    net, given = trained(size, variant), codes(3, size)
    drawn, expected = FastGenerator(net, torch.float32)(*given), net(*given)
    assert expected.std() > 0.05
    assert (drawn - expected).abs().max() < 1e-4


def test_in_bfloat16_it_draws_nearly_the_same():
    net, given = trained(64, "v1"), codes(3, 64)
    drawn, expected = FastGenerator(net, torch.bfloat16)(*given), net(*given)
    assert 10 * torch.log10(4.0 / (drawn - expected).square().mean()) > 45


def test_the_generator_stays_as_it_was():
    net, given = trained(64, "v1"), codes(2, 64)
    before = net(*given)
    FastGenerator(net, torch.float32)(*given)
    assert torch.equal(net(*given), before)


def mask(net: FastGenerator, worlds: dict[int, float], z: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    shares = torch.zeros(1, 12)
    for world, share in worlds.items():
        shares[0, world] = share
    return (net(z, shares, noise)[:, 3:] + 1.0) / 2.0


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_a_mix_has_the_outline_that_its_worlds_have_in_common(share):
    net = FastGenerator(trained(64, "v1"), torch.float32)
    z, _, noise = codes(1, 64)
    first, second = mask(net, {3: 1.0}, z, noise), mask(net, {7: 1.0}, z, noise)
    assert (first - second).abs().max() > 0.05
    mixed = mask(net, {3: share, 7: 1.0 - share}, z, noise)
    torch.testing.assert_close(mixed, first.minimum(second), atol=1e-5, rtol=0)


def test_an_outline_comes_in_gradually():
    trained_net = trained(64, "v1")
    trained_net.last.weight[3] *= 100.0  # inside or outside, as after training
    net = FastGenerator(trained_net, torch.float32)
    z, _, noise = codes(1, 64)
    steps = [mask(net, {3: share, 7: 1.0 - share}, z, noise) for share in (0.0, 0.24, 0.26, 0.28, 0.3)]
    torch.testing.assert_close(steps[1], steps[0], atol=1e-5, rtol=0)
    moved = [(b - a).abs().max() for a, b in itertools.pairwise(steps[1:])]
    assert 0 < max(moved) <= 0.401 * (steps[-1] - steps[0]).abs().max()


def test_a_mix_leaves_its_neighbours_in_the_batch_as_they_are():
    net = FastGenerator(trained(64, "v1"), torch.float32)
    z, worlds, noise = codes(3, 64)
    alone = net(z, worlds, noise)
    worlds[1] = torch.full((12,), 1.0 / 12.0)
    worlds[1, :2] = torch.tensor([0.5, 0.5 - 10.0 / 12.0])
    among = net(z, worlds.clamp(min=0.0), noise)
    assert torch.equal(among[[0, 2]], alone[[0, 2]])
    assert not torch.equal(among[1], alone[1])
