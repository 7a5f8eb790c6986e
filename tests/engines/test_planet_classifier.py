"""The classifier as a job sees it: planets, other things, odd files, alone and in company."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image, ImageDraw

from engines import shipped
from engines.base import BadInput, EngineError, Output
from engines.planet_classifier.engine import NONE, Engine
from engines.planet_classifier.model import FEATURES, SIDE, PlanetClassifier
from engines.planet_classifier.network import NAME, WEIGHTS, Calibration, Network, load_classifier, load_trunk
from engines.planet_classifier.pictures import letterbox
from engines.planet_classifier.spec import CHUNK, SPEC, PlanetClassifierParams
from engines.worlds import WORLDS
from tests.engines.recording import RecordingContext

PLANETS = Path(__file__).parents[2].parent / "shared" / "data" / "planets"

Context = Callable[..., RecordingContext]


@pytest.fixture(scope="module")
def engine() -> Engine:
    made = Engine()
    made.setup()
    return made


@pytest.fixture
def ask(engine: Engine, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """`ask(picture or file, top=2)`: the JSON of one job."""

    def run(picture: Image.Image | Path, **params: Any) -> dict[str, Any]:
        file = picture
        if isinstance(picture, Image.Image):
            file = tmp_path / "asked.png"
            picture.save(file)
        assert isinstance(file, Path)
        context = RecordingContext(scratch=tmp_path, files={"art_x": file})
        (output,) = engine.run(PlanetClassifierParams(image="art_x", seed=7, **params), context)
        assert isinstance(output.data, bytes)
        assert output.media_type == "application/json"
        answer: dict[str, Any] = json.loads(output.data)
        assert answer == dict(output.meta)
        return answer

    return run


def real(world: str, number: int = 3) -> Path:
    """A picture of a world, as it was published."""
    file = PLANETS / world / f"{number:03}.jpg"
    if not file.is_file():
        pytest.skip("the pictures of planets are not here")
    return file


# --- what it says


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("number", [3, 44, 71])
def test_a_world_is_recognised(ask: Callable[..., dict[str, Any]], world: str, number: int) -> None:
    answer = ask(real(world, number))

    assert answer["label"] == world
    assert answer["score"] > answer["threshold"]


def test_a_planet_is_recognised_small_aside_and_on_a_white_ground(ask: Callable[..., dict[str, Any]]) -> None:
    planet = Image.open(real("mars")).convert("RGB").resize((200, 200))
    round_ = Image.new("L", (200, 200))
    ImageDraw.Draw(round_).ellipse((8, 8, 192, 192), fill=255)
    wide = Image.new("RGB", (640, 360), "white")
    wide.paste(planet, (330, 100), round_)

    assert ask(wide)["label"] == "mars"


@pytest.mark.parametrize(
    "name",
    ["chelsea", "coffee", "astronaut", "rocket", "coins", "retina", "brick", "page", "hubble_deep_field"],
)
def test_photographs_of_other_things_are_refused(ask: Callable[..., dict[str, Any]], name: str) -> None:
    picture = Image.fromarray(getattr(skimage.data, name)())

    answer = ask(picture)

    assert answer["label"] == NONE
    assert answer["score"] < answer["threshold"]


def blanks() -> Iterator[Any]:
    chance = np.random.default_rng(5)
    yield pytest.param(Image.new("RGB", (300, 200)), id="black")
    yield pytest.param(Image.new("RGB", (300, 200), "white"), id="white")
    yield pytest.param(Image.new("L", (300, 200), 128), id="grey")
    yield pytest.param(Image.new("RGB", (300, 200), (200, 120, 60)), id="orange")
    yield pytest.param(Image.new("RGBA", (300, 200)), id="nothing")
    yield pytest.param(Image.fromarray(chance.integers(0, 256, (256, 256, 3), dtype=np.uint8)), id="noise")
    yield pytest.param(Image.fromarray(chance.integers(0, 256, (256, 256), dtype=np.uint8)), id="grey noise")
    yield pytest.param(Image.new("RGB", (1, 1), (180, 90, 40)), id="1x1")
    yield pytest.param(Image.new("RGB", (20_000, 10), (180, 90, 40)), id="20000x10")
    yield pytest.param(Image.new("RGB", (10, 20_000), "white"), id="10x20000")


@pytest.mark.parametrize("picture", list(blanks()))
def test_what_shows_nothing_is_refused(ask: Callable[..., dict[str, Any]], picture: Image.Image) -> None:
    assert ask(picture)["label"] == NONE


@pytest.mark.parametrize("colour", ["orange", "silver", "#c1440e", "gold", "teal"])
def test_a_plain_disc_is_refused(ask: Callable[..., dict[str, Any]], colour: str) -> None:
    picture = Image.new("RGB", (256, 256))
    ImageDraw.Draw(picture).ellipse((20, 20, 236, 236), fill=colour)

    assert ask(picture)["label"] == NONE


def test_the_answer_is_whole(ask: Callable[..., dict[str, Any]], photo: Callable[..., Image.Image]) -> None:
    answer = ask(photo("chelsea", 200), top=5)

    shares = answer["probabilities"]
    assert tuple(shares) == WORLDS
    assert sum(shares.values()) == pytest.approx(1.0, abs=1e-9)
    assert all(0.0 <= share <= 1.0 for share in shares.values())
    best = sorted(shares.values(), reverse=True)[:5]
    assert [entry["probability"] for entry in answer["top"]] == best
    assert all(shares[entry["world"]] == entry["probability"] for entry in answer["top"])
    assert answer["seed"] == 7


def test_the_threshold_can_be_chosen(
    ask: Callable[..., dict[str, Any]], photo: Callable[..., Image.Image]
) -> None:
    cat = photo("chelsea", 200)

    assert ask(cat, threshold=0.0)["label"] == ask(cat)["top"][0]["world"]
    assert ask(cat, threshold=0.9)["threshold"] == 0.9


# --- files of every kind


def test_the_way_a_picture_is_stored_matters_little(
    ask: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    picture = Image.open(real("moon")).convert("RGB")
    grey = np.asarray(picture.convert("L"), dtype=np.uint16) * 257
    stored = {
        "rgba": picture.convert("RGBA"),
        "palette": picture.quantize(64),
        "grey": picture.convert("L"),
        "sixteen": Image.fromarray(grey),
    }
    expected = ask(picture)

    for name, variant in stored.items():
        answer = ask(variant)
        assert answer["label"] == expected["label"], name

    cmyk = tmp_path / "cmyk.jpg"
    picture.convert("CMYK").save(cmyk)
    assert ask(cmyk)["label"] == expected["label"]


@pytest.mark.parametrize("cut", [0, 10, 500])
def test_a_damaged_file_is_bad_input(
    ask: Callable[..., dict[str, Any]], photo: Callable[..., Image.Image], tmp_path: Path, cut: int
) -> None:
    whole = tmp_path / "whole.png"
    photo("coffee", 200).save(whole)
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(whole.read_bytes()[:cut])

    with pytest.raises(BadInput):
        ask(damaged)


# --- in company


def jobs(
    pictures: list[Image.Image], tmp_path: Path, **options: Any
) -> list[tuple[PlanetClassifierParams, RecordingContext]]:
    """A job for each picture, each with a context of its own."""
    found = []
    for number, picture in enumerate(pictures):
        file = tmp_path / f"{number}.png"
        picture.save(file)
        context = RecordingContext(scratch=tmp_path, files={"art_x": file}, **options)
        found.append((PlanetClassifierParams(image="art_x", seed=number), context))
    return found


def test_a_job_comes_out_the_same_alone_and_in_company(
    engine: Engine, photo: Callable[..., Image.Image], tmp_path: Path
) -> None:
    cat = photo("chelsea", 200)
    pictures = [cat.crop((n, n, 100 + 3 * n, 100 + n)) for n in range(CHUNK + 3)]
    items = jobs(pictures, tmp_path)

    together = dict(engine.run_batch(items))

    for number, (params, context) in enumerate(items):
        (alone,) = engine.run(params, context)
        company = together[number]
        assert isinstance(company, Output)
        assert company.data == alone.data


def test_a_bad_picture_and_a_canceled_job_end_alone(
    engine: Engine, photo: Callable[..., Image.Image], tmp_path: Path
) -> None:
    items = jobs([photo("chelsea", 64)] * 4, tmp_path)
    items[1][1].files["art_x"].write_bytes(b"no picture")
    items[2][1].stop_at = 1

    results = dict(engine.run_batch(items))

    assert sorted(results) == [0, 1, 3]
    assert isinstance(results[1], BadInput)
    assert isinstance(results[0], Output)
    assert isinstance(results[3], Output)


def test_jobs_of_all_params_run_together() -> None:
    first = SPEC.batch_key(PlanetClassifierParams(image="art_a", top=1))
    second = SPEC.batch_key(PlanetClassifierParams(image="art_b", top=12, threshold=0.2, seed=4))

    assert first == second is not None
    assert SPEC.max_batch >= CHUNK


# --- weights


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped weights."""
    return Path(shutil.copytree(WEIGHTS, tmp_path / "weights"))


