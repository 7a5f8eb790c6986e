"""The fast synthesis draws what the model draws: the golden pictures, and those of random networks."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engines.stylegan import fast
from engines.stylegan.fast import FastSynthesis
from tests.engines.stylegan_networks import (
    arrays,
    golden_architecture,
    golden_generator,
    random_generator,
    ws_of,
)

FOLDERS = ("u64_c0", "r32_c3")
GOLDEN, EXACT = 2e-5, 1e-4

ARCHITECTURES = ("skip", "resnet", "orig")


def apart(a: Tensor, b: Tensor) -> float:
    assert a.shape == b.shape
    return float((a - b).abs().max())


def decibels(a: Tensor, b: Tensor) -> float:
    """The peak signal-to-noise ratio of two pictures in -1..1."""
    error = (a.clamp(-1, 1) - b.clamp(-1, 1)).square().mean()
    return float(10 * torch.log10(4.0 / error))


@pytest.fixture
def winograd_everywhere(monkeypatch):
    """For nets as small as the tests' as well."""
    monkeypatch.setattr(fast, "_WINOGRAD_CHANNELS", 4)
    monkeypatch.setattr(fast, "_WINOGRAD_SIDE", 4)


# --- the golden data --------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("noise", ["const", "none"])
def test_the_golden_pictures(folder, noise):
    golden = arrays(folder)
    generator = golden_generator(folder)
    synthesis = FastSynthesis(generator)
    for psi in (1.0, 0.7):
        ws = generator.mapping(golden["z"].float(), golden["c"], psi)
        assert apart(synthesis(ws, noise), golden[f"img_{noise}_psi{psi}"]) <= GOLDEN


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_golden_mixed_and_cut_off_pictures(folder):
    golden = arrays(folder)
    generator = golden_generator(folder)
    synthesis = FastSynthesis(generator)
    z, c = golden["z"].float(), golden["c"]
    assert apart(synthesis(generator.mapping(z, c, 0.7, 4)), golden["img_const_psi0.7_cutoff4"]) <= GOLDEN
    ws = generator.mapping(z, c)
    half = ws.shape[1] // 2
    ws[:, half:] = ws.roll(1, 0)[:, half:].clone()
    assert apart(synthesis(ws), golden["img_stylemix_const"]) <= GOLDEN


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_golden_clamped_pictures(folder):
    golden = arrays(folder)
    generator = golden_generator(folder, conv_clamp=0.75)
    ws = generator.mapping(golden["z"].float(), golden["c"])
    assert apart(FastSynthesis(generator)(ws), golden["img_const_psi1.0_clamp0.75"]) <= GOLDEN


@pytest.mark.usefixtures("winograd_everywhere")
@pytest.mark.parametrize("folder", FOLDERS)
def test_the_golden_pictures_by_winograd(folder):
    golden = arrays(folder)
    generator = golden_generator(folder)
    ws = generator.mapping(golden["z"].float(), golden["c"])
    assert apart(FastSynthesis(generator)(ws), golden["img_const_psi1.0"]) <= GOLDEN


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_golden_architectures(architecture):
    golden = arrays("arch16")
    generator, _ = golden_architecture(architecture)
    ws = generator.mapping(golden["z"].float())
    assert apart(FastSynthesis(generator)(ws), golden[f"{architecture}_img"]) <= GOLDEN


def test_the_golden_pictures_in_16_bits():
    golden = arrays("u64_c0")
    generator = golden_generator("u64_c0")
    ws = generator.mapping(golden["z"].float())
    synthesis = FastSynthesis(generator, "fast")
    if synthesis.dtype is torch.float32:
        pytest.skip("this CPU does not multiply bfloat16")
    drawn = synthesis(ws)
    # in bfloat16; float16 would be nearer
    error = (drawn - golden["img_const_psi1.0"]).square().mean().sqrt()
    assert 1e-3 < error < 0.03


# --- random networks --------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"c_dim": 5, "img_channels": 1},
        {"use_noise": False, "conv_clamp": None},
        {"conv_clamp": 0.4},
        {"resample_filter": (1.0, 2.0, 1.0)},
        {"resample_filter": (1.0, 4.0, 6.0, 4.0, 1.0)},
        {"resample_filter": (1.0, 1.0)},
        {"resample_filter": None},
        {"img_resolution": 4},
        {"img_resolution": 128, "channel_base": 256, "channel_max": 48},
    ],
    ids=str,
)
def test_any_network_draws_as_the_model_does(architecture, settings):
    generator = random_generator(architecture=architecture, **settings)
    ws = ws_of(generator, 2)
    for noise in ("const", "none"):
        expected = generator.synthesis(ws, noise)
        assert apart(FastSynthesis(generator)(ws, noise), expected) <= EXACT * max(
            1, expected.abs().max() / 7
        )


@pytest.mark.usefixtures("winograd_everywhere")
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_any_network_by_winograd(architecture, monkeypatch):
    generator = random_generator(architecture=architecture)
    ws = ws_of(generator, 2)
    by_winograd = FastSynthesis(generator)(ws)
    assert apart(by_winograd, generator.synthesis(ws)) <= EXACT
    monkeypatch.setattr(fast, "_WINOGRAD_CHANNELS", 10**6)
    assert not torch.equal(by_winograd, FastSynthesis(generator)(ws))  # else it was not by Winograd


