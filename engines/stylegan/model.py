"""The networks of StyleGAN2-ADA in plain torch: exact, differentiable twice, under the official names.

Karras et al. 2019 (mapping, styles, noise, truncation), 2020a (demodulation, skip and residual networks, the
filters) and 2020b (clamping, half precision, labels). This is the model to train and to compare with; `fast`
draws the same pictures sooner.

Departure: styles always scale activations, never weights. It is the same sum in another order, within 1e-5.

With a filter of other than four taps an even number works in the same way; where an odd one comes to lie is
our choice (`layers.edges`), as no network of that kind is known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from engines.stylegan.config import DiscriminatorConfig, GeneratorConfig
from engines.stylegan.layers import (
    Convolution,
    Dense,
    StyledConvolution,
    ToRGB,
    doubled,
    halved,
    low_pass,
    normalised,
)

#: Fixed pictures of noise, fresh ones, none; or one tensor (B or 1, 1, R, R) a convolution, coarsest first.
Noise = Literal["const", "random", "none"] | Sequence[Tensor]

_SMALLEST = 4
#: Residual branches are added with this weight each.
HALF = math.sqrt(0.5)


def low_precision_blocks(config: GeneratorConfig | DiscriminatorConfig) -> tuple[int, ...]:
    """The sides of the blocks that compute in 16 bits where that is asked for."""
    sides = config.resolutions()
    return tuple(side for side in sides[max(len(sides) - config.num_fp16_res, 0) :] if side >= 8)


# --- mapping ----------------------------------------------------------------------------------------


def truncated(ws: Tensor, average: Tensor, psi: float | Tensor, cutoff: int | None = None) -> Tensor:
    """(B, num_ws, w_dim) drawn towards the average: psi 1 changes nothing, 0 leaves the average.

    `psi` is one number or (B,). Only the first `cutoff` ws are changed; None: all.
    """
    steps = torch.ones(ws.shape[:2], device=ws.device)  # (B, num_ws)
    steps[:, :cutoff] = psi[:, None] if isinstance(psi, Tensor) else psi
    return torch.lerp(average, ws, steps[:, :, None])


class Mapping(nn.Module):
    """A latent and a label -> w (Karras et al. 2019, section 2)."""

    w_avg: Tensor

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        layers: int,
        *,
        num_ws: int = 1,
        embed: int | None = None,
        width: int | None = None,
        lr: float = 0.01,
        w_avg_beta: float | None = None,
    ) -> None:
        """`embed`, `width`: of the embedded label and of the layers between; None: as wide as w."""
        super().__init__()
        self.z_dim, self.c_dim, self.num_ws, self.w_avg_beta = z_dim, c_dim, num_ws, w_avg_beta
        first = z_dim
        if c_dim:
            first += embed or w_dim
            self.embed = Dense(c_dim, embed or w_dim)
        widths = [first, *[width or w_dim] * (layers - 1), w_dim]
        self.layers = []  # the same modules as the attributes below, in order
        for number in range(layers):
            layer = Dense(widths[number], widths[number + 1], activate=True, lr=lr)
            self.add_module(f"fc{number}", layer)
            self.layers.append(layer)
        if w_avg_beta is not None:
            self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(
        self,
        z: Tensor | None,
        c: Tensor | None = None,
        truncation_psi: float | Tensor = 1.0,
        truncation_cutoff: int | None = None,
        *,
        update_w_avg: bool = False,
    ) -> Tensor:
        """(B, z_dim) and (B, c_dim) -> ws (B, num_ws, w_dim), each picture's w as often as it is used.

        The length of z does not matter. `update_w_avg` moves the running mean, as training does.
        Raises ValueError for inputs that are absent, and for truncation without a mean.
        """
        x = torch.cat(self._inputs(z, c), dim=1)
        for layer in self.layers:
            x = layer(x)
        if update_w_avg and self.w_avg_beta is not None:
            self.w_avg.copy_(torch.lerp(x.detach().mean(0), self.w_avg, self.w_avg_beta))
        ws = x[:, None].expand(-1, self.num_ws, -1)
        if not isinstance(truncation_psi, Tensor) and truncation_psi == 1.0:
            return ws.contiguous()
        if self.w_avg_beta is None:
            raise ValueError("this network keeps no mean of w to truncate towards")
        return truncated(ws, self.w_avg, truncation_psi, truncation_cutoff)

    def _inputs(self, z: Tensor | None, c: Tensor | None) -> list[Tensor]:
        found = []
        if self.z_dim:
            if z is None or z.shape[1:] != (self.z_dim,):
                raise ValueError(f"z must be (B, {self.z_dim})")
            found.append(normalised(z.float()))
        if self.c_dim:
            if c is None or c.shape[1:] != (self.c_dim,):
                raise ValueError(f"c must be (B, {self.c_dim})")
            found.append(normalised(self.embed(c.float())))
        return found


# --- synthesis --------------------------------------------------------------------------------------


class SynthesisBlock(nn.Module):
    """One resolution: the constant or a doubling convolution, one more, and colours where there are any."""

    resample_filter: Tensor

    def __init__(self, config: GeneratorConfig, resolution: int) -> None:
        super().__init__()
        out, taps = config.channels(resolution), config.resample_filter
        self.resolution, self.architecture = resolution, config.architecture
        self.convolutions: list[StyledConvolution] = []  # the same modules as the attributes below
        if resolution == _SMALLEST:
            self.const = nn.Parameter(torch.randn(out, resolution, resolution))
        else:
            self.conv0 = self._convolution(config, config.channels(resolution // 2), up=True)
        self.conv1 = self._convolution(config, out, up=False)
        self.torgb: ToRGB | None = None
        if config.architecture == "skip" or resolution == config.img_resolution:
            self.torgb = ToRGB(out, config.img_channels, config.w_dim, config.conv_clamp)
        self.skip: Convolution | None = None
        if config.architecture == "resnet" and resolution > _SMALLEST:
            self.skip = Convolution(config.channels(resolution // 2), out, 1, taps, up=True, branch=True)
        self.register_buffer("resample_filter", low_pass(taps))

    def _convolution(self, config: GeneratorConfig, inputs: int, *, up: bool) -> StyledConvolution:
        made = StyledConvolution(
            inputs,
            config.channels(self.resolution),
            config.w_dim,
            self.resolution,
            config.resample_filter,
            up=up,
            noise=config.use_noise,
            clamp=config.conv_clamp,
        )
        self.convolutions.append(made)
        return made

    def forward(
        self,
        x: Tensor | None,
        image: Tensor | None,
        ws: Tensor,
        noise: Sequence[Tensor | None],
        dtype: torch.dtype = torch.float32,
    ) -> tuple[Tensor, Tensor | None]:
        """(B, I, R/2, R/2), the picture so far (B, C, R/2, R/2) float32 and (B, n, w_dim) -> both at R.

        A `noise` for each convolution; `dtype` is what they compute in.
        """
        if x is None:
            x = self.const.expand(len(ws), -1, -1, -1)
            x = x.to(dtype).contiguous(memory_format=torch.channels_last)
            x = self.conv1(x, ws[:, 0], noise[0])
        else:
            x = x.to(dtype)
            branch = None if self.skip is None else self.skip(x, gain=HALF)
            x = self.conv0(x, ws[:, 0], noise[0])
            x = self.conv1(x, ws[:, 1], noise[1], gain=1.0 if branch is None else HALF)
            if branch is not None:
                x = branch + x
        assert x is not None
        if image is not None:
            image = doubled(image, self.resample_filter)
        if self.torgb is not None:
            colours = self.torgb(x, ws[:, len(self.convolutions)])
            image = colours if image is None else image + colours
        return x, image


class Synthesis(nn.Module):
    """ws -> a picture (Karras et al. 2020a, figure 2 and section 4.1)."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.blocks: list[SynthesisBlock] = []  # the same modules as the attributes below, coarsest first
        for resolution in config.resolutions():
            block = SynthesisBlock(config, resolution)
            self.add_module(f"b{resolution}", block)
            self.blocks.append(block)
        self._low = low_precision_blocks(config)

    def forward(
        self,
        ws: Tensor,
        noise: Noise = "const",
        *,
        random: torch.Generator | None = None,
        low_precision: torch.dtype | None = None,
    ) -> Tensor:
        """(B, num_ws, w_dim) -> (B, C, R, R) float32, about -1..1.

        `noise` "random" is drawn from `random`, picture after picture and coarsest first, so that it does not
        depend on how many are drawn at once. `low_precision`, torch.float16 or torch.bfloat16, is what the
        finest `num_fp16_res` blocks compute in. Raises ValueError for ws or noise of another shape.
        """
        self.config.check_ws(tuple(ws.shape))
        noises = noise_of(self.config, self.constant_noise(), len(ws), noise, random)
        x: Tensor | None = None
        image: Tensor | None = None
        first = 0
        for block in self.blocks:
            count = len(block.convolutions)
            low = low_precision is not None and block.resolution in self._low
            # The colours take the w of the next block's first convolution.
            x, image = block(
                x,
                image,
                ws[:, first : first + count + 1],
                noises[first : first + count],
                low_precision if low else torch.float32,
            )
            first += count
        assert image is not None
        return image

    def constant_noise(self) -> list[Tensor]:
        """(R, R) of each convolution, coarsest first; none for a network without noise."""
        return [layer.noise_const for block in self.blocks for layer in block.convolutions if layer.noise]


