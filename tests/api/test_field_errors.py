"""What is wrong with a request is said over HTTP as it is of params: beside the field."""

from __future__ import annotations

import itertools
import json

import pytest
from flask import Flask
from pydantic import BaseModel, ValidationError

from accept.field_errors import field_errors
from accept.wire import JobOptions
from api.contract.operations import operation_of
from api.schemas.job_requests import MoveRequest
from tests.accept.refusals import VALUES, check
from tests.api.helpers import problem


def models(app: Flask) -> list[type[BaseModel]]:
    """Every model that a body or a query string becomes."""
    found: set[type[BaseModel]] = {JobOptions}
    for view in app.view_functions.values():
        if described := operation_of(view):
            found |= {body for body in described.bodies.values() if isinstance(body, type)}
            found |= {described.query} if described.query else set()
    return sorted(found, key=lambda model: model.__name__)


def test_bodies_and_query_strings_are_refused_in_the_same_way(app):
    seen = 0
    for model in models(app):
        names = set(model.model_fields)
        for field, value in itertools.product(names, VALUES):
            for strict in (True, False):
                try:
                    model.model_validate_json(json.dumps({field: value}), strict=strict)
                except ValidationError as error:
                    entries = field_errors(error, model)
                    check(entries, names, {field: value})
                    seen += 1
    assert seen > 500


def test_one_mistake_is_the_detail_and_two_are_counted_up(api):
    found = problem(api.get("/v1/jobs?limit=1000"), 400, "invalid_request")
    assert found["detail"] == "limit: Input should be less than or equal to 100"
    found = problem(api.get("/v1/jobs?limit=1000&state=lost"), 400, "invalid_request")
    assert "`errors`" in found["detail"]
    assert [e["field"] for e in found["errors"]] == ["state.0", "limit"]
    found = problem(api.submit(seconds=-1), 422, "invalid_params")
    assert found["detail"] == "seconds: Input should be greater than or equal to 0"


def test_what_was_probably_meant_is_named(api):
    body = {"engine": "echo", "input": {"text": "hello"}}
    found = problem(api.post("/v1/jobs", json=body), 422, "invalid_request")
    assert [e["field"] for e in found["errors"]] == ["input"]
    assert found["detail"].endswith("Did you mean params?")
    found = problem(api.submit(txt="hello"), 422, "invalid_params")
    assert found["detail"].endswith("Did you mean text?")
    found = problem(api.post("/v1/jobs", json={"engine": "plannets"}), 404, "engine_not_found")
    assert found["detail"].endswith("Did you mean planets?")
    found = problem(api.post("/v1/jobs", json={"engine": "stylegan_imprt"}), 404, "engine_not_found")
    assert "stylegan_import" not in found["detail"]
    found = problem(api.get("/v1/jobs?stat=queued"), 400, "unknown_parameter")
    assert found["detail"].endswith("Did you mean state?")


def test_a_nul_is_said_of_its_parameter(api):
    found = problem(api.submit(text="a\0b"), 422, "invalid_params")
    assert [(e["field"], e["code"]) for e in found["errors"]] == [("text", "nul_character")]


def test_a_choice_of_two_names_one_of_them():
    with pytest.raises(ValidationError) as caught:
        MoveRequest.model_validate_json("{}")
    assert [e["field"] for e in field_errors(caught.value, MoveRequest)] == ["to"]
