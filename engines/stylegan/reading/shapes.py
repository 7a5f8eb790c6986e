"""Which tensors a network has: names and shapes from its configuration alone. No torch here.

The names are those of official state dicts. What a file holds is compared with this list, entry by entry.
"""

from __future__ import annotations

from itertools import pairwise

from engines.stylegan.config import DiscriminatorConfig, GeneratorConfig

Shapes = dict[str, tuple[int, ...]]


def expected_shapes(config: GeneratorConfig | DiscriminatorConfig) -> Shapes:
    """Every parameter and buffer of the network, by its name in the state dict."""
    if isinstance(config, GeneratorConfig):
        return {**_prefixed("mapping", _mapping(config)), **_prefixed("synthesis", _synthesis(config))}
    return _discriminator(config)


# --- the generator ----------------------------------------------------------------------------------


def _mapping(config: GeneratorConfig) -> Shapes:
    embed = config.mapping_embed or config.w_dim
    shapes = _label_mapping(
        config.c_dim,
        embed,
        [config.z_dim + (embed if config.c_dim else 0)]
        + [config.mapping_width or config.w_dim] * (config.mapping_layers - 1)
        + [config.w_dim],
    )
    if config.w_avg_beta is not None:
        shapes["w_avg"] = (config.w_dim,)
    return shapes


def _synthesis(config: GeneratorConfig) -> Shapes:
    shapes: Shapes = {}
    for side in config.resolutions():
        out = config.channels(side)
        block: Shapes = {"resample_filter": _filter(config)}
        if side == 4:
            block["const"] = (out, 4, 4)
        else:
            block |= _prefixed("conv0", _synthesis_layer(config, config.channels(side // 2), side))
        block |= _prefixed("conv1", _synthesis_layer(config, out, side))
        if config.architecture == "skip" or side == config.img_resolution:
            block |= _prefixed("torgb", _modulated(config, out, config.img_channels, kernel=1))
        if config.architecture == "resnet" and side > 4:
            block["skip.weight"] = (out, config.channels(side // 2), 1, 1)
            block["skip.resample_filter"] = _filter(config)
        shapes |= _prefixed(f"b{side}", block)
    return shapes


def _synthesis_layer(config: GeneratorConfig, inputs: int, side: int) -> Shapes:
    shapes = _modulated(config, inputs, config.channels(side), kernel=3)
    shapes["resample_filter"] = _filter(config)
    if config.use_noise:
        shapes |= {"noise_const": (side, side), "noise_strength": ()}
    return shapes


def _modulated(config: GeneratorConfig, inputs: int, outputs: int, kernel: int) -> Shapes:
    return {
        "weight": (outputs, inputs, kernel, kernel),
        "bias": (outputs,),
        **_prefixed("affine", _dense(config.w_dim, inputs)),
    }


# --- the discriminator ------------------------------------------------------------------------------


def _discriminator(config: DiscriminatorConfig) -> Shapes:
    shapes: Shapes = {}
    for side in reversed(config.resolutions()[1:]):
        shapes |= _prefixed(f"b{side}", _discriminator_block(config, side))
    smallest = config.channels(4)
    cmap = (config.cmap_dim or smallest) if config.c_dim else 0
    if config.architecture == "skip":
        shapes |= _prefixed("b4.fromrgb", _convolution(config, config.img_channels, smallest, kernel=1))
    shapes |= _prefixed("b4.conv", _convolution(config, smallest + config.mbstd_num_channels, smallest))
    shapes |= _prefixed("b4.fc", _dense(smallest * 16, smallest))
    shapes |= _prefixed("b4.out", _dense(smallest, cmap or 1))
    if cmap:
        widths = [cmap] * (config.mapping_layers + 1)
        shapes |= _prefixed("mapping", _label_mapping(config.c_dim, cmap, widths))
    return shapes


def _discriminator_block(config: DiscriminatorConfig, side: int) -> Shapes:
    inputs, outputs = config.channels(side), config.channels(side // 2)
    shapes: Shapes = {"resample_filter": _filter(config)}
    if side == config.img_resolution or config.architecture == "skip":
        shapes |= _prefixed("fromrgb", _convolution(config, config.img_channels, inputs, kernel=1))
    shapes |= _prefixed("conv0", _convolution(config, inputs, inputs))
    shapes |= _prefixed("conv1", _convolution(config, inputs, outputs))
    if config.architecture == "resnet":
        shapes |= {"skip.weight": (outputs, inputs, 1, 1), "skip.resample_filter": _filter(config)}
    return shapes


def _convolution(config: DiscriminatorConfig, inputs: int, outputs: int, kernel: int = 3) -> Shapes:
    return {
        "weight": (outputs, inputs, kernel, kernel),
        "bias": (outputs,),
        "resample_filter": _filter(config),
    }


# --- both -------------------------------------------------------------------------------------------


def _label_mapping(c_dim: int, embed: int, widths: list[int]) -> Shapes:
    """fc0, fc1, ... between widths one after the other, and the embedding of labels where there are any."""
    shapes = _prefixed("embed", _dense(c_dim, embed)) if c_dim else {}
    for number, (inputs, outputs) in enumerate(pairwise(widths)):
        shapes |= _prefixed(f"fc{number}", _dense(inputs, outputs))
    return shapes


def _dense(inputs: int, outputs: int) -> Shapes:
    return {"weight": (outputs, inputs), "bias": (outputs,)}


def _filter(config: GeneratorConfig | DiscriminatorConfig) -> tuple[int, int]:
    taps = len(config.resample_filter or (1.0,))
    return (taps, taps)


def _prefixed(prefix: str, shapes: Shapes) -> Shapes:
    return {f"{prefix}.{name}": shape for name, shape in shapes.items()}