def test_damaged_weights_are_an_error_not_an_answer(folder: Path) -> None:
    file = folder / NAME
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)

    with pytest.raises(EngineError, match="damaged"):
        Engine(folder).setup()


def test_missing_weights_are_an_error(folder: Path) -> None:
    (folder / NAME).unlink()

    with pytest.raises(EngineError, match="cannot be read"):
        Engine(folder).setup()


def test_weights_of_another_network_are_an_error(folder: Path) -> None:
    shipped.write(folder, NAME, {"a": torch.zeros(3)}, Calibration().to_metadata())

    with pytest.raises(EngineError, match="do not fit"):
        Engine(folder).setup()


@pytest.mark.parametrize(
    "metadata", [{}, {"temperature": "0"}, {"slope": "-1"}, {"offset": "nan"}, {"threshold": "x"}]
)
def test_a_senseless_calibration_is_an_error(folder: Path, metadata: dict[str, str]) -> None:
    usual = {**Calibration().to_metadata(), **metadata} if metadata else {}
    shipped.write(folder, NAME, PlanetClassifier().state_dict(), usual)

    with pytest.raises(EngineError, match="calibration"):
        Engine(folder).setup()


def test_the_weights_are_small() -> None:
    assert (WEIGHTS / NAME).stat().st_size <= 8_000_000


