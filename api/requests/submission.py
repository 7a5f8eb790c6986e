"""The body of `POST /v1/jobs`, JSON or a form, as plain values."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from typing import Any, BinaryIO, cast

from flask import request
from pydantic_core import from_json

import engines
from accept.engine_names import find_engine
from accept.wire import JobOptions
from api.requests.json_keys import refuse_repeated
from api.requests.reading import body, bound, fitted, from_text
from api.schemas.job_requests import JobRequest
from jobs.errors import Invalid


@dataclass
class Submission:
    """One `POST /v1/jobs`. An upload is (params field, file name, stream)."""

    engine: str
    params: dict[str, Any]
    options: JobOptions = field(default_factory=JobOptions)
    uploads: list[tuple[str, str, BinaryIO]] = field(default_factory=list)


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


def _bare(name: str | None) -> str:
    """`style[]` is how some clients write a repeated `style`; a part without any name has None for one."""
    return (name or "").removesuffix("[]")


def _object(text: str) -> dict[str, Any]:
    bound(text.encode())
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
    return from_text(JobOptions, json.dumps(given | ({"tags": tags} if tags else {})).encode())


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
    bound(text.encode())
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
