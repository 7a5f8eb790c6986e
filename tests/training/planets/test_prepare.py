"""A folder of pictures becomes training pictures: what is kept, what is left out and why, going on later."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from engines import icc
from tests.training.planets.preparing.bodies import captioned, planet
from training.planets import data, prepare
from training.planets.preparing import sources
from training.planets.preparing.disc import Disc
from training.planets.preparing.prepared import Prepared

ROOT = Path(__file__).parents[3]
REAL = ROOT.parent / "shared" / "data" / "planets"

BALL = Disc(150.4, 110.2, 80.3, 80.3, 0.0)
SIZE = (300, 220)
SIZES = ("--sizes", "16", "64")


def run(source: Path, out: Path, *more: str) -> int:
    """The exit status of the command line, with small sizes."""
    return prepare.main([str(source), str(out), *SIZES, *more])


def told(out: Path, world: str) -> dict[str, dict]:
    """The manifest's entries of a world, by source file."""
    manifest = json.loads((out / "manifest.json").read_text())
    return {entry["source"]: entry for entry in manifest["worlds"][world]["pictures"]}


def tree(folder: Path) -> dict[str, str]:
    """Everything a user sees in a folder: path -> digest."""
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and ".prepare" not in file.parts
    }


def times(folder: Path) -> dict[Path, int]:
    """When each picture was written."""
    return {file: file.stat().st_mtime_ns for file in sorted(folder.glob("[0-9]*/*/*.png"))}


@pytest.fixture
def source(tmp_path) -> Path:
    """Two worlds: three balls of different ground, two eggs."""
    folder = tmp_path / "source"
    for world in ("alpha", "beta"):
        (folder / world).mkdir(parents=True)
    for number in range(3):
        planet(SIZE, BALL.moved(number, -number), seed=number).save(
            folder / "alpha" / f"shot {number}.jpg", quality=92
        )
    for number in range(2):
        egg = Disc(150, 110, 90, 55, 0.4 + number)
        planet(SIZE, egg, seed=10 + number, colour=(150, 160, 220)).save(folder / "beta" / f"{number}.png")
    return folder


def test_the_layout_that_training_reads(source, tmp_path):
    out = tmp_path / "out"

    assert run(source, out) == 0

    for size in (16, 64):
        pictures = data.load(out, size, ("alpha", "beta"))
        assert pictures.names == ("alpha/000", "alpha/001", "alpha/002", "beta/000", "beta/001")
    for file in out.glob("64/*/*.png"):
        with Image.open(file) as opened:
            assert opened.mode == "RGBA"
            rgba = np.asarray(opened)
        alpha = rgba[..., 3]
        assert (rgba[alpha == 0] == 0).all()
        assert {alpha[0, 0], alpha[0, -1], alpha[-1, 0], alpha[-1, -1], alpha[32, 32]} == {0, 255}
        # The disc is in the middle, and its edge is soft.
        assert np.average(np.arange(64), weights=alpha.sum(axis=0)) == pytest.approx(31.5, abs=0.4)
        assert np.average(np.arange(64), weights=alpha.sum(axis=1)) == pytest.approx(31.5, abs=0.4)
        assert len(np.unique(alpha)) > 10
    with Image.open(out / "contact" / "alpha.jpg") as sheet:
        assert sheet.format == "JPEG"
        assert sheet.width > 3 * 64


def test_the_manifest_says_what_became_of_each_file(source, tmp_path):
    out = tmp_path / "out"
    run(source, out)

    entry = told(out, "alpha")["shot 1.jpg"]

    assert entry["sha256"] == hashlib.sha256((source / "alpha" / "shot 1.jpg").read_bytes()).hexdigest()
    assert entry["size"] == [300, 220]
    assert (entry["disc"]["x"], entry["disc"]["y"]) == pytest.approx((151.4, 109.2), abs=0.3)
    assert entry["disc"]["semi_axes"] == pytest.approx([80.3, 80.3], abs=0.3)
    assert entry["files"] == ["16/alpha/001.png", "64/alpha/001.png"]
    assert all((out / file).exists() for file in entry["files"])
    egg = told(out, "beta")["1.png"]["disc"]
    assert egg["semi_axes"] == pytest.approx([90, 55], abs=0.4)
    assert egg["angle_degrees"] == pytest.approx(np.degrees(1.4), abs=0.6)


