"""Drawn pictures are the same for a seed; photographs are read, sorted out, and never those of space."""

from __future__ import annotations

import pytest
import skimage.data
import torch
from PIL import Image

from training.planet_classifier import negatives


def test_drawn_pictures_depend_on_the_seed_alone():
    once, again, other = negatives.drawn(13, 5), negatives.drawn(13, 5), negatives.drawn(13, 6)

    assert torch.equal(once.frames, again.frames)
    assert torch.equal(once.things, again.things)
    assert not torch.equal(once.things, other.things)
    assert (once.things[:, :3] <= once.things[:, 3:]).all()  # premultiplied


@pytest.fixture
def folder(tmp_path):
    """Two folders: photographs, a copy, a cut-out thing, an icon, a diagram, a broken file, planets."""
    first, second = tmp_path / "first", tmp_path / "second" / "images"
    first.mkdir()
    second.mkdir(parents=True)
    cat = Image.fromarray(skimage.data.chelsea())
    cat.save(first / "cat.jpg", quality=95)
    Image.fromarray(skimage.data.coffee()).save(second / "coffee.png")
    Image.fromarray(skimage.data.coffee()).save(second / "again.png")
    cut = cat.convert("RGBA")
    cut.putalpha(Image.radial_gradient("L").resize(cat.size).point(lambda value: 255 - value))
    cut.save(second / "cut.png")
    cat.resize((40, 40)).save(second / "icon.png")
    Image.new("RGB", (300, 300), "white").save(second / "diagram.png")
    (second / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    cat.save(second / "planet.jpg")
    (second / "notes.txt").write_text("no picture")
    return tmp_path


def test_photographs_are_found_from_all_folders_in_turn_but_not_of_space(folder):
    files = negatives.photograph_files([folder / "first", folder / "second"])

    names = [file.name for file in files]
    assert "planet.jpg" not in names
    assert "notes.txt" not in names
    assert names[0] == "cat.jpg"
    assert len(names) == 7
    assert files == negatives.photograph_files([folder / "first", folder / "second"])


@pytest.mark.parametrize(
    "path", ["a/Saturn.png", "moon_2.jpg", "pics/solar-system/x.jpg", "EARTH.PNG", "sun.jpg"]
)
def test_paths_that_speak_of_space(path):
    assert negatives.SPACE.search(path)


@pytest.mark.parametrize(
    "path", ["a/cat.png", "sunflower.jpg", "Sunday.png", "start.png", "marsh.jpg", "marshal.png"]
)
def test_paths_that_do_not(path):
    assert not negatives.SPACE.search(path)


def test_photographs_are_cropped_and_kept_whole(folder):
    found = negatives.photographs(negatives.photograph_files([folder]), crops=3, most=100)

    assert len(found.frames) == 2 * 3  # cat and coffee
    assert len(found.things) == 3  # and the cut-out one
    assert found.frames[:, 3].min() == 255
    assert found.things[:, 3].amin((1, 2)).max() == 0  # letterboxed: something around each


def test_there_is_a_limit(folder):
    found = negatives.photographs(negatives.photograph_files([folder]), crops=1, most=1)

    assert len(found.frames) == len(found.things) == 1


def test_no_photographs_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no photographs"):
        negatives.photographs(negatives.photograph_files([tmp_path]), crops=1, most=5)


def test_the_tenth_for_calibration_is_apart(tmp_path):
    files = [tmp_path / f"{number}.jpg" for number in range(300)]

    kept, tenth = negatives.a_tenth(files)

    assert sorted(kept + tenth) == sorted(files)
    assert 10 < len(tenth) < 60
