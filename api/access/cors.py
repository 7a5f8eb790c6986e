"""Web pages of other origins as clients of this API: only those of ATELIER_CORS_ORIGINS, by default none.

There are no cookies here, so that what a page may do is what the key it was given may do.
"""

from __future__ import annotations

import re

from flask import Flask, Response, request
from flask_cors import CORS

#: An origin as browsers write it. Nothing else: flask-cors would take other characters for a pattern.
_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")

#: What a page may read of an answer, besides its body.
_EXPOSED = (
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Length",
    "Content-Range",
    "ETag",
    "Idempotency-Replayed",
    "Location",
    "Retry-After",
    "X-Request-ID",
)
#: What a page may send.
_TAKEN = (
    "Authorization",
    "Content-Encoding",
    "Content-Type",
    "Idempotency-Key",
    "If-None-Match",
    "If-Range",
    "Last-Event-ID",
    "Range",
    "X-Request-ID",
)
#: Seconds a browser remembers what it may send; Chrome remembers for no longer than that.
_MAX_AGE = 7200


def origins(setting: str) -> list[str]:
    """The origins in a setting: none, `*` or some with commas between. Raises ValueError."""
    found = [one.strip().rstrip("/").lower() for one in setting.split(",") if one.strip()]
    for one in found:
        if found != ["*"] and not _ORIGIN.fullmatch(one):
            raise ValueError(f"{one!r} is no origin; one looks like https://gallery.example")
    return found


def register(app: Flask, allowed: list[str]) -> None:
    """Let pages of these origins use this app."""
    if not allowed:
        return
    app.before_request(_preflight)
    CORS(
        app,
        origins=allowed,
        allow_headers=list(_TAKEN),
        expose_headers=list(_EXPOSED),
        methods=["GET", "HEAD", "POST", "PATCH", "DELETE"],
        send_wildcard=allowed == ["*"],
        max_age=_MAX_AGE,
    )


def _preflight() -> Response | None:
    """A browser asks before it sends, and sends no key along. What may be sent is added to the answer."""
    asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
    return Response(status=204) if asks and "Origin" in request.headers else None