def test_one_scale_for_a_world_or_one_for_each(tmp_path):
    folder = tmp_path / "lump"
    folder.mkdir()
    for number, (major, minor) in enumerate([(100, 60), (70, 60)]):
        planet(SIZE, Disc(150, 110, major, minor, 0.0), seed=number).save(folder / f"{number}.png")

    assert run(folder, tmp_path / "auto") == 0
    assert run(folder, tmp_path / "fill", "--framing", "fill", "--margin", "0.1") == 0

    sides = [entry["frame"]["side"] for entry in told(tmp_path / "auto", "lump").values()]
    assert sides[0] == sides[1]
    sides = [entry["frame"]["side"] for entry in told(tmp_path / "fill", "lump").values()]
    assert sides == [pytest.approx(240, abs=1), pytest.approx(168, abs=1)]


def test_square_centred_pictures_keep_their_framing(tmp_path):
    folder = tmp_path / "egg"
    folder.mkdir()
    planet((200, 200), Disc(100, 100, 80, 50, 0.0)).save(folder / "a.png")
    planet((200, 200), Disc(100, 100, 50, 50, 0.0), seed=1).save(folder / "b.png")

    run(folder, tmp_path / "out")

    for entry in told(tmp_path / "out", "egg").values():
        assert entry["frame"] == {"left": 0, "top": 0, "side": 200}


