"""The way from planet to planet, and the files it is kept in."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest
from PIL import Image

from engines.images import read_metadata
from engines.planets import morph
from engines.planets.latents import planets_of
from engines.planets.spec import PlanetsParams


def colours(count: int, size: tuple[int, int], mode: str = "RGB") -> list[Image.Image]:
    fill = [(n * 255 // count, 80, 120) + ((255,) if mode == "RGBA" else ()) for n in range(count)]
    return [Image.new(mode, size, shade) for shade in fill]


@pytest.mark.parametrize("count", [2, 3, 5])
def test_the_way_passes_every_planet_and_closes(count):
    # given
    planets = planets_of(PlanetsParams(world="any", morph="webp", count=count, morph_seconds=1), 3)
    # when
    latents, worlds = morph.path(planets, 24 * count)
    # then
    assert latents.shape == (24 * count, 128)
    for place, planet in enumerate(planets):
        assert latents[24 * place] == pytest.approx(planet.latent, abs=1e-5)
        assert worlds[24 * place] == pytest.approx(planet.worlds)
    assert worlds.sum(1) == pytest.approx(1.0)
    steps = np.linalg.norm(np.diff(latents, axis=0, append=latents[:1]), axis=1)
    assert steps.max() < 3 * np.median(steps)  # no jump, not at the seam either


def test_latents_on_the_way_are_as_long_as_those_at_its_ends():
    planets = planets_of(PlanetsParams(morph="webp"), 8)
    latents, _ = morph.path(planets, 48)
    lengths = np.linalg.norm(latents, axis=1)
    ends = sorted(float(np.linalg.norm(planet.latent)) for planet in planets)
    assert ends[0] - 1e-3 <= lengths.min()
    assert lengths.max() <= ends[1] + 1e-3


def test_a_way_between_equal_planets_stands_still():
    planet = planets_of(PlanetsParams(), 1)[0]
    latents, _ = morph.path([planet, planet], 8)
    assert np.isfinite(latents).all()
    assert np.abs(latents - planet.latent).max() < 1e-5


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_webp_has_every_frame_and_repeats(mode):
    # when
    data = morph.webp(iter(colours(7, (65, 65), mode)), 24, {"seed": 5})
    # then
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.n_frames, image.info["loop"], image.size) == ("WEBP", 7, 0, (65, 65))
        image.seek(6)
        assert abs(image.convert("RGB").getpixel((30, 30))[0] - 6 * 255 // 7) < 12
    assert read_metadata(data) == {"seed": 5}


@pytest.mark.parametrize("size", [(64, 64), (65, 65), (511, 511)])
def test_mp4_plays_every_frame_at_the_right_speed(tmp_path, size):
    # when
    target = tmp_path / "morph.mp4"
    morph.mp4(iter(colours(9, size)), 12, {"seed": 5}, target)
    # then
    with av.open(str(target)) as film:
        stream = film.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(stream)]
        assert float(stream.average_rate) == 12
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert '"seed": 5' in film.metadata["comment"]
    assert len(frames) == 9
    assert frames[0].shape[:2] == (size[1] + size[1] % 2, size[0] + size[0] % 2)
    assert abs(int(frames[8][20, 20, 0]) - 8 * 255 // 9) < 12
    data = target.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # plays while it loads
