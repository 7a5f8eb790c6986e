"""How many bytes it takes to decode an image.

Measured with Pillow 13 on pictures of each kind, mode and compression (tests/storage/test_image_cost.py does
it again): a picture is 4 bytes a pixel in Pillow's memory, or less. What comes on top differs by format.
"""

from __future__ import annotations

from storage.image_headers import Header

#: Bytes a pixel. A JPEG is looked at at an eighth of its size; what its scans need says its header.
_BYTES = {
    "image/png": 4.0,
    "image/bmp": 4.0,
    "image/gif": 4.0,
    "image/tiff": 4.0,
    "image/jpeg": 0.1,
    # Two canvases, a copy and the picture.
    "image/webp": 16.0,
    # 13.5 with 4:4:4 and alpha: the planes, the picture they become, a copy and Pillow's.
    "image/avif": 16.0,
    "image/heic": 16.0,
}
#: Their readers take the whole file into memory first.
_READ_WHOLE = {"image/tiff", "image/webp", "image/avif", "image/heic"}
#: Rows, tables and pieces of the file, whatever the size of the picture.
_ROOM = 4 * 1024 * 1024


def decoding_bytes(media_type: str, header: Header, file_size: int) -> int:
    """The most that decoding this image takes at once."""
    whole = file_size if media_type in _READ_WHOLE else 0
    return round(header.width * header.height * _BYTES[media_type]) + header.working_bytes + whole + _ROOM
