"""Marked parts of a text."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from tests.telegram.errors import ApiError, bad_request
from tests.telegram.parameters import Json


@dataclass(frozen=True)
class Span:
    """A part of a Python string, from `start` to before `end`."""

    kind: str
    start: int
    end: int
    more: Json = field(default_factory=dict)

    def json(self, text: str) -> Json:
        """As MessageEntity, in UTF-16 code units."""
        return {
            "type": self.kind,
            "offset": utf16(text[: self.start]),
            "length": utf16(text[self.start : self.end]),
            **self.more,
        }

    def moved(self, by: int) -> Span:
        return replace(self, start=max(0, self.start + by), end=self.end + by)


def utf16(text: str) -> int:
    """Length in UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def unparsable(text: str) -> ApiError:
    return bad_request(f"can't parse entities: {text}")


def byte_offset(text: str, at: int) -> int:
    """Where a character is in UTF-8: what the error messages count in."""
    return len(text[:at].encode("utf-8", "surrogatepass"))
