"""The pictures of a trained generator, sooner than `model` draws them.

- On a CPU one picture at a time, each with the same calls: it is the same to the last bit alone and in any
  batch, and a batch gains nothing there. On CUDA a whole batch at once, in a graph.
- Tensors lie as (B, H, W, C). Weights are brought into their final form once: gains multiplied in, the sums
  of squares for the demodulation taken, Winograd's transform done.
- Styles scale what comes out of the convolution before, in place; or the weights, where these are fewer
  numbers than the pixels.
- What follows a convolution runs over strips, a few megabytes each.

`exact` computes in float32, within 1e-4 of the model (Winograd's sums come in another order). `fast` computes
in bfloat16 on a CPU that multiplies it, in float16 on CUDA, and else in float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from engines.stylegan.layers import GAIN, SLOPE, Convolution, StyledConvolution, ToRGB, doubled
from engines.stylegan.model import HALF, Generator, Noise, SynthesisBlock, noise_of
from engines.stylegan.winograd import Winograd, Workspace, fits
from engines.torch_device import has_native_bfloat16, reproducible

Precision = Literal["exact", "fast"]

#: Numbers of a strip, for each thread: small enough for a cache, large enough for the waking of the threads,
#: which every operation costs.
_STRIP = 1 << 19
#: From so many channels and pixels a side the transforms cost less than the multiplications they save.
_WINOGRAD_CHANNELS, _WINOGRAD_SIDE = 128, 32
#: Blocks from this side on compute in 16 bits; the coarser ones cost little and spread their errors.
_LOW_FROM = 16


def low_precision_of(device: torch.device) -> torch.dtype:
    """What `fast` computes in there; float32 where nothing smaller is quicker."""
    if device.type == "cuda":
        return torch.float16
    return torch.bfloat16 if has_native_bfloat16(device) else torch.float32


# --- prepared layers --------------------------------------------------------------------------------


class _Styled:
    """A `StyledConvolution` made ready for one precision."""

    def __init__(
        self, layer: StyledConvolution, dtype: torch.dtype, gain: float, workspace: Workspace
    ) -> None:
        device = layer.weight.device
        out, inputs = layer.weight.shape[:2]
        side = layer.resolution // 2 if layer.up else layer.resolution
        weight = layer.weight.detach().clone()
        self.half = dtype is torch.float16
        if self.half:  # as in the model: no product may pass 65504
            weight = weight / (math.sqrt(weight[0].numel()) * weight.abs().amax((1, 2, 3), keepdim=True))
        self.dtype, self.up, self.resolution = dtype, layer.up, layer.resolution
        self.affine_weight = layer.affine.scaled_weight().detach().clone()
        self.affine_bias = layer.affine.bias.detach().clone()
        self.energy = weight.square().sum((2, 3)).T.contiguous()  # (I, O)
        self.gain = GAIN * gain
        self.bias = (layer.bias.detach() * self.gain).to(dtype)
        self.strength = float(layer.noise_strength) * self.gain if layer.noise else 0.0
        self.clamp = None if layer.clamp is None else layer.clamp * gain
        cpu = device.type == "cpu"
        pixels = side * side * inputs + layer.resolution**2 * out
        # Scaling weights has its price a picture, so not in batches; and Winograd's are too many.
        self.winograd: Winograd | None = None
        if (
            cpu
            and dtype is torch.float32
            and not layer.up
            and min(inputs, out) >= _WINOGRAD_CHANNELS
            and side >= _WINOGRAD_SIDE
            and fits(side, side)
        ):
            self.winograd = Winograd(weight, workspace)
        self.scales_weights = cpu and self.winograd is None and pixels > 2 * weight.numel()
        self.weight = torch.empty(0)
        if self.winograd is None:
            # What scales them in float32 rounds once instead of twice.
            weight = weight if self.scales_weights else weight.to(dtype)
            self.weight = _in_order(weight, transposed=layer.up)
        kernel = layer.resample_filter
        self.left = (kernel.shape[0] - 2) // 2
        self.right = kernel.shape[0] - 2 - self.left
        self.kernel = (kernel * 4.0).to(dtype).expand(out, 1, -1, -1).contiguous()

    def styles(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """(B, w_dim) -> what to scale the inputs by, (B, I), and the outputs, (B, O), gain included."""
        styles = torch.addmm(self.affine_bias, w, self.affine_weight.T)
        if self.half:
            styles = styles / styles.abs().amax(1, keepdim=True)
        return styles, torch.rsqrt(styles.square() @ self.energy + 1e-8) * self.gain

    def convolved(self, x: Tensor, styles: Tensor, scales: Tensor) -> Tensor:
        """(B, I, H, W) -> (B, O, R, R); unless `scales_weights`, others scale both and add the bias."""
        if self.winograd is not None:
            return self.winograd(x)
        weight = self.weight
        if self.scales_weights:
            both = styles[0, :, None] * scales[0] if self.up else scales[0, :, None] * styles[0]
            weight = (weight * both[:, :, None, None]).to(self.dtype)
        bias = self.bias if self.scales_weights else None
        if not self.up:
            return F.conv2d(x, weight, bias, padding=1)
        x = F.conv_transpose2d(x, weight, stride=2)  # (B, O, R + 1, R + 1)
        if self.left == self.right:
            return F.conv2d(x, self.kernel, bias, padding=self.left, groups=x.shape[1])
        return F.conv2d(F.pad(x, (self.left, self.right) * 2), self.kernel, bias, groups=x.shape[1])


def _in_order(weight: Tensor, *, transposed: bool) -> Tensor:
    """(O, I, K, K) in the memory order of the convolutions here, or (I, O, K, K) of transposed ones."""
    if transposed:
        weight = weight.transpose(0, 1)
    return weight.contiguous(memory_format=torch.channels_last)


class _Colours:
    """A `ToRGB` made ready: a matrix product for each picture."""

    def __init__(self, layer: ToRGB) -> None:
        self.affine_weight = (layer.affine.scaled_weight() * layer.weight_gain).detach()
        self.affine_bias = (layer.affine.bias * layer.weight_gain).detach()
        self.weight = layer.weight.detach().flatten(1).clone()  # (C, I)
        self.bias = layer.bias.detach().clone()
        self.clamp = layer.clamp

    def __call__(self, x: Tensor, w: Tensor) -> Tensor:
        """(B, I, R, R) and (B, w_dim) -> (B, C, R, R) float32."""
        styles = torch.addmm(self.affine_bias, w, self.affine_weight.T)
        weight = (self.weight * styles[:, None]).to(x.dtype)  # (B, C, I)
        flat = x.permute(0, 2, 3, 1).flatten(1, 2)  # (B, R R, I)
        made = torch.bmm(weight, flat.transpose(1, 2)).float()  # (B, C, R R)
        made += self.bias[:, None]
        if self.clamp is not None:
            made.clamp_(-self.clamp, self.clamp)
        return made.view(*made.shape[:2], *x.shape[2:])


class _Branch:
    """The residual branch of a block made ready: a 1x1 convolution, then the filter."""

    def __init__(self, layer: Convolution, dtype: torch.dtype, gain: float) -> None:
        weight = layer.weight.detach() * (layer.weight_gain * gain)
        self.weight = _in_order(weight.to(dtype), transposed=False)
        self.kernel = layer.resample_filter.clone()

    def __call__(self, x: Tensor) -> Tensor:
        """(B, I, R, R) -> (B, O, 2R, 2R)."""
        return doubled(F.conv2d(x, self.weight), self.kernel)


@dataclass
class _Block:
    """A `SynthesisBlock` made ready."""

    dtype: torch.dtype
    styled: list[_Styled]
    colours: _Colours | None
    branch: _Branch | None
    kernel: Tensor


def _prepared(block: SynthesisBlock, dtype: torch.dtype, workspace: Workspace) -> _Block:
    branch = None if block.skip is None else _Branch(block.skip, dtype, HALF)
    # conv1 alone is added to the branch.
    gains = [1.0] * (len(block.convolutions) - 1) + [1.0 if branch is None else HALF]
    return _Block(
        dtype,
        [
            _Styled(layer, dtype, gain, workspace)
            for layer, gain in zip(block.convolutions, gains, strict=True)
        ],
        None if block.torgb is None else _Colours(block.torgb),
        branch,
        block.resample_filter.clone(),
    )


# --- what is done to activations --------------------------------------------------------------------


def _scaled_(x: Tensor, by: Tensor) -> Tensor:
    """(B, C, H, W) times (B, C), in place."""
    return x.mul_(by.to(x.dtype)[:, :, None, None])


def _finish_(
    x: Tensor, layer: _Styled, scales: Tensor | None, noise: Tensor | None, after: Tensor | None
) -> None:
    """Everything between two convolutions, in place: (B, C, R, R), (B, C), (B or 1, 1, R, R), (B, C).

    `scales` demodulate, where the bias is still to be added; `after` is the next convolution's style.
    """
    bias = layer.bias[:, None, None]
    factor = None if scales is None else scales.to(x.dtype)[:, :, None, None]
    last = None if after is None else after.to(x.dtype)[:, :, None, None]
    rows = x.shape[2]
    if x.device.type == "cpu":
        rows = max(_STRIP * torch.get_num_threads() // (x.shape[1] * x.shape[3]), 1)
    for top in range(0, x.shape[2], rows):
        strip = x[:, :, top : top + rows]
        if factor is not None:
            torch.addcmul(bias, strip, factor, out=strip)
        if noise is not None:
            strip.add_(noise[:, :, top : top + rows])
        F.leaky_relu_(strip, SLOPE)
        if layer.clamp is not None:
            strip.clamp_(-layer.clamp, layer.clamp)
        if last is not None:
            strip.mul_(last)


# --- synthesis --------------------------------------------------------------------------------------


class FastSynthesis:
    """What `Generator.synthesis` draws, built once from a trained generator, whose weights it copies."""

    def __init__(self, generator: Generator, precision: Precision = "exact") -> None:
        """On the device the generator is on. Raises ValueError for a precision that is none."""
        if precision not in ("exact", "fast"):
            raise ValueError(f"no such precision: {precision!r}")
        synthesis = generator.synthesis
        self.config = generator.config
        self.device = synthesis.blocks[0].const.device
        #: What the finer blocks compute in.
        self.dtype = low_precision_of(self.device) if precision == "fast" else torch.float32
        #: Whether a picture is the same to the last bit in every batch.
        self.alone = self.device.type == "cpu"
        self._constant = synthesis.blocks[0].const.detach().clone()
        self._noise = [one.clone() for one in synthesis.constant_noise()]
        self._workspace = Workspace()
        with torch.no_grad():
            self._blocks = [
                _prepared(
                    block, self.dtype if block.resolution >= _LOW_FROM else torch.float32, self._workspace
                )
                for block in synthesis.blocks
            ]
        self._graph: _Graph | None = None

    @property
    def bytes(self) -> int:
        """What it keeps: weights, four times as many in Winograd's form, and temporary matrices for that."""
        layers = [layer for block in self._blocks for layer in block.styled]
        held = [layer.weight if layer.winograd is None else layer.winograd.weight for layer in layers]
        held += [block.branch.weight for block in self._blocks if block.branch is not None]
        return sum(one.nbytes for one in held) + self._workspace.bytes

    def rest(self) -> None:
        """Give back what only drawing needs: a recorded graph holds the activations of a whole batch."""
        self._graph = None
        self._workspace.clear()

    @torch.inference_mode()
    def __call__(
        self, ws: Tensor, noise: Noise = "const", *, random: torch.Generator | None = None
    ) -> Tensor:
        """(B, num_ws, w_dim) -> (B, C, R, R) float32, about -1..1. Takes and raises what `Synthesis` does."""
        self.config.check_ws(tuple(ws.shape))
        ws = ws.to(self.device)
        noises = noise_of(self.config, self._noise, len(ws), noise, random)
        with reproducible():
            if isinstance(noise, str) and noise != "random" and self.device.type == "cuda":
                return self._replayed(ws, noise, noises)
            return self._one_by_one(ws, noises) if self.alone else self._drawn(ws, noises)

    def _replayed(self, ws: Tensor, noise: str, noises: list[Tensor | None]) -> Tensor:
        """By the graph of this batch size and noise; one is kept, as each holds its activations."""
        if self._graph is None or not self._graph.draws(len(ws), noise):
            self.rest()
            self._graph = _Graph(self._drawn, ws, noise, noises)
        return self._graph(ws)

    def _one_by_one(self, ws: Tensor, noises: list[Tensor | None]) -> Tensor:
        pictures = ws.new_empty(len(ws), self.config.img_channels, *[self.config.img_resolution] * 2)
        for number in range(len(ws)):
            own = [None if one is None else one[number % len(one), None] for one in noises]
            pictures[number] = self._drawn(ws[number, None], own)[0]
        return pictures

    def _drawn(self, ws: Tensor, noises: list[Tensor | None]) -> Tensor:
        x = self._constant.expand(len(ws), -1, -1, -1)
        image: Tensor | None = None
        used = 0
        for block in self._blocks:
            # A copy where it is not one already: what follows is in place.
            x = x.to(block.dtype, memory_format=torch.channels_last, copy=not used)
            branch = None if block.branch is None else block.branch(x)
            count = len(block.styled)
            styles = [layer.styles(ws[:, used + n]) for n, layer in enumerate(block.styled)]
            if not block.styled[0].scales_weights:
                _scaled_(x, styles[0][0])
            for n, layer in enumerate(block.styled):
                x = layer.convolved(x, *styles[n])
                following = block.styled[n + 1] if n + 1 < count else None
                strength = noises[used + n]
                _finish_(
                    x,
                    layer,
                    None if layer.scales_weights else styles[n][1],
                    None if strength is None else (strength * layer.strength).to(x.dtype),
                    None if following is None or following.scales_weights else styles[n + 1][0],
                )
            used += count
            if branch is not None:
                x += branch
            if image is not None:
                image = doubled(image, block.kernel)
            if block.colours is not None:
                added = block.colours(x, ws[:, used])
                image = added if image is None else image.add_(added)
        assert image is not None
        return image


