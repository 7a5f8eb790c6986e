"""Evaluation tells a good generator from a bad one, finds copies, and refuses what it cannot measure."""

from __future__ import annotations

import json
import sys

import pytest
import safetensors.torch
import torch
from PIL import Image

from engines.planets.model import Generator
from engines.worlds import WORLDS
from training.planets import baseline, evaluate, figures
from training.planets.data import Pictures, load

CPU = torch.device("cpu")
SIDE = 64


def colours(pictures):
    """Features of a kind: the mean colours of the four quarters, (B, 12)."""
    return torch.nn.functional.adaptive_avg_pool2d(pictures, 2).flatten(1)


@pytest.fixture
def eye():
    """Takes a picture for the world whose number its red says; above them all for none."""

    def world(pictures):
        red = pictures[:, 0].amax((1, 2)).mul(255 / 20).round().long()
        return torch.where(red < len(WORLDS), red, -1)

    return evaluate.Eye("mean colours", colours, world)


def discs(worlds, shades, side=SIDE):
    """(N, 4, side, side) uint8: a disc whose red says its world, lit from the left."""
    place = torch.arange(side) - (side - 1) / 2
    disc = ((place[:, None] ** 2 + place**2) < (side / 3) ** 2).float()
    light = torch.linspace(1, 0, side) * disc
    red = worlds.view(-1, 1, 1).float() * 20 * disc
    grey = shades.view(-1, 1, 1) * light
    mask = (255 * disc).expand(len(worlds), side, side)
    return torch.stack([red, grey, grey * 0.5, mask], dim=1).to(torch.uint8)


@pytest.fixture
def pictures():
    """Ten pictures of each world."""
    worlds = torch.arange(len(WORLDS)).repeat_interleave(10)
    shades = torch.linspace(60, 250, 120)[torch.randperm(120, generator=torch.Generator().manual_seed(1))]
    names = tuple(f"{WORLDS[world]}/{n:03}" for n, world in enumerate(worlds.tolist()))
    return Pictures(discs(worlds, shades), worlds, names, WORLDS)


@pytest.fixture
def folder(pictures, tmp_path):
    """The same as prepare.py would leave them."""
    for picture, name in zip(pictures.pixels, pictures.names, strict=True):
        file = tmp_path / "data" / str(SIDE) / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture.permute(1, 2, 0).numpy(), "RGBA").save(file)
    return tmp_path / "data"


def made(pictures, shift=0):
    return evaluate.Made(
        "some", (pictures.pixels.int() + shift).clamp(0, 255).to(torch.uint8), pictures.labels, 1, 1.0
    )


# --- what is made -----------------------------------------------------------------------------------


def test_worlds_come_in_the_proportion_of_the_real_pictures():
    labels = torch.tensor([0, 2, 2, 0, 1, 0, 0, 2])

    assert torch.bincount(evaluate.in_proportion(labels, 400)).tolist() == [200, 50, 150]
    assert evaluate.in_proportion(labels, 4).tolist() == [0, 0, 2, 2]


def test_ours_makes_the_world_that_the_label_says(monkeypatch):
    asked = []

    class Painter(torch.nn.Module):
        size = 64

        def forward(self, z, worlds, noise):
            assert noise.shape == (len(z), 32**2 + 64**2)
            asked.append((z.shape, worlds.sum(1)))
            return (worlds.argmax(1) / 5.5 - 1).view(-1, 1, 1, 1).expand(-1, 4, 8, 8)

    monkeypatch.setattr(evaluate, "_BATCH", 5)
    found = evaluate.made_by_ours("painter", Painter(), torch.arange(12), 1, CPU)

    assert [shape for shape, _ in asked] == [(5, 128), (5, 128), (2, 128)]
    assert all((total == 1).all() for _, total in asked)
    expected = torch.arange(12) / 11 * 255
    assert (found.pixels[:, 0, 0, 0].float() - expected).abs().max() <= 0.5


def test_weights_are_read_in_half_precision_and_of_another_size_refused(tmp_path):
    net = Generator(64).eval()
    half = {k: v.half() if v.is_floating_point() else v for k, v in net.state_dict().items()}
    safetensors.torch.save_file(half, tmp_path / "a.safetensors", metadata={"size": "64", "variant": "v1"})

    loaded = evaluate.load_ours(tmp_path / "a.safetensors", 64)

    torch.testing.assert_close(loaded.last.weight, net.last.weight, rtol=1e-3, atol=1e-4)
    assert not loaded.training
    with pytest.raises(ValueError, match="is a net of 64 pixels, v1; wanted is one of 128"):
        evaluate.load_ours(tmp_path / "a.safetensors", 128)
    safetensors.torch.save_file({"a": torch.zeros(1)}, tmp_path / "b.safetensors")
    with pytest.raises(ValueError, match="is no generator of 64 pixels"):
        evaluate.load_ours(tmp_path / "b.safetensors", 64)


# --- what is measured -------------------------------------------------------------------------------


def test_worse_pictures_measure_worse(pictures, eye):
    real = evaluate.metrics.extract(eye.features, pictures.pixels)
    same, darker, black = (
        evaluate.measure(eye, pictures, real, made(pictures, shift), 1, CPU) for shift in (0, -40, -255)
    )

    assert same["fid"] == pytest.approx(0, abs=1e-9)
    assert same["fid"] < darker["fid"] < black["fid"]
    assert same["kid"]["mean"] < darker["kid"]["mean"] < black["kid"]["mean"]
    assert (same["precision"], same["recall"]) == (1.0, 1.0)
    assert (black["precision"], black["recall"]) == (0.0, 0.0)
    assert set(same["worlds"]) == set(WORLDS)
    assert same["worlds"]["mars"]["real_pictures"] == same["worlds"]["mars"]["made_pictures"] == 10


