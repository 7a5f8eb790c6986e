"""Filters, dense layers and convolutions, against plain formulas."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from engines.stylegan import layers
from engines.stylegan.layers import GAIN, SLOPE, Convolution, Dense, StyledConvolution, ToRGB

TAPS = [(1.0,), (1.0, 1.0), (1.0, 2.0, 1.0), (1.0, 3.0, 3.0, 1.0), (1.0, 4.0, 6.0, 4.0, 1.0)]


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# --- filters ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("taps", TAPS)
def test_doubling_and_halving_are_transposes(taps):
    kernel = layers.low_pass(taps).double()
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 6, 5, generator=draw, dtype=torch.float64)
    y = torch.randn(2, 3, 12, 10, generator=draw, dtype=torch.float64)
    assert layers.doubled(x, kernel).shape == y.shape
    # a gain of 4 on the one side, as there are four times as many pixels
    assert torch.allclose((layers.doubled(x, kernel) * y).sum(), 4 * (x * layers.halved(y, kernel)).sum())
    weight = torch.randn(4, 3, 3, 3, generator=draw, dtype=torch.float64)
    up = layers.doubling_convolution(x, weight, kernel)
    z = torch.randn(up.shape, generator=draw, dtype=torch.float64)
    down = layers.halving_convolution(z, weight.transpose(0, 1), kernel)
    assert torch.allclose((up * z).sum(), 4 * (x * down).sum())


@pytest.mark.parametrize("taps", TAPS)
def test_a_convolution_that_changes_nothing_leaves_the_filter(taps):
    """So features and colours of one picture do not come to lie beside each other."""
    kernel = layers.low_pass(taps)
    weight = torch.zeros(3, 3, 3, 3)
    weight[:, :, 1, 1] = torch.eye(3)
    x = torch.randn(1, 3, 8, 8)
    assert torch.allclose(
        layers.doubling_convolution(x, weight, kernel), layers.doubled(x, kernel), atol=1e-6
    )
    assert torch.allclose(layers.halving_convolution(x, weight, kernel), layers.halved(x, kernel), atol=1e-6)


@pytest.mark.parametrize("taps", [(1.0, 1.0), (1.0, 2.0, 1.0), (1.0, 3.0, 3.0, 1.0)])
def test_a_plain_picture_stays_plain_inside(taps):
    kernel = layers.low_pass(taps)
    plain = torch.full((1, 2, 8, 8), 0.7)
    assert torch.allclose(layers.doubled(plain, kernel)[..., 2:-2, 2:-2], torch.tensor(0.7), atol=1e-6)
    assert torch.allclose(layers.halved(plain, kernel)[..., 1:-1, 1:-1], torch.tensor(0.7), atol=1e-6)


def test_layers_are_differentiable_twice():
    kernel = layers.low_pass((1.0, 3.0, 3.0, 1.0)).double()
    x = torch.randn(1, 2, 2, 2, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradgradcheck(lambda x, w: layers.doubling_convolution(x, w, kernel), (x, weight))
    torch.autograd.gradgradcheck(
        lambda x, w: layers.halving_convolution(layers.doubled(x, kernel), w, kernel), (x, weight)
    )


def test_a_convolution_refuses_what_it_cannot_do():
    with pytest.raises(ValueError, match="no convolution of 3x3"):
        layers.Convolution(2, 2, 3, None, up=True)
    with pytest.raises(ValueError, match="no convolution of 5x5"):
        layers.Convolution(2, 2, 5, None)


@pytest.mark.parametrize("taps", TAPS)
def test_in_16_bits_filters_are_the_same_though_done_another_way(taps):
    kernel, x = layers.low_pass(taps), drawn(2, 3, 8, 8)
    half = x.bfloat16()
    for change in (layers.doubled, layers.halved):
        found = change(half, kernel)
        assert found.dtype == torch.bfloat16
        torch.testing.assert_close(found.float(), change(half.float(), kernel), atol=0.03, rtol=0.02)


def test_no_taps_are_one():
    assert layers.low_pass(None).tolist() == [[1.0]]
    assert layers.low_pass((1.0, 3.0)).tolist() == [[1 / 16, 3 / 16], [3 / 16, 9 / 16]]


# --- layers -----------------------------------------------------------------------------------------


def test_a_normalised_latent_has_a_mean_square_of_one():
    x = drawn(3, 10) * 7
    found = layers.normalised(x)
    assert torch.allclose(found.square().mean(1), torch.tensor(1.0), atol=1e-5)
    assert torch.allclose(F.cosine_similarity(found, x), torch.tensor(1.0), atol=1e-5)
    assert layers.normalised(torch.zeros(1, 4)).isfinite().all()


def test_a_limit_grows_with_the_gain():
    x = torch.tensor([-20.0, -5.0, 1.0, 9.0])
    assert layers.activated(x, 2.0, 3.0).tolist() == [-4.0, -1.0, 1.0, 6.0]
    assert layers.activated(x, 2.0, None).tolist() == [-4.0, -1.0, 1.0, 9.0]


@pytest.mark.parametrize("lr", [1.0, 0.01])
def test_a_dense_layer_s_weights_are_of_unit_variance_where_they_are_used(lr):
    torch.manual_seed(0)
    layer = Dense(400, 300, bias=2.0, lr=lr)
    assert float(layer.scaled_weight().detach().std()) * 20 == pytest.approx(1.0, abs=0.02)
    x = drawn(5, 400)
    plain = x @ (layer.weight * lr / 20).T + 2.0 * lr
    assert torch.allclose(layer(x), plain, atol=1e-5)


def test_an_activated_dense_layer_keeps_the_variance():
    layer = Dense(3, 4, activate=True)
    x = drawn(2, 3)
    plain = x @ layer.weight.T / math.sqrt(3)
    assert torch.allclose(layer(x), torch.where(plain > 0, plain, plain * SLOPE) * math.sqrt(2), atol=1e-6)


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("gain", [1.0, 0.5])
def test_a_plain_convolution_is_one_with_its_gains(size, gain):
    layer = Convolution(4, 5, size, None, clamp=0.8)
    with torch.no_grad():
        layer.bias.copy_(drawn(5))
    x = drawn(2, 4, 6, 6, seed=1)
    plain = F.conv2d(x, layer.weight / math.sqrt(4 * size * size), layer.bias, padding=size // 2)
    expected = (F.leaky_relu(plain, SLOPE) * GAIN * gain).clamp(-0.8 * gain, 0.8 * gain)
    assert torch.allclose(layer(x, gain), expected, atol=1e-5)


@pytest.mark.parametrize(("size", "change"), [(1, "up"), (1, "down"), (3, "down")])
def test_a_branch_changes_size_without_bias_or_activation(size, change):
    layer = Convolution(4, 5, size, (1.0, 3.0, 3.0, 1.0), branch=True, **{change: True})
    x = drawn(1, 4, 8, 8, seed=1)
    assert layer(x).shape == (1, 5, *([16, 16] if change == "up" else [4, 4]))
    assert torch.allclose(layer(-3 * x), -3 * layer(x), atol=1e-4)
    assert layer.bias is None


def test_a_frozen_convolution_computes_and_learns_nothing():
    layer = Convolution(2, 2, 3, None, frozen=True)
    assert not list(layer.parameters())
    assert set(layer.state_dict()) == set(Convolution(2, 2, 3, None).state_dict())


@pytest.mark.parametrize("up", [False, True])
def test_scaled_activations_are_scaled_weights(up):
    """The formula of the paper: weights modulated and demodulated, a convolution of each picture."""
    torch.manual_seed(0)
    side = 8 if up else 4
    layer = StyledConvolution(3, 5, 6, side, (1.0, 3.0, 3.0, 1.0), up=up)
    with torch.no_grad():
        layer.bias.copy_(drawn(5))
        layer.noise_strength.fill_(0.7)
    x, w, noise = drawn(2, 3, 4, 4, seed=1), drawn(2, 6, seed=2), drawn(2, 1, side, side, seed=3)
    # given: each picture by itself
    plain = []
    for one, style, grain in zip(x, layer.affine(w), noise, strict=True):
        weight = layer.weight * style[None, :, None, None]
        weight = weight / weight.square().sum((1, 2, 3), keepdim=True).sqrt()
        made = (
            layers.doubling_convolution(one[None], weight, layer.resample_filter)
            if up
            else F.conv2d(one[None], weight, padding=1)
        )
        made = made + layer.bias[:, None, None] + 0.7 * grain
        plain.append(F.leaky_relu(made, SLOPE) * GAIN * 0.5)
    # then
    assert torch.allclose(layer(x, w, noise, 0.5), torch.cat(plain), atol=1e-4)


def test_in_halves_nothing_overflows():
    torch.manual_seed(0)
    layer = StyledConvolution(64, 8, 6, 4, None)
    x, w = drawn(1, 64, 4, 4, seed=1), drawn(1, 6, seed=2) * 2000
    exact = layer(x, w, None)
    half = layer(x.half(), w, None)
    assert half.isfinite().all()
    torch.testing.assert_close(half.float(), exact, atol=0.02, rtol=0.02)


def test_colours_are_not_demodulated():
    """Twice the style is twice the colour, up to its bias and its limit."""
    layer = ToRGB(4, 3, 6, clamp=None)
    x, w = drawn(1, 4, 2, 2), drawn(1, 6, seed=1)
    styles = layer.affine(w)
    plain = torch.einsum("oi,bi,bihw->bohw", layer.weight[:, :, 0, 0], styles / 2, x)
    assert torch.allclose(layer(x, w), plain, atol=1e-5)
    limited = ToRGB(4, 3, 6, clamp=0.1)
    limited.load_state_dict(layer.state_dict())
    assert torch.equal(limited(x, w), layer(x, w).clamp(-0.1, 0.1))
    assert layer(x.half(), w).dtype == torch.float32
