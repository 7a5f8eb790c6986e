"""What decoding takes, measured of every kind of image in a process of its own, and what is said of it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from doors.image_cost import decoding_bytes
from doors.image_headers import read_header
from doors.image_types import FORMATS, sniff

#: A side; large enough that what is not the picture does not count.
SIDE = 3000

#: Name, mode, format, options. Of each format what takes most, and what is usual.
KINDS = [
    ("png", "RGBA", "PNG", {"compress_level": 1}),
    ("png-16", "I;16", "PNG", {"compress_level": 1}),
    ("jpeg", "RGB", "JPEG", {}),
    ("jpeg-progressive", "RGB", "JPEG", {"progressive": True}),
    ("jpeg-progressive-444", "RGB", "JPEG", {"progressive": True, "subsampling": 0}),
    ("jpeg-progressive-cmyk", "CMYK", "JPEG", {"progressive": True}),
    ("webp", "RGB", "WEBP", {"method": 0}),
    ("webp-lossless-alpha", "RGBA", "WEBP", {"lossless": True, "method": 0, "quality": 0}),
    ("gif", "P", "GIF", {}),
    ("bmp", "RGB", "BMP", {}),
    ("tiff", "RGB", "TIFF", {}),
    ("tiff-lzw", "RGBA", "TIFF", {"compression": "tiff_lzw"}),
    ("tiff-one-strip", "CMYK", "TIFF", {"compression": "tiff_lzw", "tiffinfo": {278: SIDE}}),
    ("tiff-jpeg", "RGB", "TIFF", {"compression": "jpeg"}),
    ("tiff-float", "F", "TIFF", {"compression": "tiff_lzw", "tiffinfo": {278: SIDE}}),
    ("avif", "RGB", "AVIF", {"speed": 10}),
    ("avif-444-alpha", "RGBA", "AVIF", {"speed": 10, "subsampling": "4:4:4"}),
    ("heic", "RGB", "HEIF", {"quality": 10}),
    ("heic-444-alpha", "RGBA", "HEIF", {"quality": 10, "chroma": 444}),
]

#: Told a path a line, it answers with what was said that decoding takes and by how much the process grew.
_MEASURE = """
import json, re, sys
from PIL import Image
from doors.images import inspect_image
from contextlib import nullcontext

def memory(what):
    return int(re.search(what + r":\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024

Image.init()
from doors.image_files import read_heic
read_heic()
for line in sys.stdin:
    said = []
    before = memory("VmRSS")
    open("/proc/self/clear_refs", "w").write("5")  # the peak so far is forgotten
    inspect_image(line.strip(), room=lambda size: said.append(size) or nullcontext())
    print(json.dumps([said, memory("VmHWM") - before]), flush=True)
"""


def encoded(mode: str, kind: str, side: int = 64, **options: object) -> bytes:
    out = io.BytesIO()
    Image.new(mode, (side, side)).save(out, kind, **options)
    return out.getvalue()


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, int]]:
    """Name -> what was said, and what it took."""
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("only Linux forgets a process's peak")
    folder = tmp_path_factory.mktemp("pictures")
    for name, mode, kind, options in KINDS:
        (folder / name).write_bytes(encoded(mode, kind, SIDE, **options))
    # Each in turn in one process, the smallest first: memory that the last one left must not hide the next.
    paths = "".join(f"{folder / name}\n" for name, *_ in KINDS)
    found = {}
    for line in paths.splitlines():
        done = subprocess.run(
            [sys.executable, "-c", _MEASURE],
            input=line,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        (said,), took = json.loads(done.stdout)
        found[Path(line).name] = (said, took)
    return found


@pytest.mark.parametrize("name", [name for name, *_ in KINDS])
def test_decoding_takes_what_is_said_of_it(measured, name):
    said, took = measured[name]
    assert took <= said
    assert said <= 5 * took + 64 * 1024 * 1024, "so much is said that nothing else would find room"


def test_every_format_of_the_door_has_a_price():
    for media_type in FORMATS.values():
        assert decoding_bytes(media_type, read_header(*example(media_type)), 100) > 64 * 64 / 16


def example(media_type: str) -> tuple[str, io.BytesIO]:
    kind = next(name for name, known in FORMATS.items() if known == media_type)
    data = encoded("RGB", kind)
    assert sniff(data) == media_type
    return media_type, io.BytesIO(data)
