"""The text door: what is to be read as a text passes `inspect_text` before anything else reads it.

A text is UTF-8, with or without a byte order mark, without control characters, and of no more bytes, lines
and characters in a line than anybody reads. It is read in pieces: looking at it takes hardly any memory.

    TextRefused (a FileRefused)
    ├── UnsupportedTextType     no text, or one in another form: a web page, a PDF
    ├── EmptyText
    ├── TextTooLarge            too many bytes, lines or characters in one
    └── BrokenText              not UTF-8, or with characters that have no place in a text
"""

from __future__ import annotations

import codecs
import re
from typing import BinaryIO

from doors import audio_types, image_types
from doors.base import FileInfo, FileRefused, Source, opened

SNIFF_SIZE = 4096
MOST_BYTES = 1024 * 1024
MOST_LINES = 50_000
#: Characters; a paragraph without a break may be long.
MOST_IN_LINE = 50_000

_PIECE = 64 * 1024
#: All but those that move to the next place, line or page. PostgreSQL stores no U+0000, and a terminal obeys
#: the others.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f]")
_CONTROL_BYTES = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_OTHER_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_TAKEN = "Send plain text in UTF-8."
_RICH = b"{\\rtf"

#: What begins like this is written in letters and yet no text to be read.
_OTHERS = (
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (_RICH, "a rich text document"),
)


class TextRefused(FileRefused):
    """The file cannot be used as a text."""


class UnsupportedTextType(TextRefused):
    """No text, or one in another form."""

    code = "unsupported_text_type"


class EmptyText(TextRefused):
    """Nothing is written in it."""

    code = "empty_text"


class TextTooLarge(TextRefused):
    """More than anybody reads."""

    code = "text_too_large"


class BrokenText(TextRefused):
    """Not UTF-8, or with characters that have no place in a text."""

    code = "broken_text"


def looks_like_text(head: bytes) -> bool:
    """Whether a file that begins so is meant as a text, even if it is one that is refused."""
    if head.startswith((*_OTHER_MARKS, _RICH)):
        return True
    if not head or _other_form(head) is not None:
        return False
    return not _CONTROL_BYTES.search(head) or image_types.name_of(head) == "text"


def inspect_text(source: Source) -> FileInfo:
    """Say that the stream or file `source` is a text.

    A stream that can seek is read from its beginning and left there; any other is read to its end. Raises
    TextRefused, and OSError when the source cannot be read.
    """
    with opened(source) as file:
        head = file.read(SNIFF_SIZE)
        if head.startswith(_OTHER_MARKS):
            raise BrokenText("This text is in UTF-16 or UTF-32. Save it in UTF-8.")
        form = _other_form(head)
        if form is None and _CONTROL_BYTES.search(head):
            form = audio_types.name_of(head)
        if form is not None and form not in ("empty", "text"):
            raise UnsupportedTextType(f"This is {form}, which cannot be used as a text here. {_TAKEN}")
        file.seek(0)
        _read(file)
    return FileInfo("text/plain")


def _read(file: BinaryIO) -> None:
    """Look at every character."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    size = 0
    line, column, is_written = 1, 0, False
    while True:
        piece = file.read(_PIECE)
        size += len(piece)
        if size > MOST_BYTES:
            raise TextTooLarge(f"This text has more than {MOST_BYTES:,} bytes. Send a shorter one.")
        try:
            text = decoder.decode(piece, final=not piece)
        except UnicodeDecodeError as error:
            raise BrokenText(f"This text is not UTF-8 (near line {line}). Save it in UTF-8.") from error
        if found := _CONTROLS.search(text):
            at = line + text.count("\n", 0, found.start())
            raise BrokenText(
                f"The character U+{ord(found[0]):04X} in line {at} has no place in a text. {_TAKEN}"
            )
        is_written = is_written or bool(text.strip())
        first, *others = text.split("\n")
        if max(column + len(first), *map(len, others), 0) > MOST_IN_LINE:
            raise TextTooLarge(f"A line of this text has more than {MOST_IN_LINE:,} characters. Break it up.")
        column = len(others[-1]) if others else column + len(first)
        line += len(others)
        if line > MOST_LINES:
            raise TextTooLarge(f"This text has more than {MOST_LINES:,} lines. Send a shorter one.")
        if not piece:
            break
    if not is_written:
        raise EmptyText("Nothing is written in this text.")


def _other_form(head: bytes) -> str | None:
    """What a file that begins so is, though it is written in letters: "a web page"."""
    for magic, name in _OTHERS:
        if head.startswith(magic):
            return name
    return image_types.markup_of(head)
