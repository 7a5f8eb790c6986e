"""The engine with the weights that are shipped: files, seeds, company, interruptions, damaged weights."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from engines import shipped
from engines.base import EngineError, Interrupted, OutOfMemory
from engines.images import read_metadata
from engines.planets.engine import Engine
from engines.planets.network import WEIGHTS
from engines.planets.spec import PlanetsParams
from tests.engines.recording import RecordingContext


@pytest.fixture(scope="module")
def engine() -> Engine:
    made = Engine(torch.device("cpu"))
    made.setup()
    return made


def context(tmp_path: Path, **options) -> RecordingContext:
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    return RecordingContext(scratch=scratch, **options)


@pytest.mark.parametrize("fault", [torch.OutOfMemoryError("CUDA out of memory."), MemoryError()])
def test_memory_that_runs_out_is_told_and_the_next_job_is_drawn(tmp_path, monkeypatch, fault):
    engine = Engine(torch.device("cpu"))
    params = PlanetsParams(size=64, seed=1)
    (before,) = engine.run(params, context(tmp_path))

    def full(*_):
        raise fault

    with monkeypatch.context() as during:
        during.setattr("engines.planets.fast.FastGenerator.__call__", full)
        with pytest.raises(OutOfMemory, match="did not fit"):
            list(engine.run(params, context(tmp_path)))
        with pytest.raises(OutOfMemory, match="did not fit"):
            list(engine.run_batch([(params, context(tmp_path))] * 2))
    (after,) = engine.run(params, context(tmp_path))
    assert after.data == before.data


def test_another_fault_of_the_net_is_no_lack_of_memory(tmp_path, monkeypatch):
    def broken(*_):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr("engines.planets.fast.FastGenerator.__call__", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        list(Engine(torch.device("cpu")).run(PlanetsParams(size=64, seed=1), context(tmp_path)))


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def run(engine: Engine, tmp_path: Path, **params):
    return list(engine.run(PlanetsParams(**{"seed": 7, "size": 64, **params}), context(tmp_path)))


def test_one_job_gives_its_planets_in_order(engine, tmp_path):
    outputs = run(engine, tmp_path, count=3, first=5)
    assert [output.name for output in outputs] == ["planet-0005.png", "planet-0006.png", "planet-0007.png"]
    assert [output.meta["planet"] for output in outputs] == [5, 6, 7]
    for output in outputs:
        assert opened(output.data).size == (64, 64)
        assert opened(output.data).mode == "RGB"


def test_planets_are_to_be_seen(engine, tmp_path):
    """A disc of some colour in the middle, with structure on it, and black space in the corners."""
    for output in run(engine, tmp_path, count=24, variation=0.7):
        pixels = np.asarray(opened(output.data)).astype(float)
        assert pixels[24:40, 24:40].mean() > 8
        assert pixels[16:48, 16:48].std() > 2
        corners = [pixels[:4, :4], pixels[:4, -4:], pixels[-4:, :4], pixels[-4:, -4:]]
        assert max(corner.mean() for corner in corners) < 3


def test_worlds_look_like_themselves(engine, tmp_path):
    def colour(world: str) -> np.ndarray:
        outputs = run(engine, tmp_path, world=world, count=8)
        return np.mean([np.asarray(opened(o.data))[20:44, 20:44].mean((0, 1)) for o in outputs], axis=0)

    mars, moon, sun = colour("mars"), colour("moon"), colour("sun")
    assert mars[0] > 1.3 * mars[2]
    assert abs(moon[0] - moon[2]) < 12
    assert sun[0] > 180
    assert sun[2] < 0.7 * sun[0]


@pytest.mark.parametrize("size", [64, 65, 100, 128, 129, 512])
def test_every_size_says_what_was_done_to_it(engine, tmp_path, size):
    (output,) = run(engine, tmp_path, size=size)
    assert opened(output.data).size == (size, size)
    assert output.meta["network"] == ("64-v1" if size == 64 else "128-v1")
    assert output.meta["scaled"] == {64: "none", 128: "none"}.get(size, "up" if size > 128 else "down")


@pytest.mark.parametrize("size", [64, 128])
def test_a_planet_is_the_same_alone_and_in_any_company(engine, tmp_path, size):
    """To the last bit."""
    many = run(engine, tmp_path, count=20, size=size, format="png")
    for number in (0, 7, 19):
        (alone,) = run(engine, tmp_path, first=number, size=size)
        assert alone.data == many[number].data


def test_a_batch_gives_each_job_what_it_gets_alone(engine, tmp_path):
    # given: jobs that differ in everything a batch key allows
    jobs = [
        PlanetsParams(seed=1, size=64),
        PlanetsParams(seed=2, size=64, world="mars", count=4, variation=0.3),
        PlanetsParams(seed=3, size=64, transparent=True, format="webp"),
        PlanetsParams(seed=4, size=64, count=3, grid=True, format="jpeg"),
        *(PlanetsParams(seed=seed, size=64) for seed in range(5, 20)),
    ]
    # when
    found: dict[int, list] = {}
    for index, output in engine.run_batch([(params, context(tmp_path)) for params in jobs]):
        found.setdefault(index, []).append(output)
    # then
    for index, params in enumerate(jobs):
        alone = list(engine.run(params, context(tmp_path)))
        assert [o.name for o in found[index]] == [o.name for o in alone]
        assert [o.data for o in found[index]] == [o.data for o in alone]
        assert [dict(o.meta) for o in found[index]] == [dict(o.meta) for o in alone]


def test_an_interrupted_job_of_a_batch_leaves_the_others_alone(engine, tmp_path):
    items = [
        (PlanetsParams(seed=seed, size=64, count=4), context(tmp_path, stop_at=stop))
        for seed, stop in ((1, None), (2, 1), (3, 2), (4, None))
    ]
    names = [index for index, _ in engine.run_batch(items)]
    assert set(names) == {0, 3}
    assert names.count(0) == names.count(3) == 4


def test_a_batch_of_interrupted_jobs_ends(engine, tmp_path):
    items = [(PlanetsParams(seed=1, size=64), context(tmp_path, stop_at=1))] * 2
    assert list(engine.run_batch(items)) == []


def test_an_interruption_passes_through_a_single_job(engine, tmp_path):
    with pytest.raises(Interrupted):
        list(engine.run(PlanetsParams(seed=1, size=64, count=40), context(tmp_path, stop_at=2)))
    with pytest.raises(Interrupted):
        list(engine.run(PlanetsParams(seed=1, size=64, morph="webp"), context(tmp_path, stop_at=2)))


def test_progress_grows_and_shows_what_there_is(engine, tmp_path):
    looked = context(tmp_path, keep_previews=True)
    list(engine.run(PlanetsParams(seed=1, size=64, count=40), looked))
    fractions = [report.fraction for report in looked.reports]
    assert fractions == sorted(fractions)
    assert opened(looked.previews[-1]).format == "JPEG"


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_a_file_carries_all_it_takes_to_make_it_again(engine, tmp_path, kind):
    # given
    (output,) = run(engine, tmp_path, world={"earth": 0.6, "mars": 0.4}, format=kind, first=3)
    record = read_metadata(output.data)
    assert record == json.loads(json.dumps(dict(output.meta)))
    # when
    (by_seed,) = run(
        engine, tmp_path, world=record["worlds"], format=kind, first=record["planet"], seed=record["seed"]
    )
    (by_latent,) = run(
        engine, tmp_path, world=record["worlds"], format=kind, latent=record["latent"], seed=99
    )
    # then
    assert by_seed.data == output.data
    first, again = (np.asarray(opened(o.data)).astype(int) for o in (output, by_latent))
    assert np.abs(first - again).max() <= (0 if kind == "png" else 4)


def test_variation_is_how_far_planets_differ(engine, tmp_path):
    def spread(variation: float) -> float:
        """Of large shapes: what is left without variation is grain."""
        outputs = run(engine, tmp_path, world="mars", count=8, variation=variation)
        small = [
            np.asarray(opened(o.data).resize((4, 4), Image.Resampling.BOX)).astype(float) for o in outputs
        ]
        return float(np.stack(small).std(0).mean())

    grain_alone = spread(0.0)
    assert 0.0 < 2.0 * grain_alone < spread(0.5) < spread(1.0)


@pytest.mark.parametrize("kind", ["png", "webp"])
@pytest.mark.parametrize("size", [64, 300])
def test_transparent_planets_have_a_clean_edge(engine, tmp_path, kind, size):
    (output,) = run(engine, tmp_path, world="mars", transparent=True, format=kind, size=size)
    alpha = np.asarray(opened(output.data).getchannel("A")).astype(float)
    assert alpha[: size // 32, : size // 32].max() == 0
    assert alpha[size // 2 - 4 : size // 2 + 4, size // 2 - 4 : size // 2 + 4].min() > 250
    soft = ((alpha > 12) & (alpha < 243)).mean()
    assert soft < 6.0 / size  # a ring about two pixels wide


def test_a_sheet_is_one_file_for_all(engine, tmp_path):
    (output,) = run(engine, tmp_path, count=5, grid=True)
    assert output.name == "grid.png"
    assert opened(output.data).size == (3 * 68 + 4, 2 * 68 + 4)
    assert [planet["planet"] for planet in output.meta["planets"]] == [0, 1, 2, 3, 4]


def test_a_morph_is_one_looping_animation(engine, tmp_path):
    (output,) = run(engine, tmp_path, morph="webp", morph_fps=8, morph_seconds=1, transparent=True)
    with Image.open(output.data) as image:
        assert (image.n_frames, image.info["loop"], image.size) == (16, 0, (64, 64))
    assert len(output.meta["planets"]) == 2


def test_a_morph_can_be_a_film(engine, tmp_path):
    (output,) = run(
        engine, tmp_path, morph="mp4", morph_to="sun", world="moon", morph_fps=8, morph_seconds=1, size=65
    )
    with av.open(str(output.data)) as film:
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert len(frames) == 16
    moon, sun = (frame[24:40, 24:40].astype(float).mean((0, 1)) for frame in (frames[0], frames[8]))
    assert sun[0] > sun[2] + 60
    assert abs(moon[0] - moon[2]) < 20


def test_fast_planets_are_the_same_planets(engine, tmp_path):
    exact, fast = (
        [np.asarray(opened(o.data)).astype(int) for o in run(engine, tmp_path, count=4, precision=precision)]
        for precision in ("exact", "fast")
    )
    differences = np.abs(np.stack(exact) - np.stack(fast))
    assert differences.mean() < 0.5
    assert differences.max() < 24


@pytest.mark.parametrize("kind", ["webp", "mp4"])
def test_a_morph_taken_up_by_another_worker_comes_out_the_same(engine, tmp_path, kind):
    # given
    params = PlanetsParams(seed=2, size=64, morph=kind, morph_fps=8, morph_seconds=3)
    (whole,) = engine.run(params, context(tmp_path))
    expected = whole.data.read_bytes()
    stopped = context(tmp_path, stop_at=9)
    with pytest.raises(Interrupted):
        list(engine.run(params, stopped))
    # when
    second = context(tmp_path, checkpoint=stopped.checkpoint)
    (again,) = engine.run(params, second)
    # then
    assert stopped.checkpoint
    assert len(second.reports) < 12
    assert again.data.read_bytes() == expected


def test_the_nets_in_memory_are_named(engine, tmp_path):
    run(engine, tmp_path, size=64)
    run(engine, tmp_path, size=512)
    assert set(engine.loaded) == {"64", "128"}


class TestDamagedWeights:
    """A clear error; never a wrong picture."""

    NAME = "planets-64-v1.safetensors"

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        copy = tmp_path / "weights"
        copy.mkdir()
        for name in (self.NAME, shipped.REGISTER):
            shutil.copy(WEIGHTS / name, copy / name)
        return copy

    def refused(self, folder: Path, tmp_path: Path, said: str) -> None:
        engine = Engine(torch.device("cpu"), folder)
        with pytest.raises(EngineError, match=said):
            run(engine, tmp_path)
        with pytest.raises(EngineError, match=said):
            list(engine.run_batch([(PlanetsParams(seed=1, size=64), context(tmp_path))]))

    def test_whole_they_work(self, folder, tmp_path):
        assert run(Engine(torch.device("cpu"), folder), tmp_path)

    @pytest.mark.parametrize("at", [0, 9, 0.5, -1])
    def test_one_bit_flipped(self, folder, tmp_path, at):
        data = bytearray((folder / self.NAME).read_bytes())
        data[int(at * len(data)) if isinstance(at, float) else at] ^= 1
        (folder / self.NAME).write_bytes(data)
        self.refused(folder, tmp_path, "damaged")

    def test_cut_short(self, folder, tmp_path):
        data = (folder / self.NAME).read_bytes()
        (folder / self.NAME).write_bytes(data[: len(data) // 2])
        self.refused(folder, tmp_path, "damaged")

    def test_absent(self, folder, tmp_path):
        (folder / self.NAME).unlink()
        self.refused(folder, tmp_path, "cannot be read")

    def test_a_pointer_of_git_lfs_in_their_place(self, folder, tmp_path):
        (folder / self.NAME).write_text("version https://git-lfs.github.com/spec/v1\n")
        self.refused(folder, tmp_path, "damaged")

    def test_no_register(self, folder, tmp_path):
        (folder / shipped.REGISTER).write_text("{")
        self.refused(folder, tmp_path, "weights.json cannot be read")

    def test_values_that_are_not_finite(self, folder, tmp_path):
        tensors, metadata = shipped.read(folder, self.NAME)
        tensors["last.bias"][0] = float("nan")
        shipped.write(folder, self.NAME, tensors, metadata)
        self.refused(folder, tmp_path, "not finite")

    def test_another_net_s(self, folder, tmp_path):
        tensors, metadata = shipped.read(folder, self.NAME)
        del tensors["last.bias"]
        shipped.write(folder, self.NAME, tensors, metadata)
        self.refused(folder, tmp_path, "do not fit")

    def test_no_safetensors_at_all(self, folder, tmp_path):
        (folder / self.NAME).write_bytes(b"x" * 100)
        digest = hashlib.sha256(b"x" * 100).hexdigest()
        (folder / shipped.REGISTER).write_text(json.dumps({self.NAME: {"sha256": digest}}))
        self.refused(folder, tmp_path, "not a safetensors file")
