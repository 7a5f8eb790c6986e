"""What an image file declares of itself: the record that its readers make, and the error that they share."""

from __future__ import annotations

from dataclasses import dataclass


class HeaderError(ValueError):
    """The file contradicts its format, or is built to exhaust its reader; the message ends a sentence."""


@dataclass(frozen=True)
class Header:
    """What the file says, before orientation."""

    width: int  # pixels
    height: int
    animated: bool = False
    #: What decoding needs besides the picture itself: the coefficients of a JPEG, a strip of a TIFF.
    working_bytes: int = 0
    ended: bool = True  # False for a JPEG without its end marker
    late_metadata: bool = False  # of a PNG, behind its data: read when it was decoded
    code_points: tuple[int, int] | None = None  # its primaries and its curve by ITU-T H.273
