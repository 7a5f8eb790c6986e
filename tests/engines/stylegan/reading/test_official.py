"""From the modules of a pickle to configuration and tensors: what is read off them, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.stylegan.bad_network import BadNetwork
from engines.stylegan.config import DiscriminatorConfig, GeneratorConfig
from engines.stylegan.reading import official
from engines.stylegan.reading.official import Official
from engines.stylegan.reading.pickle_globals import Module
from engines.stylegan.reading.shapes import expected_shapes
from tests.engines import stylegan_pickles as pickles
from tests.engines.stylegan.reading.networks import (
    DISCRIMINATORS,
    GENERATORS,
    JUDGE,
    opened,
    refusal,
    written,
)
from tests.engines.stylegan_pickles import TINY
from tests.examples import examples

GOLDEN = Path(__file__).parents[4].parent / "shared" / "golden" / "stylegan2"
STYLES = ("network_p4", "network_p3_oldstyle")

# --- golden -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", ["u64_c0", "r32_c3"])
def test_official_files_of_both_styles_bit_for_bit(name: str, style: str) -> None:
    if not GOLDEN.is_dir():
        pytest.skip("the golden data are not at hand (../shared/golden)")
    expected = safetensors.numpy.load_file(GOLDEN / name / "weights.safetensors")
    found = official.read(GOLDEN / name / f"{style}.pkl")
    assert found.names() == ("G_ema", "G", "D")
    config, tensors = found.generator()
    judge, judging = found.discriminator()
    read = {f"G_ema.{key}": array for key, array in tensors.items()} | {
        f"D.{key}": a for key, a in judging.items()
    }
    assert read.keys() == expected.keys()
    for key, array in expected.items():
        assert read[key].dtype == array.dtype == np.float32
        assert read[key].shape == array.shape
        assert read[key].tobytes() == array.tobytes()
    _, raw = found.generator("G")
    trained = "synthesis.b4.conv1.weight"
    assert np.allclose(raw[trained] * 0.97, tensors[trained])
    assert config.num_ws() == {"u64_c0": 10, "r32_c3": 8}[name]
    common: dict[str, Any] = {"img_channels": 3}
    if name == "u64_c0":
        common |= {
            "c_dim": 0,
            "img_resolution": 64,
            "channel_base": 1024,
            "channel_max": 32,
            "num_fp16_res": 4,
        }
        assert config == GeneratorConfig(**common, z_dim=64, w_dim=64, mapping_layers=3)
        assert judge == DiscriminatorConfig(**common)
    else:
        common |= {
            "c_dim": 3,
            "img_resolution": 32,
            "channel_base": 512,
            "channel_max": 24,
            "num_fp16_res": 0,
        }
        common |= {"conv_clamp": None}
        assert config == GeneratorConfig(**common, z_dim=48, w_dim=40, mapping_layers=2)
        assert judge == DiscriminatorConfig(**common)


# --- every configuration ----------------------------------------------------------------------------


@settings(max_examples=examples(40), deadline=None)
@given(GENERATORS, DISCRIMINATORS, st.booleans())
def test_what_is_written_is_read(generator: GeneratorConfig, judge: DiscriminatorConfig, hints: bool) -> None:
    tensors, judging = pickles.random_tensors(generator), pickles.random_tensors(judge, seed=1)
    found = opened(
        pickles.network(generator, tensors, hints=hints), D=pickles.network(judge, judging, hints=hints)
    )
    for kept, config, (seen, read) in (
        (tensors, generator, found.generator()),
        (judging, judge, found.discriminator()),
    ):
        assert read.keys() == kept.keys()
        assert all(np.array_equal(read[name], array) for name, array in kept.items())
        assert expected_shapes(seen) == expected_shapes(config)
        for name in (
            "c_dim",
            "img_resolution",
            "img_channels",
            "conv_clamp",
            "resample_filter",
            "architecture",
        ):
            assert getattr(seen, name) == getattr(config, name)
        assert [seen.channels(side) for side in seen.resolutions()] == [
            config.channels(side) for side in config.resolutions()
        ]
        if hints and (config.channel_base, config.channel_max) != (seen.channel_base, seen.channel_max):
            pytest.fail("what the network was made with was not taken")
    read_config, read_judge = found.generator()[0], found.discriminator()[0]
    for name in ("z_dim", "w_dim", "mapping_layers", "mapping_lr", "w_avg_beta", "use_noise"):
        assert getattr(read_config, name) == getattr(generator, name)
    if judge.c_dim:
        assert (read_judge.mapping_layers, read_judge.mapping_lr) == (judge.mapping_layers, judge.mapping_lr)
    layers = sum(name.rpartition(".")[2] == "weight" and array.ndim == 4 for name, array in judging.items())
    if judge.architecture == "orig":
        assert read_judge.freeze_layers == min(judge.freeze_layers, layers - 1)
    assert read_judge.mbstd_num_channels == judge.mbstd_num_channels
    if judge.mbstd_num_channels:
        assert read_judge.mbstd_group_size == judge.mbstd_group_size


def test_filters_that_are_never_used_do_not_matter() -> None:
    """Layers that keep their size were made with the usual filter, whatever the network's is."""
    config = TINY.model_copy(update={"resample_filter": (1.0, 1.0)})
    tensors = pickles.random_tensors(config)
    usual = pickles.random_tensors(TINY)["synthesis.b4.resample_filter"]
    made = {
        name: usual if name.endswith("conv1.resample_filter") else array for name, array in tensors.items()
    }
    seen, read = opened(pickles.network(config, made)).generator()
    assert seen == config
    assert all(np.array_equal(read[name], tensors[name]) for name in tensors)
    used = {**tensors, "synthesis.b8.conv0.resample_filter": usual}
    assert "differ in their filters" in refusal(opened(pickles.network(config, used)))


