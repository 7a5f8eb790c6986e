"""What is recorded of a result beside its bytes."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from engines.base import Output
from storage.memory import MemoryStorage
from workers.outputs import store_output


def stored(media_type: str, data, **more):
    return store_output(MemoryStorage(), Output("a", media_type, data, **more), "a", "jobs/1/1/out/a")


@pytest.mark.parametrize(
    ("media_type", "data", "text"),
    [
        ("text/plain", b"an old pond", "an old pond"),
        ("text/markdown", "# née".encode(), "# née"),
        ("text/plain", b"\xef\xbb\xbfmarked", "marked"),
        ("application/json", b'{"label": "mars"}', '{"label": "mars"}'),
        ("text/plain", b"x" * 4096, "x" * 4096),
        ("text/plain", b"x" * 4097, None),
        ("text/plain", b"a\0b", None),
        ("text/plain", b"caf\xe9", None),
        ("text/plain", b"", ""),
        ("application/octet-stream", b"text", None),
    ],
    ids=["text", "markdown", "mark", "json", "most", "more", "nul", "latin-1", "empty", "other"],
)
def test_a_small_text_is_recorded_with_its_result(media_type, data, text, tmp_path):
    assert stored(media_type, data).text == text
    (tmp_path / "made").write_bytes(data)
    assert stored(media_type, tmp_path / "made").text == text


def test_a_picture_is_measured_and_a_sound_is_as_long_as_its_engine_says():
    made = io.BytesIO()
    Image.new("RGB", (4, 3)).save(made, "PNG")
    picture = stored("image/png", made.getvalue())
    assert (picture.width, picture.height, picture.seconds) == (4, 3, None)
    song = stored("audio/mpeg", b"sound", seconds=2.5)
    assert (song.width, song.height, song.seconds, song.text) == (None, None, 2.5, None)
