"""Errors as HTTP: the only place that knows which error has which status. Documents are RFC 9457."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response, current_app, json, request
from gunicorn.http.errors import ParseException
from structlog.contextvars import get_contextvars
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from accept.hints import hint
from jobs import errors
from storage.base import StorageUnavailable

MEDIA_TYPE = "application/problem+json"

#: First match counts, so a subclass stands before its base.
STATUS: tuple[tuple[type[errors.AtelierError], int], ...] = (
    (errors.Gone, 410),
    (errors.NotFound, 404),
    (errors.Unauthorized, 401),
    (errors.Forbidden, 403),
    (errors.InvalidBody, 422),
    (errors.InvalidParams, 422),
    (errors.BadFile, 422),
    (errors.BadUpload, 422),
    (errors.BadURL, 422),
    (errors.BadSchedule, 422),
    (errors.WeightsMissing, 422),
    (errors.InvalidRange, 422),
    (errors.Invalid, 400),
    (errors.TooSlow, 408),
    (errors.TooLarge, 413),
    (errors.Conflict, 409),
    (errors.RateLimited, 429),
    (errors.Unavailable, 503),
)

#: What is said of an HTTP error of which whoever raised it said nothing.
_SENTENCES = {
    400: "This request cannot be understood.",
    408: "The request took too long to come.",
    411: "Send a Content-Length.",
    414: "This URL is too long.",
    415: "The body is of a type that is not taken here.",
    416: "The file has no such range of bytes.",
    431: "The headers of this request are too long.",
}
_MAX_PATH = 100

#: Seconds a client should wait before it tries again, where the error does not say.
RETRY_AFTER = {429: 10, 503: 3}

_log = structlog.get_logger(__name__)


def register(app: Flask) -> None:
    """Make every error of this app a problem document."""
    app.register_error_handler(errors.AtelierError, _ours)
    app.register_error_handler(StorageUnavailable, _storage)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(ParseException, _malformed)
    app.register_error_handler(Exception, _unexpected)


def problem(
    status: int, code: str, detail: str, *, extra: dict[str, Any] | None = None, headers: Any = None
) -> Response:
    """One problem document as a response."""
    body = {
        "type": f"urn:atelier:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "instance": get_contextvars().get("request_id"),
    } | (extra or {})
    response = Response(json.dumps(body), status=status, content_type=MEDIA_TYPE)
    response.headers.extend(headers or {})
    response.headers["Cache-Control"] = "no-store"
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="atelier"'
    if status in RETRY_AFTER and "Retry-After" not in response.headers:
        response.headers["Retry-After"] = str(RETRY_AFTER[status])
    return response


def _ours(error: errors.AtelierError) -> Response:
    status = next((status for kind, status in STATUS if isinstance(error, kind)), None)
    if status is None:
        return _unexpected(error)
    headers = {"Retry-After": str(error.extra["retry_after"])} if "retry_after" in error.extra else None
    return problem(status, error.problem_code, error.detail, extra=error.extra, headers=headers)


def _storage(error: StorageUnavailable) -> Response:
    _log.warning("storage_unavailable", error=str(error))
    return problem(
        503, "storage_unavailable", "The object store is away; nothing was accepted. Try again in a moment."
    )


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    if status == 413:
        return _ours(errors.TooLarge())
    if status < 400:
        return Response(response=error.get_body(), status=status, headers=error.get_headers())
    # werkzeug's headers name an HTML type; what else it says (Allow, Content-Range) is right.
    headers = [(k, v) for k, v in error.get_headers() if k.lower() not in ("content-type", "content-length")]
    code = HTTPStatus(status).name.lower()
    return problem(status, code, _sentence(error, status), headers=headers)


def _sentence(error: HTTPException, status: int) -> str:
    """In our own words: werkzeug's are about a browser's address bar."""
    if said := vars(error).get("description"):  # by the one who raised it, in place of the class's own
        return str(said)
    if isinstance(error, NotFound):
        return f"There is no {_shown_path()} here.{_other_path()} GET /openapi.json lists what there is."
    if isinstance(error, MethodNotAllowed):
        return f"{_shown_path()} takes {', '.join(sorted(error.valid_methods or ()))}, not {request.method}."
    return _SENTENCES.get(status, HTTPStatus(status).description or HTTPStatus(status).phrase)


def _shown_path() -> str:
    path = request.path
    return path if len(path) <= _MAX_PATH else f"{path[:_MAX_PATH]}..."


def _other_path() -> str:
    """The path that was probably meant: without its last slash, or one that is spelt nearly so."""
    adapter = current_app.create_url_adapter(request)
    bare = request.path.rstrip("/")
    if (
        adapter is not None
        and bare != request.path
        and len(bare) <= _MAX_PATH
        and adapter.allowed_methods(bare)
    ):
        return f" Did you mean {bare}?"
    return hint(request.path, (rule.rule for rule in current_app.url_map.iter_rules() if not rule.arguments))


def _malformed(_error: ParseException) -> Response:
    """gunicorn reads a chunked body while a view asks for it, and what it finds there is the client's."""
    # Where the next request would begin nobody can tell.
    detail = "The body is not chunked as HTTP has it."
    return problem(400, "bad_request", detail, headers={"Connection": "close"})


def _unexpected(error: Exception) -> Response:
    _log.error("internal_error", exc_info=error)
    return problem(500, "internal", "Something went wrong here. The request's id finds it in our logs.")
