"""A file that comes: counted, hashed, there in one step or not at all."""

from __future__ import annotations

import hashlib
import io
import os

import pytest

from client.errors import Damaged, Oversized
from client.saving import Received, target, targets, url_of

SAID = {"url": "/x", "size": 5, "sha256": hashlib.sha256(b"hello").hexdigest()}


def received(data: bytes, source: object = SAID, most: int | None = None) -> bytes:
    into = io.BytesIO()
    found = Received(source, into, most)  # type: ignore[arg-type]
    for _ in range(2):  # a second try begins anew
        found.begin()
        for byte in data:
            found.take(bytes([byte]))
    found.end()
    return into.read()


def test_what_was_said_has_come():
    assert received(b"hello", most=5) == b"hello"
    assert received(b"anything", "/x") == b"anything"
    assert received(b"x", {"url": "/x"}) == b"x"


@pytest.mark.parametrize("data", [b"", b"hell", b"hello!", b"hallo"], ids=["none", "less", "more", "other"])
def test_another_file_is_none(data):
    with pytest.raises(Damaged):
        received(data)


def test_what_is_larger_than_wanted_is_not_read_to_its_end():
    with pytest.raises(Oversized, match="4 bytes"):
        received(b"hello", most=4)


def test_a_file_appears_in_one_step_as_any_other(tmp_path):
    path = tmp_path / "out" / "a.png"
    with target(path) as stream:
        stream.write(b"hello")
        assert not path.exists()
    assert path.read_bytes() == b"hello"
    umask = os.umask(0)
    os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask
    assert os.listdir(path.parent) == ["a.png"]


def test_one_that_does_not_come_leaves_nothing(tmp_path):
    with pytest.raises(Damaged), target(tmp_path / "a.png"):
        raise Damaged("x")
    assert os.listdir(tmp_path) == []


def test_a_target_that_cannot_be_says_so(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FileExistsError), target(tmp_path / "file" / "a.png"):
        pass


def test_names_stay_in_the_folder_and_apart(tmp_path):
    names = ["a.png", "A.PNG", "../../b", "..", "", "x/y\\z:\x00.txt", "a.png"]
    found = targets({"artifacts": [{"name": name} for name in names]}, tmp_path)

    assert [path.name for _, path in found] == [
        *("a.png", "A-2.PNG", "_.._b", "result", "result-2", "x_y_z__.txt", "a-3.png"),
    ]
    assert all(path.parent == tmp_path for _, path in found)
    assert url_of(SAID) == url_of("/x") == "/x"
