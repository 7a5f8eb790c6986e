"""The generator made ready to draw is the generator."""

from __future__ import annotations

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