def noise_of(
    config: GeneratorConfig,
    constant: Sequence[Tensor],
    pictures: int,
    noise: Noise,
    random: torch.Generator | None = None,
) -> list[Tensor | None]:
    """For each convolution its noise, (B or 1, 1, R, R), or None. Raises ValueError as `Synthesis` does.

    `constant` is the network's own noise, (R, R) each; empty where it takes none.
    """
    sides = [side for side in config.resolutions() for _ in range(1 if side == _SMALLEST else 2)]
    if isinstance(noise, str):
        if noise not in ("const", "random", "none"):
            raise ValueError(f"no such noise: {noise!r}")
        if noise == "none" or not config.use_noise:
            return [None] * len(sides)
        if noise == "const":
            return [one[None, None] for one in constant]
        if random is None:
            raise ValueError("random noise needs a generator to draw it from")
        drawn = [_drawn(sides, random) for _ in range(pictures)]
        return [torch.stack(of_one).to(constant[0].device) for of_one in zip(*drawn, strict=True)]
    given = [tuple(one.shape) for one in noise]
    if len(given) != len(sides) or any(
        shape not in ((pictures, 1, side, side), (1, 1, side, side))
        for shape, side in zip(given, sides, strict=True)
    ):
        raise ValueError(f"noise must be (B or 1, 1, R, R) with R of {sides}, not {given}")
    return list(noise) if config.use_noise else [None] * len(sides)


