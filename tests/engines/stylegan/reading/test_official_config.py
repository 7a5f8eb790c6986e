"""What an official network was built as, and what is refused of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engines.stylegan.config import DiscriminatorConfig, GeneratorConfig
from tests.engines import stylegan_pickles as pickles
from tests.engines.stylegan.reading.networks import JUDGE, opened, refusal, written
from tests.engines.stylegan_pickles import TINY


def test_half_precision_belongs_to_the_finest_blocks() -> None:
    wide = {"c_dim": 0, "img_resolution": 64, "img_channels": 3, "channel_base": 64, "channel_max": 2}
    for count, seen in [(0, 0), (1, 1), (3, 3), (4, 4), (16, 4)]:  # 4 px never is
        config = GeneratorConfig(**wide, num_fp16_res=count, z_dim=2, w_dim=2, mapping_layers=1)
        assert written(config).generator()[0].num_fp16_res == seen
        judge = DiscriminatorConfig(**wide, num_fp16_res=count)
        found = opened(None, D=pickles.network(judge, pickles.random_tensors(judge)))
        assert found.discriminator()[0].num_fp16_res == seen
    assert "half precision" in refusal(written(config, changes={"synthesis.b16": {"use_fp16": False}}))


def test_stylegan3_is_told_what_it_is() -> None:
    part = pickles.module("Part", {"_modules": {}})
    for child in ("input", "L0_36_512"):
        synthesis = pickles.module("SynthesisNetwork", {"_modules": {child: part}})
        made = pickles.module("Generator", {"_modules": {"synthesis": synthesis, "mapping": part}})
        message = refusal(opened(made))
        assert "StyleGAN3" in message
        assert "--cfg=stylegan2" in message


@pytest.mark.parametrize(
    ("where", "change", "words"),
    [
        ("", {"img_resolution": 12}, "12 px"),
        ("", {"img_resolution": [16, 32]}, "G_ema is not square, but 16 x 32: a fork's network"),
        ("", {"img_resolution": (16, "x" * 5000)}, "not square, but 16 x ?"),
        ("", {"img_resolution": 8.0}, "not an integer"),
        ("", {"img_resolution": 16}, "no module G_ema.synthesis.b16"),
        ("", {"img_resolution": 4}, "num_ws is 4"),
        ("", {"img_channels": 3}, "torgb"),
        ("", {"c_dim": -1}, "c_dim"),
        ("", {"c_dim": 2**40}, "not an integer in bounds"),
        ("", {"c_dim": 5}, "embed.weight is (4, 2); it must be (4, 5)"),
        ("", {"z_dim": True}, "not an integer"),
        ("", {"z_dim": 100}, "fc0.weight"),
        ("", {"w_dim": 5000}, "w_dim"),
        ("", {"num_ws": 7}, "num_ws is 7"),
        ("", {"_modules": None}, "has no _modules"),
        ("", {"_modules": {"mapping": 5, "synthesis": 5}}, "no module"),
        ("", {"_modules": {"mapping": None}}, "no StyleGAN generator"),
        ("", {"_parameters": {"x": 5}}, "not a parameter"),
        ("", {"_buffers": {"x": {"y": 1}}}, "not a tensor"),
        ("", {"_buffers": {"x": pickles.tensor(np.zeros(3, np.float32))}}, "does not have: x"),
        ("mapping", {"num_layers": 3}, "no module G_ema.mapping.fc2"),
        ("mapping", {"num_layers": 1}, "tensor that such a network does not have"),
        ("mapping", {"num_layers": 10**6}, "1 to 32"),
        ("mapping", {"w_avg_beta": "x"}, "not a number"),
        ("mapping", {"w_avg_beta": 2.0}, "w_avg_beta"),
        ("mapping.fc0", {"bias_gain": None}, "bias_gain"),
        ("mapping.fc0", {"bias_gain": float("nan")}, "not a number in bounds"),
        ("mapping.fc1", {"bias_gain": 0.5}, "not computed here"),
        ("mapping.fc0", {"activation": "relu"}, "activation is relu"),
        ("synthesis.b8", {"architecture": "resnet"}, "differ in architecture"),
        ("synthesis.b8", {"architecture": "evil\n" * 50}, "differ in architecture"),
        ("synthesis.b8.conv0", {"activation": "swish"}, "activation is swish"),
        ("synthesis.b8.conv0", {"up": 1}, "up is"),
        ("synthesis.b8.conv1", {"conv_clamp": 1.0}, "differ in conv_clamp"),
        ("synthesis.b8.torgb", {"conv_clamp": "x"}, "not a number"),
        ("synthesis.b8.conv1", {"use_noise": False}, "differ in use_noise"),
        ("synthesis.b8.conv1", {"use_noise": 1}, "not a truth value"),
        ("synthesis.b8.conv1.affine", {"bias_gain": 0.01}, "bias_gain"),
        ("synthesis.b8.torgb", {"weight_gain": 5}, "weight_gain"),
    ],
)
def test_attributes_that_cannot_be(where: str, change: dict[str, Any], words: str) -> None:
    assert words in refusal(written(TINY, changes={where: change}))


def test_forks_that_begin_with_a_rectangle_are_told_so() -> None:
    tensors = pickles.random_tensors(TINY)
    const = tensors["synthesis.b4.const"]
    tensors["synthesis.b4.const"] = np.concatenate([const, const[..., :1]], axis=2)
    assert "not square, but 4 x 5: a fork's network" in refusal(opened(pickles.network(TINY, tensors)))


def test_channels_that_follow_no_rule() -> None:
    config = GeneratorConfig(
        c_dim=0, img_resolution=16, img_channels=1, channel_base=64, channel_max=16, z_dim=2, w_dim=2
    )
    tensors = pickles.random_tensors(config)
    tensors["synthesis.b8.conv1.weight"] = np.zeros((3, 8, 3, 3), np.float32)
    assert "follow no rule" in refusal(opened(pickles.network(config, tensors)))


@pytest.mark.parametrize(
    ("where", "change", "words"),
    [
        ("b8.conv1", {"down": 1}, "down is"),
        ("b8.conv0", {"act_gain": 1}, "act_gain"),
        ("b8.skip", {"activation": "lrelu"}, "activation"),
        ("b4", {"cmap_dim": 5}, "out.weight"),
        ("b4.mbstd", {"num_channels": 2}, "b4.conv.weight"),
        ("b4.mbstd", {"group_size": 0}, "mbstd_group_size"),
        ("b4.fc", {"activation": "linear"}, "activation"),
        ("b4.conv", {"conv_clamp": None}, "differ in conv_clamp"),
        ("mapping", {"num_layers": 9}, "no module D.mapping.fc8"),
    ],
)
def test_discriminators_that_cannot_be(where: str, change: dict[str, Any], words: str) -> None:
    made = pickles.network(JUDGE, pickles.random_tensors(JUDGE), changes={where: change})
    assert words in refusal(opened(None, D=made), "discriminator")


@pytest.mark.parametrize("block", ["b4", "b8"])
def test_filters_that_are_as_large_as_pictures_are_not_compared(block: str) -> None:
    tensors = pickles.random_tensors(TINY)
    tensors |= {f"synthesis.{block}.resample_filter": np.ones((65, 65), "f4")}
    assert "filter" in refusal(opened(pickles.network(TINY, tensors)))


def test_widths_are_said_only_where_they_are_not_those_of_w() -> None:
    seen = written(TINY).generator()[0]
    assert (seen.mapping_embed, seen.mapping_width) == (None, None)
    wide = TINY.model_copy(update={"mapping_embed": 7, "mapping_width": 5})
    assert written(wide).generator()[0] == wide


def test_filters_are_given_in_small_whole_numbers_where_they_are_some() -> None:
    for taps in ((1.0, 2.0, 1.0), (1.0, 3.0, 3.0, 1.0), (0.3, 1.0, 0.3), None):
        config = TINY.model_copy(update={"resample_filter": taps})
        found = written(config).generator()[0].resample_filter
        if taps is None or taps[0] == 1.0:
            assert found == taps
        else:
            assert found is not None
            assert found == pytest.approx([tap / sum(taps) for tap in taps], abs=1e-6)