# --- the network for others


@pytest.mark.parametrize("side", [64, SIDE, 128])
def test_features_are_of_any_size_of_picture(side: int) -> None:
    trunk = load_trunk(torch.device("cpu"))
    pictures = torch.rand(3, 3, side, side, generator=torch.Generator().manual_seed(1))

    found = trunk(pictures)

    assert found.shape == (3, FEATURES)
    assert torch.isfinite(found).all()
    assert torch.allclose(found[1:2], trunk(pictures[1:2]), atol=1e-4)


def test_the_recogniser_says_what_the_engine_says(ask: Callable[..., dict[str, Any]]) -> None:
    planet = Image.open(real("earth")).convert("RGB")
    cat = Image.fromarray(skimage.data.chelsea())
    views = torch.stack([torch.from_numpy(letterbox(picture)) for picture in (planet, cat)])

    found = load_classifier(torch.device("cpu"))(views)

    assert found.tolist() == [WORLDS.index("earth"), -1]
    assert (ask(planet)["label"], ask(cat)["label"]) == ("earth", NONE)


def test_resizing_inside_and_letterboxing_agree(photo: Callable[..., Image.Image]) -> None:
    """Features for FID take tensors, the engine takes files: the same picture must look the same to both."""
    cat = photo("chelsea", 300).crop((0, 0, 192, 192))
    network = Network(torch.device("cpu"))
    tensor = torch.from_numpy(np.asarray(cat, dtype=np.float32) / 255.0).permute(2, 0, 1)[None]

    inside = network.model.features(tensor)
    outside = network.model.features(torch.from_numpy(letterbox(cat))[None])

    assert torch.allclose(inside, outside, atol=0.05 * float(outside.abs().max()))


def test_a_letterboxed_picture_keeps_its_shape() -> None:
    square = letterbox(Image.new("RGB", (200, 50), (255, 0, 0)))

    lit = square[0] > 0.5
    assert square.shape == (3, SIDE, SIDE)
    assert lit.any(0).sum() == SIDE
    assert lit.any(1).sum() == SIDE // 4
    assert square[1:].max() == 0.0


def test_calibration_survives_its_text() -> None:
    calibration = Calibration(0.7123456789, 1.3, -0.2, 0.55)

    assert Calibration.from_metadata(calibration.to_metadata()) == calibration