def _drawn(sides: Sequence[int], random: torch.Generator) -> list[Tensor]:
    """One picture's noise, (1, R, R) each."""
    return [torch.randn(1, side, side, generator=random, device=random.device) for side in sides]


class Generator(nn.Module):
    """A latent, a label -> a picture: `mapping`, then `synthesis`.

    Mixing styles is a matter of ws alone: take some of them from another latent.
    """

    def __init__(self, config: GeneratorConfig) -> None:
        """With fresh weights, as training begins."""
        super().__init__()
        self.config = config
        self.synthesis = Synthesis(config)
        self.mapping = Mapping(
            config.z_dim,
            config.c_dim,
            config.w_dim,
            config.mapping_layers,
            num_ws=config.num_ws(),
            embed=config.mapping_embed,
            width=config.mapping_width,
            lr=config.mapping_lr,
            w_avg_beta=config.w_avg_beta,
        )

    def forward(
        self,
        z: Tensor | None,
        c: Tensor | None = None,
        noise: Noise = "const",
        *,
        truncation_psi: float | Tensor = 1.0,
        truncation_cutoff: int | None = None,
        random: torch.Generator | None = None,
        low_precision: torch.dtype | None = None,
    ) -> Tensor:
        """(B, z_dim) and (B, c_dim) -> (B, C, R, R) float32; the rest as `Mapping` and `Synthesis` say."""
        ws = self.mapping(z, c, truncation_psi, truncation_cutoff)
        image: Tensor = self.synthesis(ws, noise, random=random, low_precision=low_precision)
        return image


# --- discriminator ----------------------------------------------------------------------------------


