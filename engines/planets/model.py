"""A class-conditional DCGAN that draws a planet and the outline of its disc.

Radford et al. 2016, with what has been learnt since:

- Bilinear upsampling and a 3x3 convolution instead of transposed convolutions, whose uneven overlap paints
  checkerboards (Odena et al. 2016); with nearest neighbours a fine hatching was left in grey plains.
- The world and the latent enter every layer, as the scale and shift of its batch norm (Miyato and Koyama
  2018; Brock et al. 2019); a mix of worlds is a mix of their embeddings.
- Noise enters at the fine resolutions (Karras et al. 2019), as strong as the code says: without it the net
  had to make its grain out of 4x4 numbers, and painted worms and hatching where there should be craters.
  Below 32 pixels there is none: what can be seen as a shape is to come from the latent.
- A projection discriminator (Miyato and Koyama 2018) with the standard deviation over the minibatch as one
  more channel (Karras et al. 2018). No norm in it: it is trained under R1 (Mescheder et al. 2018).

Departure: the fourth channel is the disc's mask. The generator multiplies its colours by it, so that space is
black and the edge is clean by construction, and the discriminator sees both.
"""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engines.planets.spec import LATENT
from engines.worlds import WORLDS

_EMBEDDING = 64
_SMALLEST = 4
#: The coarsest resolution that has noise.
_GRAINY = 32

SIZES = (64, 128, 256, 512)
#: Channels at each resolution; `v1` is the small net, `v2` the wide one.
_WIDTHS = {4: 256, 8: 192, 16: 128, 32: 64, 64: 32, 128: 24, 256: 16, 512: 12}
_CRITIC_WIDTHS = {4: 256, 8: 192, 16: 128, 32: 64, 64: 32, 128: 24, 256: 16}
_WIDEN = {"v1": 1, "v2": 2}
VARIANTS = tuple(_WIDEN)


