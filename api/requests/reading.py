"""What a client sent, its query, its JSON and its headers, as plain values."""

from __future__ import annotations

import re
import tempfile
from contextlib import nullcontext
from threading import Lock
from typing import Any, TypeVar

from flask import request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import UnsupportedMediaType

from accept.field_errors import field_errors
from api.requests.admission import SMALL_BODY, admission
from api.requests.data_uris import data_uris
from api.requests.json_keys import refuse_repeated
from api.services import services
from api.settings import JSON_FACTOR
from jobs.errors import Invalid, InvalidBody, InvalidQuery, TooLarge

M = TypeVar("M", bound=BaseModel)

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
MAX_WAIT = 60.0
#: Commas and opening brackets of one JSON text. Parsed, each may take a hundred times the room it takes here;
#: a picture in a data: URI has one.
_MAX_MARKS = 10_000
#: Bytes of a JSON text besides its data: URIs, as of a form besides its files. A single emoji makes Python
#: keep the whole string in four bytes a character.
_MAX_TEXT = 1024 * 1024
#: Bodies of more than this are parsed one at a time: parsing keeps all other threads from running Python, and
#: several at once would take turns among themselves while /healthz waits.
_LARGE = 1024 * 1024
_one_at_a_time = Lock()


def query(model: type[M]) -> M:
    """The query string as a model; a field that is a list takes a repeated parameter. Raises Invalid."""
    values: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        if name in request.args:
            given = request.args.getlist(name)
            values[name] = given if "list" in str(info.annotation) else given[-1]
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise InvalidQuery(errors=field_errors(error, model)) from error


def body(model: type[M]) -> M:
    """The JSON body as a model. Raises UnsupportedMediaType, Invalid and TooLarge."""
    if not request.is_json:
        raise UnsupportedMediaType("Send application/json.")
    return from_text(model, _received())


def fitted(model: type[M], values: Any) -> M:
    """These values as a model. Raises InvalidBody."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise InvalidBody(errors=field_errors(error, model)) from error


def _received() -> bytes:
    """The body of a JSON request. Raises TooLarge, and what the budget raises for one of some size."""
    own, most = request.max_content_length, services().settings.max_json_bytes
    limit = most if own is None else min(own, most)
    length = request.content_length
    if length is not None and length <= min(SMALL_BODY, limit):
        return request.get_data(cache=False)
    if length is not None and length > limit:
        raise _too_large(limit, most)
    # On disk until all of it is there: what comes slowly holds no memory meanwhile.
    with tempfile.SpooledTemporaryFile(max_size=SMALL_BODY) as kept:
        while piece := request.stream.read(SMALL_BODY):
            kept.write(piece)
            if kept.tell() > limit:
                raise _too_large(limit, most)
        size = kept.tell()
        if size > SMALL_BODY:
            admission().hold(JSON_FACTOR * size)
        kept.seek(0)
        return kept.read()


def _too_large(limit: int, most: int) -> TooLarge:
    if limit < most:
        return TooLarge()  # the key's own limit
    return TooLarge(
        f"A JSON body may have {limit:,} bytes. Send larger files to POST /v1/files, or as "
        "multipart/form-data, and name a file by its id.",
        limit=limit,
    )


def has_body() -> bool:
    """Whether anything was sent, where nothing has to be."""
    return bool(request.content_length) or "Transfer-Encoding" in request.headers


def idempotency_key() -> str | None:
    """The Idempotency-Key header, if any. Raises Invalid."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _KEY.fullmatch(key):
        raise Invalid("Idempotency-Key is 1 to 255 visible ASCII characters.", code="bad_idempotency_key")
    return key


def wait_seconds() -> float:
    """The `wait` parameter in seconds, 0 when left out. Raises Invalid."""
    text = request.args.get("wait")
    if text is None:
        return 0.0
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3})?", text) or float(text) > MAX_WAIT:
        raise Invalid(
            f"`wait` is a number of seconds, at most {MAX_WAIT:g}; 0 does not wait.", code="bad_wait"
        )
    return float(text)


def bound(data: bytes) -> None:
    """Refuse what would take far more memory as values than it does as text. Raises Invalid and TooLarge."""
    if sum(map(data.count, (b",", b"[", b"{"))) > _MAX_MARKS:
        raise Invalid(f"This JSON has more than {_MAX_MARKS:,} values.", code="too_many_values")
    if len(data) - sum(end - start for start, end in data_uris(data)) > _MAX_TEXT:
        raise TooLarge("Besides its data: URIs a JSON body may have 1 MiB.")


def from_text(model: type[M], data: bytes) -> M:
    """JSON text as a model. Raises Invalid and TooLarge."""
    with _one_at_a_time if len(data) > _LARGE else nullcontext():
        return _checked(model, data)


def _checked(model: type[M], data: bytes) -> M:
    bound(data)
    try:
        found = model.model_validate_json(data, strict=True)
    except ValidationError as error:
        errors = field_errors(error, model)
        if errors[0]["code"] == "json_invalid":
            detail = f"The body is not JSON: {errors[0]['message']}"
            raise Invalid(detail, code="invalid_json") from error
        raise InvalidBody(errors=errors) from error
    refuse_repeated(data)
    return found
