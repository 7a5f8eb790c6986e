"""The one way in which a picture's file is opened, by the door and by everybody who reads after it.

A file is known by its first bytes alone (`doors.image_types`), its header is read within bounds
(`doors.image_headers`), and Pillow is left the one reader of that type. So nobody can read another picture
in a file than the door saw, and Pillow's other forty readers are never reached.
"""

from __future__ import annotations

import functools
import hashlib
import io
import re
import struct
import zlib
from typing import BinaryIO

from PIL import Image

from doors.image_facts import Header, HeaderError
from doors.image_headers import exif_orientation, read_header
from doors.image_types import FORMATS, SNIFF_SIZE, sniff

#: Everything seen or imaginable from a decoder fed with hostile bytes.
DECODER_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    Warning,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)

_NAMES = {media_type: name for name, media_type in FORMATS.items()}
#: Those that Pillow's reader turns upright by itself.
_TURNED = ("image/tiff", "image/heic")

_END = b"\xff\xd9"
#: What follows a JPEG's data when it is tried whether they are all there: no marker, and nothing regular.
_FILL = bytes(range(1, 255)) * 2
_STRIP = 64  # rows


def look(file: BinaryIO) -> tuple[str, Header]:
    """A picture file's media type, by its first bytes, and its header. Raises HeaderError."""
    file.seek(0)
    media_type = sniff(file.read(SNIFF_SIZE))
    if media_type is None:
        raise HeaderError("it is no picture of a type that is read here")
    return media_type, read_header(media_type, file)


def open_image(file: BinaryIO, media_type: str, header: Header) -> Image.Image:
    """Open, and do not decode yet, a file of this sniffed type, whose header was read.

    Raises HeaderError, and whatever Pillow raises.
    """
    if media_type == "image/heic":
        read_heic()
    if not header.ended:
        file = _with_its_end(file)
    file.seek(0)
    return Image.open(file, formats=[_NAMES[media_type]])


@functools.cache
def read_heic() -> None:
    """Let Pillow, whose list of readers belongs to the process, read HEIC from now on."""
    # Imported when the first one comes, as Pillow does with its own readers: it is 7 MiB of a process.
    from pillow_heif import register_heif_opener  # noqa: PLC0415  see above

    # The picture alone: what else is in such a file nobody asks for.
    register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)


def turns_itself(media_type: str) -> bool:
    """Whether the decoded picture is upright already."""
    return media_type in _TURNED


def orientation(image: Image.Image, media_type: str) -> int:
    """How the decoded picture lies, 1 to 8 as EXIF counts; 1 where it is upright already.

    Damaged metadata say nothing. Raises HeaderError for a block that is built to exhaust its reader.
    """
    if turns_itself(media_type):
        return 1
    info = image.info
    found = None
    if "Raw profile type exif" in info:  # how ImageMagick writes EXIF into a PNG: text, in hexadecimal
        found = exif_orientation(_from_hexadecimal(str(info["Raw profile type exif"])))
    if isinstance(info.get("exif"), bytes):
        found = exif_orientation(info["exif"])
    # AVIF's own rotation is all that counts, which Pillow writes into its EXIF.
    if found is None and media_type != "image/avif":
        xmp = info.get("XML:com.adobe.xmp") or info.get("xmp") or b""
        text = xmp if isinstance(xmp, bytes) else str(xmp).encode("utf-8", "replace")
        match = re.search(rb'tiff:Orientation(?:="|>)([0-9])', text)
        found = int(match[1]) if match else None
    return found if found is not None and 1 <= found <= 8 else 1


def _from_hexadecimal(text: str) -> bytes:
    try:
        return bytes.fromhex("".join(text.split("\n")[3:]))
    except ValueError:
        return b""


def _with_its_end(file: BinaryIO) -> BinaryIO:
    """A JPEG that lacks its end marker and nothing else, completed. Raises HeaderError where more is missing.

    libjpeg fills what is missing with grey and tells nobody. But a picture that is all there does not change
    with what follows its data, and one that is not does.
    """
    file.seek(0)
    data = file.read()
    if _looks(data) != _looks(data + _FILL):
        raise HeaderError("it ends in the middle")
    return io.BytesIO(data + _END)


def _looks(data: bytes) -> bytes:
    """A hash of the decoded picture; of one at a time, for they are large."""
    found = hashlib.sha256()
    with Image.open(io.BytesIO(data + _END), formats=["JPEG"]) as image:
        image.load()
        for top in range(0, image.height, _STRIP):
            found.update(image.crop((0, top, image.width, min(image.height, top + _STRIP))).tobytes())
    return found.digest()
