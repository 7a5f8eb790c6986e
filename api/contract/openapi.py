"""The OpenAPI 3.1 document, made from the routes' Operations, the wire models and the engines' params.

Built here and not by a framework: `POST /v1/jobs` takes two media types whose schemas are the engines', and
errors are problem documents everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from flask import Flask
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from werkzeug.routing import Rule

import engines
from accept.wire import JobOptions
from api.contract.operations import Answer, IdConverter, Operation, operation_of, path_template
from api.networks import NetworkRequest
from api.problems import MEDIA_TYPE
from api.schemas.jobs import JobEventView
from api.schemas.problems import Problem
from doors.media_types import EXTENSIONS
from engines.base import EngineSpec

_REF = "#/components/schemas/{model}"
_ABOUT = """Send a job with `POST /v1/jobs`, follow it with `GET /v1/jobs/{job_id}?wait=30` or its event
stream, show its artifacts by their `url`. Errors are RFC 9457 problem documents with a stable `code`; the
`field` of an entry in `errors` is a parameter's plain name, with `.index` or `.key` inside a list or an
object.

A key sees the jobs and files of its owner; anybody else's are a 404. An admin key also reads, cancels and
deletes anybody's by id, and lists all jobs with `GET /v1/jobs?all=true`. What it makes is its owner's, from
its owner's files."""

#: In the order in which a reader needs them.
_TAGS = {
    "jobs": "Requests, and what became of them.",
    "schedules": "Jobs that are made again and again.",
    "files": "Pictures, sounds and texts, sent and made.",
    "networks": "Trained networks that users bring.",
    "engines": "What can be made, and with which parameters.",
    "webhooks": "Where to tell what becomes of jobs, and what came of telling it.",
    "keys": "Who may do what.",
    "workers": "The machines at work.",
    "health": "For the machines that watch this one; no key is asked for.",
}

#: Answers that every route may give, and those of every route that needs a key.
_ALWAYS = (500, 503)
_WITH_KEY = (400, 401, 429)


def build(app: Flask) -> dict[str, Any]:
    """The document for the described routes of this app."""
    described = list(_described(app))
    paths: dict[str, Any] = {}
    for rule, method, operation, text in described:
        paths.setdefault(path_template(rule.rule), {})[method.lower()] = _operation(rule, operation, text)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Atelier", "version": version("atelier"), "description": _ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": about} for name, about in _TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": _models([operation for _, _, operation, _ in described]) | _engine_schemas(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "signature": {"type": "apiKey", "in": "query", "name": "signature"},
            },
        },
    }


def _described(app: Flask) -> Iterator[tuple[Rule, str, Operation, str]]:
    for rule in sorted(app.url_map.iter_rules(), key=lambda r: r.rule):
        view = app.view_functions[rule.endpoint]
        found = operation_of(view)
        if found is not None:
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield rule, method, found, (view.__doc__ or "").strip()


def _operation(rule: Rule, found: Operation, text: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": rule.endpoint.rpartition(".")[2],
        "summary": found.summary,
        "tags": [found.tag],
        "security": {
            "none": [],
            "key": [{"bearer": []}],
            "admin": [{"bearer": []}],
            "signed": [{"bearer": []}, {"signature": []}],
        }[found.access],
        "responses": _responses(found),
    }
    if text:
        made["description"] = re.sub(r"\n +", "\n", text)
    parameters = [*_path_parameters(rule), *_query_parameters(found), *_header_parameters(found)]
    if parameters:
        made["parameters"] = parameters
    if found.bodies:
        made["requestBody"] = {
            "required": found.body_required,
            "content": {media_type: {"schema": _ref(body)} for media_type, body in found.bodies.items()},
        }
    return made


def _responses(found: Operation) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for status, answer in found.answers.items():
        headers = {
            name: {"description": about, "schema": {"type": "string"}}
            for name, about in found.answer_headers.items()
        }
        made[str(status)] = _response(status, answer, headers)
    statuses = set(found.problems) | set(_ALWAYS)
    statuses |= set(_WITH_KEY) if found.access in ("key", "admin", "signed") else set()
    statuses |= {403} if found.access == "admin" else set()
    for status in sorted(statuses - set(found.answers)):
        made[str(status)] = {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": _ref(Problem)}},
        }
    return made


