"""The image door: what passes, what does not, and that nothing gets it to do anything else."""

from __future__ import annotations

import concurrent.futures
import io
import random
import struct
import time
import tracemalloc
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from doors.base import FileInfo
from doors.image_types import EXTENSIONS, FORMATS
from doors.images import (
    AnimatedImage,
    BrokenImage,
    ImageRefused,
    ImageTooLarge,
    UnsupportedImageType,
    inspect_image,
)
from engines.base import IMAGE_TYPES
from engines.images import load_rgb
from storage import open_storage
from tests.examples import examples

# pytest puts its own filters over the one that doors.images sets: Pillow warns about damaged metadata,
# which is what these tests are made of.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")


def picture(mode: str = "RGB", size: tuple[int, int] = (40, 30)) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(values)
    if mode == "I;16":
        return Image.fromarray(values[:, :, 0].astype(np.uint16) * 257)
    return image.convert(mode)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def inspect(data: bytes, **limits: int) -> FileInfo:
    return inspect_image(io.BytesIO(data), **limits)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunk(png: bytes, *chunks: bytes) -> bytes:
    return png[:33] + b"".join(chunks) + png[33:]  # after the signature and IHDR


def tiff_block(entries: list[tuple[int, int, int, int]], extra: bytes = b"", following: int = 0) -> bytes:
    """A little-endian TIFF of one directory; entries are (tag, type, count, value or offset)."""
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + table + struct.pack("<I", following) + extra


def exif_with(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[274] = orientation
    return exif.tobytes()


def test_the_door_lets_in_what_the_engines_promise() -> None:
    assert tuple(FORMATS.values()) == IMAGE_TYPES == tuple(EXTENSIONS)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "P"), ("PNG", "L"), ("PNG", "LA"), ("PNG", "1"),
        ("PNG", "I;16"), ("JPEG", "RGB"), ("JPEG", "L"), ("JPEG", "CMYK"), ("WEBP", "RGB"), ("WEBP", "RGBA"),
        ("GIF", "P"), ("GIF", "L"), ("BMP", "RGB"), ("BMP", "P"), ("BMP", "1"),
        ("AVIF", "RGB"), ("AVIF", "RGBA"), ("AVIF", "L"), ("HEIF", "RGB"), ("HEIF", "RGBA"),
        ("TIFF", "RGB"), ("TIFF", "RGBA"), ("TIFF", "CMYK"), ("TIFF", "I;16"), ("TIFF", "1"), ("TIFF", "LAB"),
    ],
)  # fmt: skip
def test_every_kind_and_mode_passes(kind: str, mode: str) -> None:
    info = inspect(encoded(picture(mode), kind))

    assert (info.media_type, info.width, info.height) == (FORMATS[kind], 40, 30)
    if kind not in ("GIF", "WEBP", "AVIF"):
        assert info.mode == mode


@pytest.mark.parametrize("kind", list(FORMATS))
def test_one_pixel_passes(kind: str) -> None:
    assert inspect(encoded(picture(size=(1, 1)), kind)).width == 1


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"progressive": True}),
        ("JPEG", {"quality": 100, "subsampling": 0}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "tiff_adobe_deflate"}),
        ("TIFF", {"compression": "jpeg"}),
        ("TIFF", {"compression": "packbits"}),
    ],
)
def test_every_compression_passes(kind: str, options: dict[str, object]) -> None:
    assert inspect(encoded(picture(size=(333, 77)), kind, **options)).height == 77


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_sizes_are_upright(kind: str, orientation: int) -> None:
    options = {"tiffinfo": {274: orientation}} if kind == "TIFF" else {"exif": exif_with(orientation)}

    info = inspect(encoded(picture(), kind, **options))

    assert (info.width, info.height) == ((40, 30) if orientation < 5 else (30, 40))


def test_an_orientation_in_xmp_counts_as_it_does_for_pillow() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="6"/>')

    assert inspect(encoded(picture(), "PNG", pnginfo=text)).height == 40


def test_a_phone_picture_with_a_second_picture_inside_is_a_still() -> None:
    data = encoded(picture(), "MPO", save_all=True, append_images=[picture(size=(10, 10))])

    assert inspect(data).media_type == "image/jpeg"


