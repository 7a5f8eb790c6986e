"""From the modules of a pickle to configuration and tensors: what is read off them, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.stylegan.bad_network import BadNetwork
from engines.stylegan.config import DiscriminatorConfig, GeneratorConfig
from engines.stylegan.model import Discriminator, Generator
from engines.stylegan.reading import official, pickle_reader
from engines.stylegan.reading.official import Official
from engines.stylegan.reading.pickle_globals import Module
from engines.stylegan.reading.shapes import expected_shapes
from tests.engines import stylegan_pickles as pickles
from tests.engines.stylegan_pickles import TINY
from tests.examples import examples

GOLDEN = Path(__file__).parents[4].parent / "shared" / "golden" / "stylegan2"
STYLES = ("network_p4", "network_p3_oldstyle")

JUDGE = DiscriminatorConfig(
    c_dim=2, img_resolution=8, img_channels=1, channel_base=16, channel_max=4, cmap_dim=3
)


def opened(generator: Any, **others: Any) -> Official:
    return Official(pickle_reader.parse(memoryview(pickles.official_file(generator, **others))))


def written(config: GeneratorConfig, **options: Any) -> Official:
    return opened(pickles.network(config, pickles.random_tensors(config), **options))


def refusal(found: Official, what: str = "generator") -> str:
    with pytest.raises(BadNetwork) as caught:
        getattr(found, what)()
    return str(caught.value)


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


# --- every configuration ----------------------------------------------------------------------------

COMMON: dict[str, Any] = {
    "c_dim": st.sampled_from([0, 1, 3]),
    "img_resolution": st.sampled_from([4, 8, 16]),
    "img_channels": st.sampled_from([1, 3, 4]),
    "channel_base": st.integers(16, 100),
    "channel_max": st.integers(1, 9),
    "conv_clamp": st.sampled_from([None, 256.0, 0.75]),
    "resample_filter": st.sampled_from(
        [(1.0, 3.0, 3.0, 1.0), None, (1.0, 1.0), (1.0, 2.0, 1.0), (1.0, 4.0, 6.0, 4.0, 1.0)]
    ),
    "architecture": st.sampled_from(["skip", "resnet", "orig"]),
    "mapping_layers": st.integers(1, 3),
    "mapping_lr": st.sampled_from([0.01, 1.0]),
}
GENERATORS = st.builds(
    GeneratorConfig,
    **COMMON,
    z_dim=st.integers(1, 5),
    w_dim=st.integers(1, 5),
    mapping_embed=st.none() | st.integers(6, 8),
    mapping_width=st.none() | st.integers(6, 8),
    w_avg_beta=st.sampled_from([None, 0.995, 0.998]),
    use_noise=st.booleans(),
)


def _judge(**settings: Any) -> DiscriminatorConfig:
    """Without planes of deviation that do not share the channels evenly, which are refused."""
    smallest = min(settings["channel_base"] // 4, settings["channel_max"])
    planes = settings.pop("mbstd_num_channels")
    return DiscriminatorConfig(**settings, mbstd_num_channels=0 if smallest % max(planes, 1) else planes)


DISCRIMINATORS = st.builds(
    _judge,
    **COMMON | {"img_resolution": st.sampled_from([8, 16])},
    cmap_dim=st.none() | st.integers(10, 12),
    mbstd_group_size=st.sampled_from([None, 4, 32]),
    mbstd_num_channels=st.sampled_from([0, 1, 2]),
    freeze_layers=st.sampled_from([0, 1, 3]),
)


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


@settings(max_examples=examples(25), deadline=None)
@given(GENERATORS, DISCRIMINATORS)
def test_expected_shapes_are_those_of_our_model(
    generator: GeneratorConfig, judge: DiscriminatorConfig
) -> None:
    with torch.device("meta"):
        for model, config in ((Generator(generator), generator), (Discriminator(judge), judge)):
            shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
            assert shapes == expected_shapes(config)


def test_half_precision_belongs_to_the_finest_blocks() -> None:
    wide = {"c_dim": 0, "img_resolution": 64, "img_channels": 3, "channel_base": 64, "channel_max": 2}
    for count, seen in [(0, 0), (1, 1), (3, 3), (4, 4), (16, 4)]:  # 4 px never is
        config = GeneratorConfig(**wide, num_fp16_res=count, z_dim=2, w_dim=2, mapping_layers=1)
        assert written(config).generator()[0].num_fp16_res == seen
        judge = DiscriminatorConfig(**wide, num_fp16_res=count)
        found = opened(None, D=pickles.network(judge, pickles.random_tensors(judge)))
        assert found.discriminator()[0].num_fp16_res == seen
    assert "half precision" in refusal(written(config, changes={"synthesis.b16": {"use_fp16": False}}))


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


def test_attributes_that_are_not_said() -> None:
    tensors = pickles.random_tensors(TINY)
    bare = pickles.module(
        "Generator",
        {
            "_modules": {
                "mapping": pickles.module("M", {"_modules": {}}),
                "synthesis": pickles.module("S", {"_modules": {}}),
            }
        },
    )
    assert "does not say its img_resolution" in refusal(opened(bare))
    assert (
        refusal(opened(pickles.parameter(pickles.tensor(tensors["mapping.w_avg"]))))
        == "it has no module G_ema"
    )


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


def test_modules_without_end() -> None:
    """A module that holds itself, and one that is all of its children."""
    found = opened(pickles.network(TINY, pickles.random_tensors(TINY)))
    networks = found._networks
    mapping = networks["G_ema"].state["_modules"]["mapping"]
    mapping.state["_modules"]["again"] = mapping
    assert "deep" in refusal(found)
    mapping.state["_modules"] |= {f"child{number}": mapping for number in range(200)}
    assert "more than" in refusal(found) or "deep" in refusal(found)


@pytest.mark.parametrize("table", ["_modules", "_parameters", "_buffers"])
def test_tables_that_many_modules_share_are_not_walked(table: str) -> None:
    """A file may name one long table in every module: a few bytes each, and a walk each."""
    found = opened(pickles.network(TINY, pickles.random_tensors(TINY)))
    state = found._networks["G_ema"].state["_modules"]["mapping"].state
    state[table] |= {f"none{number}": None for number in range(300)}
    assert f"{table}; at most 256 are read" in refusal(found)


def test_names_of_tensors_have_an_end() -> None:
    found = opened(pickles.network(TINY, pickles.random_tensors(TINY)))
    found._networks["G_ema"].state["_buffers"]["a" * 4000] = None
    assert "of 4,000 letters" in refusal(found)


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


@pytest.mark.parametrize("block", ["b4", "b8"])
def test_filters_that_are_as_large_as_pictures_are_not_compared(block: str) -> None:
    tensors = pickles.random_tensors(TINY)
    tensors |= {f"synthesis.{block}.resample_filter": np.ones((65, 65), "f4")}
    assert "filter" in refusal(opened(pickles.network(TINY, tensors)))


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