def with_deviation(x: Tensor, group: int | None, planes: int) -> Tensor:
    """(B, C, H, W) -> (B, C + planes, H, W): the mean standard deviation over each group of pictures.

    Karras et al. 2018. Pictures B/G apart are a group. Raises ValueError when groups do not fill the batch.
    """
    count, channels, height, width = x.shape
    size = min(group or count, count)
    if count % size:
        raise ValueError(f"a batch of {count} cannot be divided into groups of {size}")
    grouped = x.float().reshape(size, count // size, planes, channels // planes, height, width)
    spread = grouped.var(0, correction=0).add(1e-8).sqrt().mean((2, 3, 4))  # (B / G, planes)
    spread = spread.repeat(size, 1).to(x.dtype)[:, :, None, None]
    return torch.cat([x, spread.expand(-1, -1, height, width)], dim=1)


class DiscriminatorBlock(nn.Module):
    """One resolution: two convolutions, the second of which halves it."""

    resample_filter: Tensor

    def __init__(self, config: DiscriminatorConfig, resolution: int, layers: int) -> None:
        """`layers`: how many convolutions there are before this block; the first ones may be frozen."""
        super().__init__()
        taps, clamp = config.resample_filter, config.conv_clamp
        inputs, out = config.channels(resolution), config.channels(resolution // 2)
        self.layers = layers
        self.fromrgb: Convolution | None = None
        if resolution == config.img_resolution or config.architecture == "skip":
            frozen = self._frozen(config)
            self.fromrgb = Convolution(config.img_channels, inputs, 1, taps, clamp=clamp, frozen=frozen)
        self.conv0 = Convolution(inputs, inputs, 3, taps, clamp=clamp, frozen=self._frozen(config))
        self.conv1 = Convolution(inputs, out, 3, taps, down=True, clamp=clamp, frozen=self._frozen(config))
        self.skip: Convolution | None = None
        if config.architecture == "resnet":
            frozen = self._frozen(config)
            self.skip = Convolution(inputs, out, 1, taps, down=True, branch=True, frozen=frozen)
        self.resolution, self.architecture = resolution, config.architecture
        self.register_buffer("resample_filter", low_pass(taps))

    def _frozen(self, config: DiscriminatorConfig) -> bool:
        """Whether the next layer is, which is counted by that."""
        self.layers += 1
        return self.layers <= config.freeze_layers

    def forward(
        self, x: Tensor | None, image: Tensor | None, dtype: torch.dtype = torch.float32
    ) -> tuple[Tensor, Tensor | None]:
        """(B, I, R, R) and the picture at R, where it is still wanted -> both at R/2."""
        if self.fromrgb is not None:
            assert image is not None
            colours = self.fromrgb(image.to(dtype))
            x = colours if x is None else x.to(dtype) + colours
            image = halved(image, self.resample_filter) if self.architecture == "skip" else None
        assert x is not None
        x = x.to(dtype)
        branch = None if self.skip is None else self.skip(x, gain=HALF)
        x = self.conv1(self.conv0(x), gain=1.0 if branch is None else HALF)
        return (x if branch is None else branch + x), image


class Epilogue(nn.Module):
    """The last block, at 4x4: what the pictures of a batch differ in, and the score."""

    def __init__(self, config: DiscriminatorConfig, outputs: int) -> None:
        super().__init__()
        channels, taps = config.channels(_SMALLEST), config.resample_filter
        self.fromrgb: Convolution | None = None
        if config.architecture == "skip":
            self.fromrgb = Convolution(config.img_channels, channels, 1, taps, clamp=config.conv_clamp)
        self.group, self.planes = config.mbstd_group_size, config.mbstd_num_channels
        self.conv = Convolution(channels + self.planes, channels, 3, taps, clamp=config.conv_clamp)
        self.fc = Dense(channels * _SMALLEST**2, channels, activate=True)
        self.out = Dense(channels, outputs)

    def forward(self, x: Tensor, image: Tensor | None) -> Tensor:
        """(B, C, 4, 4), and the picture at 4x4 where it is wanted -> (B, outputs)."""
        x = x.float()
        if self.fromrgb is not None:
            x = x + self.fromrgb(image)
        if self.planes:
            x = with_deviation(x, self.group, self.planes)
        scores: Tensor = self.out(self.fc(self.conv(x).flatten(1)))
        return scores


class Discriminator(nn.Module):
    """How real pictures are, each with its label: larger is more."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        """With fresh weights."""
        super().__init__()
        self.config = config
        self.blocks: list[DiscriminatorBlock] = []  # the same modules as the attributes below, finest first
        layers = 0
        for resolution in reversed(config.resolutions()[1:]):
            block = DiscriminatorBlock(config, resolution, layers)
            self.add_module(f"b{resolution}", block)
            self.blocks.append(block)
            layers = block.layers
        self._width = (config.cmap_dim or config.channels(_SMALLEST)) if config.c_dim else 0
        if self._width:
            self.mapping = Mapping(0, config.c_dim, self._width, config.mapping_layers, lr=config.mapping_lr)
        self.b4 = Epilogue(config, self._width or 1)
        self._low = low_precision_blocks(config)

    def forward(
        self, image: Tensor, c: Tensor | None = None, *, low_precision: torch.dtype | None = None
    ) -> Tensor:
        """(B, C, R, R) in -1..1 and (B, c_dim) -> (B, 1) float32, without bounds.

        `low_precision` as in `Synthesis`. Raises ValueError for inputs of another shape.
        """
        side, colours = self.config.img_resolution, self.config.img_channels
        if image.shape[1:] != (colours, side, side):
            raise ValueError(f"pictures must be (B, {colours}, {side}, {side}), not {tuple(image.shape)}")
        x: Tensor | None = None
        rest: Tensor | None = image.contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            low = low_precision is not None and block.resolution in self._low
            x, rest = block(x, rest, low_precision if low else torch.float32)
        scores: Tensor = self.b4(x, rest)
        if self._width:
            label = self.mapping(None, c)[:, 0]  # (B, width)
            scores = (scores * label).sum(1, keepdim=True) / math.sqrt(self._width)
        return scores
