"""Files on their way out."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from client.uploads import File, is_local, pieces


@pytest.mark.parametrize("kind", ["bytes", "path", "stream"])
def test_a_file_is_read_from_its_beginning_as_often_as_need_be(tmp_path, kind):
    (tmp_path / "a.png").write_bytes(b"12345")
    stream = io.BytesIO(b"12345")
    stream.seek(3)
    content = {"bytes": b"12345", "path": tmp_path / "a.png", "stream": stream}[kind]
    file = File("a.png", content)

    assert (file.size, file.media_type) == (5, "image/png")
    for _ in range(2):
        with file.opened() as found:
            assert found.read() == b"12345"


def test_a_path_is_a_file_of_its_own_name():
    assert File.of("/x/song.mp3") == File("song.mp3", Path("/x/song.mp3"))
    assert File.of(Path("a.unheard-of")).media_type == "application/octet-stream"
    file = File("a", b"")
    assert File.of(file) is file
    assert is_local(file)
    assert is_local(Path("a"))
    assert not is_local("art_1")


def test_a_file_that_is_not_there_says_so():
    with pytest.raises(FileNotFoundError), File.of("/no/such").opened():
        pass


def test_how_far_it_has_come_is_told():
    told: list[tuple[int, int]] = []
    data = b"x" * 600_000

    found = b"".join(pieces(io.BytesIO(data), len(data), lambda *so_far: told.append(so_far)))

    assert found == data
    assert told == [(0, 600_000), (262_144, 600_000), (524_288, 600_000), (600_000, 600_000)]