def test_damaged_metadata_is_no_reason_to_refuse() -> None:
    for exif in (b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\x7f", exif_with(6)[:20]):
        assert inspect(encoded(picture(), "JPEG", exif=exif)).width == 40


def raw_profile(exif: bytes) -> bytes:
    """A PNG with EXIF as ImageMagick writes it."""
    text = PngImagePlugin.PngInfo()
    text.add_text("Raw profile type exif", f"\nexif\n{len(exif):8}\n{exif.hex()}\n")
    return encoded(picture(), "PNG", pnginfo=text)


BLOCKS = {
    "whole": exif_with(6),
    "no_tiff": b"Exif\0\0garbage",
    "ones": b"\xff" * 40,
    "cut_in_its_head": exif_with(6)[:11],
    "cut_later": exif_with(6)[:20],
    "points_beyond_its_end": b"Exif\0\0II*\0\xff\xff\xff\x7f",
    "none": b"",
}


@pytest.mark.parametrize("exif", BLOCKS.values(), ids=BLOCKS)
@pytest.mark.parametrize(
    "write",
    [
        raw_profile,
        lambda exif: encoded(picture(), "PNG", exif=exif),
        lambda exif: encoded(picture(), "WEBP", exif=exif),
        lambda exif: encoded(picture(), "JPEG", exif=exif),
    ],
    ids=["raw profile", "png", "webp", "jpeg"],
)
def test_a_broken_exif_block_turns_nobody_away_and_door_and_reader_agree(exif, write, tmp_path) -> None:
    data = write(exif)
    (tmp_path / "picture").write_bytes(data)

    info = inspect(data)

    assert load_rgb(tmp_path / "picture").size == (info.width, info.height)
    if exif == BLOCKS["whole"]:
        assert info.width == 30  # it lies on its side


def test_paths_seekable_streams_and_stored_objects_are_read(tmp_path: Path) -> None:
    data = encoded(picture(), "TIFF", compression="tiff_lzw")
    (tmp_path / "name.jpg").write_bytes(data)
    storage = open_storage("memory://")
    storage.put("a", io.BytesIO(data))
    stream = io.BytesIO(data)
    stream.seek(10)

    assert inspect_image(tmp_path / "name.jpg").media_type == "image/tiff"
    assert inspect_image(str(tmp_path / "name.jpg")).media_type == "image/tiff"
    assert inspect_image(stream).width == 40
    assert stream.tell() == 0
    with storage.open("a") as forward_only:
        assert inspect_image(forward_only).width == 40


def test_a_missing_file_is_not_a_refused_image(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        inspect_image(tmp_path / "missing")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1jpeg", "HEIF picture in an unusual coding"),
        (b"\0\0\0\x18ftypcrx \0\0\0\0crx isom", "RAW"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0", "video"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"<?xml version='1.0'?>\n<!-- x --><svg/>", "SVG"),
        (b"\xef\xbb\xbf <!DOCTYPE html><html>", "web page"),
        (b"%PDF-1.7\n", "PDF"),
        (b"8BPS\0\x01", "Photoshop"),
        (b"II*\0\x10\0\0\0CR\x02\0", "RAW"),
        (b"FUJIFILMCCD-RAW 0201", "RAW"),
        (b"\0\0\1\0\1\0\x10\x10", "icon"),
        (b"MZ\x90\0\x03", "program"),
        (b"\x7fELF\2\1\1", "program"),
        (b"#!/bin/sh\n", "script"),
        (b"PK\x03\x04\x14", "ZIP"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"hello, this is a text \xc3\xa9", "text"),
        (b"BM is how this sentence begins", "text"),
        (b"RIFF\0\0\0\0WAVEfmt ", "sound"),
        (b"\x13\x37\xfe\0\x01\x02 unknown", "not an image"),
        (b"\xff\x0a\0\0", "JPEG XL"),
    ],
)
def test_other_types_are_refused_by_name(data: bytes, says: str) -> None:
    with pytest.raises(UnsupportedImageType, match=says) as refused:
        inspect(data)

    assert refused.value.code == "unsupported_image_type"
    assert "PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF or HEIC" in str(refused.value)  # what to send instead


def test_a_raw_file_dressed_as_tiff_is_refused() -> None:
    dng = encoded(picture(), "TIFF", tiffinfo={50706: b"\1\4\0\0"})

    with pytest.raises(UnsupportedImageType, match="RAW"):
        inspect(dng)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "TIFF", "AVIF"])
