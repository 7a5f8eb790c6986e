"""Resizing, blurring, differences and borders, against what they are by definition."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engines.neural_style.pyramid import blur, gradient, pad, resize


def noise(height: int, width: int) -> Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(0))


def test_a_picture_of_the_size_wanted_is_itself() -> None:
    picture = noise(7, 9)
    assert resize(picture, (7, 9)) is picture


def test_a_flat_picture_stays_flat_and_none_leaves_what_can_be_shown() -> None:
    assert torch.allclose(resize(torch.full((3, 9, 7), 0.3), (4, 20)), torch.tensor(0.3))
    checks = (torch.arange(8)[:, None] + torch.arange(8)).remainder(2).float().expand(3, 8, 8)
    enlarged = resize(checks, (31, 31))  # bicubic overshoots beside edges
    assert (float(enlarged.min()), float(enlarged.max())) == (0.0, 1.0)


def test_shrinking_takes_all_pixels_into_account() -> None:
    stripes = torch.arange(32).remainder(2).float().expand(3, 32, 32)
    assert (resize(stripes, (4, 4)) - 0.5).abs().max() < 0.02


@pytest.mark.parametrize("sigma", [1.0, 2.5])
def test_a_point_is_blurred_to_a_bell(sigma: float) -> None:
    point = torch.zeros(1, 41, 41)
    point[0, 20, 20] = 1
    smooth = blur(point, sigma)
    assert smooth.shape == point.shape
    assert float(smooth.sum()) == pytest.approx(1.0, abs=1e-5)
    places = torch.arange(41) - 20.0
    variance = float((smooth[0].sum(0) * places**2).sum())
    assert variance == pytest.approx(sigma**2, rel=0.08)
    cross = smooth[0, 20] * smooth[0, :, 20][:, None] / smooth[0, 20, 20]
    assert torch.allclose(smooth[0], cross, atol=1e-6)


def test_blurring_darkens_no_border_and_mixes_no_channels() -> None:
    assert torch.allclose(blur(torch.ones(3, 5, 6), 2.0), torch.tensor(1.0))
    red = torch.zeros(3, 8, 8)
    red[0] = noise(8, 8)[0]
    assert bool((blur(red, 1.0)[1:] == 0).all())


def test_a_plane_s_slopes_are_its_own() -> None:
    rows, columns = torch.meshgrid(torch.arange(6.0), torch.arange(8.0), indexing="ij")
    along_x, along_y = gradient((3 * columns - 2 * rows)[None])
    assert along_x.shape == along_y.shape == (1, 6, 8)
    assert torch.allclose(along_x[..., 1:-1], torch.tensor(3.0))
    assert torch.allclose(along_y[:, 1:-1], torch.tensor(-2.0))
    # at a border there is half of it: one of the two neighbours is missing
    assert torch.allclose(along_x[..., 0], torch.tensor(1.5))
    assert torch.allclose(along_y[:, -1], torch.tensor(-1.0))


def test_a_border_is_the_picture_s_mirror() -> None:
    picture = torch.arange(12.0).view(1, 3, 4)
    padded = pad(picture, 2)
    assert padded.shape == (1, 7, 8)
    assert padded[0, 2:-2, 2:-2].equal(picture[0])
    assert padded[0, 2].tolist() == [2, 1, 0, 1, 2, 3, 2, 1]
    assert padded[0, :, 2].tolist() == [8, 4, 0, 4, 8, 4, 0]


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (5, 2), (1, 9)])
def test_a_side_too_short_to_be_mirrored_is_repeated(size: tuple[int, int]) -> None:
    height, width = size
    picture = noise(height, width)
    padded = pad(picture, 2)
    assert padded.shape == (3, height + 4, width + 4)
    if height <= 2:
        assert padded[:, 0, 2:-2].equal(picture[:, 0])
    if width <= 2:
        assert padded[:, 2:-2, -1].equal(picture[:, :, -1])
