"""What kind of file some bytes are: the types we take, and the names of those we do not."""

from __future__ import annotations

import codecs

#: Bytes at the start of a file that `sniff` wants to see.
SNIFF_SIZE = 4096

#: Media type by Pillow's name of the format.
FORMATS = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "AVIF": "image/avif",
    "HEIF": "image/heic",
}

#: What a file of each type is called, and what people call the type.
EXTENSIONS = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/gif": ".gif",
    "image/bmp": ".bmp",
    "image/tiff": ".tif",
    "image/avif": ".avif",
    "image/heic": ".heic",
}
_CALLED = ("PNG", "JPEG", "WebP", "GIF", "BMP", "TIFF", "AVIF", "HEIC")
#: As a sentence wants them: "a PNG, JPEG, ... or HEIC".
TAKEN = f"a {', '.join(_CALLED[:-1])} or {_CALLED[-1]}"

_BMP_HEADERS = {12, 40, 52, 56, 64, 108, 124}

#: How a file of ISO boxes says what is in it (ISO/IEC 23008-12, annex B; the AVIF specification, 8).
_AVIF = {b"avif", b"avis"}
_HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
#: A still picture, or several, in a coding that the other brands name.
_ANY_CODING = {b"mif1", b"msf1"}

_BRANDS = {
    **dict.fromkeys(_ANY_CODING, "a HEIF picture in an unusual coding"),
    b"crx ": "a camera's RAW file",
}

#: (offset, bytes, name), the first match wins.
_OTHERS = (
    (8, b"CR\x02\0", "a camera's RAW file"),
    (0, b"IIRO", "a camera's RAW file"),
    (0, b"IIRS", "a camera's RAW file"),
    (0, b"IIU\0", "a camera's RAW file"),
    (0, b"FUJIFILMCCD-RAW", "a camera's RAW file"),
    (0, b"\0MRM", "a camera's RAW file"),
    (0, b"%PDF", "a PDF document"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"%!PS", "a PostScript document"),
    (0, b"\0\0\1\0", "an icon"),
    (0, b"\0\0\2\0", "a cursor"),
    (0, b"\xff\x0a", "a JPEG XL picture"),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR picture"),
    (0, b"#?RADIANCE", "a Radiance HDR picture"),
    (0, b"qoif", "a QOI picture"),
    (0, b"DDS ", "a DDS texture"),
    (0, b"gimp xcf", "a GIMP document"),
    (8, b"AVI ", "a video"),
    (8, b"WAVE", "a sound file"),
    (0, b"\x1a\x45\xdf\xa3", "a video"),
    (0, b"ID3", "a sound file"),
    (0, b"OggS", "a sound file"),
    (0, b"fLaC", "a sound file"),
    (0, b"PK\x03\x04", "a ZIP archive or an office document"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"7z\xbc\xaf", "a 7z archive"),
    (0, b"Rar!", "a RAR archive"),
    (0, b"\x7fELF", "a program"),
    (0, b"\xcf\xfa\xed\xfe", "a program"),
    (0, b"\xca\xfe\xba\xbe", "a program"),
    (0, b"MZ", "a program"),
    (0, b"#!", "a script"),
)


def sniff(head: bytes) -> str | None:
    """The media type of a file that begins with `head`, if it is one that the house takes."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "image/bmp"
    if head.startswith((b"II*\0", b"MM\0*")) and head[8:10] != b"CR":
        return "image/tiff"
    if head[4:8] == b"ftyp":
        return _sniff_boxes(head)
    return None


def _sniff_boxes(head: bytes) -> str | None:
    """By the major brand; where that leaves the coding open, by the compatible ones."""
    size = int.from_bytes(head[:4], "big")
    brands = [head[8:12]]
    if head[8:12] in _ANY_CODING:
        brands += [head[at : at + 4] for at in range(16, min(size, len(head)) - 3, 4)]
    for brand in brands:
        if brand in _AVIF:
            return "image/avif"
        if brand in _HEIC:
            return "image/heic"
    return None


def name_of(head: bytes) -> str | None:
    """What a file that begins with `head` and is not one of ours seems to be: "a PDF document"."""
    if not head:
        return "empty"
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "a video")
    for offset, magic, name in _OTHERS:
        if head.startswith(magic, offset):
            return name
    if head.startswith((b"II+\0", b"MM\0+")):
        return "a BigTIFF"
    if (markup := markup_of(head)) is not None:
        return markup
    return "text" if _is_text(head) else None


def _is_text(head: bytes) -> bool:
    if set(head) & set(range(9)):
        return False
    try:
        # Which waits for the rest of a character that is cut at the very end.
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def markup_of(head: bytes) -> str | None:
    """What a file that begins with `head` and is written in angle brackets is: "a web page"."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if not text.startswith(b"<"):
        return None
    if b"<svg" in text:
        return "an SVG drawing"
    if b"<html" in text or b"<!doctype html" in text:
        return "a web page"
    return "an XML document"
