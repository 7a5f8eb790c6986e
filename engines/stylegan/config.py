"""What a network is built as: the numbers that a file of weights must come with. No torch here.

The names are those of `stylegan2-ada-pytorch` (Karras et al. 2020, "Training Generative Adversarial Networks
with Limited Data"), flat. The bounds keep a hostile file from asking for a network of terabytes.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Architecture = Literal["skip", "resnet", "orig"]

_Width = Annotated[int, Field(ge=1, le=2048)]
_ChannelBase = Annotated[int, Field(ge=16, le=2**18)]
_Layers = Annotated[int, Field(ge=1, le=32)]
_Clamp = Annotated[float, Field(gt=0.0, le=1e9)] | None
#: A separable low-pass filter; two taps are a box.
_Filter = Annotated[tuple[float, ...], Field(min_length=1, max_length=64)] | None

RESOLUTIONS = tuple(2**power for power in range(2, 12))
#: What Pillow calls pictures of so many channels; others can be computed and not shown.
PICTURE_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


class _Network(BaseModel):
    """What generator and discriminator have in common."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    #: Numbers in a class label; 0 without classes.
    c_dim: int = Field(ge=0, le=65_536)
    #: Side of a picture in pixels, a power of two.
    img_resolution: int
    img_channels: int = Field(ge=1, le=16)
    #: A block of side r has min(channel_base // r, channel_max) channels.
    channel_base: _ChannelBase = 32_768
    channel_max: _Width = 512
    #: The finest blocks, so many, run in half precision where asked for.
    num_fp16_res: int = Field(default=4, ge=0, le=16)
    #: Where activations are clipped.
    conv_clamp: _Clamp = 256.0
    #: Taps of the filter around every change of resolution.
    resample_filter: _Filter = (1.0, 3.0, 3.0, 1.0)

    @model_validator(mode="after")
    def _is_a_power_of_two(self) -> Self:
        if self.img_resolution not in RESOLUTIONS:
            raise ValueError(f"img_resolution is {self.img_resolution}; it must be one of {RESOLUTIONS}")
        return self

    @model_validator(mode="after")
    def _has_a_low_pass_filter(self) -> Self:
        taps = self.resample_filter
        # How an uneven one would have to be turned around is not known: no network has one.
        if taps is not None and (taps != taps[::-1] or sum(taps) == 0.0):
            raise ValueError("resample_filter must be symmetrical, and its sum not 0")
        return self

    def resolutions(self) -> tuple[int, ...]:
        """4, 8, ... img_resolution."""
        return tuple(side for side in RESOLUTIONS if side <= self.img_resolution)

    def channels(self, resolution: int) -> int:
        """Of the block of that side."""
        return max(1, min(self.channel_base // resolution, self.channel_max))


class GeneratorConfig(_Network):
    """A mapping network and a synthesis network."""

    z_dim: int = Field(default=512, ge=0, le=4096)
    w_dim: _Width = 512
    architecture: Architecture = "skip"
    mapping_layers: _Layers = 8
    #: None: as wide as w.
    mapping_embed: _Width | None = None
    mapping_width: _Width | None = None
    mapping_lr: float = Field(default=0.01, gt=0.0, le=1.0)
    #: How much of the running mean of w a step keeps.
    w_avg_beta: float | None = Field(default=0.995, ge=0.0, le=1.0)
    use_noise: bool = True

    @model_validator(mode="after")
    def _is_made_of_something(self) -> Self:
        if not self.z_dim and not self.c_dim:
            raise ValueError("a network without z and without classes has nothing to draw from")
        return self

    def num_ws(self) -> int:
        """How many w one picture takes: one for each convolution and one for the last colour layer."""
        return 2 * len(self.resolutions())

    def check_ws(self, shape: tuple[int, ...]) -> None:
        """Raises ValueError unless a tensor of that shape is ws of this network, (B, num_ws, w_dim)."""
        if len(shape) != 3 or shape[1:] != (self.num_ws(), self.w_dim):
            raise ValueError(f"ws must be (B, {self.num_ws()}, {self.w_dim}), not {shape}")


class DiscriminatorConfig(_Network):
    """The judge of training; only training needs it."""

    architecture: Architecture = "resnet"
    #: Width of the embedded label; None: as wide as the smallest block.
    cmap_dim: _Width | None = None
    mapping_layers: _Layers = 8
    mapping_lr: float = Field(default=0.01, gt=0.0, le=1.0)
    #: None: the whole batch.
    mbstd_group_size: int | None = Field(default=4, ge=1, le=1024)
    mbstd_num_channels: int = Field(default=1, ge=0, le=64)
    #: The finest layers, so many, are not trained (Freeze-D, Mo et al. 2020).
    freeze_layers: int = Field(default=0, ge=0, le=64)

    @model_validator(mode="after")
    def _can_be_built(self) -> Self:
        if self.img_resolution == RESOLUTIONS[0]:
            raise ValueError("a discriminator needs pictures of 8 px or more")
        smallest = self.channels(RESOLUTIONS[0])
        if self.mbstd_num_channels and smallest % self.mbstd_num_channels:
            raise ValueError(
                f"mbstd_num_channels is {self.mbstd_num_channels}; "
                f"it must divide the {smallest} channels of the smallest block"
            )
        return self
