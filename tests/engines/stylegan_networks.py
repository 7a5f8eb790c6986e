"""Networks for the tests of StyleGAN2: those of the golden data, and random ones where every term counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from engines.stylegan.config import DiscriminatorConfig, GeneratorConfig
from engines.stylegan.model import Discriminator, Generator

GOLDEN = Path(__file__).parents[2].parent / "shared" / "golden" / "stylegan2"

#: What the official program takes where its caller says nothing.
_UNSAID = {"num_fp16_res": 0, "conv_clamp": None}


def arrays(folder: str) -> dict[str, Tensor]:
    """`io.npz` of a folder of the golden data. Skips the test where there are none."""
    if not GOLDEN.is_dir():
        pytest.skip("the golden data of StyleGAN2 are not at hand (../shared/golden)")
    with np.load(GOLDEN / folder / "io.npz", allow_pickle=False) as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


def _settings(folder: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDEN / folder / "config.json").read_text())
    return found


def _filled(net: nn.Module, folder: str, prefix: str) -> None:
    """All of its tensors, and none that it has not."""
    tensors = load_file(GOLDEN / folder / "weights.safetensors")
    own = {name.removeprefix(prefix): one for name, one in tensors.items() if name.startswith(prefix)}
    net.load_state_dict(own, strict=True)
    net.eval().requires_grad_(False)


def _generator_config(given: dict[str, Any]) -> GeneratorConfig:
    given = dict(given)
    layers = given.pop("mapping_kwargs")["num_layers"]
    return GeneratorConfig(**(_UNSAID | given.pop("synthesis_kwargs")), **given, mapping_layers=layers)


def _discriminator_config(given: dict[str, Any]) -> DiscriminatorConfig:
    given = dict(given)
    epilogue = given.pop("epilogue_kwargs")
    assert not given.pop("block_kwargs", {})
    assert not given.pop("mapping_kwargs", {})
    return DiscriminatorConfig(**(_UNSAID | given), **epilogue)


def golden_generator(folder: str, **changed: Any) -> Generator:
    """Of `u64_c0` or `r32_c3`, with other settings where `changed`."""
    config = _generator_config(_settings(folder)["G_init_kwargs"])
    generator = Generator(config.model_copy(update=changed))
    _filled(generator, folder, "G_ema.")
    return generator


def golden_discriminator(folder: str) -> Discriminator:
    discriminator = Discriminator(_discriminator_config(_settings(folder)["D_init_kwargs"]))
    _filled(discriminator, folder, "D.")
    return discriminator


def golden_architecture(name: str) -> tuple[Generator, Discriminator]:
    """One of `arch16`."""
    settings = _settings("arch16")[name]
    generator = Generator(_generator_config(settings["G"]))
    discriminator = Discriminator(_discriminator_config(settings["D"]))
    _filled(generator, "arch16", f"{name}.G.")
    _filled(discriminator, "arch16", f"{name}.D.")
    return generator, discriminator


def random_generator(seed: int = 0, **settings: Any) -> Generator:
    """Small, with biases, strengths of noise and a mean of w that are not 0."""
    small = {"c_dim": 0, "img_resolution": 32, "img_channels": 3, "channel_base": 512, "channel_max": 24}
    small |= {"z_dim": 16, "w_dim": 20, "mapping_layers": 2} | settings
    torch.manual_seed(seed)
    generator = Generator(GeneratorConfig(**small)).eval().requires_grad_(False)
    for name, tensor in generator.state_dict().items():
        if name.endswith("bias"):
            tensor.add_(torch.randn_like(tensor) * 0.2)
        if name.endswith(("noise_strength", "w_avg")):
            tensor.copy_(torch.randn_like(tensor) * 0.3)
    return generator


def ws_of(generator: Generator, pictures: int, seed: int = 1) -> Tensor:
    """Every layer another w, so that no two may be mistaken for each other."""
    config = generator.config
    draw = torch.Generator().manual_seed(seed)
    z = torch.randn(pictures * config.num_ws(), config.z_dim, generator=draw)
    c = torch.eye(config.c_dim)[torch.arange(len(z)) % config.c_dim] if config.c_dim else None
    with torch.no_grad():
        w = generator.mapping(z, c)[:, 0]
    return w.view(pictures, config.num_ws(), config.w_dim)
