"""The flat table of style pixels: its keys, its geometry, how it is used."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engines.neural_style.atlas import (
    BLOCK,
    GUIDE_COLUMNS,
    NORM_COLUMN,
    PRICE_COLUMN,
    Atlas,
    guide_of,
)
from engines.neural_style.pyramid import pad
from engines.seeds import generator


def noise(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))


def test_distances_are_those_of_the_patches() -> None:
    # given: a style of few pixels, whose 5x5 patches 20 dimensions hold exactly
    style = noise(4, 4)
    atlas = Atlas([style], 2.0, generator(0, "basis"))
    plain = torch.nn.functional.unfold(pad(style, 2)[None], 5)[0].T  # (16, 75)
    described = atlas.basis.describe(pad(style, 2)).flatten(1).T  # (16, 20)
    # then
    assert torch.allclose(torch.cdist(described, described), torch.cdist(plain, plain) / 5, atol=1e-4)


def test_usage_is_one_when_every_pixel_is_used_its_share() -> None:
    atlas = Atlas([noise(8, 10), noise(20, 6, 1)], 2.0, generator(0, "basis"))
    first, second = atlas.pixels[:80], atlas.pixels[80:]
    positions = torch.cat([first.repeat(3), second.repeat(2)])
    usage = atlas.usage(positions, [0.5, 0.5])
    assert torch.allclose(usage[first.long()], torch.tensor(1.0))
    assert torch.allclose(usage[second.long()], torch.tensor(1.0))
    padding = torch.ones(atlas.length, dtype=torch.bool)
    padding[atlas.pixels.long()] = False
    assert bool((usage[padding] == 0).all())


def test_an_upsampled_identity_is_the_identity() -> None:
    coarse = Atlas([noise(10, 15), noise(10, 15, 1)], 2.0, generator(0, "basis"))
    fine = Atlas([noise(16, 24), noise(16, 24, 1)], 2.0, generator(0, "basis"))
    for style in range(2):
        old = coarse.pixels[style * 150 : (style + 1) * 150].view(10, 15)
        new = fine.upsampled(old, coarse, (16, 24))
        assert new.flatten().equal(fine.pixels[style * 384 : (style + 1) * 384])


def test_different_widths_are_kept_apart() -> None:
    atlas = Atlas([noise(3, 30), noise(30, 3, 1)], 2.0, generator(0, "basis"))
    assert atlas.style_of(atlas.pixels).tolist() == [0] * 90 + [1] * 90
    stride = atlas.stride_at(atlas.pixels)
    assert isinstance(stride, Tensor)
    assert set(stride.tolist()) == {34, 7}


def test_a_query_times_a_key_is_the_cost_of_the_pair() -> None:
    """Up to |d|^2 and lambda |g|^2, which are the query's own."""
    style, picture, weight, gamma = noise(7, 9), noise(7, 9, 1), 0.7, 1.5
    atlas = Atlas([style], gamma, generator(0, "basis"))
    prices = torch.rand(atlas.length, generator=torch.Generator().manual_seed(5))
    atlas.set_prices(prices)
    detail = atlas.basis.describe(pad(picture, 2)).flatten(1).T  # (63, 20)
    guide = guide_of(picture, gamma).flatten(1).T  # (63, 5)
    query = torch.zeros(63, 32)
    query[:, :20], query[:, GUIDE_COLUMNS] = detail, weight * guide
    query[:, NORM_COLUMN], query[:, PRICE_COLUMN] = weight, 1
    # then
    own = detail.square().sum(1) + weight * guide.square().sum(1)
    costs = own[:, None] + query @ atlas.keys[atlas.pixels.long()].T
    there = atlas.basis.describe(pad(style, 2)).flatten(1).T
    plain = torch.cdist(detail, there).square()
    plain += weight * torch.cdist(guide, guide_of(style, gamma).flatten(1).T).square()
    assert torch.allclose(costs, plain + prices[atlas.pixels.long()], atol=1e-4)


def test_prices_do_not_add_up() -> None:
    atlas = Atlas([noise(5, 5)], 2.0, generator(0, "basis"))
    before = atlas.keys[:, PRICE_COLUMN].clone()
    atlas.set_prices(torch.ones(atlas.length))
    atlas.set_prices(torch.zeros(atlas.length))
    assert atlas.keys[:, PRICE_COLUMN].equal(before)


def test_what_is_no_style_pixel_is_never_the_cheapest() -> None:
    atlas = Atlas([noise(5, 6), noise(3, 4, 1)], 2.0, generator(0, "basis"))
    assert atlas.length % BLOCK == 0
    outside = torch.ones(atlas.length, dtype=torch.bool)
    outside[atlas.pixels.long()] = False
    assert atlas.keys[outside, PRICE_COLUMN].min() > 1e6 > atlas.keys[~outside, PRICE_COLUMN].max()


def test_colours_lie_where_their_positions_say_with_their_border_around() -> None:
    styles = [noise(5, 6), noise(3, 4, 1)]
    atlas = Atlas(styles, 2.0, generator(0, "basis"))
    plain = torch.cat([style.flatten(1).T for style in styles])
    assert atlas.colours[atlas.pixels.long(), :3].equal(plain)
    padded = torch.cat([pad(style, 2).flatten(1).T for style in styles])
    assert atlas.colours[: len(padded), :3].equal(padded)


def test_a_guide_is_a_blurred_picture_and_gamma_times_its_slope() -> None:
    ramp = torch.linspace(0, 1, 21).expand(3, 15, 21)  # along x alone
    guide = guide_of(ramp, 3.0)
    assert guide.shape == (5, 15, 21)
    assert torch.allclose(guide[:3, :, 5:-5], ramp[:, :, 5:-5], atol=1e-5)
    assert torch.allclose(guide[3, :, 5:-5], torch.tensor(3.0 / 20), atol=1e-5)
    assert torch.allclose(guide[4], torch.tensor(0.0), atol=1e-5)


def test_directions_are_of_unit_length_apart_and_have_a_sign_of_their_own() -> None:
    basis = Atlas([noise(30, 30)], 2.0, generator(0, "basis")).basis
    assert torch.allclose(basis.directions.T @ basis.directions, torch.eye(20), atol=1e-5)
    largest = basis.directions.abs().argmax(0, keepdim=True)
    assert bool((basis.directions.gather(0, largest) > 0).all())


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 3)])
def test_a_style_may_be_smaller_than_a_patch(size: tuple[int, int]) -> None:
    atlas = Atlas([noise(*size)], 2.0, generator(0, "basis"))
    assert atlas.pixels.numel() == size[0] * size[1]
    assert bool(atlas.keys.isfinite().all())
