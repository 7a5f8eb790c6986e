"""Text from anywhere, made fit for Telegram: nothing in it steers the screen, and it is short enough."""

from __future__ import annotations

import re

#: Of a message, in UTF-16 code units, after its HTML was parsed (Bot API, sendMessage).
MESSAGE_LENGTH = 4096
#: Of the text beside a picture or file, likewise (Bot API, sendPhoto).
CAPTION_LENGTH = 1024

#: Control characters but the line end, halves of surrogate pairs, and marks of direction: these turn the text
#: after them around, so that a name could disguise what follows it (Unicode UAX #9).
_UNWANTED = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
_BAR_CELLS = 10


def clean(text: str) -> str:
    """Without control characters (but line ends), marks of direction and halves of surrogate pairs."""
    return _UNWANTED.sub("", text.replace("\t", " "))


def length(text: str) -> int:
    """UTF-16 code units, which is how Telegram counts."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def clip(text: str, limit: int) -> str:
    """At most `limit` UTF-16 code units of it, the last an ellipsis where something was cut."""
    if length(text) <= limit:
        return text
    units = text.encode("utf-16-le", "surrogatepass")[: 2 * (limit - 1)]
    # The cut may leave half of a character behind.
    return units.decode("utf-16-le", "ignore").rstrip() + "…"


def bar(progress: float) -> str:
    """A bar of ten cells for 0..1."""
    full = round(min(max(progress, 0.0), 1.0) * _BAR_CELLS)
    return "▰" * full + "▱" * (_BAR_CELLS - full)
