"""Which tensors a network has, against official files and our own model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import safetensors.numpy
import torch
from hypothesis import given, settings

from engines.stylegan.config import DiscriminatorConfig, GeneratorConfig
from engines.stylegan.model import Discriminator, Generator
from engines.stylegan.reading.shapes import expected_shapes
from tests.engines.stylegan.reading.networks import DISCRIMINATORS, GENERATORS
from tests.engines.stylegan_pickles import TINY
from tests.examples import examples

GOLDEN = Path(__file__).parents[4].parent / "shared" / "golden" / "stylegan2"


@pytest.mark.parametrize("architecture", ["orig", "resnet", "skip"])
def test_expected_shapes_are_those_of_official_networks(architecture: str) -> None:
    if not GOLDEN.is_dir():
        pytest.skip("the golden data are not at hand (../shared/golden)")
    tensors = safetensors.numpy.load_file(GOLDEN / "arch16" / "weights.safetensors")
    common: dict[str, Any] = {"c_dim": 0, "img_resolution": 16, "img_channels": 1, "channel_base": 256}
    common |= {"channel_max": 16, "architecture": architecture}
    for letter, config in (
        ("G", GeneratorConfig(**common, z_dim=16, w_dim=16, mapping_layers=2)),
        ("D", DiscriminatorConfig(**common, mbstd_num_channels=2)),
    ):
        prefix = f"{architecture}.{letter}."
        found = {key.removeprefix(prefix): a.shape for key, a in tensors.items() if key.startswith(prefix)}
        assert found == expected_shapes(config)


@settings(max_examples=examples(25), deadline=None)
@given(GENERATORS, DISCRIMINATORS)
def test_expected_shapes_are_those_of_our_model(
    generator: GeneratorConfig, judge: DiscriminatorConfig
) -> None:
    with torch.device("meta"):
        for model, config in ((Generator(generator), generator), (Discriminator(judge), judge)):
            shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
            assert shapes == expected_shapes(config)


def test_what_a_network_does_without_has_no_tensors() -> None:
    whole = expected_shapes(TINY)
    assert "mapping.embed.weight" in whole  # it has classes
    for changed, gone in (
        ({"use_noise": False}, "noise"),
        ({"w_avg_beta": None}, "w_avg"),
        ({"c_dim": 0}, "embed"),
    ):
        names = set(expected_shapes(TINY.model_copy(update=changed)))
        assert set(whole) - names == {name for name in whole if gone in name} != set()


def test_a_label_is_embedded_as_wide_as_it_is_said_and_put_beside_z() -> None:
    wide = expected_shapes(TINY.model_copy(update={"mapping_embed": 7, "mapping_width": 5}))
    assert wide["mapping.embed.weight"] == (7, TINY.c_dim)
    assert wide["mapping.fc0.weight"] == (5, TINY.z_dim + 7)
    assert wide[f"mapping.fc{TINY.mapping_layers - 1}.weight"] == (TINY.w_dim, 5)
