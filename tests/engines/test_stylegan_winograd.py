"""Winograd's convolution, against the direct one."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F

from engines.stylegan import winograd
from engines.stylegan.winograd import Winograd, Workspace, matrices


def test_the_transform_is_a_correlation():
    b, g, a = matrices()
    draw = torch.Generator().manual_seed(0)
    d = torch.randn(6, generator=draw, dtype=torch.float64)
    taps = torch.randn(3, generator=draw, dtype=torch.float64)
    assert torch.allclose(a @ ((g @ taps) * (b @ d)), d.unfold(0, 3, 1) @ taps, atol=1e-12)


@pytest.mark.parametrize(("pictures", "height", "width"), [(1, 4, 4), (2, 8, 12), (1, 32, 16)])
@pytest.mark.parametrize("part", [1, 1 << 22])
def test_a_convolution_by_winograd(pictures, height, width, part, monkeypatch):
    monkeypatch.setattr("engines.stylegan.winograd._PART", part)
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(pictures, 5, height, width, generator=draw).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(7, 5, 3, 3, generator=draw) / math.sqrt(45)
    workspace = Workspace()
    convolution = Winograd(weight, workspace)
    # Whatever lies in the memory that it uses again.
    convolution(torch.full((1, 5, 4, 8), torch.nan).contiguous(memory_format=torch.channels_last))
    found = convolution(x)
    assert found.is_contiguous(memory_format=torch.channels_last)
    exact = F.conv2d(x.double(), weight.double(), padding=1)
    assert (found - exact).abs().max() <= 2e-5


def test_roots_make_their_polynomial():
    assert winograd._product([]) == [1]
    assert winograd._product([Fraction(2), Fraction(-3)]) == [-6, 1, 1]  # (x - 2)(x + 3)


@pytest.mark.parametrize(("size", "fit"), [((4, 8), True), ((8, 6), False), ((2, 4), False)])
def test_only_whole_tiles_fit(size, fit):
    assert winograd.fits(*size) is fit


def test_a_workspace_keeps_its_memory_and_grows_where_it_must():
    workspace = Workspace()
    first = workspace("a", 4, 6)
    assert first.shape == (4, 6)
    assert workspace("a", 3, 2).data_ptr() == first.data_ptr()
    assert workspace("b", 4).data_ptr() != first.data_ptr()
    assert workspace.bytes == 4 * (24 + 4)
    assert workspace("a", 5, 6).shape == (5, 6)
    assert workspace.bytes == 4 * (30 + 4)
    workspace.clear()
    assert workspace.bytes == 0


def test_convolutions_that_share_a_workspace_take_turns():
    """Each answer is its own: the next one must not write into it."""
    workspace, draw = Workspace(), torch.Generator().manual_seed(1)
    x = torch.randn(1, 3, 8, 8, generator=draw).contiguous(memory_format=torch.channels_last)
    weights = [torch.randn(3, 3, 3, 3, generator=draw) / 5 for _ in range(2)]
    first, second = (Winograd(weight, workspace) for weight in weights)
    kept = first(x)
    before = kept.clone()
    second(x * 3)
    assert kept.equal(before)
