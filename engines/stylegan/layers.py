"""What generator and discriminator are built of: filters around changes of size, dense layers, convolutions.

Karras et al. 2019, 2020a, 2020b. Every weight is stored with unit variance and scaled where it is used
("equalised learning rate", Karras et al. 2018). Every operation can be differentiated twice, as R1 and the
path length need it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: The slope of every leaky ReLU, and the factor that keeps the variance after it.
SLOPE, GAIN = 0.2, math.sqrt(2.0)
_EPSILON = 1e-8

# --- change of size ---------------------------------------------------------------------------------


def low_pass(taps: Sequence[float] | None) -> Tensor:
    """(K, K): the outer product of the taps with themselves, which sums to 1. None is a single tap."""
    line = torch.tensor(taps or (1.0,), dtype=torch.float32)
    square = torch.outer(line, line)
    return square / square.sum()


def edges(taps: int) -> tuple[int, int]:
    """How much of the left and of the right edge belongs to a filter when a picture is doubled.

    A doubled picture without edges would have `taps - 2` pixels too many. With an even number of taps as many
    fall on either side; with an odd number old pixels stay on the even places of the new grid.
    """
    left = (taps - 1) // 2
    return left, taps - 2 - left


def _filtered(x: Tensor, kernel: Tensor, left: int, right: int, stride: int = 1) -> Tensor:
    """Every channel filtered by itself, after zeros to the left and top and to the right and bottom.

    Negative numbers of zeros cut off.
    """
    both = max(min(left, right), 0)
    if _is_slow(x):
        if stride > 1:
            return _filtered(x.float(), kernel, left, right, stride).to(x.dtype)
        both = 0
    if left != right or both != left:
        x = F.pad(x, (left - both, right - both) * 2)
    weight = kernel.to(x.dtype).expand(x.shape[1], 1, -1, -1)
    return F.conv2d(x, weight, padding=both, stride=stride, groups=x.shape[1])


def _is_slow(x: Tensor) -> bool:
    """Whether filters should avoid strides and padding: with them a CPU is six times slower in 16 bits.

    That is 52 ms against 8 for the gradient of `halved`, with 32 pictures of 32 channels and 64 px, 43
    against 7 for `doubled`, and 37 against 5 for a filter with a padding of 2.
    """
    return x.device.type == "cpu" and x.dtype is torch.bfloat16


def doubled(x: Tensor, kernel: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, 2H, 2W): zeros between the pixels, then the filter with a gain of 4."""
    if _is_slow(x):
        return doubled(x.float(), kernel).to(x.dtype)
    left, right = edges(kernel.shape[0])
    both = max(min(left, right), 0)
    weight = (kernel * 4.0).to(x.dtype).expand(x.shape[1], 1, -1, -1)
    x = F.conv_transpose2d(x, weight, stride=2, padding=both, groups=x.shape[1])
    return x if left == right == both else F.pad(x, (both - left, both - right) * 2)


def halved(x: Tensor, kernel: Tensor) -> Tensor:
    """(B, C, 2H, 2W) -> (B, C, H, W): the filter, then every second pixel; the transpose of `doubled`."""
    return _filtered(x, kernel, *edges(kernel.shape[0]), stride=2)


def doubling_convolution(x: Tensor, weight: Tensor, kernel: Tensor) -> Tensor:
    """(B, I, H, W) and (O, I, 3, 3) -> (B, O, 2H, 2W): a transposed convolution, then the filter."""
    x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)  # (B, O, 2H + 1, 2W + 1)
    taps = kernel.shape[0]
    left = (taps - 2) // 2
    return _filtered(x, kernel * 4.0, left, taps - 2 - left)


def halving_convolution(x: Tensor, weight: Tensor, kernel: Tensor, bias: Tensor | None = None) -> Tensor:
    """(B, I, 2H, 2W), (O, I, 3, 3) and (O,) -> (B, O, H, W): the filter, then a convolution of stride 2."""
    taps = kernel.shape[0]
    right = 1 + (taps - 2) // 2
    return F.conv2d(_filtered(x, kernel, taps - right, right), weight, bias, stride=2)


# --- layers -----------------------------------------------------------------------------------------


def normalised(x: Tensor) -> Tensor:
    """(B, N) of any length -> the same directions with a mean square of 1."""
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + _EPSILON)


def activated(x: Tensor, gain: float, clamp: float | None) -> Tensor:
    """Leaky ReLU and a limit, which `gain` scales; the gains are in x already.

    A positive factor passes through leaky ReLU, so what comes before multiplies its few weights by it instead
    of all pixels.
    """
    x = F.leaky_relu(x, SLOPE)
    # Its gradient is one pass over the picture, and that of `clamp` is four.
    return x if clamp is None else F.hardtanh(x, -clamp * gain, clamp * gain)


