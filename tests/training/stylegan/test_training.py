"""Training: what a step does, resuming to the bit, a short run."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.multiprocessing
from PIL import Image
from torch import Tensor, nn

from engines.seeds import generator as draws
from training.stylegan.augment import augment
from training.stylegan.augment_draws import PIPES, Random, draw
from training.stylegan.dataset import Pictures
from training.stylegan.losses import squared_slopes
from training.stylegan.recipes import Recipe, recipe
from training.stylegan.training import Training

torch.set_num_threads(1)

CPU = torch.device("cpu")
SIDE = 16


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    """Orange on the left and dark on the right, in two classes that look the same."""
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(1)
    for number in range(64):
        pixels = np.empty((SIDE, SIDE, 3))
        pixels[:] = np.array([200.0, 90.0, 40.0]) + random.normal(0.0, 8.0, 3)
        pixels[:, SIDE // 2 :] *= 0.3
        path = folder / str(number % 2) / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
    return Pictures(folder, labels=True)


def small(classes: int = 2, network: dict[str, Any] | None = None, **changes: Any) -> Recipe:
    """A network of 16 px that trains in a moment; every penalty and augmentation comes soon."""
    base = recipe("auto", SIDE, classes=classes)
    sizes = {"channel_base": 256, "channel_max": 16, **(network or {})}
    return base.changed(
        **{
            "batch": 8,
            "r1_interval": 3,
            "path_length_interval": 2,
            "augment_p": 0.4,
            "augment_kimg": 1.0,
            "generator": base.generator.model_dump() | sizes | {"z_dim": 16, "w_dim": 16},
            "discriminator": base.discriminator.model_dump() | sizes,
            **changes,
        }
    )


@pytest.fixture
def started(pictures: Pictures, request: pytest.FixtureRequest):
    """`started(recipe)`: a training that is closed at the end."""

    def start(given: Recipe | None = None, **options: Any) -> Training:
        training = Training(given or small(), pictures, CPU, **options)
        request.addfinalizer(training.close)
        return training

    return start


def weights(network: nn.Module) -> Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in network.state_dict().values()])


class TestResuming:
    def test_a_resumed_run_goes_on_as_if_it_had_never_stopped(self, started, tmp_path):
        # given: a run of eight steps, and one that is stopped after five, between two moves of p
        whole = started()
        numbers = [whole.step() for _ in range(8)]
        first = started()
        for _ in range(5):
            first.step()
        first.save(tmp_path / "checkpoint.pt", best=3.5)
        # when
        second = started()
        more = second.restore(tmp_path / "checkpoint.pt")
        resumed = [second.step() for _ in range(3)]
        # then
        assert more == {"best": 3.5}
        assert resumed == numbers[5:]
        for name in ("generator", "discriminator", "average"):
            assert torch.equal(weights(getattr(second, name)), weights(getattr(whole, name)))
        assert torch.equal(second.path_mean, whole.path_mean)
        assert second.control.state() == whole.control.state()
        assert second.control.p != small().augment_p
        assert second.images == whole.images == 64
        for ours, theirs in (
            (second.generator_adam, whole.generator_adam),
            (second.discriminator_adam, whole.discriminator_adam),
        ):
            for one, other in zip(ours.state.values(), theirs.state.values(), strict=True):
                assert torch.equal(one["exp_avg_sq"], other["exp_avg_sq"])

    def test_another_seed_is_another_run(self, started):
        assert started().step() != started(small(seed=1)).step()

    def test_a_checkpoint_of_other_settings_is_refused(self, started, tmp_path):
        started().save(tmp_path / "checkpoint.pt")
        with pytest.raises(ValueError, match="gamma, seed"):
            started(small(seed=1, gamma=3.0)).restore(tmp_path / "checkpoint.pt")

    def test_what_differs_of_a_network_is_named(self, started, tmp_path):
        started().save(tmp_path / "checkpoint.pt")
        with pytest.raises(ValueError, match=r"settings: generator\.channel_max$"):
            started(small().changed(generator=small().generator.model_dump() | {"channel_max": 8})).restore(
                tmp_path / "checkpoint.pt"
            )

    def test_a_run_may_end_later_than_was_planned(self, started, tmp_path):
        started().save(tmp_path / "checkpoint.pt")
        started(small(kimg=1.0)).restore(tmp_path / "checkpoint.pt")


class TestStep:
    def test_adam_makes_up_for_the_steps_of_the_penalties(self, started):
        training = started(small(r1_interval=16, path_length_interval=4))
        for adam, share in ((training.generator_adam, 4 / 5), (training.discriminator_adam, 16 / 17)):
            (group,) = adam.param_groups
            assert group["lr"] == pytest.approx(0.0025 * share)
            assert group["betas"] == (0.0, pytest.approx(0.99**share))
            assert group["eps"] == 1e-8

    def test_without_penalties_adam_is_as_it_is(self, started):
        training = started(small(gamma=0.0, path_length=0.0))
        assert training.generator_adam.param_groups[0]["lr"] == 0.0025
        assert training.discriminator_adam.param_groups[0]["betas"] == (0.0, 0.99)
        assert not {"loss/r1", "loss/path"} & training.step().keys()

    def test_penalties_come_as_often_as_asked(self, started):
        training = started()
        numbers = [training.step() for _ in range(7)]
        assert [step for step, found in enumerate(numbers) if "loss/path" in found] == [0, 2, 4, 6]
        assert [step for step, found in enumerate(numbers) if "loss/r1" in found] == [0, 3, 6]

    def test_r1_is_taken_at_the_pictures_before_they_are_augmented(self, started, pictures):
        # given: colours alone change, and no weight does
        training = started(small(augment="color", augment_p=1.0, learning_rate=1e-30))
        found = training.step()["loss/r1"]
        # when: the same by hand
        order = torch.randperm(64, generator=draws(0, "order"))[:8].tolist()
        real = torch.stack([pictures.picture(index) for index in order]).float() / 127.5 - 1.0
        labels = torch.stack([pictures.label(index) for index in order])
        real.requires_grad_(True)
        done = draw(PIPES["color"], 1.0, 8, SIDE, Random(draws(0, "r1/augment")))
        seen = augment(real, done)
        training.discriminator.requires_grad_(True)
        scores = training.discriminator(seen, labels)
        before = squared_slopes(scores, real).mean().item() * training.recipe.gamma / 2
        after = squared_slopes(training.discriminator(seen, labels), seen).mean().item()
        # then
        assert found == pytest.approx(before, rel=1e-4)
        assert abs(after * training.recipe.gamma / 2 - before) > 0.01 * before

    def test_the_mean_path_length_follows(self, started):
        training = started(small(path_length_decay=0.25))
        mean = 0.0
        for _ in range(3):
            found = training.step()
            if "path" in found:
                mean += 0.25 * (found["path"] - mean)
        assert training.path_mean.item() == pytest.approx(mean, rel=1e-5)

    def test_the_average_follows_by_its_half_life(self, started):
        # given
        training = started(small(average_kimg=0.05, average_ramp=None))
        training.step()
        before = copy.deepcopy(training.average)
        # when
        training.step()
        # then
        keep = 0.5 ** (8 / 50)
        for ours, old, new in zip(
            training.average.parameters(),
            before.parameters(),
            training.generator.parameters(),
            strict=True,
        ):
            assert torch.allclose(ours, keep * old + (1.0 - keep) * new, atol=1e-6)
        assert torch.equal(training.average.mapping.w_avg, training.generator.mapping.w_avg)
        assert training.average.mapping.w_avg.abs().sum() > 0

    def test_with_a_ramp_the_average_begins_as_the_generator(self, started):
        training = started()
        training.step()
        assert torch.allclose(weights(training.average), weights(training.generator), atol=1e-5)

    def test_frozen_layers_stay(self, started):
        discriminator = small().discriminator.model_dump() | {"freeze_layers": 3}
        for run, stays in ((started(), False), (started(small(discriminator=discriminator)), True)):
            block = run.discriminator.b16
            kept = {name: tensor.clone() for name, tensor in block.state_dict().items()}
            late = run.discriminator.b4.conv.weight.detach().clone()
            for _ in range(2):
                run.step()
            for name in ("fromrgb.weight", "conv0.weight", "conv1.weight", "conv0.bias"):
                assert torch.equal(kept[name], block.state_dict()[name]) == stays, name
            assert not torch.equal(late, run.discriminator.b4.conv.weight)

    def test_the_finest_blocks_may_compute_in_16_bits(self, started):
        exact, low = started(), started(low_precision=torch.bfloat16)
        for _ in range(4):
            expected, found = exact.step(), low.step()
            assert all(math.isfinite(value) for value in found.values())
        assert found != expected
        assert found["score/real"] == pytest.approx(expected["score/real"], abs=0.3)
        assert all(parameter.dtype is torch.float32 for parameter in low.generator.parameters())

    def test_p_follows_the_discriminator_and_stays_without_a_target(self, started):
        sure, never, fixed = (
            started(small(augment_target=target, augment_p=0.1)) for target in (-1.0, 1.0, None)
        )
        for run in (sure, never, fixed):
            for _ in range(4):
                numbers = run.step()
            assert numbers["augment"] == run.control.p
        assert never.control.p < 0.1 == fixed.control.p < sure.control.p

    def test_pictures_and_batches_that_do_not_fit_are_refused(self, started):
        with pytest.raises(
            ValueError, match=r"the recipe is for .*\(16, 3, 3\); the pictures have \(16, 3, 2\)"
        ):
            started(small(classes=3))
        with pytest.raises(ValueError, match="groups of 4"):
            started(small(batch=6))


class TestTransfer:
    def test_weights_alone_come_along(self, started):
        # given
        source = started()
        for _ in range(4):
            source.step()
        names = ("generator", "discriminator", "average")
        given = {name: getattr(source, name).state_dict() for name in names}
        # when
        training = started(small(augment_p=0.0))
        missing = training.adopt(given)
        # then
        assert missing == []
        for name in names:
            assert torch.equal(weights(getattr(training, name)), weights(getattr(source, name)))
        assert (training.steps, training.control.p, training.path_mean.item()) == (0, 0.0, 0.0)
        assert not training.generator_adam.state
        assert all(math.isfinite(value) for value in training.step().values())

    def test_an_average_alone_serves_as_both_generators(self, started):
        source, training = started(small(seed=3)), started()
        discriminator = weights(training.discriminator)
        missing = training.adopt({"average": source.average.state_dict()})
        assert torch.equal(weights(training.generator), weights(source.average))
        assert torch.equal(weights(training.average), weights(source.average))
        assert torch.equal(weights(training.discriminator), discriminator)
        assert all(name.startswith("discriminator.") for name in missing)

    def test_layers_of_another_shape_begin_anew(self, started):
        source, training = started(small(network={"channel_max": 8})), started()
        missing = training.adopt({"generator": source.generator.state_dict()})
        assert "generator.synthesis.b4.const" in missing
        assert "generator.mapping.fc0.weight" not in missing
        assert torch.equal(training.generator.mapping.fc0.weight, source.generator.mapping.fc0.weight)


def _one_of_two(rank: int, folder: str, data: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    given = Recipe.model_validate_json((Path(folder) / "recipe.json").read_text())
    training = Training(given, Pictures(Path(data), labels=True), CPU)
    numbers = [training.step() for _ in range(3)]
    training.save(Path(folder) / f"checkpoint-{rank}.pt", numbers=numbers)
    training.close()
    torch.distributed.destroy_process_group()


def test_two_processes_train_as_one_does(started, pictures, tmp_path):
    """Groups of the minibatch's deviation are the same pictures, so all is the same but for rounding."""
    # given
    given = small(augment="bgcfnc", average_ramp=None)
    whole = started(given)
    numbers = [whole.step() for _ in range(3)]
    (tmp_path / "recipe.json").write_text(given.model_dump_json())
    data = str(pictures.path)
    # when
    torch.multiprocessing.spawn(_one_of_two, (str(tmp_path), data), nprocs=2)
    # then
    states = [torch.load(tmp_path / f"checkpoint-{rank}.pt", weights_only=True) for rank in range(2)]
    for name in ("generator", "discriminator", "average"):
        for key, tensor in states[0][name].items():
            assert torch.equal(tensor, states[1][name][key]), f"{name}.{key} differs between the processes"
            assert torch.allclose(tensor, getattr(whole, name).state_dict()[key], atol=2e-4), f"{name}.{key}"
    for found, expected in zip(states[0]["more"]["numbers"], numbers, strict=True):
        assert found == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_a_short_run_moves_the_right_way(pictures):
    """A minute of training: the pictures approach the data, the discriminator tells them apart, p reacts."""
    # given
    base = small(network={"channel_base": 512, "channel_max": 32})
    given = base.changed(
        batch=16,
        augment_p=0.0,
        augment_kimg=5.0,
        r1_interval=16,
        path_length_interval=4,
        gamma=0.01,
        average_kimg=0.5,
        generator=base.generator.model_dump() | {"z_dim": 32, "w_dim": 32},
    )
    training = Training(given, pictures, CPU)
    real = torch.stack([pictures.picture(index) for index in range(64)]).float() / 127.5 - 1.0
    z = torch.randn(32, 32, generator=torch.Generator().manual_seed(9))
    labels = torch.eye(2).repeat(16, 1)

    def far() -> tuple[float, float]:
        """How far the mean colour, and the step from left to right, are from the data's."""
        with torch.no_grad():
            made = training.average(z, labels)
        left, right = (
            (made[..., half].mean() - real[..., half].mean()).item()
            for half in (slice(0, SIDE // 2), slice(SIDE // 2, SIDE))
        )
        return (made.mean((0, 2, 3)) - real.mean((0, 2, 3))).norm().item(), abs(left - right)

    # when
    colour_before, step_before = far()
    numbers = [training.step() for _ in range(80)]
    training.close()
    colour, step = far()
    # then
    assert colour < 0.25 * colour_before
    assert step < 0.5 * step_before
    early = numbers[5:40]
    apart = sum(one["score/real"] - one["score/made"] for one in early) / len(early)
    assert apart > 1.0
    assert sum(one["loss/discriminator"] for one in early) / len(early) < 2.0 * math.log(2.0) - 0.2
    assert max(one["augment"] for one in numbers) > 0.02
    paths = [one["loss/path"] for one in numbers if "loss/path" in one]
    assert sum(paths[-5:]) < 0.5 * sum(paths[:5])
