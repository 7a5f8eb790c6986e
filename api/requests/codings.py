"""Compressed request bodies (`Content-Encoding`), unpacked as they are read; views never see them packed.

Nothing is unpacked ahead of who reads it, and what is read counts against the request's limit as it comes
out: a small body that would become a large one is a 413 like any other large one.
"""

from __future__ import annotations

import io
import zlib
from typing import Any, BinaryIO, cast

from flask import Flask, request
from werkzeug.exceptions import NotImplemented as NotImplementedHere
from werkzeug.exceptions import UnsupportedMediaType
from werkzeug.wsgi import get_input_stream

from jobs.errors import Invalid, TooLarge

#: zlib's `wbits` for each coding (RFC 9110, 8.4.1): a gzip header, or a zlib header.
_CODINGS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_CHUNK = 64 * 1024
#: Files in one body, and one more for each so many bytes that came out of them: each is a turn of a loop.
_MOST_FILES = 1000
_BYTES_A_FILE = 1024


class UnsupportedCoding(UnsupportedMediaType):
    """A coding that is not unpacked here; the answer names those that are (RFC 9110, 12.5.3)."""

    def get_headers(self, *args: Any, **more: Any) -> list[tuple[str, str]]:
        """With Accept-Encoding, which tells this 415 from one about the media type."""
        return [*super().get_headers(*args, **more), ("Accept-Encoding", "gzip, deflate")]


def register(app: Flask) -> None:
    """Let every view of this app read packed bodies."""
    app.before_request(_unpack)


def _unpack() -> None:
    wsgi = request.environ
    transfer, content = wsgi.get("HTTP_TRANSFER_ENCODING", ""), wsgi.get("HTTP_CONTENT_ENCODING", "")
    if not (transfer or content):
        return  # as nearly all requests
    # The server undoes `chunked`, and would hand on the rest as it is.
    if unknown := set(_names(transfer)) - {"chunked", "identity"}:
        raise NotImplementedHere(f"The transfer coding {min(unknown)[:40]!r} is not undone here.")
    codings = [name for name in _names(content) if name != "identity"]
    if not codings or not (transfer or request.content_length):
        return
    if len(codings) > 1 or codings[0] not in _CODINGS:
        raise UnsupportedCoding("Content-Encoding is gzip or deflate, or left out.")
    packed = cast(BinaryIO, get_input_stream(wsgi))  # ends where Content-Length says, if it does
    wsgi["wsgi.input"] = Unpacked(packed, _CODINGS[codings[0]])
    wsgi["wsgi.input_terminated"] = True
    # They are of what was sent. What comes out has no length that is known, and whoever asks whether there is
    # a body, or a long one, is told what is told of every other body without a length.
    del wsgi["HTTP_CONTENT_ENCODING"]
    wsgi.pop("CONTENT_LENGTH", None)
    wsgi["HTTP_TRANSFER_ENCODING"] = "chunked"
    vars(request).pop("content_length", None)


class Unpacked(io.RawIOBase):
    """What a client sent packed. Reading raises TooLarge, and Invalid for what is no such packing."""

    def __init__(self, packed: BinaryIO, wbits: int) -> None:
        self._packed = packed
        self._wbits = wbits
        self._taken = 0
        self._given = 0
        self._files = 1
        self._machine = zlib.decompressobj(wbits)

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As much as there is at the moment, never more than there is room for."""
        data = b""
        try:
            while buffer and not data:
                # First what the machine still holds of the last piece.
                data = self._machine.decompress(self._machine.unconsumed_tail, len(buffer))
                if not data:
                    if not (piece := self._next()):
                        break
                    data = self._machine.decompress(piece, len(buffer))
        except zlib.error as error:
            raise _broken() from error
        self._given += len(data)
        buffer[: len(data)] = data
        return len(data)

    def _next(self) -> bytes:
        """The next piece, and a machine that takes it; nothing after the last one."""
        if not self._machine.eof:
            if not (piece := self._take()):
                raise _broken()
            return piece
        # Several gzip files, one behind the other, are one.
        piece = self._machine.unused_data or self._take()
        if piece:
            self._files += 1
            if self._files > _MOST_FILES + self._given // _BYTES_A_FILE:
                raise _broken()
            self._machine = zlib.decompressobj(self._wbits)
        return piece

    def _take(self) -> bytes:
        piece = self._packed.read(_CHUNK)
        self._taken += len(piece)
        # There are packings of nothing, of any length. Asked now: who is known may send more than who is not.
        if self._taken > (request.max_content_length or self._taken):
            raise TooLarge
        return piece


def _names(header: str) -> list[str]:
    return [name for part in header.split(",") if (name := part.strip().lower())]


def _broken() -> Invalid:
    return Invalid("The body is not what its Content-Encoding says.", code="bad_content_encoding")
