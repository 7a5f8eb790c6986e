"""The published recipe: the nets it describes, training that can be stopped, the command."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from engines.worlds import WORLDS
from training.planets import baseline

ROOT = Path(__file__).parents[3]
SIDE = 16


@pytest.fixture
def pictures():
    """Discs of one brightness each: what little a net can learn."""
    place = torch.arange(SIDE) - (SIDE - 1) / 2
    disc = (place[:, None] ** 2 + place**2) < (SIDE / 2.5) ** 2
    shades = torch.arange(40, 250, 5)
    return (shades.view(-1, 1, 1, 1) * disc).expand(-1, 3, -1, -1).to(torch.uint8)


def training(pictures, seed=3):
    return baseline.Training(pictures, seed, torch.device("cpu"), bf16=False)


def weights(net):
    return torch.cat([value.flatten().double() for value in net.state_dict().values()])


# --- the nets ---------------------------------------------------------------------------------------


def test_the_generator_is_the_published_one():
    net = baseline.PublishedGenerator(64)

    dense = 100 * 16 * 16 * 256 + 2 * 16 * 16 * 256
    convolutions = 25 * (256 * 128 + 128 * 64 + 64 * 3) + 2 * (128 + 64)
    assert sum(p.numel() for p in net.parameters()) == dense + convolutions  # the source says 7 million
    with torch.no_grad():
        made = net.eval()(torch.randn(3, 100))
    assert made.shape == (3, 3, 64, 64)
    assert made.abs().max() <= 1


def test_the_discriminator_is_the_published_one():
    net = baseline.PublishedDiscriminator(64)

    assert sum(p.numel() for p in net.parameters()) == (25 * 3 * 64 + 64) + (25 * 64 * 128 + 128) + (
        16 * 16 * 128 + 1
    )
    assert net(torch.zeros(2, 3, 64, 64)).shape == (2,)


def test_dropout_drops_three_in_ten_and_keeps_the_mean():
    torch.manual_seed(0)
    x = torch.ones(8, 16, 32, 32).contiguous(memory_format=torch.channels_last).requires_grad_()

    y = baseline._dropout(x)
    y.sum().backward()

    assert (y == 0).double().mean() == pytest.approx(77 / 256, abs=0.01)
    assert y.mean().item() == pytest.approx(1, abs=0.01)
    assert torch.equal(x.grad == 0, y == 0)
    net = baseline.PublishedDiscriminator(16)
    ones = torch.ones(2, 3, 16, 16)
    assert not torch.equal(net(ones), net(ones))
    net.eval()
    assert torch.equal(net(ones), net(ones))


@pytest.mark.parametrize("size", [0, 30, -4])
def test_other_sizes_are_refused(size):
    with pytest.raises(ValueError, match="multiples of 4"):
        baseline.PublishedGenerator(size)


# --- training ---------------------------------------------------------------------------------------


def test_each_picture_is_shown_once_an_epoch_in_a_new_order(pictures):
    run = training(pictures.repeat(3, 1, 1, 1)[:96])
    epochs = []
    for _ in range(2):
        batches = []
        for _ in range(3):
            batches.append(run.batch())
            run.steps += 1
        epochs.append(torch.cat(batches))

    both = [epoch.flatten(1).sum(1).sort().values for epoch in epochs]
    torch.testing.assert_close(both[0], both[1])
    assert not torch.equal(epochs[0], epochs[1])
    assert epochs[0].shape == (96, 3, SIDE, SIDE)
    assert epochs[0].min() == -1.0


def test_both_nets_learn(pictures):
    run = training(pictures)
    before = [weights(net).clone() for net in (run.generator, run.discriminator)]

    losses = [run.step() for _ in range(12)]

    for net, old in zip((run.generator, run.discriminator), before, strict=True):
        assert not torch.equal(weights(net), old)
    assert losses[-1].discriminator < losses[0].discriminator  # it has begun to tell them apart


def test_the_losses_are_cross_entropies_with_smoothed_labels(pictures):
    run = training(pictures)
    with torch.no_grad():  # it answers 2 to everything
        run.discriminator.score.weight.zero_()
        run.discriminator.score.bias.fill_(2.0)
    losses = run.step()

    sure = 1 / (1 + math.exp(-2))
    real, fake = -0.9 * math.log(sure) - 0.1 * math.log(1 - sure), -math.log(1 - sure)
    assert losses.discriminator == pytest.approx(real + fake, rel=1e-5)
    assert losses.generator == pytest.approx(-math.log(sure), rel=1e-5)


def test_the_generators_gradient_leaves_the_discriminator_alone(pictures, monkeypatch):
    run, alone = training(pictures), training(pictures)
    run.step()
    whole = baseline._set_gradients

    def critic_only(loss, net, *, keep):
        if net is alone.discriminator:
            whole(loss, net, keep=keep)

    monkeypatch.setattr(baseline, "_set_gradients", critic_only)
    alone.step()

    torch.testing.assert_close(weights(alone.discriminator), weights(run.discriminator), rtol=0, atol=0)
    assert not torch.equal(weights(alone.generator), weights(run.generator))


def test_a_resumed_run_goes_on_as_if_nothing_had_been(pictures, tmp_path):
    whole = training(pictures)
    for _ in range(5):
        whole.step()
    first = training(pictures)
    for _ in range(3):
        first.step()
    first.seconds = 7.5
    first.save(tmp_path / "a.safetensors")

    second = training(pictures)
    second.restore(tmp_path / "a.safetensors")
    for _ in range(2):
        second.step()

    assert second.steps == 5
    assert second.seconds == 7.5
    torch.testing.assert_close(weights(second.generator), weights(whole.generator), rtol=0, atol=0)
    torch.testing.assert_close(weights(second.discriminator), weights(whole.discriminator), rtol=0, atol=0)


def test_another_seeds_checkpoint_is_refused(pictures, tmp_path):
    training(pictures, seed=3).save(tmp_path / "a.safetensors")

    with pytest.raises(ValueError, match="trained with seed 3, not 4"):
        training(pictures, seed=4).restore(tmp_path / "a.safetensors")


def test_fewer_pictures_than_a_batch_are_refused(pictures):
    with pytest.raises(ValueError, match="fewer than a batch"):
        training(pictures[:31])


def test_a_loaded_generator_makes_the_same_pictures(pictures, tmp_path):
    run = training(pictures)
    run.step()
    run.save(tmp_path / "whole.safetensors")
    run.save(tmp_path / "alone.safetensors", whole=False)

    for name in ("whole", "alone"):
        net = baseline.load_generator(tmp_path / f"{name}.safetensors")
        assert torch.equal(baseline.make(net, 5, 3), run.samples(5))
    assert (tmp_path / "alone.safetensors").stat().st_size < (
        tmp_path / "whole.safetensors"
    ).stat().st_size / 2
    assert run.generator.training  # samples did not leave it in the other mode


# --- the command ------------------------------------------------------------------------------------


@pytest.fixture
def prepared(tmp_path):
    """A folder as prepare.py makes it, three pictures a world."""
    for number, world in enumerate(WORLDS):
        folder = tmp_path / "data" / str(SIDE) / world
        folder.mkdir(parents=True)
        for shade in range(3):
            Image.new("RGBA", (SIDE, SIDE), (number * 20, shade * 80, 90, 255)).save(folder / f"{shade}.png")
    return tmp_path / "data"


def command(data, out, minutes):
    return [
        sys.executable, "-m", "training.planets.baseline", str(data), "--size", str(SIDE),
        "--minutes", str(minutes), "--threads", "1", "--seed", "1", "--out", str(out), "--snapshot", "0.01",
    ]  # fmt: skip


def test_the_command_trains_saves_and_goes_on(prepared, tmp_path):
    out = tmp_path / "run"

    ran = [
        subprocess.run(command(prepared, out, minutes), capture_output=True, text=True, check=False)
        for minutes in (0.02, 0.03)
    ]

    for one in ran:
        assert one.returncode == 0, one.stderr
    ends = [json.loads(one.stdout.splitlines()[-1]) for one in ran]
    assert ends[0]["seconds"] >= 1.2
    assert ends[1]["seconds"] >= 1.8
    assert ends[1]["steps"] > ends[0]["steps"] > 0
    assert f"goes on at step {ends[0]['steps']}," in ran[1].stdout
    assert baseline.load_generator(out / baseline.CHECKPOINT).size == SIDE
    with Image.open(out / "checkpoint.png") as sheet:
        assert sheet.size == (8 * (SIDE + 2) - 2,) * 2
    assert list(out.glob("snapshot-*min.safetensors"))


def test_the_command_saves_when_it_is_told_to_stop(prepared, tmp_path):
    out = tmp_path / "run"
    with subprocess.Popen(command(prepared, out, 60), stdout=subprocess.PIPE, text=True) as running:
        while not list(out.glob("snapshot-*")):
            assert running.poll() is None
        running.send_signal(signal.SIGTERM)
        told, _ = running.communicate(timeout=60)

    end = json.loads(told.splitlines()[-1])
    assert running.returncode == 0
    assert end["stopped"]
    run = training(torch.zeros(36, 3, SIDE, SIDE, dtype=torch.uint8), seed=1)
    run.restore(out / baseline.CHECKPOINT)
    assert run.steps == end["steps"]
