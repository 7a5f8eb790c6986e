"""The baseline of stylegan.py: StyleGAN2's synthesis in the straightforward way, as the papers write it.

Every picture gets weights of its own, modulated and demodulated (Karras et al. 2020a, equations 1 and 3),
and a batch is one grouped convolution. Tensors lie as (B, C, H, W). Around every change of size zeros are put
between the pixels and at the edges, and each channel is filtered.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from engines.stylegan.layers import GAIN, SLOPE, StyledConvolution, ToRGB
from engines.stylegan.model import Generator


def upfirdn(x: Tensor, kernel: Tensor, up: int = 1, before: int = 0, after: int = 0) -> Tensor:
    """Zeros between the pixels, zeros at the edges, the filter."""
    count, channels, height, width = x.shape
    if up > 1:
        x = x.reshape(count, channels, height, 1, width, 1)
        x = F.pad(x, (0, up - 1, 0, 0, 0, up - 1)).reshape(count, channels, height * up, width * up)
    x = F.pad(x, (before, after, before, after))
    return F.conv2d(x, kernel.expand(channels, 1, -1, -1), groups=channels)


def modulated(weight: Tensor, styles: Tensor, demodulate: bool) -> Tensor:
    """(O, I, K, K) and (B, I) -> (B, O, I, K, K)."""
    weight = weight[None] * styles[:, None, :, None, None]
    if demodulate:
        weight = weight * torch.rsqrt(weight.square().sum((2, 3, 4), keepdim=True) + 1e-8)
    return weight


def grouped(x: Tensor, weight: Tensor, up: bool) -> Tensor:
    """Each picture under its own weights, in one call: (B, I, H, W) and (B, O, I, K, K) -> (B, O, H', W')."""
    count, out, inputs, size, _ = weight.shape
    x = x.reshape(1, count * inputs, *x.shape[2:])
    if up:
        weight = weight.transpose(1, 2).reshape(count * inputs, out, size, size)
        x = F.conv_transpose2d(x, weight, stride=2, groups=count)
    else:
        x = F.conv2d(x, weight.reshape(count * out, inputs, size, size), padding=size // 2, groups=count)
    return x.reshape(count, out, *x.shape[2:])


def styled(layer: StyledConvolution, x: Tensor, w: Tensor) -> Tensor:
    """A convolution, its noise and its activation."""
    x = grouped(x, modulated(layer.weight, layer.affine(w), demodulate=True).to(x.dtype), layer.up)
    if layer.up:
        x = upfirdn(x, (layer.resample_filter * 4.0).to(x.dtype), before=1, after=1)
    x = x + (layer.noise_const * layer.noise_strength).to(x.dtype)
    x = F.leaky_relu(x + layer.bias.to(x.dtype)[:, None, None], SLOPE) * GAIN
    return x if layer.clamp is None else x.clamp(-layer.clamp, layer.clamp)


def colours(layer: ToRGB, x: Tensor, w: Tensor) -> Tensor:
    """The picture a block adds."""
    styles = layer.affine(w) * layer.weight_gain
    x = grouped(x, modulated(layer.weight, styles, demodulate=False).to(x.dtype), up=False)
    x = x + layer.bias.to(x.dtype)[:, None, None]
    return (x if layer.clamp is None else x.clamp(-layer.clamp, layer.clamp)).float()


@torch.inference_mode()
def synthesise(generator: Generator, ws: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """(B, num_ws, w_dim) -> (B, C, R, R) float32, for the skip architecture with filters of four taps."""
    blocks = generator.synthesis.blocks
    x = blocks[0].const.expand(len(ws), -1, -1, -1).to(dtype)
    image: Tensor | None = None
    used = 0
    for block in blocks:
        for convolution in block.convolutions:
            x = styled(convolution, x, ws[:, used])
            used += 1
        if image is not None:
            image = upfirdn(image, block.resample_filter * 4.0, up=2, before=2, after=1)
        assert block.torgb is not None
        added = colours(block.torgb, x, ws[:, used])
        image = added if image is None else image + added
    assert image is not None
    return image
