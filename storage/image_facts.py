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
    ended: bool = True  # False for a JPEG without its end marker
    code_points: tuple[int, int] | None = None  # its primaries and its curve by ITU-T H.273
