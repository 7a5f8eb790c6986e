"""What both networks make small: against the golden arrays, and by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from engines.stylegan.config import DiscriminatorConfig, GeneratorConfig
from engines.stylegan.model import Discriminator, Generator
from training.stylegan.losses import made_enough, mixed, path_lengths, real_enough, squared_slopes

GOLDEN = Path(__file__).parents[3].parent / "shared" / "golden" / "stylegan2" / "r32_c3"


@pytest.fixture
def golden() -> dict[str, Tensor]:
    if not GOLDEN.is_dir():
        pytest.skip("the golden data are not at hand (../shared/golden)")
    with np.load(GOLDEN / "io.npz", allow_pickle=False) as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


def filled(network: nn.Module, prefix: str) -> nn.Module:
    found = load_file(GOLDEN / "weights.safetensors")
    network.load_state_dict({k.removeprefix(prefix): v for k, v in found.items() if k.startswith(prefix)})
    return network


def sizes() -> dict[str, Any]:
    said = json.loads((GOLDEN / "config.json").read_text())["D_init_kwargs"]
    names = ("c_dim", "img_resolution", "img_channels", "channel_base", "channel_max", "num_fp16_res")
    return {name: said[name] for name in names} | {"conv_clamp": None}


def test_r1_is_the_official_one(golden):
    network = filled(Discriminator(DiscriminatorConfig(**sizes())), "D.")
    images = golden["img_const_psi1.0"].requires_grad_(True)
    scores = network(images, golden["c"])
    found = squared_slopes(scores, images)
    assert torch.allclose(found, golden["D_r1_penalty"], rtol=1e-3)
    found.mean().backward()
    assert all(
        torch.isfinite(parameter.grad).all()
        for parameter in network.parameters()
        if parameter.grad is not None
    )


def test_path_lengths_are_the_official_ones(golden):
    config = GeneratorConfig(**sizes(), z_dim=48, w_dim=40, mapping_layers=2)
    network = filled(Generator(config), "G_ema.")
    ws = network.mapping(golden["z"].float(), golden["c"])
    found = path_lengths(network.synthesis(ws), ws, golden["pl_noise_unscaled"])
    assert torch.allclose(found, golden["pl_lengths"], rtol=1e-4)
    found.square().mean().backward()
    assert network.synthesis.b8.conv0.weight.grad.abs().sum() > 0


def test_the_logistic_loss():
    scores = torch.tensor([[0.0], [100.0], [-100.0]])
    assert real_enough(scores).item() == pytest.approx((math.log(2.0) + 0.0 + 100.0) / 3)
    assert made_enough(scores).item() == pytest.approx((math.log(2.0) + 100.0 + 0.0) / 3)


def test_styles_are_mixed_from_a_place_on():
    ones, twos = torch.ones(3, 4, 2), torch.full((3, 4, 2), 2.0)
    found = mixed(ones, twos, torch.tensor([1, 3, 4]))
    assert found[:, :, 0].tolist() == [[1, 2, 2, 2], [1, 1, 1, 2], [1, 1, 1, 1]]


def test_r1_of_a_plane_is_its_slope_squared_and_a_picture_s_own():
    slope = torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1)
    pictures = torch.zeros(2, 3, 4, 5, requires_grad=True)
    scores = (pictures * slope).sum((1, 2, 3))[:, None] * torch.tensor([[1.0], [2.0]])
    assert squared_slopes(scores, pictures).tolist() == [14.0 * 20, 4 * 14.0 * 20]


def test_a_path_is_as_long_as_its_picture_moves_whatever_its_size():
    for side in (4, 16):
        ws = torch.zeros(2, 3, 5, requires_grad=True)
        # each of the three w moves all pixels by the sum of its numbers
        pictures = ws.sum((1, 2)).view(2, 1, 1, 1).expand(2, 3, side, side)
        noise = torch.zeros(2, 3, side, side)
        noise[:, 0, 0, 0] = side
        assert torch.allclose(path_lengths(pictures, ws, noise), torch.full((2,), math.sqrt(5)))
