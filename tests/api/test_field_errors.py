"""What is wrong with a request, so that a form can put each message beside its field."""

from __future__ import annotations

import itertools
import json
import re
from typing import Annotated, Any, Literal

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, Field, ValidationError

import engines
from accept.field_errors import field_errors
from accept.validation import validate
from api.operations import operation_of
from jobs.errors import InvalidParams
from jobs.schemas import JobOptions, MoveRequest
from tests.api.helpers import problem

NAMES = engines.names()

#: Values of every JSON type; some are wrong for any parameter there is.
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 10**30, -(10**30), 1.5, -0.25, 1e300),
    *("", "1", "1, 2", "9-1", "x", "x" * 2000, "é☃", "1/0", "%%%", "net_1", "https://"),
    *([], [1], [-1], [[1]], [None], ["x", None], [1, "x", -1], [{}], [0.5] * 100),
    *({}, {"a": 1}, {"mars": -1, "a": "b"}, {"coarse": "x"}, {"mix": {"name": []}}, {"0": [1]}),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
#: Words of pydantic's workings and of its way to say things that are none of a user's.
JARGON = re.compile(
    r"Value error,|Assertion failed|function-|constrained-|tagged-union|literal\[|\[key\]|list\[|dict\["
    r"|nullable|_checked|validat|Dictionary|\\d|\(\?"
)
CODE = re.compile(r"[a-z][a-z_]{2,40}")


def refusal(name: str, params: dict[str, Any]) -> list[dict[str, str]]:
    """The entries for these params, none when they are accepted."""
    try:
        validate(engines.spec(name), params)
    except InvalidParams as error:
        return list(error.extra["errors"])
    return []


def elements(value: Any) -> int:
    """How many mistakes there can be in a value: its own, or one an element."""
    return max(1, len(value)) if isinstance(value, list | dict) else 1


def check(entries: list[dict[str, str]], fields: set[str], wrong: dict[str, Any]) -> None:
    """Each stands beside a field, in plain words, and one mistake is told once."""
    paths = [entry["field"] for entry in entries]
    assert len(set(paths)) == len(paths), entries
    for entry in entries:
        assert entry.keys() == {"field", "message", "code"}
        assert entry["message"]
        assert not JARGON.search(entry["message"] + entry["field"]), entry
        assert CODE.fullmatch(entry["code"]), entry
        assert entry["field"].partition(".")[0] in fields, entry
    for name, value in wrong.items():
        told = [
            e["field"] for e in entries if e["code"] != "missing"
        ]  # what is not there is a mistake of its own
        mine = [path for path in told if path.partition(".")[0] == name]
        assert len(mine) <= elements(value), (value, entries)
        if len(mine) > 1:
            assert all("." in path for path in mine), (value, entries)


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_value_is_one_entry_beside_its_parameter(name):
    spec = engines.spec(name)
    fields = set(spec.params.model_fields)
    for field in fields:
        refused = 0
        for value in VALUES:
            entries = refusal(name, {**spec.example, field: value})
            check(entries, fields, {field: value})
            refused += bool(entries)
            if entries and not isinstance(value, list | dict):
                assert len(entries) == 1, (field, value, entries)
        assert refused > 5, field


@pytest.mark.parametrize("name", NAMES)
def test_parameters_that_do_not_go_together_are_said_of_one_of_them(name):
    spec = engines.spec(name)
    schema = spec.params.model_json_schema()["properties"]
    single = {
        field: [v for v in _edges(part) if not refusal(name, {**spec.example, field: v})]
        for field, part in schema.items()
    }
    for one, other in itertools.combinations(single, 2):
        for first, second in itertools.product(single[one], single[other]):
            entries = refusal(name, {**spec.example, one: first, other: second})
            check(entries, set(schema), {one: first, other: second})
            assert len(entries) <= 1, entries


