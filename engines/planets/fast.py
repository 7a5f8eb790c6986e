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

#: Shares of a world in a mix: up to the one its outline does not count, from the other on it binds. Between
#: them it fades, so that a morph does not jump.
_LITTLE, _ENOUGH = 0.25, 0.3


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
        """(B, 128), (B, 12) and (B, noise_of(S)) -> (B, 4, S, S) float32 in [-1, 1].

        As the model does, but that a mix keeps within the outlines of its worlds: between a disc and an
        ellipsoid the net, which saw no mixes in training, draws rings of nothing.
        """
        x = torch.sigmoid(self._unbounded(z, worlds, noise))
        colours, alpha = x[:, :3], x[:, 3:]
        mixed = worlds.amax(1) < 1.0
        if bool(mixed.any()):
            alpha = torch.where(mixed[:, None, None, None], self._outline(z, worlds, noise, alpha), alpha)
        return self._generator.composed(colours, alpha)

    def _outline(self, z: Tensor, worlds: Tensor, noise: Tensor, own: Tensor) -> Tensor:
        """(B, 1, S, S) in 0..1: what is within the outline of every world that there is enough of.

        `own` where there is enough of none.
        """
        shares, order = worlds.sort(1, descending=True)
        binding = ((shares - _LITTLE) / (_ENOUGH - _LITTLE)).clamp(0.0, 1.0)  # (B, 12)
        within = torch.ones_like(own)
        # All pictures in every pass: passes of another size would round otherwise.
        for place in range(int((binding > 0.0).sum(1).amax())):
            pure = F.one_hot(order[:, place], worlds.shape[1]).to(worlds.dtype)
            outline = torch.sigmoid(self._unbounded(z, pure, noise)[:, 3:])
            within = within.minimum(1.0 - _spread(binding[:, place, None], own) * (1.0 - outline))
        return torch.lerp(own, within, _spread(binding[:, :1], own))

    def _unbounded(self, z: Tensor, worlds: Tensor, noise: Tensor) -> Tensor:
        """(B, 4, S, S) float32: colours and mask before the sigmoid."""
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
        return F.conv2d(x, self._last, self._last_bias, padding=1).float()

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
