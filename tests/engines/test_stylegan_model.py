"""StyleGAN2's networks: against the golden data, and what must hold of any of them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engines.stylegan.config import DiscriminatorConfig
from engines.stylegan.model import Discriminator, Generator, low_precision_blocks, with_deviation
from tests.engines.stylegan_networks import (
    arrays,
    golden_architecture,
    golden_discriminator,
    golden_generator,
    random_generator,
    ws_of,
)

FOLDERS = ("u64_c0", "r32_c3")
#: Of the golden data's README.
PICTURE, HALF_PICTURE, SCORE, W = 2e-5, 0.03, 1e-5, 1e-6


def apart(a: Tensor, b: Tensor) -> float:
    assert a.shape == b.shape
    return float((a - b).detach().abs().max())


def small_discriminator(**settings: object) -> DiscriminatorConfig:
    small = {"c_dim": 0, "img_resolution": 16, "img_channels": 3, "channel_base": 64, "channel_max": 8}
    return DiscriminatorConfig(**(small | settings))


# --- the golden data --------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", FOLDERS)
def test_latents_become_the_golden_ws(folder):
    golden = arrays(folder)
    mapping, z, c = golden_generator(folder).mapping, golden["z"].float(), golden["c"]
    assert apart(mapping(z, c)[:, 0], golden["w"]) <= W
    assert apart(mapping(z, c, 0.7), golden["ws_psi0.7"]) <= W
    assert apart(mapping(z, c, 0.7, 4), golden["ws_psi0.7_cutoff4"]) <= W


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize(
    ("noise", "psi", "cutoff"),
    [("const", 1.0, None), ("none", 1.0, None), ("const", 0.7, None), ("none", 0.7, None), ("const", 0.7, 4)],
)
def test_the_golden_pictures(folder, noise, psi, cutoff):
    golden = arrays(folder)
    drawn = golden_generator(folder)(
        golden["z"].float(), golden["c"], noise, truncation_psi=psi, truncation_cutoff=cutoff
    )
    end = "" if cutoff is None else f"_cutoff{cutoff}"
    assert apart(drawn, golden[f"img_{noise}_psi{psi}{end}"]) <= PICTURE


@pytest.mark.parametrize("folder", FOLDERS)
def test_styles_are_mixed_through_ws(folder):
    golden = arrays(folder)
    generator = golden_generator(folder)
    ws = generator.mapping(golden["z"].float(), golden["c"])
    half = ws.shape[1] // 2
    ws[:, half:] = ws.roll(1, 0)[:, half:].clone()
    assert apart(generator.synthesis(ws), golden["img_stylemix_const"]) <= PICTURE


@pytest.mark.parametrize("folder", FOLDERS)
def test_activations_are_clamped(folder):
    golden = arrays(folder)
    drawn = golden_generator(folder, conv_clamp=0.75)(golden["z"].float(), golden["c"])
    assert apart(drawn, golden["img_const_psi1.0_clamp0.75"]) <= PICTURE


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_block_of_the_golden_generator(folder):
    golden = arrays(folder)
    generator = golden_generator(folder)
    found: dict[int, tuple[Tensor, Tensor]] = {}
    for block in generator.synthesis.blocks:
        block.register_forward_hook(lambda block, _, out: found.update({block.resolution: out}))
    generator(golden["z"][:1].float(), golden["c"][:1])
    assert list(found) == list(generator.config.resolutions())
    for side, (x, image) in found.items():
        assert apart(x, golden[f"block{side}_x_sample0"]) <= PICTURE
        # later blocks add to another tensor than this one
        assert apart(image, golden[f"block{side}_img_sample0"]) <= PICTURE


@pytest.mark.parametrize("batch", [4, 1])
def test_half_precision(batch):
    golden = arrays("u64_c0")
    generator = golden_generator("u64_c0")
    parts = golden["z"].float().split(batch)
    drawn = torch.cat([generator(part, low_precision=torch.float16) for part in parts])
    exact = golden["img_const_psi1.0"]
    assert apart(drawn, golden[f"img_const_psi1.0_fp16{'_batch1' if batch == 1 else ''}"]) <= HALF_PICTURE
    assert apart(drawn, exact) > 1e-3  # else it was not computed in halves


def test_bfloat16_is_near_and_not_the_same():
    golden = arrays("u64_c0")
    drawn = golden_generator("u64_c0")(golden["z"].float(), low_precision=torch.bfloat16)
    error = (drawn - golden["img_const_psi1.0"]).square().mean().sqrt()
    assert 1e-3 < error < 0.03


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_golden_scores(folder):
    golden = arrays(folder)
    judge, pictures, c = golden_discriminator(folder), golden["img_const_psi1.0"], golden["c"]
    assert apart(judge(pictures, c), golden["D_logits"]) <= SCORE
    pairs = [judge(pictures[part], c[part]) for part in (slice(0, 2), slice(2, 4))]
    assert apart(torch.cat(pairs), golden["D_logits_batch2"]) <= SCORE


def gradient(judge: Discriminator, pictures: Tensor, c: Tensor) -> Tensor:
    pictures = pictures.clone().requires_grad_(True)
    (found,) = torch.autograd.grad(judge(pictures, c).sum(), pictures, create_graph=True)
    return found


def test_the_golden_r1_penalty_and_gradient():
    golden = arrays("r32_c3")
    found = gradient(golden_discriminator("r32_c3"), golden["img_const_psi1.0"], golden["c"])
    assert apart(found, golden["D_r1_grad"]) <= 1e-3 * float(golden["D_r1_grad"].abs().max())
    penalty = found.square().sum((1, 2, 3))
    assert torch.allclose(penalty, golden["D_r1_penalty"], rtol=1e-3, atol=0.0)


def test_the_golden_r1_penalty_at_64_pixels():
    """A leaky ReLU lies within rounding of its kink there, and a penalty 2 % apart on either side of it.

    So the median over pictures which differ by a millionth: most of them are on the golden one's side.
    """
    golden = arrays("u64_c0")
    judge, pictures = golden_discriminator("u64_c0"), golden["img_const_psi1.0"]
    draw = torch.Generator().manual_seed(0)
    penalties = []
    for _ in range(5):
        moved = pictures + 1e-6 * torch.randn(pictures.shape, generator=draw)
        penalties.append(gradient(judge, moved, golden["c"]).square().sum((1, 2, 3)).detach())
    median = torch.stack(penalties).median(0).values
    assert torch.allclose(median, golden["D_r1_penalty"], rtol=1e-3, atol=0.0)


def test_the_golden_path_lengths():
    golden = arrays("r32_c3")
    generator = golden_generator("r32_c3").requires_grad_(True)
    ws = generator.mapping(golden["z"].float(), golden["c"]).detach().requires_grad_(True)
    noise = golden["pl_noise_unscaled"] / 32
    (found,) = torch.autograd.grad((generator.synthesis(ws) * noise).sum(), ws, create_graph=True)
    lengths = found.square().sum(2).mean(1).sqrt()
    assert torch.allclose(lengths, golden["pl_lengths"], rtol=1e-4, atol=0.0)
    # and the second derivative, which training steps along, reaches the convolutions
    lengths.sum().backward()
    for block in generator.synthesis.blocks:
        for convolution in block.convolutions:
            assert convolution.weight.grad is not None
            assert convolution.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("architecture", ["orig", "resnet", "skip"])
def test_the_golden_architectures(architecture):
    golden = arrays("arch16")
    generator, judge = golden_architecture(architecture)
    assert apart(generator(golden["z"].float()), golden[f"{architecture}_img"]) <= PICTURE
    assert apart(judge(golden[f"{architecture}_img"]), golden[f"{architecture}_logits"]) <= SCORE


# --- any network ------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [8, 16, 32, 64, 128, 256, 512, 1024])
def test_pictures_of_every_size_are_drawn_and_judged(side):
    generator = random_generator(img_resolution=side, channel_base=16, channel_max=4, img_channels=1)
    config = small_discriminator(img_resolution=side, channel_base=16, channel_max=4, img_channels=1)
    with torch.no_grad():
        drawn = generator.synthesis(ws_of(generator, 1))
        score = Discriminator(config)(drawn)
    assert drawn.shape == (1, 1, side, side)
    assert drawn.std() > 0
    assert torch.isfinite(score).all()
    assert score.shape == (1, 1)


@pytest.mark.parametrize(
    ("side", "blocks", "low"),
    [(256, 4, (32, 64, 128, 256)), (64, 4, (8, 16, 32, 64)), (8, 16, (8,)), (64, 0, ()), (64, 1, (64,))],
)
def test_which_blocks_may_compute_in_16_bits(side, blocks, low):
    assert low_precision_blocks(small_discriminator(img_resolution=side, num_fp16_res=blocks)) == low


def test_the_length_of_a_latent_does_not_matter():
    mapping = random_generator(c_dim=3).mapping
    z, c = torch.randn(2, 16), torch.eye(3)[:2]
    assert torch.allclose(mapping(z, c), mapping(z * 5, c), atol=1e-5)
    assert not torch.allclose(mapping(z, c), mapping(z, torch.eye(3)[1:]), atol=1e-2)


def test_each_picture_has_its_own_truncation():
    mapping = random_generator().mapping
    z = torch.randn(3, 16)
    full = mapping(z)
    found = mapping(z, truncation_psi=torch.tensor([0.0, 0.5, 1.0]))
    assert torch.equal(found[0], mapping.w_avg.expand_as(found[0]))
    assert torch.allclose(found[1], (mapping.w_avg + full[1]) / 2, atol=1e-6)
    assert torch.equal(found[2], full[2])


def test_a_network_without_a_mean_is_not_truncated():
    mapping = random_generator(w_avg_beta=None).mapping
    with pytest.raises(ValueError, match="no mean"):
        mapping(torch.randn(1, 16), None, 0.5)


def test_training_moves_the_mean_of_w():
    mapping = random_generator(w_avg_beta=0.75).mapping
    before, z = mapping.w_avg.clone(), torch.randn(8, 16)
    drawn = mapping(z)[:, 0].mean(0)
    assert torch.equal(mapping.w_avg, before)
    mapping(z, update_w_avg=True)
    assert torch.allclose(mapping.w_avg, 0.75 * before + 0.25 * drawn, atol=1e-6)


@pytest.mark.parametrize(("z", "c"), [(None, None), ((2, 15), (2, 3)), ((2, 16), None), ((2, 16), (2, 4))])
def test_inputs_of_another_shape_are_refused(z, c):
    mapping = random_generator(c_dim=3).mapping
    with pytest.raises(ValueError, match="must be"):
        mapping(z and torch.zeros(z), c and torch.zeros(c))


def test_random_noise_belongs_to_its_picture():
    generator = random_generator()
    ws = ws_of(generator, 2)

    def drawn(count: int, seed: int) -> Tensor:
        return generator.synthesis(ws[:count], "random", random=torch.Generator().manual_seed(seed))

    assert torch.equal(drawn(2, 1), drawn(2, 1))
    assert apart(drawn(2, 1)[:1], drawn(1, 1)) <= 1e-5
    assert apart(drawn(2, 1), drawn(2, 2)) > 1e-2
    assert apart(drawn(2, 1), generator.synthesis(ws)) > 1e-2


def test_noise_may_be_given():
    generator = random_generator()
    ws = ws_of(generator, 2)
    constant = [one[None, None] for one in generator.synthesis.constant_noise()]
    assert torch.equal(generator.synthesis(ws, constant), generator.synthesis(ws))
    silent = [torch.zeros_like(one) for one in constant]
    assert apart(generator.synthesis(ws, silent), generator.synthesis(ws, "none")) <= 1e-5


def test_wrong_noise_and_wrong_ws_are_refused():
    synthesis = random_generator().synthesis
    ws = torch.zeros(2, 8, 20)
    wrong = [torch.zeros(3, 1, side, side) for side in (4, 8, 8, 16, 16, 32, 32)]
    with pytest.raises(ValueError, match="noise must be"):
        synthesis(ws, wrong)
    with pytest.raises(ValueError, match="noise must be"):
        synthesis(ws, wrong[:2])
    with pytest.raises(ValueError, match="no such noise"):
        synthesis(ws, "loud")
    with pytest.raises(ValueError, match="needs a generator"):
        synthesis(ws, "random")
    with pytest.raises(ValueError, match="ws must be"):
        synthesis(ws[:, 1:])


def test_a_network_without_noise_has_none():
    generator = random_generator(use_noise=False)
    assert not [name for name in generator.state_dict() if "noise" in name]
    ws = ws_of(generator, 1)
    assert torch.equal(generator.synthesis(ws, "const"), generator.synthesis(ws, "none"))


def test_frozen_layers_are_no_parameters_but_are_stored():
    free = Discriminator(small_discriminator())
    frozen = Discriminator(small_discriminator(freeze_layers=5))  # a block of four and one more
    names = {name for name, _ in frozen.named_parameters()}
    assert {name.rsplit(".", 1)[0] for name, _ in free.named_parameters() if name not in names} == {
        "b16.fromrgb",
        "b16.conv0",
        "b16.conv1",
        "b16.skip",
        "b8.conv0",
    }
    assert set(frozen.state_dict()) == set(free.state_dict())


def test_pictures_are_told_apart_within_their_group():
    """Pictures B/G apart are a group: 0 and 2, 1 and 3."""
    x = torch.zeros(4, 2, 4, 4)
    x[1], x[3] = 1.0, 3.0
    found = with_deviation(x, 2, 1)[:, 2, 0, 0]
    assert torch.allclose(found, torch.tensor([1e-4, 1.0, 1e-4, 1.0]), atol=1e-6)
    with pytest.raises(ValueError, match="cannot be divided"):
        with_deviation(torch.zeros(5, 2, 4, 4), 2, 1)


def test_a_discriminator_refuses_what_is_not_its_picture():
    judge = Discriminator(small_discriminator(c_dim=2))
    with pytest.raises(ValueError, match="pictures must be"):
        judge(torch.zeros(1, 3, 8, 8))
    with pytest.raises(ValueError, match="c must be"):
        judge(torch.zeros(1, 3, 16, 16))


def test_a_generator_is_a_mapping_and_a_synthesis():
    generator = random_generator(c_dim=3)
    z, c = torch.randn(2, 16), torch.eye(3)[:2]
    found = generator(z, c, "none", truncation_psi=0.5, truncation_cutoff=3)
    assert torch.equal(found, generator.synthesis(generator.mapping(z, c, 0.5, 3), "none"))
    assert isinstance(generator, Generator)