class _Graph:
    """One batch size's work on CUDA, recorded once: at small batches starting kernels is most of the time."""

    def __init__(
        self,
        draw: Callable[[Tensor, list[Tensor | None]], Tensor],
        ws: Tensor,
        noise: str,
        noises: list[Tensor | None],
    ) -> None:
        """`noises` must live, where they are, as long as this does."""
        self._ws, self._noise = ws.clone(), noise
        # What is recorded belongs to the current device, which need not be that of the network.
        with torch.cuda.device(ws.device):
            aside: torch.cuda.Stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):
                for _ in range(3):  # libraries choose their algorithms, which cannot be recorded
                    draw(self._ws, noises)
            torch.cuda.current_stream().wait_stream(aside)
            self._graph = torch.cuda.CUDAGraph()
            # The same stream again, as libraries keep work space for each. Other threads may use the device.
            with torch.cuda.graph(self._graph, stream=aside, capture_error_mode="thread_local"):
                self._image = draw(self._ws, noises)

    def draws(self, pictures: int, noise: str) -> bool:
        """Whether it was recorded for these."""
        return (len(self._ws), self._noise) == (pictures, noise)

    def __call__(self, ws: Tensor) -> Tensor:
        """(B, num_ws, w_dim) -> (B, C, R, R)."""
        self._ws.copy_(ws)
        self._graph.replay()
        return self._image.clone()
