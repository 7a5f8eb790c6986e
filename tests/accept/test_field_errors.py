"""What is wrong with a request, so that a form can put each message beside its field."""

from __future__ import annotations

import itertools
import json
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, Field, ValidationError

import engines
from accept.field_errors import field_errors
from accept.validation import validate
from jobs.errors import InvalidParams
from tests.accept.refusals import VALUES, check
from tests.examples import examples

NAMES = engines.names()

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def refusal(name: str, params: dict[str, Any]) -> list[dict[str, str]]:
    """The entries for these params, none when they are accepted."""
    try:
        validate(engines.spec(name), params)
    except InvalidParams as error:
        return list(error.extra["errors"])
    return []


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
    @settings(max_examples=examples(60), deadline=None, derandomize=True, database=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    def refused(params):
        check(refusal(name, {**spec.example, **params}), set(fields), params)

    refused()


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
