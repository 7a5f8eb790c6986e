"""The nets: shapes, sizes, and what holds for every picture they draw."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from engines.planets.model import SIZES, VARIANTS, Discriminator, Generator, noise_of, parameters_of
from engines.planets.spec import LATENT


def inputs(count: int, size: int = 64) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    z = torch.randn(count, LATENT, generator=draw)
    worlds = F.one_hot(torch.arange(count) % 12, 12).float()
    return z, worlds, torch.randn(count, noise_of(size), generator=draw)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("size", SIZES)
def test_every_net_draws_and_judges_pictures_of_its_size(size, variant):
    # given
    generator, discriminator = Generator(size, variant).eval(), Discriminator(size, variant)
    z, worlds, noise = inputs(1, size)
    # when
    with torch.no_grad():
        drawn = generator(z, worlds, noise)
        score = discriminator(drawn, worlds)
    # then
    assert drawn.shape == (1, 4, size, size)
    assert score.shape == (1,)
    assert drawn.min() >= -1
    assert drawn.max() <= 1


def test_colours_never_exceed_the_mask():
    drawn = Generator(64)(*inputs(4))
    assert (drawn[:, :3] <= drawn[:, 3:] + 1e-6).all()


def test_the_small_net_is_small():
    assert parameters_of(Generator(64, "v1")) <= 4_000_000
    assert parameters_of(Generator(64, "v2")) > 2 * parameters_of(Generator(64, "v1"))


def test_nothing_is_transposed_that_paints_checkerboards():
    assert not [m for m in Generator(512).modules() if isinstance(m, nn.ConvTranspose2d)]


def test_latent_world_and_noise_reach_the_picture_and_the_score():
    generator, discriminator = Generator(64), Discriminator(64)
    for block in generator.blocks[-2:]:
        torch.nn.init.normal_(block.grain.strength.bias)  # noise begins with no strength
    z, worlds, noise = inputs(4)
    noise.requires_grad_(True)
    z.requires_grad_(True)
    worlds.requires_grad_(True)
    discriminator(generator(z, worlds, noise), worlds).sum().backward()
    assert z.grad is not None
    assert worlds.grad is not None
    assert (z.grad.abs().sum(1) > 0).all()
    assert (worlds.grad.abs().sum(0) > 0).any()
    assert noise.grad is not None
    for resolution in torch.split(noise.grad, [32**2, 64**2], dim=1):
        assert (resolution.abs().sum(1) > 0).all()
    assert all(parameter.grad is not None for parameter in generator.parameters())


def test_a_mix_of_worlds_lies_between_them():
    generator = Generator(64)
    a, b = torch.eye(12)[1], torch.eye(12)[6]
    mixed = generator.embedding(0.25 * a + 0.75 * b)
    assert torch.allclose(mixed, 0.25 * generator.embedding(a) + 0.75 * generator.embedding(b), atol=1e-6)


def test_pictures_of_one_kind_are_told_from_different_ones():
    """The deviation over the minibatch reaches the score: the same picture four times is judged otherwise."""
    discriminator = Discriminator(64).eval()
    _, worlds, _ = inputs(4)
    drawn = torch.randn(4, 4, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        company = discriminator(drawn, worlds)[0]
        repeated = discriminator(drawn[:1].expand(4, -1, -1, -1), worlds[:1].expand(4, -1))[0]
    assert not torch.allclose(company, repeated, atol=1e-5)


@pytest.mark.parametrize("size", [0, 32, 63, 100, 1024])
def test_no_net_of_another_size(size):
    with pytest.raises(ValueError, match="no net of"):
        Generator(size)