def _response(status: int, answer: Answer, headers: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if headers:
        made["headers"] = headers
    if isinstance(answer, str):
        made["content"] = {answer: {"schema": {"type": "string"} if answer.startswith("text/") else {}}}
    elif answer is not None:
        made["content"] = {"application/json": {"schema": _ref(answer)}}
    return made


def _ref(schema: type[BaseModel] | str) -> dict[str, Any]:
    return {"$ref": _REF.format(model=schema if isinstance(schema, str) else schema.__name__)}


def _path_parameters(rule: Rule) -> Iterator[dict[str, Any]]:
    for name in sorted(rule.arguments):
        converter = rule._converters[name]  # werkzeug shows them nowhere else
        schema: dict[str, Any] = {"type": "string", "pattern": "^[^/]+$"}
        if isinstance(converter, IdConverter):
            schema["pattern"] = f"^{converter.pattern}$"
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameters(found: Operation) -> Iterator[dict[str, Any]]:
    if found.query is None:
        return
    schema = found.query.model_json_schema(ref_template=_REF)
    for name, part in schema["properties"].items():
        part = {k: v for k, v in part.items() if k not in ("title", "default") or v not in (None, [])}
        about = part.pop("description", "")
        # A parameter is there or not; there is no null in a query string.
        options = [o for o in part.pop("anyOf", ()) if o.get("type") != "null"]
        made = {"name": name, "in": "query", "required": False, "schema": part | (options or [{}])[0]}
        yield made | ({"description": about} if about else {})


def _header_parameters(found: Operation) -> Iterator[dict[str, Any]]:
    for name, schema in found.headers.items():
        rest = {k: v for k, v in schema.items() if k != "description"}
        yield {
            "name": name,
            "in": "header",
            "required": False,
            "description": schema["description"],
            "schema": rest,
        }


def _models(operations: list[Operation]) -> dict[str, Any]:
    """The schemas of all wire models in use."""
    sent = {answer for o in operations for answer in o.answers.values() if isinstance(answer, type)}
    taken = {body for o in operations for body in o.bodies.values() if isinstance(body, type)}
    queries = {o.query for o in operations if o.query is not None}
    wanted = [(model, "serialization") for model in sent | {Problem, JobEventView}]
    wanted += [(model, "validation") for model in taken | queries]
    wanted.sort(key=lambda pair: pair[0].__name__)
    _, schema = models_json_schema(wanted, ref_template=_REF)  # type: ignore[arg-type]  # the mode is a Literal
    defs: dict[str, Any] = schema["$defs"]
    return {name: part for name, part in defs.items() if name not in {q.__name__ for q in queries}}


def _specs() -> list[EngineSpec]:
    """Those that are offered before those that are hidden: a reader's tool shows the first one."""
    return sorted(map(engines.spec, engines.names()), key=lambda spec: spec.hidden)


def _engine_schemas() -> dict[str, Any]:
    """What `POST /v1/jobs` takes, exactly, for each engine; and the forms of other uploads."""
    made: dict[str, Any] = {}
    specs = _specs()
    options, parts = _options()
    made |= parts
    for spec in specs:
        model = spec.params.__name__
        schema = spec.params.model_json_schema(ref_template=_REF)
        made |= schema.pop("$defs", {})
        made[model] = schema
        required = ["engine", "params"] if schema.get("required") else ["engine"]
        made[f"{model}Job"] = {
            "title": spec.title,
            "description": spec.description,
            "type": "object",
            "properties": {"engine": {"const": spec.name}, "params": _ref(model), **options},
            "required": required,
            "additionalProperties": False,
            "example": {"engine": spec.name, "params": dict(spec.example)},
        }
        made[f"{model}Form"] = _form(spec, schema)
    models = [spec.params.__name__ for spec in specs]
    made["JobSubmission"] = {"oneOf": [_ref(f"{model}Job") for model in models]}
    made["JobForm"] = {"oneOf": [_ref(f"{model}Form") for model in models]}
    made["FileUpload"] = {
        "type": "object",
        "properties": {
            "file": {
                "type": "string",
                "format": "binary",
                "description": f"One of {', '.join(EXTENSIONS)}. `content` is taken for `file` too.",
            }
        },
        "required": ["file"],
    }
    made["NetworkBytes"] = {"type": "string", "format": "binary"}
    made["NetworkForm"] = {
        "type": "object",
        "properties": {
            "file": {"type": "string", "format": "binary", "description": "A .pkl or a .safetensors."},
            **NetworkRequest.model_json_schema()["properties"],
        },
        "required": ["file", "name"],
    }
    return made


def _options() -> tuple[dict[str, Any], dict[str, Any]]:
    """The options of a job: as properties of its request, and the schemas those refer to."""
    schema = JobOptions.model_json_schema(ref_template=_REF)
    return schema["properties"], schema.pop("$defs", {})


def _form(spec: EngineSpec, schema: dict[str, Any]) -> dict[str, Any]:
    """The params as a form: a file field is a file, everything else as in JSON."""
    # An option that is an object is sent as its JSON.
    options = {
        name: part
        if name not in ("webhook", "metadata")
        else {"type": "string", "contentMediaType": "application/json"}
        for name, part in _options()[0].items()
    }
    properties: dict[str, Any] = {"engine": {"const": spec.name}, **options}
    for name, part in schema["properties"].items():
        file = spec.file_params.get(name)
        if file is None:
            properties[name] = part
            continue
        binary = {"type": "string", "format": "binary"}
        about = {"description": part.get("description", "")}
        bounds = {k: part[k] for k in ("minItems", "maxItems") if k in part}
        properties[name] = about | ({"type": "array", "items": binary} | bounds if file.multiple else binary)
    return {
        "title": f"{spec.title}, as a form",
        "type": "object",
        "properties": properties,
        "required": ["engine", *schema.get("required", ())],
        "additionalProperties": False,
    }