def test_a_world_that_is_mistaken_for_another_is_told(pictures, eye):
    wrong = pictures.labels.clone()
    wrong[:5] = 1  # five of ceres are asked for as earth

    found = evaluate.agreement(eye, pictures.pixels, wrong, CPU)

    assert found["all"] == pytest.approx(115 / 120)
    assert found["ceres"] == 1.0
    assert found["earth"] == pytest.approx(10 / 15)


def test_halves_have_the_same_worlds_and_no_picture_in_common(pictures, eye):
    real = evaluate.metrics.extract(eye.features, pictures.pixels)

    found = evaluate.halves(real, pictures.labels, 1)

    assert found["real_pictures"] == found["made_pictures"] == 60
    assert 0 < found["fid"] < evaluate.metrics.fid(real[:60], real[60:])


# --- pictures ---------------------------------------------------------------------------------------


def test_a_grid_shows_each_picture_in_its_place():
    pixels = torch.arange(5).mul(50).to(torch.uint8).view(5, 1, 1, 1).expand(5, 4, 8, 8)

    sheet = figures.grid(pixels, 3)

    assert sheet.size == (28, 18)
    assert [sheet.getpixel((x, y))[0] for y in (4, 14) for x in (4, 14, 24)][:5] == [0, 50, 100, 150, 200]


def test_a_caption_stands_above_and_makes_room():
    small = Image.new("RGB", (10, 10), (255, 0, 0))

    captioned = figures.captioned(small, "a caption that is wider\nthan its picture")

    assert captioned.width > 100
    assert captioned.getpixel((5, captioned.height - 1)) == (255, 0, 0)
    assert len(captioned.crop((0, 0, captioned.width, 20)).getcolors()) > 2  # there is writing
    assert figures.joined([small, captioned]).size == (10 + 12 + captioned.width, captioned.height)


# --- the command ------------------------------------------------------------------------------------


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(5)
    file = tmp_path / "ours.safetensors"
    safetensors.torch.save_file(Generator(64).state_dict(), file, metadata={"size": "64", "variant": "v1"})
    return file


def run(monkeypatch, eye, *arguments):
    monkeypatch.setattr(evaluate, "classifier_eye", lambda _device: eye)
    monkeypatch.setattr(sys, "argv", ["evaluate.py", *map(str, arguments)])
    return evaluate.main()


def test_the_command_leaves_tables_and_pictures(folder, weights, eye, tmp_path, monkeypatch, capsys):
    out, checkpoint = tmp_path / "out", tmp_path / "baseline" / baseline.CHECKPOINT
    training = baseline.Training(load(folder, SIDE, WORLDS).pixels[:, :3].contiguous(), 1, CPU, bf16=False)
    training.save(checkpoint, whole=False)

    files = ("--weights", weights, "--against", checkpoint, "--out", out)
    status = run(monkeypatch, eye, folder, *files, "--count", 48, "--planets", 20)

    assert status == 0
    found = json.loads((out / "metrics.json").read_text())
    ours, other = found["ours"][0], found["baselines"][0]
    assert found["real"]["agreement"]["all"] == 1.0
    assert ours["made_pictures"] == other["made_pictures"] == 48
    assert ours["parameters"] < other["parameters"]
    assert ours["memorisation"]["pixels"]["planets"] == 20
    assert "worlds" in ours
    assert "worlds" not in other
    told = capsys.readouterr().out
    assert told == (out / "report.md").read_text() + "\n"
    assert f"| FID / the baseline's | {ours['fid']:.4g} / {other['fid']:.4g}" in told
    for name in ("samples", "comparison", "memorisation"):
        with Image.open(out / f"{name}.png") as sheet:
            assert len(sheet.getcolors(sheet.width * sheet.height)) > 100


def test_the_same_seed_measures_the_same(folder, weights, eye, tmp_path, monkeypatch):
    found = []
    for seed in (1, 1, 2):
        options = ("--count", 48, "--seed", seed, "--out", tmp_path / "o")
        assert run(monkeypatch, eye, folder, "--weights", weights, *options) == 0
        found.append(json.loads((tmp_path / "o" / "metrics.json").read_text())["ours"][0]["fid"])

    assert found[0] == found[1] != found[2]


def test_what_is_missing_is_named(folder, weights, eye, tmp_path, monkeypatch, capsys):
    missing = tmp_path / "nothing.safetensors"

    assert run(monkeypatch, eye, folder, "--weights", missing, "--out", tmp_path / "o") == 1
    assert "nothing.safetensors" in capsys.readouterr().err
    assert run(monkeypatch, eye, tmp_path / "none", "--weights", weights, "--out", tmp_path / "o") == 1
    assert "run prepare.py first" in capsys.readouterr().err
    assert (
        run(monkeypatch, eye, folder, "--weights", weights, "--against", weights, "--out", tmp_path / "o")
        == 1
    )
    assert "no checkpoint of the published recipe" in capsys.readouterr().err
    assert run(monkeypatch, eye, folder, "--weights", weights, "--count", 47, "--out", tmp_path / "o") == 1
    assert "--count must be 48 or more" in capsys.readouterr().err
