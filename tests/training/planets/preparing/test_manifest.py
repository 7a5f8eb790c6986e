"""What became of each file, as a record and as lines to read."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from training.planets.preparing import manifest
from training.planets.preparing.cut_disc import Frame
from training.planets.preparing.disc import Disc
from training.planets.preparing.measuring import Measured, Settings
from training.planets.preparing.screening import Look

SETTINGS = Settings(sizes=(64, 256))


def kept(name: str = "007", **more: object) -> Measured:
    return Measured(
        Path("somewhere/shot.png"), "ab" * 32, (300, 200),
        Disc(150.123, 100, 80.126, 50, math.pi / 4, 0.87654),
        look=Look((1.0,), 0.12345678), name=name, frame=Frame(1.005, 2, 200.0), **more,
    )  # fmt: skip


def left_out(source: str, reason: str) -> Measured:
    return Measured(Path(source), reason=reason)


def test_a_picture_that_is_kept_says_where_it_came_from_and_where_it_is():
    (entry,) = manifest.world_record("mars", [kept()], SETTINGS)["pictures"]
    assert entry == {
        "source": "shot.png", "sha256": "ab" * 32, "size": [300, 200], "kept": True, "reason": None,
        "disc": {
            "x": 150.12, "y": 100, "semi_axes": [80.13, 50], "angle_degrees": 45.0, "outline_seen": 0.877,
            "from": "this picture",
        },
        "sharpness": 0.123457, "name": "007",
        "frame": {"left": pytest.approx(1.0, abs=0.011), "top": 2, "side": 200.0},
        "enlarged": [256], "files": ["64/mars/007.png", "256/mars/007.png"],
    }  # fmt: skip


def test_one_that_is_left_out_has_its_reason_and_no_files():
    record = manifest.world_record("mars", [left_out("a.png", "blurred"), kept()], SETTINGS)
    assert (record["kept"], record["left_out"]) == (1, 1)
    entry = record["pictures"][0]
    assert (entry["kept"], entry["reason"], entry["disc"]) == (False, "blurred", None)
    assert not {"files", "name", "frame", "sharpness"} & set(entry)


def test_a_disc_of_the_others_is_told_apart():
    (entry,) = manifest.world_record("mars", [kept(agreed=True)], SETTINGS)["pictures"]
    assert entry["disc"]["from"] == "the world's other pictures"


def test_common_reasons_are_counted_and_rare_ones_told_by_file():
    common = [left_out(f"{number}.png", "too small") for number in range(6)]
    rare = [left_out(f"r{number}.png", "blurred") for number in range(5)]
    single = left_out("s.png", "damaged")
    told = {"worlds": {"mars": manifest.world_record("mars", [kept(), *common, *rare, single], SETTINGS)}}
    assert manifest.lines(told) == [
        "mars: 1 pictures, 12 left out",
        *[f"  r{number}.png: blurred" for number in range(5)],
        "  s.png: damaged",
        "  6 files: too small",
    ]


def test_all_worlds_are_counted():
    one = manifest.world_record("a", [kept(), kept()], SETTINGS)
    none = manifest.world_record("b", [left_out("x", "blurred")], SETTINGS)
    assert manifest.kept({"worlds": {"a": one, "b": none}}) == 2