def test_animations_and_pages_are_refused(kind: str) -> None:
    frames = [picture(size=(8, 8)).transpose(Image.Transpose.ROTATE_90), picture("L", (8, 8)).convert("RGB")]

    with pytest.raises(AnimatedImage, match="still") as refused:
        inspect(encoded(picture(size=(8, 8)), kind, save_all=True, append_images=frames))

    assert refused.value.code == "animated_image"


def test_an_apng_of_one_frame_is_a_still() -> None:
    png = encoded(picture(), "PNG")

    assert inspect(with_chunk(png, chunk(b"acTL", struct.pack(">II", 1, 0)))).width == 40
    with pytest.raises(AnimatedImage):
        inspect(with_chunk(png, chunk(b"acTL", struct.pack(">II", 0, 0))))


def declared(kind: str, width: int, height: int) -> bytes:
    """A small file that declares a huge picture."""
    data = bytearray(encoded(picture(), kind))
    if kind == "PNG":
        data[16:24] = struct.pack(">II", width, height)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    elif kind == "JPEG":
        at = data.index(b"\xff\xc0") + 5
        data[at : at + 4] = struct.pack(">HH", height, width)
    elif kind == "GIF":
        data[6:10] = struct.pack("<HH", width, height)
    elif kind == "BMP":
        data[18:26] = struct.pack("<ii", width, -height)
    elif kind == "WEBP":
        at = data.index(b"\x9d\x01\x2a") + 3
        data[at : at + 4] = struct.pack("<HH", width & 0x3FFF, height & 0x3FFF)
    elif kind in ("AVIF", "HEIF"):
        while (at := data.find(b"ispe")) >= 0:
            data[at : at + 16] = b"ISPE" + bytes(4) + struct.pack(">II", width, height)
        data = data.replace(b"ISPE", b"ispe")
    else:
        return tiff_block(
            [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (273, 4, 1, 8), (279, 4, 1, 9)]
        )
    return bytes(data)


# An AVIF says its size twice, and is refused for the difference: see test_image_boxes.
@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "AVIF"])
def test_huge_declarations_are_refused_before_decoding(kind: str) -> None:
    side = 16_000
    tracemalloc.start()
    begun = time.process_time()

    with pytest.raises(ImageTooLarge, match="256 megapixels") as refused:
        inspect(declared(kind, side, side))

    assert refused.value.code == "image_too_large"
    assert time.process_time() - begun < 1
    assert tracemalloc.get_traced_memory()[1] < 4_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF", "JPEG", "HEIF"])
def test_a_long_side_is_refused(kind: str) -> None:
    with pytest.raises(ImageTooLarge, match="20,000"):
        inspect(declared(kind, 30_000, 30))


@pytest.mark.parametrize("kind", ["PNG", "AVIF"])
def test_the_limits_are_the_callers(kind: str) -> None:
    data = encoded(picture(), kind)

    assert inspect(data, max_pixels=1200, max_side=40).width == 40
    with pytest.raises(ImageTooLarge):
        inspect(data, max_pixels=1199)
    with pytest.raises(ImageTooLarge):
        inspect(data, max_side=39)


# A GIF's canvas may be larger than its frame, and libjpeg fills what is missing with grey.
@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "AVIF", "HEIF"])
def test_a_header_that_promises_more_than_there_is(kind: str) -> None:
    with pytest.raises(BrokenImage) as refused:
        inspect(declared(kind, 400, 300))

    assert refused.value.code == "broken_image"


@pytest.mark.parametrize("kind", list(FORMATS))
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_truncated_files_are_refused(kind: str, kept: float) -> None:
    data = encoded(picture(size=(200, 150)), kind)

    with pytest.raises(BrokenImage):
        inspect(data[: int(len(data) * kept)])


def test_no_pixels_is_broken() -> None:
    for kind in ("PNG", "BMP", "TIFF", "AVIF", "HEIF"):
        with pytest.raises(BrokenImage):
            inspect(declared(kind, 0, 10))


BLOB = 2_000_000