def _resolutions(size: int) -> list[int]:
    """4, 8, ... size. Raises ValueError for a size there is no net for."""
    if size not in SIZES:
        raise ValueError(f"no net of {size} pixels; there are {SIZES}")
    return [_SMALLEST << n for n in range((size // _SMALLEST).bit_length())]


def noise_of(size: int) -> int:
    """How many random numbers a net of `size` takes beside the latent: one a pixel of every fine resolution.

    Those of the coarsest come first.
    """
    return sum(grains(size))


def grains(size: int) -> list[int]:
    """The same, for each fine resolution."""
    return [resolution**2 for resolution in _resolutions(size) if resolution >= _GRAINY]


class ConditionalNorm(nn.Module):
    """Batch norm whose scale and shift are linear in a code: `(1 + W code) x + V code`."""

    def __init__(self, channels: int, code: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.scale_shift = nn.Linear(code, 2 * channels)
        nn.init.normal_(self.scale_shift.weight, std=0.02)
        nn.init.zeros_(self.scale_shift.bias)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """(B, C, H, W) and (B, code) -> (B, C, H, W)."""
        scale, shift = self.scale_shift(code)[:, :, None, None].chunk(2, dim=1)  # (B, C, 1, 1) each
        return torch.addcmul(shift, self.norm(x), 1.0 + scale)


def doubled(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, 2H, 2W), bilinear."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


class Grain(nn.Module):
    """Noise added to every channel, each with a strength that is linear in a code."""

    def __init__(self, channels: int, code: int) -> None:
        super().__init__()
        self.strength = nn.Linear(code, channels)
        nn.init.zeros_(self.strength.weight)
        nn.init.zeros_(self.strength.bias)

    def forward(self, x: Tensor, code: Tensor, noise: Tensor) -> Tensor:
        """(B, C, S, S), (B, code) and (B, S^2) -> (B, C, S, S)."""
        noise = noise.view(-1, 1, *x.shape[2:]).to(x.dtype)
        return torch.addcmul(x, self.strength(code)[:, :, None, None], noise)


class Block(nn.Module):
    """Twice the resolution: upsample, noise if `grainy`, and two convolutions under conditional norm."""

    def __init__(self, channels: int, out: int, code: int, grainy: bool) -> None:
        super().__init__()
        self.grain = Grain(channels, code) if grainy else None
        self.convolutions = nn.ModuleList(
            nn.Conv2d(a, out, 3, padding=1, bias=False) for a in (channels, out)
        )
        self.norms = nn.ModuleList(ConditionalNorm(out, code) for _ in range(2))

    def forward(self, x: Tensor, code: Tensor, noise: Tensor | None) -> Tensor:
        """(B, C, H, W), (B, code) and (B, 4HW) where it is grainy -> (B, out, 2H, 2W)."""
        x = doubled(x)
        if self.grain is not None and noise is not None:
            x = self.grain(x, code, noise)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = F.relu(norm(convolution(x), code))
        return x


class FineBlock(nn.Module):
    """The same at 64 px and above, where passes over the picture cost more than arithmetic.

    One convolution and no norm: with both, this one block took half of a training step's time at 64 px.
    """

    def __init__(self, channels: int, out: int, code: int) -> None:
        super().__init__()
        self.grain = Grain(channels, code)
        self.convolution = nn.Conv2d(channels, out, 3, padding=1)

    def forward(self, x: Tensor, code: Tensor, noise: Tensor) -> Tensor:
        """(B, C, H, W), (B, code) and (B, 4HW) -> (B, out, 2H, 2W)."""
        return F.relu(self.convolution(self.grain(doubled(x), code, noise)))


class Generator(nn.Module):
    """A latent, a mix of worlds and noise -> a planet."""

    def __init__(self, size: int, variant: str = "v1") -> None:
        super().__init__()
        resolutions = _resolutions(size)
        widths = [_WIDTHS[resolution] * _WIDEN[variant] for resolution in resolutions]
        code = LATENT + _EMBEDDING
        self.size = size
        self.first_shape = (widths[0], _SMALLEST, _SMALLEST)
        self.embedding = nn.Linear(len(WORLDS), _EMBEDDING, bias=False)
        nn.init.normal_(self.embedding.weight)
        self.first = nn.Linear(code, widths[0] * _SMALLEST**2, bias=False)
        self.first_norm = ConditionalNorm(widths[0], code)
        self.blocks = nn.ModuleList(
            Block(a, b, code, resolution >= _GRAINY) if resolution <= 32 else FineBlock(a, b, code)
            for a, b, resolution in zip(widths, widths[1:], resolutions[1:], strict=False)
        )
        self.last = nn.Conv2d(widths[-1], 4, 3, padding=1)

    def forward(self, z: Tensor, worlds: Tensor, noise: Tensor) -> Tensor:
        """(B, 128) normal, (B, 12) summing to 1, (B, noise_of(S)) of mean 0 and variance 1 -> (B, 4, S, S).

        In [-1, 1]: the colours on black, and the mask.
        """
        code = torch.cat([z, self.embedding(worlds)], dim=1)  # (B, 192)
        x = self.first(code).unflatten(1, self.first_shape)
        x = x.contiguous(memory_format=torch.channels_last)
        x = F.relu(self.first_norm(x, code))
        fine = torch.split(noise, grains(self.size), dim=1)
        smooth = len(self.blocks) - len(fine)
        for block, of_block in zip(self.blocks, [None] * smooth + list(fine), strict=True):
            x = block(x, code, of_block)
        return self.finished(self.last(x))

    @staticmethod
    def finished(x: Tensor) -> Tensor:
        """(B, 4, S, S), without bounds -> in [-1, 1], colours within the mask."""
        x = torch.sigmoid(x.float())
        return Generator.composed(x[:, :3], x[:, 3:])

    @staticmethod
    def composed(colours: Tensor, alpha: Tensor) -> Tensor:
        """(B, 3, S, S) and (B, 1, S, S) in [0, 1] -> (B, 4, S, S) in [-1, 1], colours within the mask."""
        return torch.cat([colours * alpha, alpha], dim=1) * 2.0 - 1.0


class Discriminator(nn.Module):
    """How real a picture of a world is: larger is more."""

    #: Pictures whose deviation is taken together; a batch should be a multiple of it.
    group = 4

    def __init__(self, size: int, variant: str = "v1") -> None:
        super().__init__()
        resolutions = _resolutions(size)[-2::-1]  # S / 2 ... 8, 4
        widths = [4] + [_CRITIC_WIDTHS[resolution] * _WIDEN[variant] for resolution in resolutions]
        self.down = nn.ModuleList(
            nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in itertools.pairwise(widths)
        )
        last = widths[-1]
        self.pool = nn.Linear((last + 1) * _SMALLEST**2, last)
        self.score = nn.Linear(last, 1)
        self.embedding = nn.Linear(len(WORLDS), last, bias=False)

    def forward(self, x: Tensor, worlds: Tensor) -> Tensor:
        """(B, 4, S, S) in [-1, 1] and (B, 12) summing to 1 -> (B,) float32, without bounds."""
        x = x.contiguous(memory_format=torch.channels_last)
        for convolution in self.down:
            x = F.leaky_relu(convolution(x), 0.2)
        x = _with_deviation(x, self.group)
        features = F.leaky_relu(self.pool(x.flatten(1)), 0.2)  # (B, C)
        projected: Tensor = (self.embedding(worlds) * features).sum(1)
        score: Tensor = self.score(features).squeeze(1) + projected
        return score.float()


def _with_deviation(x: Tensor, group: int) -> Tensor:
    """(B, C, H, W) -> (B, C + 1, H, W): the mean standard deviation over each group of pictures in a row."""
    count, channels, height, width = x.shape
    size = group if count % group == 0 else count
    grouped = x.float().reshape(count // size, size, channels, height, width)
    spread = grouped.var(1, correction=0).add(1e-8).sqrt()
    mean = spread.mean((1, 2, 3)).repeat_interleave(size).to(x.dtype)  # (B,)
    return torch.cat([x, mean[:, None, None, None].expand(-1, 1, height, width)], dim=1)


def parameters_of(module: nn.Module) -> int:
    """How many trainable numbers a net has."""
    return sum(parameter.numel() for parameter in module.parameters())
