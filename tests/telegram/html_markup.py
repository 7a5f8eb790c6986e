"""`parse_mode=HTML` (https://core.telegram.org/bots/api#html-style), strict as the real server."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.telegram.errors import ApiError
from tests.telegram.spans import Span, byte_offset, unparsable

_KINDS = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "ins": "underline",
    "s": "strikethrough", "strike": "strikethrough", "del": "strikethrough", "span": "spoiler",
    "tg-spoiler": "spoiler", "a": "text_link", "code": "code", "pre": "pre", "blockquote": "blockquote",
    "tg-emoji": "custom_emoji",
}  # fmt: skip
_CHARACTERS = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_REFERENCE = re.compile(r"&(?:#(\d+)|#[xX]([0-9a-fA-F]+)|(lt|gt|amp|quot));?")
_ATTRIBUTE = re.compile(r"""([a-zA-Z-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?""")


@dataclass
class _Open:
    tag: str
    start: int
    attributes: dict[str, str]


def parse(text: str) -> tuple[str, list[Span]]:
    """Plain text and spans. Raises ApiError (400)."""
    plain: list[str] = []
    length = at = 0
    opened: list[_Open] = []
    spans: list[Span] = []
    while at < len(text):
        if text[at] == "<":
            end = text.find(">", at)
            if end < 0:
                raise unparsable(f"Unclosed start tag at byte offset {byte_offset(text, at)}")
            inside = text[at + 1 : end]
            if inside.startswith("/"):
                spans += _close(opened, inside[1:].strip().lower(), length, text, at)
            else:
                opened.append(_start(inside, length, text, at))
            at = end + 1
            continue
        match = _REFERENCE.match(text, at)
        piece = _character(match) if match else text[at]
        plain.append(piece)
        length += len(piece)
        at = match.end() if match else at + 1
    if opened:
        raise unparsable(f'Can\'t find end tag corresponding to start tag "{opened[-1].tag}"')
    return "".join(plain), spans


def _character(match: re.Match[str]) -> str:
    decimal, hexadecimal, name = match.groups()
    if name:
        return _CHARACTERS[name]
    number = int(decimal) if decimal else int(hexadecimal, 16)
    return chr(number) if 0 < number < 0x110000 else match.group()


def _start(inside: str, length: int, text: str, at: int) -> _Open:
    tag, _, rest = inside.partition(" ")
    tag = tag.lower()
    where = byte_offset(text, at)
    if tag not in _KINDS:
        raise unparsable(f'Unsupported start tag "{tag}" at byte offset {where}')
    attributes = {
        name.lower(): _REFERENCE.sub(_character, first or second or third)
        for name, first, second, third in _ATTRIBUTE.findall(rest)
    }
    if tag == "span" and attributes.get("class") != "tg-spoiler":
        raise unparsable(f'Tag "span" must have class "tg-spoiler" at byte offset {where}')
    return _Open(tag, length, attributes)


def _close(opened: list[_Open], tag: str, length: int, text: str, at: int) -> list[Span]:
    where = byte_offset(text, at)
    if not opened:
        raise unparsable(f"Unexpected end tag at byte offset {where}")
    last = opened.pop()
    if tag and tag != last.tag:
        raise _unmatched(where, last.tag, tag)
    kind, more = _KINDS[last.tag], {}
    if last.tag == "a":
        url = last.attributes.get("href", "")
        if not url:
            return []
        more = {"url": url}
    elif last.tag == "tg-emoji":
        more = {"custom_emoji_id": last.attributes.get("emoji-id", "")}
    elif last.tag == "code" and opened and opened[-1].tag == "pre":
        language = last.attributes.get("class", "")
        opened[-1].attributes["language"] = language.removeprefix("language-")
        return []
    elif last.tag == "pre" and last.attributes.get("language"):
        more = {"language": last.attributes["language"]}
    elif last.tag == "blockquote" and "expandable" in last.attributes:
        kind = "expandable_blockquote"
    return [Span(kind, last.start, length, more)] if length > last.start else []


def _unmatched(where: int, expected: str, found: str) -> ApiError:
    return unparsable(
        f'Unmatched end tag at byte offset {where}, expected "</{expected}>", found "</{found}>"'
    )
