"""Which pictures somebody collected, and each one as upright RGB on black."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from PIL import Image

from engines.base import BadInput
from training.planets.preparing import sources
from training.planets.preparing.sources import BadSource, collect


def touched(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def names(found: dict[str, list[Path]]) -> dict[str, list[str]]:
    return {world: [file.name for file in files] for world, files in found.items()}


def test_a_folder_of_worlds_is_taken_world_by_world_in_order(tmp_path):
    touched(
        tmp_path,
        "b/2.JPG",
        "b/1.png",
        "a/x.heif",
        "a/x.txt",
        "a/.x.png",
        ".c/1.png",
        "d/notes.md",
        "a/sub/1.png",
    )
    assert names(collect(tmp_path, None)) == {"a": ["x.heif"], "b": ["1.png", "2.JPG"]}


def test_a_folder_that_ends_like_a_picture_is_none(tmp_path):
    touched(tmp_path, "a/1.png", "a/2.png/x")
    assert names(collect(tmp_path, None)) == {"a": ["1.png"]}


def test_a_flat_folder_is_called_as_one_says_or_by_its_own_name(tmp_path):
    touched(tmp_path, "mars/1.png")
    assert names(collect(tmp_path / "mars", None)) == {"mars": ["1.png"]}
    assert names(collect(tmp_path / "mars", "titan")) == {"titan": ["1.png"]}


@pytest.mark.parametrize(
    ("files", "world", "says"),
    [
        ([], None, "no pictures in"),
        (["a/1.png", "1.png"], None, r"in folders \(a\); use one way"),
        (["a/1.png"], "mars", "has a folder for each world"),
        (["a b/1.png"], None, "no name for a world"),
        (["-a/1.png"], None, "no name for a world"),
        (["1.png"], "../up", "no name for a world"),
        (["1.png"], "x" * 65, "no name for a world"),
    ],
    ids=["empty", "mixed", "named", "space", "dash", "up", "long"],
)
def test_folders_that_cannot_be_meant(tmp_path, files, world, says):
    touched(tmp_path / "in", *files)
    (tmp_path / "in").mkdir(exist_ok=True)
    with pytest.raises(BadSource, match=says):
        collect(tmp_path / "in", world)


def test_what_is_no_folder_is_said(tmp_path):
    touched(tmp_path, "file")
    for path in (tmp_path / "file", tmp_path / "absent"):
        with pytest.raises(BadSource, match="is not a folder"):
            collect(path, None)


def test_a_digest_is_the_file_s(tmp_path):
    (tmp_path / "a").write_bytes(b"content" * 99)
    assert sources.digest(tmp_path / "a") == hashlib.sha256(b"content" * 99).hexdigest()


def test_transparent_parts_are_black_and_pictures_upright(tmp_path):
    picture = Image.new("RGBA", (4, 2), (200, 100, 50, 255))
    picture.putpixel((0, 0), (200, 100, 50, 0))
    exif = Image.Exif()
    exif[274] = 6
    picture.save(tmp_path / "a.png", exif=exif)
    found = sources.read(tmp_path / "a.png", 8)
    assert (found.size, found.mode) == ((2, 4), "RGB")
    assert found.getpixel((1, 0)) == (0, 0, 0)
    assert found.getpixel((0, 0)) == (200, 100, 50)


def test_a_picture_is_too_large_before_it_is_read(tmp_path):
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    assert sources.read(tmp_path / "a.png", 1200).size == (40, 30)
    with pytest.raises(BadInput, match="too large: 40 x 30 pixels"):
        sources.read(tmp_path / "a.png", 1199)
    with pytest.raises(BadInput, match="cannot be read"):
        sources.read(tmp_path / "absent.png", 1)
