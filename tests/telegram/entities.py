"""Formatted text: what a bot marks up, and what Telegram finds by itself in what people write.

Offsets and lengths of entities are in UTF-16 code units (https://core.telegram.org/bots/api#messageentity).
"""

from __future__ import annotations

import re
from typing import Any

from tests.telegram import html_markup, markdown_markup
from tests.telegram.errors import bad_request
from tests.telegram.parameters import Json, Parameters
from tests.telegram.spans import Span, utf16

TEXT_LENGTH = 4096
CAPTION_LENGTH = 1024

_PARSERS = {"html": html_markup.parse, "markdownv2": markdown_markup.parse}

_FOUND = {
    "url": re.compile(r"\bhttps?://[^\s<>\"]+"),
    "bot_command": re.compile(r"(?<![\w/<@])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z]\w{2,31})?(?![\w/])"),
    "mention": re.compile(r"(?<![\w@])@[A-Za-z]\w{2,31}\b"),
    "hashtag": re.compile(r"(?<![\w#])#\w*[^\W\d]\w*"),
}


def formatted(call: Parameters, name: str) -> tuple[str, list[Json]]:
    """A call's text or caption without its markup, and its entities. Raises ApiError (400)."""
    found = format_text(
        call.text(name),
        call.text("parse_mode"),
        call.structure("entities" if name == "text" else f"{name}_entities"),
    )
    check_length(found[0], name)
    return found


def format_text(text: str, mode: str, given: Any) -> tuple[str, list[Json]]:
    """Legacy Markdown is refused: nothing new should use it. Raises ApiError (400)."""
    if not mode:
        return text.strip(), sorted(given or detect(text.strip()), key=lambda one: int(one["offset"]))
    parse = _PARSERS.get(mode.lower())
    if parse is None:
        raise bad_request("unsupported parse_mode")
    plain, spans = parse(text)
    marked = [span for span in spans if plain[span.start : span.end].strip()]
    stripped = plain.lstrip()
    moved = [span.moved(len(stripped) - len(plain)) for span in marked]
    stripped = stripped.rstrip()
    entities = [span.json(stripped) for span in moved if span.start < len(stripped)]
    return stripped, sorted(entities + detect(stripped), key=lambda one: (one["offset"], -one["length"]))


def detect(text: str) -> list[Json]:
    """Commands, mentions, hashtags and links in plain text."""
    return [
        Span(kind, match.start(), match.end()).json(text)
        for kind, pattern in _FOUND.items()
        for match in pattern.finditer(text)
    ]


def check_length(text: str, name: str) -> None:
    """Raises ApiError (400). A caption may be empty."""
    if name == "text":
        if not text:
            raise bad_request("message text is empty")
        if utf16(text) > TEXT_LENGTH:
            raise bad_request("message is too long")
    elif utf16(text) > CAPTION_LENGTH:
        raise bad_request("message caption is too long")