def bomb_directory() -> bytes:
    """3,000 tags that all point to the same two megabytes: 6 GB for who reads them all."""
    return tiff_block([(1000 + i, 7, BLOB, 8) for i in range(3000)], bytes(BLOB))


def jpeg_with(*segments: bytes) -> bytes:
    jpeg = encoded(picture(), "JPEG")
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def jpeg_exif_bomb() -> bytes:
    block = bomb_directory()
    parts = [block[i : i + 60_000] for i in range(0, len(block), 60_000)]
    return jpeg_with(*(segment(0xE1, b"Exif\0\0" + part) for part in parts))


def sub_directory_bomb() -> bytes:
    inner = struct.pack("<H", 3000) + b"".join(
        struct.pack("<HHII", 1000 + i, 7, BLOB, 8) for i in range(3000)
    )
    return tiff_block([(0x8769, 4, 1, 26)], inner + bytes(BLOB))


def text_exif_bomb() -> bytes:
    block = tiff_block([(1000 + i, 7, 400_000, 8) for i in range(3000)], bytes(400_000))
    text = f"\nexif\n{len(block)}\n{block.hex()}"
    return with_chunk(
        encoded(picture(), "PNG"), chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text.encode()))
    )


def scan_bomb() -> bytes:
    jpeg = encoded(picture(size=(1000, 1000)), "JPEG", progressive=True, quality=5)
    end = jpeg.rindex(b"\xff\xda")
    return jpeg[:end] + jpeg[end:-2] * 300 + b"\xff\xd9"


GIF_HEAD = b"GIF89a\x08\0\x08\0\0\0\0"
MANY_PIXELS = zlib.compress(bytes(60_000_000), 9)

BOMBS = {
    "png text": lambda: with_chunk(encoded(picture(), "PNG"), chunk(b"zTXt", b"a\0\0" + MANY_PIXELS)),
    "png itext": lambda: with_chunk(
        encoded(picture(), "PNG"), chunk(b"iTXt", b"a\0\1\0\0\0" + MANY_PIXELS)
    ),
    "png many texts": lambda: with_chunk(
        encoded(picture(), "PNG"),
        *(chunk(b"zTXt", b"k%d\0\0" % i + zlib.compress(bytes(1_000_000))) for i in range(70)),
    ),
    "png profile": lambda: with_chunk(encoded(picture(), "PNG"), chunk(b"eXIf", bomb_directory())),
    "png sub directory": lambda: with_chunk(encoded(picture(), "PNG"), chunk(b"eXIf", sub_directory_bomb())),
    "png profile as text": text_exif_bomb,
    "png chunks": lambda: with_chunk(encoded(picture(), "PNG"), chunk(b"prIv", b"") * 400_000),
    "png second header": lambda: with_chunk(
        encoded(picture(), "PNG"), chunk(b"IHDR", struct.pack(">IIBBBBB", 15000, 15000, 8, 2, 0, 0, 0))
    ),
    "jpeg exif": jpeg_exif_bomb,
    "jpeg mpf": lambda: jpeg_with(
        segment(0xE2, b"MPF\0" + tiff_block([(i, 7, 8000, 8) for i in range(4000)], bytes(8000)))
    ),
    "jpeg segments": lambda: jpeg_with(segment(0xFE, b"") * 1_000_000),
    "jpeg junk": lambda: jpeg_with(segment(0xFE, b"x") + bytes(5_000_000)),
    "jpeg fill": lambda: jpeg_with(b"\xff" * 5_000_000),
    "jpeg scans": scan_bomb,
    "jpeg second header": lambda: jpeg_with(
        segment(0xC0, struct.pack(">BHHB", 8, 15000, 15000, 1) + b"\1\x11\0")
    ),
    "gif comments": lambda: GIF_HEAD + b"!\xfe" + (b"\xff" + bytes(255)) * 40_000 + b"\0;",
    "gif tiny blocks": lambda: GIF_HEAD + b"!\xfe" + b"\1x" * 5_000_000 + b"\0;",
    "gif padding": lambda: GIF_HEAD + bytes(5_000_000),
    "tiff tags": bomb_directory,
    "tiff numbers": lambda: tiff_block(
        [(256, 4, 1, 8), (257, 4, 1, 8), (60_000, 5, 1_000_000, 8)], bytes(8_000_000)
    ),
    "tiff tile": lambda: tiff_block(
        [
            (256, 4, 1, 8), (257, 4, 1, 8), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1),
            (322, 4, 1, 65_520), (323, 4, 1, 65_520), (324, 4, 1, 8), (325, 4, 1, 100),
        ], bytes(100),
    ),
    "bmp runs": lambda: b"BM" + struct.pack(
        "<IIIIiiHHIIIIII", 0, 0, 54, 40, 8000, 8000, 1, 8, 1, 0, 0, 0, 0, 0
    ) + b"\0\0" * 8000,
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_cheaply(name: str) -> None:
    data = BOMBS[name]()
    tracemalloc.start()
    begun = time.process_time()

    with pytest.raises(BrokenImage):
        inspect(data)

    took, peak = time.process_time() - begun, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert took < 4
    assert peak < 90_000_000  # Pillow's own bound for texts is 64 MB


