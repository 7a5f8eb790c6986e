"""What an official network was built as, read off its modules.

The numbers that the modules have as attributes, and the shapes of their tensors, come before the arguments
they were made with: defaults of those differ between stylegan2-ada-pytorch and stylegan3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from pydantic import ValidationError

from engines.stylegan.bad_network import BadNetwork, clean
from engines.stylegan.config import RESOLUTIONS, DiscriminatorConfig, GeneratorConfig
from engines.stylegan.reading.official_modules import Part, modules, same

Config = TypeVar("Config", GeneratorConfig, DiscriminatorConfig)

_GAIN = math.sqrt(2)


def generator_config(generator: Part) -> GeneratorConfig:
    """Raises BadNetwork for what is none of StyleGAN2, or has parts that are not computed here."""
    children = generator.children()
    if "synthesis" not in children or "mapping" not in children:
        raise BadNetwork(f"{generator.path} is no StyleGAN generator: it has no mapping and synthesis")
    mapping, synthesis = children["mapping"], children["synthesis"]
    _refuse_stylegan3(synthesis)
    sides = _sides(generator)
    blocks = [synthesis.child(f"b{side}") for side in sides]
    # Other forks say one side, and begin with another rectangle than 4 x 4.
    if len(set(first := blocks[0].tensor("const", 3).shape[1:])) > 1:
        raise _not_square(generator, first)
    layers = [
        block.child(name) for block in blocks for name in ("conv0", "conv1") if name in block.children()
    ]
    colours = [block.child("torgb") for block in blocks if "torgb" in block.children()]
    for layer in layers:
        layer.expect(activation="lrelu", act_gain=_GAIN, padding=1)
        layer.expect(up=2 if layer.path.endswith("conv0") else 1)
    for layer in layers + colours:
        _expect_dense(layer.child("affine"), "linear", lr=1.0)
    for block in blocks:
        if "skip" in block.children():
            skip = block.child("skip")
            gain = 1 / math.sqrt(max(skip.tensor("weight", 4).shape[1], 1))
            skip.expect(activation="linear", up=2, weight_gain=gain)
    for colour in colours:
        colour.expect(weight_gain=1 / math.sqrt(max(colour.tensor("weight", 4).shape[1], 1)))
    base, widest = _channels(
        {
            side: block.child("conv1").tensor("weight", 4).shape[0]
            for side, block in zip(sides, blocks, strict=True)
        },
        (synthesis.hint("channel_base"), synthesis.hint("channel_max")),
    )
    config = _checked(
        GeneratorConfig,
        generator,
        c_dim=generator.integer("c_dim"),
        img_resolution=sides[-1],
        img_channels=generator.integer("img_channels"),
        channel_base=base,
        channel_max=widest,
        num_fp16_res=_halves([block.flag("use_fp16") for block in blocks]),
        conv_clamp=same("conv_clamp", [layer.number("conv_clamp") for layer in layers + colours]),
        resample_filter=_taps(blocks[0]),
        z_dim=generator.integer("z_dim"),
        w_dim=generator.integer("w_dim"),
        architecture=same("architecture", [block.text("architecture") for block in blocks]),
        use_noise=same("use_noise", [layer.flag("use_noise") for layer in layers]),
        w_avg_beta=mapping.number("w_avg_beta"),
        **_mapping(mapping, generator.integer("w_dim"), generator.integer("c_dim")),
    )
    generator.expect(num_ws=config.num_ws())
    return config


def discriminator_config(discriminator: Part) -> DiscriminatorConfig:
    """Raises BadNetwork for what is none of StyleGAN2, or has parts that are not computed here."""
    sides = _sides(discriminator)
    c_dim = discriminator.integer("c_dim")
    last = discriminator.child("b4")
    blocks = [discriminator.child(f"b{side}") for side in sides[1:]]
    convolutions = []
    for block in [last, *blocks]:
        for name, layer in block.children().items():
            if name in ("fromrgb", "conv0", "conv1", "conv"):
                layer.expect(activation="lrelu", act_gain=_GAIN, up=1, down=2 if name == "conv1" else 1)
                convolutions.append(layer)
            elif name == "skip":
                layer.expect(activation="linear", act_gain=1, up=1, down=2)
                convolutions.append(layer)
    for layer in convolutions:
        _, inputs, kernel, _ = layer.tensor("weight", 4).shape
        layer.expect(weight_gain=1 / math.sqrt(max(inputs * kernel**2, 1)), padding=kernel // 2)
    _expect_dense(last.child("fc"), "lrelu", lr=1.0)
    _expect_dense(last.child("out"), "linear", lr=1.0)
    narrowest = last.child("fc").tensor("weight", 2).shape[0]
    base, widest = _channels(
        {4: narrowest}
        | {
            side: block.child("conv0").tensor("weight", 4).shape[0]
            for side, block in zip(sides[1:], blocks, strict=True)
        },
        (discriminator.hint("channel_base"), discriminator.hint("channel_max")),
    )
    cmap = last.integer("cmap_dim")
    return _checked(
        DiscriminatorConfig,
        discriminator,
        c_dim=c_dim,
        img_resolution=sides[-1],
        img_channels=discriminator.integer("img_channels"),
        channel_base=base,
        channel_max=widest,
        num_fp16_res=_halves([False] + [block.flag("use_fp16") for block in blocks]),
        conv_clamp=same(
            "conv_clamp",
            [layer.number("conv_clamp") for layer in convolutions if not layer.path.endswith(".skip")],
        ),
        resample_filter=_taps(blocks[0] if blocks else last.child("conv")),
        architecture=same("architecture", [block.text("architecture") for block in [last, *blocks]]),
        cmap_dim=cmap if c_dim and cmap != narrowest else None,
        freeze_layers=sum(layer.is_buffer("weight") for layer in convolutions),
        **_minibatch(last),
        **(_label_mapping(discriminator.child("mapping")) if c_dim else {}),
    )


def layers_that_keep_their_size(network: Part) -> set[str]:
    """Official names of the filters that are never used: the layer neither grows nor shrinks pictures.

    Such a layer was made with the usual filter whatever the network's is.
    """
    return {
        f"{prefix}resample_filter"
        for prefix, part in modules(network)
        if part.has("up") and part.integer("up") == 1 and not (part.has("down") and part.integer("down") != 1)
    }


# --- parts ------------------------------------------------------------------------------------------


def _refuse_stylegan3(synthesis: Part) -> None:
    names = synthesis.children()
    if "input" in names or any(name[:1] == "L" and name[1:2].isdigit() for name in names):
        raise BadNetwork(
            "this is a StyleGAN3 network (configuration stylegan3-t or -r), which is built differently; "
            "networks of stylegan2-ada-pytorch, and of stylegan3 with --cfg=stylegan2, can be used"
        )


def _not_square(network: Part, sides: Sequence[object]) -> BadNetwork:
    """The error for what some forks make."""
    what = " x ".join(str(side) if type(side) is int else "?" for side in sides[:2])
    return BadNetwork(f"{network.path} is not square, but {what}: a fork's network; square ones can be used")


def _sides(network: Part) -> list[int]:
    if sides := network.several("img_resolution"):
        raise _not_square(network, sides)
    resolution = network.integer("img_resolution")
    if resolution not in RESOLUTIONS:
        raise BadNetwork(f"{network.path} makes pictures of {resolution} px; it must be one of {RESOLUTIONS}")
    return [side for side in RESOLUTIONS if side <= resolution]


def _channels(found: dict[int, int], hint: tuple[int, int]) -> tuple[int, int]:
    """(base, widest) such that a block of side r has min(base // r, widest) channels."""
    widest = max(found.values())
    least = max([16, *(side * count for side, count in found.items() if count > 1)])
    for base, most in (hint, (least, widest)):
        if base and all(max(1, min(base // side, most)) == count for side, count in found.items()):
            return base, most
    raise BadNetwork("its blocks have channels that follow no rule of StyleGAN2")


def _halves(flags: Sequence[bool]) -> int:
    """How many of the finest blocks are meant for half precision."""
    coarse_to_fine = list(flags)
    count = 0
    while coarse_to_fine and coarse_to_fine.pop():
        count += 1
    if any(coarse_to_fine):
        raise BadNetwork("its blocks of half precision are not the finest ones")
    return count


def _taps(block: Part) -> tuple[float, ...] | None:
    """The separable filter behind a block's square one; None for a filter that does nothing."""
    found = block.tensor("resample_filter", 2)
    if found.shape[0] != found.shape[1] or not 0 < len(found) <= 64:
        raise BadNetwork(f"{block.path} has a filter that is not square, or larger than any")
    square = np.asarray(found, dtype=np.float64)
    if not np.isfinite(square).all():
        raise BadNetwork(f"{block.path} has a filter that is not finite")
    taps = square.sum(axis=1)
    if not np.allclose(np.outer(taps, taps), square, atol=1e-6) or not np.isclose(taps.sum(), 1.0, atol=1e-4):
        raise BadNetwork(f"{block.path} has a filter that is not separable, or changes the brightness")
    if len(taps) == 1:
        return None
    # Official filters are given in small whole numbers.
    whole = taps / np.abs(taps[taps != 0.0]).min()
    near = np.allclose(whole, whole.round(), atol=1e-3)
    return tuple((whole.round() if near else taps).tolist())


def _expect_dense(layer: Part, activation: str, lr: float) -> None:
    gain = lr / math.sqrt(max(layer.tensor("weight", 2).shape[1], 1))
    layer.expect(activation=activation, bias_gain=lr, weight_gain=gain)


def _mapping(mapping: Part, w_dim: int, c_dim: int) -> dict[str, Any]:
    fields = _label_mapping(mapping)
    fields["mapping_embed"] = fields["mapping_width"] = None
    if c_dim:
        embed = mapping.child("embed").tensor("weight", 2).shape[0]
        fields["mapping_embed"] = embed if embed != w_dim else None
    if fields["mapping_layers"] > 1:
        width = mapping.child("fc0").tensor("weight", 2).shape[0]
        fields["mapping_width"] = width if width != w_dim else None
    return fields


def _label_mapping(mapping: Part) -> dict[str, Any]:
    count = mapping.integer("num_layers")
    if not 1 <= count <= 32:
        raise BadNetwork(f"{mapping.path} has {count} layers; 1 to 32 can be used")
    layers = [mapping.child(f"fc{number}") for number in range(count)]
    lr = layers[0].number("bias_gain")
    if lr is None:
        raise BadNetwork(f"{layers[0].path} does not say its bias_gain")
    for layer in layers:
        _expect_dense(layer, "lrelu", lr)
    if "embed" in mapping.children():
        _expect_dense(mapping.child("embed"), "linear", lr=1.0)
    return {"mapping_layers": count, "mapping_lr": lr}


def _minibatch(last: Part) -> dict[str, Any]:
    if "mbstd" not in last.children():
        return {"mbstd_num_channels": 0}
    layer = last.child("mbstd")
    size = layer.number("group_size")
    return {
        "mbstd_group_size": None if size is None else layer.integer("group_size"),
        "mbstd_num_channels": layer.integer("num_channels"),
    }


def _checked(kind: type[Config], network: Part, **fields: Any) -> Config:
    try:
        return kind.model_validate(fields, strict=True)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "it"
        raise BadNetwork(f"{network.path} cannot be used: {clean(where)}: {first['msg']}") from None
