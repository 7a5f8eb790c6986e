"""The bytes of a stored file over HTTP: whole, in ranges, or "you have it already" (RFC 9110)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO
from urllib.parse import quote

from flask import Request, Response
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from jobs.errors import Gone
from jobs.rows import ArtifactRow
from storage.base import Storage

_CHUNK = 128 * 1024
#: What is shown or played in place; anything else could be read as a page by an old browser.
_SHOWN = ("image/", "audio/", "video/")


def serve(storage: Storage, row: ArtifactRow, request: Request) -> Response:
    """Answer a GET or HEAD of this artifact. Raises Gone and StorageUnavailable."""
    etag = row.sha256
    headers = _headers(row, etag, download="download" in request.args)
    if request.if_none_match.contains_weak(etag):
        return Response(status=304, headers=headers)
    part = _range(request, row.size, etag)
    start, end = part or (0, row.size)
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{row.size}"
    headers["Content-Length"] = str(end - start)
    body: Iterator[bytes] | None = None
    try:
        if request.method != "HEAD":
            body = _chunks(storage.open(row.key, start, end))
        else:
            storage.stat(row.key)
    except FileNotFoundError as error:
        raise Gone from error
    return Response(body, status=200 if part is None else 206, headers=headers, content_type=row.media_type)


def _range(request: Request, size: int, etag: str) -> tuple[int, int] | None:
    """[start, end) of the part that is asked for. For several the whole file is sent, as RFC 9110 allows."""
    wanted = request.range
    if wanted is None or wanted.units != "bytes" or len(wanted.ranges) != 1:
        return None
    condition = request.headers.get("If-Range")
    # A date never matches: the files here have none that a client could have seen.
    if condition is not None and condition != f'"{etag}"':
        return None
    found: tuple[int, int] | None = wanted.range_for_length(size)
    if found is None:
        raise RequestedRangeNotSatisfiable(length=size)
    return found


def _headers(row: ArtifactRow, etag: str, *, download: bool) -> dict[str, str]:
    kind = "inline" if row.media_type.startswith(_SHOWN) and not download else "attachment"
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in row.name)
    return {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, max-age=3600, immutable",
        "Content-Disposition": f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(row.name, safe='')}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "ETag": f'"{etag}"',
        "X-Content-Type-Options": "nosniff",
    }


def _chunks(source: BinaryIO) -> Iterator[bytes]:
    with source:
        while chunk := source.read(_CHUNK):
            yield chunk