def test_weights_or_activations_are_scaled_as_it_pays():
    """Both ways are taken in the nets above; this says so."""
    fine = FastSynthesis(random_generator(img_resolution=128, channel_base=256, channel_max=48))
    ways = {layer.scales_weights for block in fine._blocks for layer in block.styled}
    assert ways == {True, False}


@pytest.mark.parametrize("precision", ["exact", "fast"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_picture_is_the_same_alone_and_in_a_batch(architecture, precision):
    generator = random_generator(architecture=architecture)
    synthesis, ws = FastSynthesis(generator, precision), ws_of(generator, 3)
    together = synthesis(ws)
    assert synthesis.alone
    assert torch.equal(synthesis(ws), together)  # nothing is left over from the first call
    for number in range(3):
        assert torch.equal(synthesis(ws[number : number + 1])[0], together[number])


def test_what_is_given_is_not_changed():
    generator = random_generator()
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    ws = ws_of(generator, 1)
    given = ws.clone()
    FastSynthesis(generator)(ws)
    assert torch.equal(ws, given)
    for name, tensor in generator.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_it_keeps_the_weights_it_was_built_from():
    generator = random_generator()
    ws = ws_of(generator, 1)
    synthesis = FastSynthesis(generator)
    before = synthesis(ws)
    for tensor in generator.state_dict().values():
        tensor.mul_(2.0)
    assert torch.equal(synthesis(ws), before)


def test_random_and_given_noise_are_the_models():
    generator = random_generator()
    ws = ws_of(generator, 2)
    synthesis = FastSynthesis(generator)

    def draw() -> torch.Generator:
        return torch.Generator().manual_seed(5)

    expected = generator.synthesis(ws, "random", random=draw())
    assert apart(synthesis(ws, "random", random=draw()), expected) <= EXACT
    each = [torch.randn(2, 1, layer.resolution, layer.resolution) for block in generator.synthesis.blocks
            for layer in block.convolutions]  # fmt: skip
    assert apart(synthesis(ws, each), generator.synthesis(ws, each)) <= EXACT


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_fast_is_near(architecture):
    generator = random_generator(
        architecture=architecture, img_resolution=64, channel_base=2048, channel_max=32
    )
    synthesis, ws = FastSynthesis(generator, "fast"), ws_of(generator, 2)
    if synthesis.dtype is torch.float32:
        pytest.skip("this CPU does not multiply bfloat16")
    expected = generator.synthesis(ws)
    # The scale of trained networks, most of whose values are in -1..1; that of random ones is arbitrary.
    scale = 3 * float(expected.std())
    assert 40.0 < decibels(synthesis(ws) / scale, expected / scale) < 70.0


def test_without_bfloat16_fast_is_exact(monkeypatch):
    monkeypatch.setattr(fast, "has_native_bfloat16", lambda _device: False)
    generator = random_generator()
    ws = ws_of(generator, 1)
    synthesis = FastSynthesis(generator, "fast")
    assert synthesis.dtype is torch.float32
    assert torch.equal(synthesis(ws), FastSynthesis(generator)(ws))


def test_libraries_are_told_how_to_compute(monkeypatch):
    """`torch.backends.cudnn.flags` switches cuDNN off, and TF32 on, where it is not told otherwise."""
    generator = random_generator()
    synthesis, seen = FastSynthesis(generator), []
    drawn = synthesis._drawn

    def watched(*given):
        cudnn = torch.backends.cudnn
        seen.append((cudnn.enabled, cudnn.deterministic, cudnn.allow_tf32))
        return drawn(*given)

    monkeypatch.setattr(synthesis, "_drawn", watched)
    synthesis(ws_of(generator, 1))
    assert seen == [(True, True, False)]


@pytest.mark.usefixtures("winograd_everywhere")
def test_its_size_counts_what_winograd_makes_of_weights():
    generator = random_generator()
    weights = sum(layer.weight.nbytes for block in generator.synthesis.blocks for layer in block.convolutions)
    synthesis = FastSynthesis(generator)
    held = synthesis.bytes
    assert 2 * weights < held <= 4 * weights
    synthesis(ws_of(generator, 1))
    assert synthesis.bytes > held
    synthesis.rest()
    assert synthesis.bytes == held


def test_what_cannot_be_drawn_is_refused():
    generator = random_generator()
    with pytest.raises(ValueError, match="no such precision"):
        FastSynthesis(generator, "quick")
    synthesis = FastSynthesis(generator)
    with pytest.raises(ValueError, match="ws must be"):
        synthesis(torch.zeros(1, 7, 20))
    with pytest.raises(ValueError, match="no such noise"):
        synthesis(torch.zeros(1, 8, 20), "loud")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_on_cuda(architecture):
    generator = random_generator(architecture=architecture)
    ws = ws_of(generator, 4)
    expected = generator.synthesis(ws)
    exact = FastSynthesis(generator.cuda())
    drawn = [exact(part).cpu() for part in (ws, ws.flip(0), ws[:1])]  # the graph replays other ws
    assert apart(drawn[0], expected) <= EXACT
    assert apart(drawn[1], expected.flip(0)) <= EXACT
    assert apart(drawn[2], expected[:1]) <= EXACT
    assert apart(FastSynthesis(generator, "fast")(ws).cpu(), expected) <= 0.03 * float(expected.abs().max())
