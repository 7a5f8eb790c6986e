"""Each request's id, its log line and its place in the metrics."""

from __future__ import annotations

import re
import time

import structlog
import uuid_utils
from flask import Flask, Response, g, request
from structlog.contextvars import bind_contextvars, clear_contextvars

from api.contract.operations import path_template
from api.telemetry.metrics import observe

HEADER = "X-Request-ID"
_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
#: Asked for every few seconds by machines; their lines would bury the others.
_QUIET = {"/healthz", "/readyz", "/metrics"}

_log = structlog.get_logger("api.request")


def register(app: Flask) -> None:
    """Trace every request of this app."""
    app.before_request(_begin)
    app.after_request(_end)


def request_id() -> str:
    """The id of the present request."""
    found: str = g.request_id
    return found


def _begin() -> None:
    given = request.headers.get(HEADER, "")
    g.request_id = given if _SANE.fullmatch(given) else uuid_utils.uuid4().hex
    g.started = time.perf_counter()
    # A thread serves many requests: what the last one bound must not be seen in this one's lines.
    clear_contextvars()
    bind_contextvars(request_id=g.request_id)


def _end(response: Response) -> Response:
    seconds = time.perf_counter() - g.started
    route = path_template(request.url_rule.rule) if request.url_rule else "unmatched"
    response.headers[HEADER] = g.request_id
    observe(request.method, route, response.status_code, seconds)
    if route not in _QUIET:
        _log.info(
            "request",
            method=request.method,
            route=route,
            status=response.status_code,
            ms=round(seconds * 1000, 2),
        )
    return response
