"""How many bytes it takes to decode an image.

Measured with Pillow 13 on pictures of each kind, mode and compression (tests/doors/test_image_cost.py does
it again): a picture is 4 bytes a pixel in Pillow's memory, or less. What comes on top differs by format.
"""

from __future__ import annotations

from doors.image_facts import Header

#: Bytes a pixel. A JPEG is looked at at an eighth of its size; what its scans need says its header.
_BYTES = {
    "image/png": 4.0,
    "image/bmp": 4.0,
    "image/gif": 4.0,
    "image/tiff": 4.0,
    "image/jpeg": 0.1,
    # Two canvases, a copy and the picture.
    "image/webp": 16.0,
    # The planes, the picture they become, a copy and Pillow's: with 4:4:4 and alpha 13.5 where a sample has 8
    # bits, and more where it has 10 (20.3 seen of HEIC).
    "image/avif": 18.0,
    "image/heic": 21.0,
}
#: Besides, of a JPEG without its end marker, which is decoded in full to learn whether all of it is there.
_IN_FULL = 4.5
#: Their readers take the whole file into memory first.
_READ_WHOLE = {"image/tiff", "image/webp", "image/avif", "image/heic"}
#: Rows, tables and pieces of the file, whatever the size of the picture.
_ROOM = 4 * 1024 * 1024


def decoding_bytes(media_type: str, header: Header, file_size: int) -> int:
    """The most that decoding this image takes at once."""
    pixel = _BYTES[media_type] + (0.0 if header.ended else _IN_FULL)
    # The second time with something behind it.
    whole = file_size if media_type in _READ_WHOLE else 0 if header.ended else 3 * file_size
    return round(header.width * header.height * pixel) + header.working_bytes + whole + _ROOM
