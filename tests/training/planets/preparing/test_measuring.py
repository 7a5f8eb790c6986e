"""One file by itself: what is measured of it, and that it goes through JSON."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from PIL import Image

from tests.training.planets.preparing.bodies import planet
from training.planets.preparing import measuring
from training.planets.preparing.disc import Disc
from training.planets.preparing.measuring import Settings, measure, of_record, stamp, to_record

BODY = Disc(100.5, 80.2, 60.3, 60.3, 0.0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shot.png"
    planet((200, 160), BODY).save(path)
    return path


def test_a_body_is_measured_with_what_comparisons_need(file):
    found = measure(file, 10**6)
    assert found.reason is None
    assert found.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert found.size == (200, 160)
    assert found.disc is not None
    assert (found.disc.x, found.disc.major) == pytest.approx((100.5, 60.3), abs=0.3)
    assert found.look is not None
    assert len(found.look.cells) == 64
    assert (found.name, found.frame) == (None, None)


def test_where_nothing_is_sure_nothing_is_compared(tmp_path):
    Image.new("RGB", (90, 90)).save(tmp_path / "black.png")
    found = measure(tmp_path / "black.png", 10**6)
    assert (found.disc, found.seen, found.look, found.reason) == (None, None, None, None)


def test_a_file_that_cannot_be_read_has_a_reason_in_one_short_line(tmp_path, file):
    (tmp_path / "text.png").write_text("no picture")
    for path in (tmp_path / "text.png", tmp_path / "absent.png", tmp_path):
        reason = measure(path, 10**6).reason
        assert reason
        assert "\n" not in reason
        assert len(reason) <= 200
        assert str(tmp_path / path.name) not in reason
    assert "too large" in measure(file, 100).reason


@pytest.mark.parametrize("what", ["body", "nothing", "broken"])
def test_a_measurement_goes_through_json(what, file):
    if what == "nothing":
        Image.new("RGB", (90, 90)).save(file)
    if what == "broken":
        file.write_bytes(b"")
    found = measure(file, 10**6)
    assert of_record(file, json.loads(json.dumps(to_record(found)))) == found


def test_a_stamp_changes_with_the_file(file):
    before = stamp(file)
    assert before == stamp(file)
    status = file.stat()
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    later = stamp(file)
    file.write_bytes(b"x")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert len({before, later, stamp(file)}) == 3


def test_settings_are_kept_as_json():
    record = Settings(sizes=(16, 64)).record()
    assert json.loads(json.dumps(record)) == record
    assert measuring.Settings(**record | {"sizes": (16, 64)}) == Settings(sizes=(16, 64))