def test_other_precisions_become_float32_and_strides_do_not_matter() -> None:
    tensors = pickles.random_tensors(TINY)
    name = "synthesis.b8.conv0.weight"
    for stored in (
        tensors[name].astype(np.float64),
        tensors[name].astype(np.float16),
        np.ascontiguousarray(tensors[name].transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2),  # channels last
    ):
        _, read = opened(pickles.network(TINY, {**tensors, name: stored})).generator()
        assert read[name].dtype == np.float32
        assert np.array_equal(read[name], stored.astype(np.float32))


def test_tensors_that_torch_wrote_with_attributes_of_forks() -> None:
    """Attributes that nobody knows are no reason to refuse a network."""
    found = written(
        TINY, changes={"": {"epochs": 5, "strange": [1, {"x": None}]}, "mapping": {"in_features": 3}}
    )
    assert found.generator()[0] == TINY


# --- refusals ---------------------------------------------------------------------------------------


def test_a_file_without_networks() -> None:
    with pytest.raises(BadNetwork, match="holds no G_ema, G or D"):
        Official({"state_dict": {}})
    found = opened(None, G=pickles.network(TINY, pickles.random_tensors(TINY)))
    assert found.names() == ("G",)
    assert "no module G_ema" in refusal(found)
    assert "no module D" in refusal(found, "discriminator")
    assert found.generator("G")[0] == TINY


@pytest.mark.parametrize("name", ["synthesis.b8.conv0.weight", "mapping.w_avg", "synthesis.b4.const"])
def test_tensors_that_cannot_be(name: str) -> None:
    tensors = pickles.random_tensors(TINY)
    for number in (math.nan, math.inf, -math.inf):
        broken = {**tensors, name: tensors[name].copy()}
        broken[name].flat[-1] = number
        assert f"{name} holds values that are not finite" in refusal(opened(pickles.network(TINY, broken)))
    huge = {**tensors, name: tensors[name].astype(np.float64) * 1e300}
    assert "not finite" in refusal(opened(pickles.network(TINY, huge)))
    whole = {**tensors, name: tensors[name].astype(np.int64)}
    assert "integers" in refusal(opened(pickles.network(TINY, whole)))
    missing = {key: array for key, array in tensors.items() if key != name}
    refusal(opened(pickles.network(TINY, missing)))
    larger = {**tensors, name: np.concatenate([tensors[name]] * 2)}
    refusal(opened(pickles.network(TINY, larger)))
    surplus = {**tensors, f"{name}2": tensors[name]}
    assert "does not have" in refusal(opened(pickles.network(TINY, surplus)))


def test_one_tensor_in_many_places_is_not_looked_at_each_time() -> None:
    found = opened(pickles.network(TINY, pickles.random_tensors(TINY)))
    mapping = found._networks["G_ema"].state["_modules"]["mapping"]
    buffers = {f"b{number}": mapping.state["_buffers"]["w_avg"] for number in range(250)}
    many = {
        f"m{number}": Module("Many", {**mapping.state, "_modules": {}, "_buffers": buffers})
        for number in range(20)
    }
    mapping.state["_modules"] |= many
    assert "more than 4096 tensors" in refusal(found)


@settings(max_examples=examples(60), deadline=None)
@given(st.data())
def test_any_attribute_may_be_anything(data: st.DataObject) -> None:
    """Right or refused, whatever stands in the place of an attribute, a child or a tensor."""
    anything = st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just(()), st.just({}),
        st.just([1]), st.just({"a"}), st.just(np.zeros((2, 2), np.float32)),
    )  # fmt: skip
    found = opened(
        pickles.network(TINY, pickles.random_tensors(TINY)),
        D=pickles.network(JUDGE, pickles.random_tensors(JUDGE)),
    )
    name, what = data.draw(st.sampled_from([("G_ema", "generator"), ("D", "discriminator")]))
    module = found._networks[name]
    for _ in range(data.draw(st.integers(0, 3))):
        children = module.state["_modules"]
        if not children:
            break
        module = children[data.draw(st.sampled_from(sorted(children)))]
    state = module.state
    if data.draw(st.booleans()):
        state = state[data.draw(st.sampled_from(["_modules", "_parameters", "_buffers"]))]
    state[data.draw(st.sampled_from([*sorted(state), "new"]))] = data.draw(anything)
    try:
        config, tensors = getattr(found, what)()
    except BadNetwork:
        return
    assert {key: array.shape for key, array in tensors.items()} == expected_shapes(config)
