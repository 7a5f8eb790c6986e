"""What an engine made, as a stored object with a name, a digest and a size."""

from __future__ import annotations

import hashlib
import io

import pytest
from PIL import Image

from engines.base import EngineError, Output
from storage.memory import MemoryStorage
from workers.outputs import require_json, safe_name, store_output


def test_an_output_s_name_cannot_leave_its_folder(bench):
    def script(_params, _context):
        yield Output("../../../etc/passwd", "text/plain", b"x")

    made = bench(script)
    job = made.run()
    (artifact,) = made.store.artifacts([job.id])[job.id]
    assert artifact.key == f"jobs/{job.id}/1/out/_.._.._etc_passwd"


def test_what_an_engine_says_of_a_result_must_be_json(bench):
    def script(_params, _context):
        yield Output("a.txt", "text/plain", b"x", meta={"loss": float("nan")})

    job = bench(script).run()
    assert (job.state, job.error_code) == ("failed", "engine_error")


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a.png", "a.png"),
        ("ä ö.png", "___.png"),
        ("../../up", "_.._up"),
        ("...", "output"),
        ("", "output"),
        (".hidden", "hidden"),
        ("x" * 300 + ".png", "x" * 196 + ".png"),
    ],
    ids=["plain", "letters", "up", "dots", "empty", "hidden", "long"],
)
def test_a_name_stays_in_its_folder_and_within_bounds(name, safe):
    assert safe_name(name) == safe


@pytest.mark.parametrize(
    "meta", [{"a": float("inf")}, {"a": {1, 2}}, {"a": b"bytes"}], ids=["inf", "set", "bytes"]
)
def test_what_is_said_of_it_must_be_json(meta):
    with pytest.raises(EngineError, match="not JSON"):
        require_json(meta, "a.txt")


def picture(size=(6, 4)):
    stream = io.BytesIO()
    Image.new("RGB", size).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize("where", ["memory", "file"])
def test_bytes_and_files_are_stored_alike_with_size_and_digest(where, tmp_path):
    data = picture()
    path = tmp_path / "a.png"
    path.write_bytes(data)
    storage = MemoryStorage()
    output = Output("a.png", "image/png", data if where == "memory" else path, meta={"seed": 1})
    made = store_output(storage, output, "a.png", "jobs/1/1/out/a.png")
    assert (made.size, made.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert (made.width, made.height, made.meta) == (6, 4, {"seed": 1})
    with storage.open(made.key) as stream:
        assert stream.read() == data


def test_what_is_no_picture_has_no_width():
    made = store_output(MemoryStorage(), Output("a.txt", "text/plain", b"x"), "a.txt", "k")
    assert (made.width, made.height) == (None, None)
