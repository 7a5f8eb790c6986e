"""What a client sent, in any of the shapes the API takes, as plain values."""

from __future__ import annotations

import json
import re
import tempfile
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cache
from threading import Lock
from typing import Any, BinaryIO, TypeVar, cast

from flask import request
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from werkzeug.exceptions import UnsupportedMediaType

import engines
from accept.engine_names import find_engine
from accept.field_errors import field_errors
from api.admission import SMALL_BODY, admission
from api.data_uris import data_uris
from api.json_keys import refuse_repeated
from api.services import services
from api.settings import JSON_FACTOR
from jobs.errors import Invalid, InvalidBody, InvalidQuery, TooLarge
from jobs.schemas import JobOptions, JobRequest

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


@dataclass
class Submission:
    """One `POST /v1/jobs`. An upload is (params field, file name, stream)."""

    engine: str
    params: dict[str, Any]
    options: JobOptions = field(default_factory=JobOptions)
    uploads: list[tuple[str, str, BinaryIO]] = field(default_factory=list)


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
    return _json(model, _received())


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


def submission() -> Submission:
    """The body of `POST /v1/jobs`, JSON or multipart."""
    if request.mimetype != "multipart/form-data":
        made = body(JobRequest)
        # Its own options: to make others of them would validate them twice.
        return Submission(made.engine, made.params, made)
    fields = {_bare(name): values for name, values in request.form.lists()}
    # By way of the model, so that a form without one is refused in the words of JSON without one.
    named = fields.pop("engine", [])[-1:]
    engine = fitted(JobRequest, dict(zip(["engine"], named, strict=False))).engine
    find_engine(engine)
    params = _object(fields.pop("params", ["{}"])[-1])
    options = _options({name: fields.pop(name) for name in JobOptions.model_fields if name in fields})
    for name, values in fields.items():
        found = _typed(engine, name, values)
        if found is not None:
            params[name] = found
    uploads = [
        (_bare(name), sent.filename or "", cast(BinaryIO, sent.stream))
        for name, files in request.files.lists()
        for sent in files
        # A browser sends an empty part for a file field that was left empty.
        if sent.filename or sent.stream.read(1)
    ]
    return Submission(engine, params, options, uploads)


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


def _bare(name: str | None) -> str:
    """`style[]` is how some clients write a repeated `style`; a part without any name has None for one."""
    return (name or "").removesuffix("[]")


def _bound(data: bytes) -> None:
    """Refuse what would take far more memory as values than it does as text. Raises Invalid and TooLarge."""
    if sum(map(data.count, (b",", b"[", b"{"))) > _MAX_MARKS:
        raise Invalid(f"This JSON has more than {_MAX_MARKS:,} values.", code="too_many_values")
    if len(data) - sum(end - start for start, end in data_uris(data)) > _MAX_TEXT:
        raise TooLarge("Besides its data: URIs a JSON body may have 1 MiB.")


def _json(model: type[M], data: bytes) -> M:
    """JSON text as a model. Raises Invalid and TooLarge."""
    with _one_at_a_time if len(data) > _LARGE else nullcontext():
        return _checked(model, data)


def _checked(model: type[M], data: bytes) -> M:
    _bound(data)
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


def _object(text: str) -> dict[str, Any]:
    _bound(text.encode())
    try:
        found = from_json(text)
    except ValueError as error:
        raise Invalid("The form field `params` is not JSON.", code="invalid_json") from error
    refuse_repeated(text.encode())
    if not isinstance(found, dict):
        raise Invalid("The form field `params` is not a JSON object.")
    return found


def _options(sent: dict[str, list[str]]) -> JobOptions:
    """The options of a form: text as it is, the rest as JSON; an empty one is left out."""
    plain = ("priority", "start_by")
    tags = _tags(sent.pop("tags", []))
    texts = {name: values[-1] for name, values in sent.items()}
    given = {name: text if name in plain else _parsed(text) for name, text in texts.items() if text != ""}
    return _json(JobOptions, json.dumps(given | ({"tags": tags} if tags else {})).encode())


def _tags(texts: list[str]) -> Any:
    """`tags` once for each, or with commas between, or as a JSON list."""
    if len(texts) == 1 and texts[0].lstrip().startswith("["):
        return _parsed(texts[0])
    return [tag.strip() for text in texts for tag in text.split(",") if tag.strip()]


def _typed(engine: str, name: str, values: list[str]) -> Any:
    """A form's text as the type the engine's schema asks for; None when there is nothing to say."""
    types, is_file = _types(engine).get(name, (frozenset(), False))
    if is_file:
        given = [v for v in values if v]
        return (given if "array" in types else given[-1]) if given else None
    if "array" in types and len(values) > 1:
        return [_parsed(v) for v in values]
    text = values[-1]
    if types <= {"string", "null"}:
        return text
    return _parsed(text) if text != "" else None


def _parsed(text: str) -> Any:
    _bound(text.encode())
    try:
        return from_json(text)
    except ValueError:
        return text  # the engine's model says what is wrong with it


@cache
def _types(engine: str) -> dict[str, tuple[frozenset[str], bool]]:
    """Of each params field: the JSON types it takes, and whether it is a file."""
    spec = engines.spec(engine)
    schema = spec.params.model_json_schema()
    found = {}
    for name, part in schema["properties"].items():
        found[name] = (frozenset(_named_types(part)), name in spec.file_params)
    return found


def _named_types(part: dict[str, Any]) -> set[str]:
    if "$ref" in part:
        return {"object"}
    if "enum" in part or "const" in part:
        choices = part.get("enum", [part.get("const")])
        return {"string" if isinstance(choice, str) else "other" for choice in choices}
    named = {part["type"]} if isinstance(part.get("type"), str) else set()
    for branch in (*part.get("anyOf", ()), *part.get("oneOf", ())):
        named |= _named_types(branch)
    return named
