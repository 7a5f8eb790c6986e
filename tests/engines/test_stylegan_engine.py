"""The engine with small random networks: pictures, walks, mixes, stops, and what a network cannot do."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from engines import images, shipped
from engines.base import BadInput, EngineError, Interrupted, OutOfMemory, Transient
from engines.stylegan import engine as stylegan_engine
from engines.stylegan import network_file
from engines.stylegan.config import GeneratorConfig
from engines.stylegan.engine import Engine
from engines.stylegan.model import Generator
from engines.stylegan.network import Drawing, Network, chunk_of
from engines.stylegan.spec import SHIPPED, SPEC, StyleganParams, encode_w
from tests.engines.recording import RecordingContext

PLAIN = GeneratorConfig(c_dim=0, img_resolution=64, img_channels=3, z_dim=16, w_dim=24, mapping_layers=2,
                        channel_base=512, channel_max=16)  # fmt: skip
CLASSES = PLAIN.model_copy(update={"c_dim": 3, "img_resolution": 32})
GREY = PLAIN.model_copy(update={"img_channels": 1, "img_resolution": 16})


def written(folder: Path, name: str, config: GeneratorConfig, **more) -> Path:
    torch.manual_seed(5)
    generator = Generator(config)
    with torch.no_grad():
        for key, value in generator.state_dict().items():
            if key.endswith(("bias", "noise_strength", "w_avg")):
                value.add_(torch.randn_like(value) * 0.3)
    path = folder / f"{name}.safetensors"
    network_file.write(path, config, {k: v.numpy() for k, v in generator.state_dict().items()}, **more)
    return path


@pytest.fixture(scope="module")
def networks(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("networks")
    return {
        "plain": written(folder, "plain", PLAIN),
        "classes": written(folder, "classes", CLASSES, classes=("rose", "lily", "oak")),
        "grey": written(folder, "grey", GREY),
        "transparent": written(folder, "transparent", GREY.model_copy(update={"img_channels": 4})),
        "wide": written(folder, "wide", PLAIN.model_copy(update={"img_channels": 5})),
        "meanless": written(folder, "meanless", PLAIN.model_copy(update={"w_avg_beta": None})),
    }


@pytest.fixture
def context(tmp_path, networks):
    def made(**options) -> RecordingContext:
        return RecordingContext(scratch=tmp_path, networks=networks, **options)

    return made


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(torch.device("cpu"))


def params(**wanted) -> StyleganParams:
    return SPEC.params(**{"network": "plain", "seed": 3, **wanted})


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def drawn(engine, context, **wanted) -> list[np.ndarray]:
    return [pixels(output.data) for output in engine.run(params(**wanted), context())]


def test_a_list_a_range_and_a_count_are_the_same_pictures(engine, context):
    by_list = drawn(engine, context, seeds=[3, 4, 5])
    by_text = drawn(engine, context, seeds="3-4,5")
    by_count = drawn(engine, context, count=3)
    assert by_list[0].shape == (64, 64, 3)
    for other in (by_text, by_count):
        assert all(np.array_equal(a, b) for a, b in zip(by_list, other, strict=True))
    assert not np.array_equal(by_list[0], by_list[1])


def test_a_seed_is_the_picture_of_the_official_program(engine, context, networks):
    """z is RandomState(seed).randn, truncation is towards w_avg, and pixels are cut, not rounded."""
    config, tensors = network_file.read(networks["plain"])
    generator = Generator(config).eval()
    generator.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()})
    z = torch.from_numpy(np.random.RandomState(85).randn(1, 16)).float()
    with torch.no_grad():
        expected = generator(z, truncation_psi=0.5)[0].permute(1, 2, 0)
    expected = (expected * 127.5 + 128).clamp(0, 255).to(torch.uint8).numpy()
    (found,) = drawn(engine, context, seeds=[85], truncation=0.5)
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert (found != expected).mean() < 0.01


def test_a_picture_can_be_made_again_from_its_file(engine, context):
    (first,) = engine.run(params(seeds="2**63-1".replace("2**63-1", str(2**63 - 1))), context())
    record = images.read_metadata(first.data)
    assert record == json.loads(json.dumps(dict(first.meta)))
    (by_w,) = drawn(engine, context, points=[record["w"]], truncation=record["truncation"])
    (by_seed,) = drawn(engine, context, seeds=[record["picture_seed"]], truncation=record["truncation"])
    assert np.array_equal(pixels(first.data), by_w)
    assert np.array_equal(pixels(first.data), by_seed)


def test_truncation_zero_is_the_average_and_a_cutoff_spares_the_fine_layers(engine, context):
    a, b = drawn(engine, context, seeds=[1, 2], truncation=0.0)
    assert np.array_equal(a, b)
    c, d = drawn(engine, context, seeds=[1, 2], truncation=0.0, truncation_cutoff=4)
    assert not np.array_equal(c, d)


def test_noise_is_constant_drawn_or_none(engine, context):
    const, none = (drawn(engine, context, seeds=[1], noise=kind)[0] for kind in ("const", "none"))
    first, again = (drawn(engine, context, seeds=[1], noise="random")[0] for _ in range(2))
    alone = drawn(engine, context, seeds=[0, 1], noise="random")[1]
    assert np.array_equal(first, again)
    assert np.array_equal(first, alone)
    assert len({const.tobytes(), none.tobytes(), first.tobytes()}) == 3


def test_mixing_takes_styles_of_other_seeds(engine, context):
    (own,) = drawn(engine, context, seeds=[1])
    (other,) = drawn(engine, context, seeds=[2])
    (fine,) = drawn(engine, context, seeds=[1], mix={"fine": 2})
    (all_of_it,) = drawn(engine, context, seeds=[1], mix={"coarse": 2, "middle": 2, "fine": 2})
    assert np.array_equal(all_of_it, other)
    assert not np.array_equal(fine, own)
    assert not np.array_equal(fine, other)


def test_classes_go_by_number_and_by_name(engine, context):
    by_number, by_name, other = (
        drawn(engine, context, network="classes", seeds=[1], **{"class": which})[0]
        for which in (1, "lily", 2)
    )
    assert np.array_equal(by_number, by_name)
    assert not np.array_equal(by_number, other)
    own = {output.meta["class"] for output in engine.run(params(network="classes", count=20), context())}
    assert own == {"rose", "lily", "oak"}


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({"network": "plain", "class": 0}, "no classes"),
        ({"network": "classes", "class": 3}, "classes 0 to 2"),
        ({"network": "classes", "class": "tulip"}, "it has rose, lily, oak"),
        ({"network": "wide"}, "5 channels"),
        ({"network": "meanless"}, "truncation must be 1"),
        ({"points": [encode_w([0.0] * 25)]}, "24 numbers"),
        ({"walk": "zip", "count": 64, "frames": 1100}, "too many for zip"),
        ({"network": "grey", "mix": {"fine": 1}}, "no fine styles"),
        ({"network": "transparent", "format": "jpeg"}, "jpeg and mp4"),
        ({"network": "transparent", "walk": "mp4"}, "jpeg and mp4"),
    ],
)
def test_what_a_network_cannot_do_is_said(engine, context, wanted, reason):
    with pytest.raises(BadInput, match=reason):
        list(engine.run(params(**wanted), context()))


def test_grey_networks_and_sheets(engine, context):
    (sheet,) = engine.run(params(network="grey", count=5, grid=True), context())
    assert sheet.name == "grid.png"
    assert pixels(sheet.data).shape == (2 * 18 + 2, 3 * 18 + 2)
    assert [one["picture_seed"] for one in sheet.meta["pictures"]] == [3, 4, 5, 6, 7]


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_files_of_every_kind(engine, context, kind):
    (output,) = engine.run(params(format=kind), context())
    assert Image.open(io.BytesIO(output.data)).format == kind.upper()


def test_transparent_pictures_walk_in_what_can_be_transparent(engine, context):
    (film,) = engine.run(params(network="transparent", walk="webp", format="jpeg", frames=2), context())
    with Image.open(film.data) as opened:
        assert (opened.n_frames, opened.mode) == (4, "RGBA")


def test_a_sheet_that_is_too_large_is_refused_before_it_is_drawn(engine, context, monkeypatch):
    monkeypatch.setattr("engines.stylegan.fitting._SHEET_PIXELS", 4 * 64**2)
    assert len(drawn(engine, context, count=4, grid=True)) == 1
    refused = context()
    with pytest.raises(BadInput, match="room for 4 pictures of 64 pixels, not for 5"):
        list(engine.run(params(count=5, grid=True), refused))
    assert [report.message for report in refused.reports] == ["reading the network"]


def test_a_seed_may_be_asked_for_twice(engine, context):
    outputs = list(engine.run(params(seeds=[1, 2, 1]), context()))
    assert [output.name for output in outputs] == ["seed-0001.png", "seed-0002.png", "seed-0001-0002.png"]
    assert np.array_equal(pixels(outputs[0].data), pixels(outputs[2].data))


def test_pictures_are_handed_over_as_they_are_drawn(engine, context):
    looked = context()
    outputs = engine.run(params(count=3), looked)
    assert next(outputs).name == "seed-0003.png"
    assert looked.reports[-1].message == "picture 1 of 3"


def test_memory_that_runs_out_is_said_and_given_back(context, monkeypatch):
    engine = Engine(torch.device("cpu"))
    list(engine.run(params(network="grey"), context()))

    def full(*_):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    monkeypatch.setattr("engines.stylegan.fast.FastSynthesis._drawn", full)
    with pytest.raises(Transient, match="other networks"):
        list(engine.run(params(), context()))
    assert engine.loaded == ()
    with pytest.raises(OutOfMemory, match="do not fit"):
        list(engine.run(params(), context()))


def frames_of(data: Path) -> list[np.ndarray]:
    with zipfile.ZipFile(data) as archive:
        names = [name for name in archive.namelist() if name.endswith(".png")]
        return [pixels(archive.read(name)) for name in names]


@pytest.mark.parametrize("space", ["z", "w"])
@pytest.mark.parametrize("interpolation", ["linear", "spherical"])
@pytest.mark.parametrize("loop", [True, False])
def test_a_walk_passes_its_pictures(engine, context, space, interpolation, loop):
    # given
    pictures = drawn(engine, context, seeds=[1, 2, 9])
    # when
    wanted = {"space": space, "interpolation": interpolation, "loop": loop}
    (film,) = engine.run(params(seeds=[1, 2, 9], walk="zip", frames=4, **wanted), context())
    frames = frames_of(film.data)
    # then
    assert len(frames) == (12 if loop else 9)
    for place, picture in enumerate(pictures):
        assert np.abs(frames[4 * place].astype(int) - picture).max() <= 1
    assert not np.array_equal(frames[2], frames[0])
    assert film.meta["frames"] == len(frames)


def test_a_walk_of_saved_points(engine, context):
    saved = [output.meta["w"] for output in engine.run(params(seeds=[4, 7]), context())]
    (film,) = engine.run(params(points=saved, walk="zip", frames=2), context())
    pictures = drawn(engine, context, seeds=[4, 7])
    assert all(np.array_equal(a, b) for a, b in zip(frames_of(film.data)[::2], pictures, strict=True))


def test_a_walk_of_one_goes_to_the_next_and_back(engine, context):
    (film,) = engine.run(params(seeds=[4], walk="zip", frames=2), context())
    assert [one["picture_seed"] for one in film.meta["pictures"]] == [4, 5]
    assert len(frames_of(film.data)) == 4


@pytest.mark.parametrize("by", ["seeds", "points"])
def test_a_walk_that_is_closed_by_hand_does_not_stand_still_at_the_seam(engine, context, by):
    # given
    saved = [output.meta["w"] for output in engine.run(params(seeds=[1, 2]), context())]
    stops = {"seeds": "1,2,1"} if by == "seeds" else {"points": [*saved, saved[0]]}
    once = {"seeds": "1,2"} if by == "seeds" else {"points": saved}
    walk = {"walk": "zip", "frames": 4, "easing": "none"}
    wanted = params(**stops, **walk)
    # when
    (film,) = engine.run(wanted, context())
    (expected,) = engine.run(params(**once, **walk), context())
    # then
    frames = frames_of(film.data)
    assert len(frames) == film.meta["frames"] == 8
    following = [*frames[1:], frames[0]]
    assert not any(np.array_equal(here, there) for here, there in zip(frames, following, strict=True))
    assert all(map(np.array_equal, frames, frames_of(expected.data)))
    assert SPEC.cost(wanted) == SPEC.cost(params(**once, **walk))


@pytest.mark.parametrize(
    ("seeds", "loop", "passed"),
    [
        ("1,2,1", False, [1, 2, 1]),  # ends there
        ("1,2,3,1", True, [1, 2, 3]),
        ("1,2,2,3", True, [1, 2, 2, 3]),  # a pause
        ("1,2,1,1", True, [1, 2, 1]),  # a pause at the end
        ("5,5", True, [5, 5]),
    ],
)
def test_which_pictures_a_walk_passes(seeds, loop, passed):
    assert params(seeds=seeds, walk="mp4", loop=loop).chosen_seeds() == passed
    assert params(seeds=seeds).chosen_seeds() == [int(one) for one in seeds.split(",")]


def test_an_mp4_has_the_exact_rate(engine, context):
    (film,) = engine.run(params(walk="mp4", frames=6, fps="30000/1001"), context())
    with av.open(str(film.data)) as opened:
        assert str(opened.streams.video[0].average_rate) == "30000/1001"
        assert len(list(opened.decode(video=0))) == 12


@pytest.mark.parametrize("kind", ["mp4", "webp", "zip"])
def test_a_walk_taken_up_by_another_worker_comes_out_the_same(engine, context, kind):
    # given
    wanted = params(network="grey", seeds="1-3", walk=kind, frames=10, fps=4, noise="random")
    (whole,) = engine.run(wanted, context())
    expected = whole.data.read_bytes()
    stopped = context(stop_at=20)
    with pytest.raises(Interrupted):
        list(engine.run(wanted, stopped))
    # when
    second = context(checkpoint=stopped.checkpoint)
    (again,) = engine.run(wanted, second)
    # then
    assert len(second.reports) < 25
    assert again.data.read_bytes() == expected


def test_fast_pictures_look_the_same(engine, context):
    (exact,) = drawn(engine, context, seeds=[1])
    (fast,) = drawn(engine, context, seeds=[1], precision="fast")
    error = np.square(exact.astype(float) - fast).mean()
    assert error < 255**2 / 10**4.2  # 42 dB


@pytest.mark.parametrize(
    ("kind", "side", "pictures"),
    [("cpu", 64, 1), ("mps", 64, 1), ("cuda", 64, 8), ("cuda", 1024, 4), ("cuda", 2048, 1)],
)
def test_how_many_pictures_are_drawn_at_once(kind, side, pictures):
    assert chunk_of(side, torch.device(kind)) == pictures


def test_a_network_s_size_counts_what_is_made_ready_of_it(networks):
    network = Network(networks["plain"], torch.device("cpu"))
    before = network.bytes
    list(network.draw([Drawing(network.ws(np.zeros(24, np.float32), 1.0, None), 0, 0)], "const", "exact"))
    assert before < network.bytes < 3 * before


def test_networks_leave_memory_when_there_is_no_room(context, monkeypatch):
    engine = Engine(torch.device("cpu"))
    for name in ("plain", "grey"):
        list(engine.run(params(network=name), context()))
    assert engine.loaded == ("plain", "grey")
    monkeypatch.setattr("engines.stylegan.engine._MEMORY", 1)
    list(engine.run(params(network="classes"), context()))
    assert engine.loaded == ("classes",)


def test_progress_grows_and_shows_pictures(engine, context):
    looked = context(keep_previews=True)
    list(engine.run(params(count=4), looked))
    fractions = [report.fraction for report in looked.reports]
    assert fractions == sorted(fractions)
    assert pixels(looked.previews[-1]).shape == (2 * 68 + 4, 2 * 68 + 4, 3)


def test_the_shipped_network_draws_with_nothing_to_bring(engine, context):
    wanted = {"seeds": [1, 2], "class": "earth", "truncation": 1.0}
    made = list(engine.run(SPEC.params(**wanted), context()))
    first, second = (pixels(output.data) for output in made)
    assert first.shape == (64, 64, 3)
    assert first[24:40, 24:40].mean() > 3 * first[:4, :4].mean() + 10, "a bright disc on black"
    assert (first != second).any()
    assert made[0].meta["network"] == SHIPPED[0]
    assert made[0].meta["class"] == "earth"


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:5000] + b"\0" + data[5001:]])
def test_a_damaged_shipped_network_is_refused(monkeypatch, tmp_path, context, damage):
    for name in (shipped.REGISTER, f"{SHIPPED[0]}.safetensors"):
        (tmp_path / name).write_bytes((stylegan_engine.WEIGHTS / name).read_bytes())
    path = tmp_path / f"{SHIPPED[0]}.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    monkeypatch.setattr(stylegan_engine, "WEIGHTS", tmp_path)
    with pytest.raises(EngineError, match="damaged"):
        list(Engine(torch.device("cpu")).run(SPEC.params(), context()))