def _saved(image: Image.Image, kind: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def test_copies_are_left_out_and_turns_of_a_banded_planet_are_not(tmp_path):
    folder = tmp_path / "jove"
    folder.mkdir()
    bands = np.repeat(np.random.default_rng(0).uniform(0.5, 1, (28, 1)), 8, axis=0)[:220] * np.ones((1, 300))
    bands = (
        np.asarray(Image.fromarray((bands * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(2))) / 255
    )
    light = (BALL.coverage(*SIZE) * bands)[..., None] * np.array([190, 170, 150])
    spots = [light.copy(), light.copy()]
    for number, spot in enumerate(spots):
        spot[120:128, 120 + 30 * number : 134 + 30 * number] *= 0.6
    first, turned = (Image.fromarray(spot.astype(np.uint8)) for spot in spots)
    first.save(folder / "a.png")
    turned.save(folder / "b.png")
    first.save(folder / "c.jpg", quality=90)
    Image.fromarray((spots[0] * 0.8).astype(np.uint8)).save(folder / "d.png")
    first.resize((450, 330), Image.Resampling.BICUBIC).save(folder / "e.png")
    captioned(first, (4, 196, 120, 214)).save(folder / "f.png")

    assert run(folder, tmp_path / "out") == 0

    entries = told(tmp_path / "out", "jove")
    # The largest copy is the one to keep.
    assert {name for name, entry in entries.items() if entry["kept"]} == {"b.png", "e.png"}
    assert {entry["reason"] for entry in entries.values() if not entry["kept"]} == {"the same as e.png"}
    assert run(folder, tmp_path / "all", "--duplicate", "0") == 0
    assert all(entry["kept"] for entry in told(tmp_path / "all", "jove").values())


def test_blurred_pictures_are_left_out_and_smooth_worlds_are_not(tmp_path):
    for world, detail in (("rough", 1.0), ("smooth", 0.02)):
        (tmp_path / "source" / world).mkdir(parents=True)
        for number in range(4):
            body = planet(SIZE, BALL, seed=number, detail=detail)
            body.save(tmp_path / "source" / world / f"{number}.png")
    blurred = planet(SIZE, BALL, seed=7).filter(ImageFilter.GaussianBlur(4))
    blurred.save(tmp_path / "source" / "rough" / "shaken.png")

    run(tmp_path / "source", tmp_path / "out")

    reasons = {name: entry["reason"] for name, entry in told(tmp_path / "out", "rough").items()}
    assert reasons.pop("shaken.png").startswith("blurred")
    assert set(reasons.values()) == {None}
    assert all(entry["kept"] for entry in told(tmp_path / "out", "smooth").values())


def test_a_caption_across_the_body(source, tmp_path):
    captioned(planet(SIZE, BALL, seed=5), (180, 60, 290, 80)).save(source / "alpha" / "menu.png")

    run(source, tmp_path / "out")
    run(source, tmp_path / "kept", "--captions", "keep")

    assert told(tmp_path / "out", "alpha")["menu.png"]["reason"] == "something lies across the body"
    assert told(tmp_path / "kept", "alpha")["menu.png"]["kept"]


def test_an_unsure_picture_takes_the_disc_of_the_others(tmp_path):
    folder = tmp_path / "moonish"
    folder.mkdir()
    for number in range(4):
        planet(SIZE, BALL, seed=number).save(folder / f"{number}.png")
    # A narrow piece of lit ground in the dark: no outline, but within the others' disc.
    night = planet(SIZE, replace(BALL, major=0.5, minor=0.5))
    night.paste((120, 110, 100), (120, 100, 160, 112))
    night.save(folder / "night.png")
    # The same piece elsewhere cannot be of that body.
    stray = Image.new("RGB", SIZE)
    stray.paste((120, 110, 100), (4, 4, 44, 16))
    stray.save(folder / "stray.png")

    run(folder, tmp_path / "out", "--blur", "0")

    entries = told(tmp_path / "out", "moonish")
    assert entries["night.png"]["disc"]["from"] == "the world's other pictures"
    assert entries["night.png"]["disc"]["semi_axes"] == pytest.approx([80.3, 80.3], abs=0.3)
    assert not entries["stray.png"]["kept"]
    assert entries["0.png"]["disc"]["from"] == "this picture"


def _png_without_pixels(width: int, height: int) -> bytes:
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"")),
        (b"IEND", b""),
    )
    packed = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def test_bad_files_are_named_and_the_rest_is_done(source, tmp_path):
    alpha = source / "alpha"
    whole = (alpha / "shot 0.jpg").read_bytes()
    (alpha / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (alpha / "empty.png").write_bytes(b"")
    (alpha / "text.webp").write_text("no picture")
    (alpha / "huge.png").write_bytes(_png_without_pixels(12_000, 12_000))
    (alpha / "vast.png").write_bytes(_png_without_pixels(2_000_000, 2_000_000))
    Image.new("RGB", (300, 220)).save(alpha / "black.png")
    Image.new("L", (1, 1), 7).save(alpha / "pixel.png")
    planet(SIZE, BALL.moved(110, 0)).save(alpha / "edge.png")
    planet(SIZE, Disc(150, 110, 15, 15, 0.0)).save(alpha / "small.png")
    (alpha / "notes.txt").write_text("not a picture by its name")
    (alpha / ".hidden.png").write_bytes(b"x")

    assert run(source, tmp_path / "out") == 0

    reasons = {name: entry["reason"] for name, entry in told(tmp_path / "out", "alpha").items()}
    assert {name for name, reason in reasons.items() if reason is None} == {
        "shot 0.jpg",
        "shot 1.jpg",
        "shot 2.jpg",
    }
    assert "ends in the middle" in reasons["cut.jpg"]
    assert reasons["empty.png"].startswith("cannot be read")
    assert reasons["text.webp"].startswith("cannot be read")
    assert reasons["huge.png"] == "too large: 12000 x 12000 pixels"
    assert reasons["vast.png"].startswith("too large")
    assert reasons["black.png"] == "nothing stands out from the background"
    assert reasons["edge.png"] == "cut off by the border of the picture"
    assert reasons["small.png"].startswith("too small: 30 pixels")
    assert "pixel.png" in reasons
    assert "notes.txt" not in reasons
    assert ".hidden.png" not in reasons


def test_colours_are_those_that_are_seen(tmp_path):
    profile = icc.rgb_profile(((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)))
    half = Image.new("RGBA", (9, 9), (104, 147, 213, 128))
    half.save(tmp_path / "a.png", icc_profile=profile)
    half.convert("RGB").save(tmp_path / "a.heic", icc_profile=profile)

    # half of the sky, on black
    assert sources.read(tmp_path / "a.png", 100).getpixel((4, 4)) == (46, 74, 110)
    assert (
        np.abs(np.subtract(sources.read(tmp_path / "a.heic", 10_000).getpixel((4, 4)), (91, 148, 219))).max()
        <= 2
    )


def test_kinds_of_pictures(tmp_path):
    folder = tmp_path / "kinds"
    folder.mkdir()
    bodies = [planet(SIZE, BALL, seed=number, colour=(200, 200, 200)) for number in range(6)]
    bodies[0].quantize(64).save(folder / "palette.png")
    grey = np.asarray(bodies[1].convert("L")).astype(np.uint16) * 257
    Image.fromarray(grey).save(folder / "sixteen.png")
    bodies[2].convert("CMYK").save(folder / "cmyk.jpg", quality=95)
    cut_out = bodies[3].copy()
    cut_out.putalpha(Image.fromarray((BALL.coverage(*SIZE) * 255).astype(np.uint8)))
    cut_out.save(folder / "transparent.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    bodies[4].save(folder / "turned.jpg", exif=exif, quality=95)
    bodies[5].save(folder / "lossy.webp", quality=90)

    assert run(folder, tmp_path / "out") == 0

    entries = told(tmp_path / "out", "kinds")
    assert {entry["reason"] for entry in entries.values()} == {None}
    assert len(entries) == 6
    assert entries["turned.jpg"]["size"] == [220, 300]
    for entry in entries.values():
        assert entry["disc"]["semi_axes"] == pytest.approx([80.3, 80.3], abs=1.0)


def test_a_flat_folder_is_one_world_with_a_name(source, tmp_path):
    assert run(source / "alpha", tmp_path / "own") == 0
    assert run(source / "alpha", tmp_path / "given", "--world", "titan") == 0

    assert [file.name for file in (tmp_path / "own" / "64").iterdir()] == ["alpha"]
    assert [file.name for file in (tmp_path / "given" / "64").iterdir()] == ["titan"]


def test_a_second_run_makes_nothing_again(source, tmp_path):
    out = tmp_path / "out"
    run(source, out)
    before, written = tree(out), times(out)

    assert run(source, out) == 0

    assert tree(out) == before
    assert times(out) == written


def test_an_interrupted_run_goes_on(source, tmp_path, monkeypatch):
    run(source, tmp_path / "whole")
    out, real, left = tmp_path / "out", prepare.write_picture, iter(range(5))

    def interrupted(*args):
        if next(left, None) is None:
            raise KeyboardInterrupt
        real(*args)

    with monkeypatch.context() as patched:
        patched.setattr(prepare, "write_picture", interrupted)
        assert run(source, out) == 130
    assert not (out / "manifest.json").exists()
    written = times(out)
    assert len(written) == 5

    assert run(source, out) == 0

    assert tree(out) == tree(tmp_path / "whole")
    assert written.items() <= times(out).items()


def test_a_killed_run_goes_on(source, tmp_path):
    out = tmp_path / "out"
    for number in range(3, 12):
        planet(SIZE, BALL, seed=number).save(source / "alpha" / f"{number}.png")
    command = [
        sys.executable,
        "-m",
        "training.planets.prepare",
        str(source),
        str(out),
        *SIZES,
    ]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while len(times(out)) < 4 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
    # What a kill can leave behind at worst: half a line, half a file.
    with (out / ".prepare" / "alpha.jsonl").open("a") as file:
        file.write('{"stamp": "3.pn')
    (out / "64" / "alpha" / ".000.png.1.part").write_bytes(b"half")

    assert run(source, out) == 0

    run(source, tmp_path / "whole")
    assert tree(out) == tree(tmp_path / "whole")


def test_new_and_removed_sources(source, tmp_path):
    out = tmp_path / "out"
    run(source, out)
    planet(SIZE, BALL, seed=8).save(source / "alpha" / "first.png")
    shutil.rmtree(source / "beta")
    (out / "64" / "alpha" / "mine.png").write_bytes(_saved(Image.new("RGB", (4, 4)), "PNG"))

    assert run(source, out) == 0

    assert [file.name for file in sorted((out / "64" / "alpha").iterdir())] == [
        "000.png",
        "001.png",
        "002.png",
        "003.png",
        "mine.png",
    ]
    assert not (out / "64" / "beta").exists()
    assert not (out / "contact" / "beta.jpg").exists()
    (out / "64" / "alpha" / "mine.png").unlink()
    run(source, tmp_path / "anew")
    assert tree(out) == tree(tmp_path / "anew")


def test_other_settings_need_force(source, tmp_path, capsys):
    out = tmp_path / "out"
    run(source, out)
    before = tree(out)
    capsys.readouterr()

    assert run(source, out, "--margin", "0.2") == 2
    assert tree(out) == before
    assert "margin: 0.03 -> 0.2" in " ".join(capsys.readouterr().err.split())

    assert prepare.main([str(source), str(out), "--sizes", "32", "--force"]) == 0
    assert sorted(folder.name for folder in out.iterdir() if folder.name.isdigit()) == ["32"]


def test_two_runs_do_not_mix(source, tmp_path):
    with Prepared(tmp_path / "out").locked():
        assert run(source, tmp_path / "out") == 2

    assert run(source, tmp_path / "out") == 0


def test_nothing_usable(tmp_path, capsys):
    folder = tmp_path / "void"
    folder.mkdir()
    Image.new("RGB", (90, 90)).save(folder / "a.png")

    assert run(folder, tmp_path / "out") == 1

    assert "no picture could be used" in capsys.readouterr().err
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["worlds"]["void"]["kept"] == 0


@pytest.mark.parametrize(
    "more",
    [
        ["--sizes", "0"],
        ["--sizes", "64.5"],
        ["--sizes"],
        ["--margin", "nan"],
        ["--margin", "-1"],
        ["--blur", "2"],
        ["--framing", "loose"],
        ["--background", "puce?"],
        ["--max-megapixels", "0"],
        ["--world", "../up"],
        ["--world", "titan"],
        ["--what"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line(source, tmp_path, more):
    try:
        status = prepare.main([str(source), str(tmp_path / "out"), *more])
    except SystemExit as error:
        status = error.code

    assert status == 2
    assert not (tmp_path / "out").exists()


def test_folders_that_cannot_be_meant(source, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    mixed = shutil.copytree(source, tmp_path / "mixed")
    shutil.copy(source / "beta" / "0.png", mixed)

    assert run(tmp_path / "nowhere", tmp_path / "out") == 2
    assert run(tmp_path / "empty", tmp_path / "out") == 2
    assert run(mixed, tmp_path / "out") == 2
    assert run(source, source / "out") == 2
    assert run(source, source) == 2
    assert run(source / "alpha", tmp_path / "out", "--world", "../up") == 2
    assert run(source, tmp_path / "file") == 2
    assert not (tmp_path / "out").exists()


def test_help_says_how(capsys):
    with pytest.raises(SystemExit) as ended:
        prepare.main(["--help"])

    assert ended.value.code == 0
    text = capsys.readouterr().out
    for word in ("SOURCE", "OUT", "--sizes", "--margin", "--force", "manifest.json", "Exits with 1"):
        assert word in text


def test_real_pictures(tmp_path):
    if not REAL.exists():
        pytest.skip("the planets' pictures are not at hand (../shared/data)")
    for name in (
        "venus/020",
        "venus/021",
        "venus/079",
        "venus/080",
        "jupiter/001",
        "jupiter/043",
        "haumea/011",
    ):
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REAL / f"{name}.jpg", tmp_path / "source" / f"{name}.jpg")

    assert run(tmp_path / "source", tmp_path / "out") == 0

    venus = {name: entry["reason"] for name, entry in told(tmp_path / "out", "venus").items()}
    assert venus == {
        "020.jpg": "something lies across the body",
        "021.jpg": None,
        "079.jpg": None,
        "080.jpg": "the same as 079.jpg",
    }
    assert all(entry["kept"] for entry in told(tmp_path / "out", "jupiter").values())
    # Seen from its end it stays as small as it was.
    haumea = told(tmp_path / "out", "haumea")["011.jpg"]
    assert haumea["frame"]["side"] == 512
    assert haumea["disc"]["semi_axes"][0] < 180