def test_threads_share_the_door() -> None:
    files = [encoded(picture(size=(300, 200)), kind) for kind in FORMATS] * 4

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        infos = list(pool.map(inspect, files))

    assert [info.media_type for info in infos] == list(FORMATS.values()) * 4


@cache
def seeds() -> list[bytes]:
    small = [encoded(picture(mode, (24, 18)), kind) for kind, mode in [
        ("PNG", "RGBA"), ("PNG", "P"), ("JPEG", "RGB"), ("JPEG", "CMYK"), ("WEBP", "RGB"), ("WEBP", "RGBA"),
        ("GIF", "P"), ("BMP", "RGB"), ("TIFF", "RGB"), ("AVIF", "RGBA"), ("HEIF", "RGB"),
    ]]  # fmt: skip
    extra = [
        encoded(picture(), "JPEG", progressive=True, exif=exif_with(6)),
        encoded(picture(), "PNG", exif=exif_with(6)),
        encoded(picture(), "WEBP", lossless=True, exif=exif_with(6)),
        encoded(picture(), "TIFF", compression="tiff_lzw"),
        encoded(picture(), "TIFF", compression="jpeg"),
        encoded(picture(), "MPO", save_all=True, append_images=[picture(size=(10, 10))]),
        encoded(picture(), "GIF", save_all=True, append_images=[picture("L")]),
    ]
    return small + extra


def mutated(data: bytes, seed: int) -> bytes:
    """`data` with a few bytes changed, runs removed, doubled or cut off, mostly near the start."""
    rng = random.Random(seed)
    out = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        at = int(len(out) * rng.random() ** 2)
        match rng.randrange(6):
            case 0:
                out[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                out[at : at + 4] = rng.choice(
                    [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\0\0\1"]
                )
            case 2:
                del out[at : at + rng.randint(1, 40)]
            case 3:
                out[at:at] = out[at : at + rng.randint(1, 200)]
            case 4:
                out[at:at] = rng.randbytes(rng.randint(1, 20))
            case 5:
                del out[len(out) - rng.randint(0, len(out) // 3 + 1) :]
    return bytes(out)


def survives(data: bytes) -> None:
    begun = time.process_time()
    try:
        info = inspect(data, max_pixels=4_000_000)
    except ImageRefused:
        pass  # all it may raise
    else:
        assert info.media_type in IMAGE_TYPES
        assert 0 < info.width * info.height <= 4_000_000
    assert time.process_time() - begun < 3


@settings(max_examples=examples(400), deadline=None)
@given(which=st.integers(0, 17), seed=st.integers(0, 2**32))
def test_fuzzed_images_pass_or_are_refused(which: int, seed: int) -> None:
    survives(mutated(seeds()[which], seed))


@settings(max_examples=examples(200), deadline=None)
@given(
    start=st.sampled_from([
        b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\0\1\0\0WEBP", b"GIF89a",
        b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0",
        b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"<", b"RIFF",
        b"\0\0\0\x10ftypavif\0\0\0\0\0\0\1\0meta", b"\0\0\0\x10ftypheic\0\0\0\0\0\0\1\0meta",
    ]),
    rest=st.binary(max_size=400),
)  # fmt: skip
def test_random_bytes_are_refused(start: bytes, rest: bytes) -> None:
    survives(start + rest)