def _edges(part: dict[str, Any]) -> list[Any]:
    """Values that a field may well take, large and small."""
    found: list[Any] = []
    for branch in (part, *part.get("anyOf", ()), *part.get("oneOf", ())):
        found += branch.get("enum", [])
        found += [branch[bound] for bound in ("minimum", "maximum") if bound in branch]
    kinds = str(part)
    found += [True, False] if "'boolean'" in kinds else []
    found += [[1, 2]] if "'array'" in kinds else []
    found += ["A" * 684, "AAAA", "1-4"] if "'string'" in kinds else []
    return found + ([{"mars": 1.0}] if "'object'" in kinds else [])


@pytest.mark.parametrize(
    ("engine", "params", "field"),
    [
        ("planets", {"morph_to": "sun"}, "morph_to"),
        ("planets", {"grid": True, "morph": "webp"}, "grid"),
        ("planets", {"latent": "AAAA"}, "latent"),
        ("stylegan", {"seeds": "1, 2"}, "seeds"),
        ("stylegan", {"fps": "fast"}, "fps"),
        ("neural_style", {"style_weights": [1.0, 2.0]}, "style_weights"),
    ],
)
def test_a_form_knows_where_to_put_it(engine, params, field):
    entries = refusal(engine, {**engines.spec(engine).example, **params})
    assert [entry["field"] for entry in entries] == [field]


@pytest.mark.parametrize("name", NAMES)
def test_whatever_is_sent_the_entries_are_plain(name):
    spec = engines.spec(name)
    fields = sorted(spec.params.model_fields)

    @given(st.dictionaries(st.sampled_from(fields), JSON, min_size=1, max_size=4))
    @settings(max_examples=60, deadline=None, derandomize=True, database=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    def refused(params):
        check(refusal(name, {**spec.example, **params}), set(fields), params)

    refused()


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


NEGATIVE = "Input should be greater than or equal to 0"


class Shade(BaseModel):
    """One branch of a union that is an object."""

    model_config = {"extra": "forbid"}

    shade: Annotated[int, Field(ge=0)]


def _even(value: int) -> int:
    if value % 2:
        raise ValueError("must be even")
    return value


class Example(BaseModel):
    """Kinds of unions that no engine has yet."""

    model_config = {"extra": "forbid"}

    many: list[Annotated[int, AfterValidator(_even)] | Literal["all"]] | Literal["none"] = "none"
    shades: dict[str, Shade | list[Shade]] | None = None
    nested: Example | int = 0
    either: Shade | Annotated[str, Field(max_length=3)] | None = None
    two: Annotated[int, Field(ge=5)] | Annotated[int, Field(ge=9)] = 9


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"many": 1}, {"many": "Input should be a valid array or 'none'"}),
        ({"many": "some"}, {"many": "Input should be 'none'"}),
        ({"many": [2, 3]}, {"many.1": "must be even"}),
        ({"many": ["al"]}, {"many.0": "Input should be 'all'"}),
        ({"many": [2, {}]}, {"many.1": "Input should be a valid integer or 'all'"}),
        ({"shades": {"sky": {"shade": -1}}}, {"shades.sky.shade": NEGATIVE}),
        ({"shades": {"sky": [{"shade": 1}, {"shade": -1}]}}, {"shades.sky.1.shade": NEGATIVE}),
        ({"nested": {"nested": {"many": [3]}}}, {"nested.nested.many.0": "must be even"}),
        ({"nested": "x"}, {"nested": "Input should be an object or a valid integer"}),
        ({"either": {"shad": 1, "shade": 1}}, {"either.shad": "There is no such field. Did you mean shade?"}),
        ({"either": "long"}, {"either": "String should have at most 3 characters"}),
        ({"two": 1}, {"two": "Input should be greater than or equal to 5"}),
        ({"man": [2]}, {"man": "There is no such field. Did you mean many?"}),
        ({"zzz": [2]}, {"zzz": "There is no such field."}),
    ],
)  # fmt: skip
def test_the_branch_that_was_meant_is_the_one_that_speaks(value, expected):
    with pytest.raises(ValidationError) as caught:
        Example.model_validate_json(json.dumps(value), strict=True)
    assert {e["field"]: e["message"] for e in field_errors(caught.value, Example)} == expected


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
