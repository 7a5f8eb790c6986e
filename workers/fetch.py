"""Fetching a job's URL inputs: whole or not at all, and within bounds."""

from __future__ import annotations

import os
import ssl
import time
import uuid
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NoReturn

import httpcore

from jobs.urls import Target
from workers.outbound import FetchFailed, FetchRefused, Guard, Resolver, checked, pool, redirected, request

__all__ = ["FetchFailed", "FetchRefused", "fetch"]

_MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)


def fetch(
    url: str,
    destination: Path,
    *,
    max_bytes: int,
    timeout: float,
    accept: Collection[str] = (),
    allow_private: bool = False,
    allow_http: bool = False,
    resolver: Resolver | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> None:
    """Write what `url` answers to `destination`, which appears whole or not at all.

    `max_bytes` bounds the body and `timeout` is seconds for everything together, redirects included. The
    server is told of which families the media types `accept` are; what it sends, others look at. Only https
    is fetched (and http, with `allow_http`), and only from public addresses, unless `allow_private` says that
    the fleet's own network may be reached.

    Raises FetchRefused (permanent), FetchFailed (passing), and OSError when `destination` cannot be written.
    """
    deadline = time.monotonic() + timeout
    headers = _headers(accept)
    temporary = destination.with_name(f"{destination.name}.{uuid.uuid4().hex}.part")
    try:
        with pool(Guard(allow_private, deadline, resolver), ssl_context) as connections:
            for _ in range(_MAX_REDIRECTS + 1):
                to = checked(url, allow_http=allow_http, allow_private=allow_private)
                location = _get(connections, to, headers, temporary, max_bytes, deadline)
                if location is None:
                    os.replace(temporary, destination)
                    return
                url = redirected(url, location)
        raise FetchRefused(f"This URL redirects more than {_MAX_REDIRECTS} times.")
    finally:
        temporary.unlink(missing_ok=True)


def _get(
    pool: httpcore.ConnectionPool,
    to: Target,
    headers: dict[str, str],
    temporary: Path,
    max_bytes: int,
    deadline: float,
) -> str | None:
    """One GET, its body into `temporary`; returns where it redirects to, if it does."""
    with request(pool, "GET", to, headers, deadline) as (status, fields, chunks):
        if status in _REDIRECTS and b"location" in fields:
            return fields[b"location"]
        _check_answer(status, fields, max_bytes)
        _save(chunks, temporary, max_bytes)
    return None


def _headers(accept: Collection[str]) -> dict[str, str]:
    families = sorted({f"{one.partition('/')[0]}/*" for one in accept})
    return {
        "Accept": ", ".join([*families, "*/*;q=0.5" if families else "*/*"]),
        "Accept-Encoding": "identity",  # compressed bytes have no honest size
    }


def _check_answer(status: int, fields: dict[bytes, str], max_bytes: int) -> None:
    """Raise unless the answer's head promises a body that we want."""
    if status >= 500 or status in (408, 425, 429):  # the server asks for patience
        raise FetchFailed(f"The server answered {status}.")
    if status != 200:
        raise FetchRefused(f"The server answered {status}. Check the URL, and that it needs no login.")
    if fields.get(b"content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise FetchRefused("The server sent compressed data although it was asked not to.")
    length = fields.get(b"content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > max_bytes:
        _too_large(max_bytes)


def _save(chunks: Iterable[bytes], temporary: Path, max_bytes: int) -> None:
    size = 0
    with temporary.open("wb") as file:
        for chunk in chunks:
            size += len(chunk)
            if size > max_bytes:
                _too_large(max_bytes)
            file.write(chunk)


def _too_large(max_bytes: int) -> NoReturn:
    raise FetchRefused(f"The file is larger than {max_bytes / 1e6:g} MB.")
