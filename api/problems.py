"""Errors as HTTP: the only place that knows which error has which status. Documents are RFC 9457."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response, json
from pydantic import ValidationError
from structlog.contextvars import get_contextvars
from werkzeug.exceptions import HTTPException

from jobs import errors
from storage.base import StorageUnavailable

MEDIA_TYPE = "application/problem+json"

#: First match counts, so a subclass stands before its base.
STATUS: tuple[tuple[type[errors.AtelierError], int], ...] = (
    (errors.Gone, 410),
    (errors.NotFound, 404),
    (errors.Unauthorized, 401),
    (errors.Forbidden, 403),
    (errors.InvalidParams, 422),
    (errors.BadFile, 422),
    (errors.BadUpload, 422),
    (errors.BadURL, 422),
    (errors.WeightsMissing, 422),
    (errors.InvalidRange, 422),
    (errors.Invalid, 400),
    (errors.TooSlow, 408),
    (errors.TooLarge, 413),
    (errors.Conflict, 409),
    (errors.RateLimited, 429),
    (errors.Unavailable, 503),
)

#: Seconds a client should wait before it tries again, where the error does not say.
RETRY_AFTER = {429: 10, 503: 3}

#: Entries and characters of a validation report: enough to help, too few to be an amplifier.
_MAX_ERRORS = 20
_MAX_TEXT = 200

_log = structlog.get_logger(__name__)


def register(app: Flask) -> None:
    """Make every error of this app a problem document."""
    app.register_error_handler(errors.AtelierError, _ours)
    app.register_error_handler(ValidationError, _validation)
    app.register_error_handler(StorageUnavailable, _storage)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)


def field_errors(error: ValidationError) -> list[dict[str, str]]:
    """`[{field, message, code}]`, without the refused input, which may be huge or secret.

    `field` is a parameter's plain name, as forms and the command line have it: `style`, `style_weights.0`.
    """
    return [
        {
            "field": ".".join(str(part) for part in e["loc"])[:_MAX_TEXT],
            "message": e["msg"][:_MAX_TEXT],
            "code": e["type"],
        }
        for e in error.errors(include_url=False, include_context=False, include_input=False)[:_MAX_ERRORS]
    ]


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


def _validation(error: ValidationError) -> Response:
    found = field_errors(error)
    if found and found[0]["code"] == "json_invalid":
        return problem(400, "invalid_json", f"The body is not JSON: {found[0]['message']}")
    return problem(
        422, errors.Invalid.code, "The request does not fit its description.", extra={"errors": found}
    )


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
    return problem(status, code, error.description or HTTPStatus(status).description, headers=headers)


def _unexpected(error: Exception) -> Response:
    _log.error("internal_error", exc_info=error)
    return problem(500, "internal", "Something went wrong here. The request's id finds it in our logs.")
