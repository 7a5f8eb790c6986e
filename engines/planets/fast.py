"""A trained generator made ready to draw: the same planets as `model` draws, in less time.

Batch norm's statistics are folded into the convolutions, and what follows a convolution is done in place. In
float32 that is 1e-5 away from the model; in bfloat16, for processors that multiply it, 61 dB (planets of 64
pixels differ by four grey levels at most).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engines.planets.model import Block, ConditionalNorm, FineBlock, Generator, Grain, doubled, grains


@dataclass(frozen=True)
class _Convolution:
    """A convolution, and the norm after it where there is one."""

    weight: Tensor
    bias: Tensor
    norm: ConditionalNorm | None

    def __call__(self, x: Tensor, code: Tensor) -> Tensor:
        """(B, I, S, S) and (B, code) -> (B, O, S, S), after ReLU."""
        if self.norm is None:
            return F.conv2d(x, self.weight, self.bias, padding=1).relu_()
        scale, shift = self.norm.scale_shift(code).chunk(2, dim=1)  # (B, O) each
        scale = scale + 1.0
        shift = torch.addcmul(shift, self.bias, scale)
        x = F.conv2d(x, self.weight, padding=1)
        return x.mul_(_spread(scale, x)).add_(_spread(shift, x)).relu_()


@dataclass(frozen=True)
class _Block:
    """What a resolution does."""

    grain: Grain | None
    convolutions: tuple[_Convolution, ...]


class FastGenerator:
    """Draws as a `Generator` in evaluation does, and takes what that takes."""

    def __init__(self, generator: Generator, dtype: torch.dtype) -> None:
        """`dtype`: what the convolutions compute in. The generator must not change afterwards."""
        self._generator, self._dtype = generator, dtype
        self._blocks = [self._block(block) for block in generator.blocks]
        self._last = _ordered(generator.last.weight.to(dtype))
        assert generator.last.bias is not None
        self._last_bias = generator.last.bias.to(dtype)

    @torch.inference_mode()
    def __call__(self, z: Tensor, worlds: Tensor, noise: Tensor) -> Tensor:
        """(B, 128), (B, 12) and (B, noise_of(S)) -> (B, 4, S, S) float32 in [-1, 1]."""
        net = self._generator
        code = torch.cat([z, net.embedding(worlds)], dim=1)
        x = net.first(code).unflatten(1, net.first_shape)
        x = F.relu(net.first_norm(_ordered(x), code)).to(self._dtype)
        fine = torch.split(noise, grains(net.size), dim=1)
        smooth = len(self._blocks) - len(fine)
        for block, of_block in zip(self._blocks, [None] * smooth + list(fine), strict=True):
            x = doubled(x)
            if block.grain is not None and of_block is not None:
                strength = _spread(block.grain.strength(code), x)
                x.addcmul_(strength, of_block.view(-1, 1, *x.shape[2:]).to(x.dtype))
            for convolution in block.convolutions:
                x = convolution(x, code)
        return net.finished(F.conv2d(x, self._last, self._last_bias, padding=1))

    def _block(self, block: nn.Module) -> _Block:
        if isinstance(block, FineBlock):
            assert block.convolution.bias is not None
            weight, bias = _ordered(block.convolution.weight.to(self._dtype)), block.convolution.bias
            return _Block(block.grain, (_Convolution(weight, bias.to(self._dtype), None),))
        assert isinstance(block, Block)
        pairs = zip(block.convolutions, block.norms, strict=True)
        return _Block(block.grain, tuple(self._folded(*pair) for pair in pairs))

    def _folded(self, convolution: nn.Module, norm: nn.Module) -> _Convolution:
        """(x * w - mean) / deviation is x * (w / deviation) - mean / deviation."""
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(norm, ConditionalNorm)
        mean, variance = norm.norm.running_mean, norm.norm.running_var
        assert mean is not None
        assert variance is not None
        inverse = (variance + norm.norm.eps).rsqrt()
        folded = _ordered((convolution.weight * inverse[:, None, None, None]).to(self._dtype))
        return _Convolution(folded, -mean * inverse, norm)


def _ordered(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def _spread(values: Tensor, x: Tensor) -> Tensor:
    """(B, C) -> (B, C, 1, 1), in the precision of x."""
    return values.to(x.dtype)[:, :, None, None]