class Dense(nn.Module):
    """A fully connected layer, linear or with a leaky ReLU."""

    def __init__(
        self, inputs: int, outputs: int, *, bias: float = 0.0, activate: bool = False, lr: float = 1.0
    ) -> None:
        """`lr`: how much slower than others this layer learns; its weights are stored so much larger."""
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr)
        self.bias = nn.Parameter(torch.full((outputs,), bias))
        self._weight_gain, self._bias_gain = lr / math.sqrt(inputs), lr
        self._activate = activate

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs) -> (B, outputs)."""
        x = F.linear(x, self.scaled_weight(), self.bias * self._bias_gain)
        return F.leaky_relu(x, SLOPE) * GAIN if self._activate else x

    def scaled_weight(self) -> Tensor:
        """(outputs, inputs), as it is used."""
        return self.weight * self._weight_gain


class Convolution(nn.Module):
    """A convolution of the discriminator, or of a residual branch: at the same size, twice or half of it."""

    resample_filter: Tensor
    weight: Tensor
    bias: Tensor | None

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int,
        taps: Sequence[float] | None,
        *,
        up: bool = False,
        down: bool = False,
        branch: bool = False,
        clamp: float | None = None,
        frozen: bool = False,
    ) -> None:
        """`branch`: no bias and no activation. `frozen`: its weights are no parameters.

        Raises ValueError for a kernel it was not made for: 1x1, or 3x3 that does not enlarge.
        """
        super().__init__()
        if size not in (1, 3) or (up and size != 1):
            raise ValueError(f"no convolution of {size}x{size} here that {'enlarges' if up else 'keeps'}")
        weight = torch.randn(outputs, inputs, size, size)
        bias = None if branch else torch.zeros(outputs)
        if frozen:
            self.register_buffer("weight", weight)
            self.register_buffer("bias", bias)
        else:
            self.weight = nn.Parameter(weight)
            self.bias = None if bias is None else nn.Parameter(bias)
        self.register_buffer("resample_filter", low_pass(taps))
        self.up, self.down, self.branch, self.clamp = up, down, branch, clamp
        self.weight_gain = 1.0 / math.sqrt(inputs * size * size)

    def forward(self, x: Tensor, gain: float = 1.0) -> Tensor:
        """(B, I, H, W) -> (B, O, H', W'); `gain` scales what comes out."""
        whole = gain if self.bias is None else gain * GAIN
        weight = (self.weight * (self.weight_gain * whole)).to(x.dtype)
        bias = None if self.bias is None else (self.bias * whole).to(x.dtype)
        if weight.shape[-1] == 3:
            if self.down:
                x = halving_convolution(x, weight, self.resample_filter, bias)
            else:
                x = F.conv2d(x, weight, bias, padding=1)
        else:
            # One pixel at a time, so that it may stand on whichever side is smaller.
            if self.down:
                x = halved(x, self.resample_filter)
            x = F.conv2d(x, weight, bias)
            if self.up:
                x = doubled(x, self.resample_filter)
        return x if self.bias is None else activated(x, gain, self.clamp)


class StyledConvolution(nn.Module):
    """A 3x3 convolution whose input channels a style scales, with noise (Karras et al. 2020a, section 2.2).

    The activations are scaled, not the weights: the same sum in another order, and one convolution for all
    pictures of a batch. So a picture does not depend on how many there are.
    """

    resample_filter: Tensor
    noise_const: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        w_dim: int,
        resolution: int,
        taps: Sequence[float] | None,
        *,
        up: bool = False,
        noise: bool = True,
        clamp: float | None = None,
    ) -> None:
        """`resolution`: the side of what comes out, in pixels."""
        super().__init__()
        self.affine = Dense(w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        if noise:
            self.register_buffer("noise_const", torch.randn(resolution, resolution))
            self.noise_strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("resample_filter", low_pass(taps))
        self.resolution, self.up, self.noise, self.clamp = resolution, up, noise, clamp

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None, gain: float = 1.0) -> Tensor:
        """(B, I, H, W), (B, w_dim) and noise (B or 1, 1, R, R) of variance 1 -> (B, O, R, R)."""
        styles: Tensor = self.affine(w)  # (B, I)
        weight: Tensor = self.weight  # (O, I, 3, 3)
        if x.dtype is torch.float16:
            # Both factors cancel in the demodulation; without them a product passes 65504.
            weight = weight / (math.sqrt(weight[0].numel()) * weight.abs().amax((1, 2, 3), keepdim=True))
            styles = styles / styles.abs().amax(1, keepdim=True)
        whole = gain * GAIN
        energy = weight.square().sum((2, 3))  # (O, I)
        demodulation = torch.rsqrt(styles.square() @ energy.T + _EPSILON)  # (B, O)
        x = x * styles.to(x.dtype)[:, :, None, None]
        weight = weight.to(x.dtype)
        if self.up:
            x = doubling_convolution(x, weight, self.resample_filter)
        else:
            x = F.conv2d(x, weight, padding=1)
        scale = (demodulation * whole).to(x.dtype)[:, :, None, None]
        x = torch.addcmul((self.bias * whole).to(x.dtype)[:, None, None], x, scale)
        if noise is not None:
            x = x + (noise * (self.noise_strength * whole)).to(x.dtype)
        return activated(x, gain, self.clamp)


class ToRGB(nn.Module):
    """A 1x1 convolution to colours under a style, without demodulation or activation."""

    def __init__(self, inputs: int, colours: int, w_dim: int, clamp: float | None) -> None:
        super().__init__()
        self.affine = Dense(w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(colours, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(colours))
        self.clamp = clamp
        self.weight_gain = 1.0 / math.sqrt(inputs)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """(B, I, R, R) and (B, w_dim) -> (B, colours, R, R) float32."""
        styles = self.affine(w) * self.weight_gain  # (B, I)
        x = F.conv2d(x * styles.to(x.dtype)[:, :, None, None], self.weight.to(x.dtype))
        x = x + self.bias.to(x.dtype)[:, None, None]
        return (x if self.clamp is None else x.clamp(-self.clamp, self.clamp)).float()
