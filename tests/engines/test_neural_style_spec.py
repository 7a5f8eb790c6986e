"""The parameters of neural_style: what is accepted, what is refused, and how the schema reads."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engines.neural_style.spec import SPEC, NeuralStyleParams, weights_for

BASE = {"content": "art_photo", "style": ["art_painting"]}


def test_defaults() -> None:
    params = NeuralStyleParams.model_validate(BASE)
    assert (params.method, params.strength, params.stroke, params.size) == ("patches", 0.5, 1.0, 768)
    assert (params.preserve_color, params.quality, params.format, params.seed) == (
        "none",
        "normal",
        "png",
        None,
    )
    assert params.shares() == [1.0]


def test_one_style_needs_no_list() -> None:
    params = NeuralStyleParams.model_validate({**BASE, "style": "art_painting"})
    assert params.style == ["art_painting"]


def test_the_schema_says_that_a_string_or_a_list_is_accepted() -> None:
    branches = SPEC.params.model_json_schema()["properties"]["style"]["anyOf"]
    assert {branch["type"] for branch in branches} == {"array", "string"}
    listed = next(branch for branch in branches if branch["type"] == "array")
    assert listed["items"]["x-artifact"]["accept"]


def test_file_params_are_found() -> None:
    found = {name: param.multiple for name, param in SPEC.file_params.items()}
    assert found == {"content": False, "style": True}


def test_shares_are_proportions() -> None:
    params = NeuralStyleParams.model_validate(
        {**BASE, "style": ["art_a", "art_b", "art_c"], "style_weights": [3, 1, 0]}
    )
    assert params.shares() == [0.75, 0.25, 0.0]


@pytest.mark.parametrize(
    "change",
    [
        {"style": []},
        {"style": ["art_a"] * 5},
        {"style": "not a reference"},
        {"style": None},
        {"style_weights": [1, 2]},
        {"style_weights": [0]},
        {"style_weights": []},
        {"style_weights": [-1]},
        {"style_weights": [math.nan]},
        {"style_weights": [math.inf]},
        {"strength": 1.01},
        {"strength": math.nan},
        {"stroke": 0.49},
        {"size": 63},
        {"size": 2049},
        {"size": 100.5},
        {"method": "magic"},
        {"seed": -1},
        {"seed": 2**63},
        {"count": 0},
        {"count": 17},
        {"count": 2, "method": "gatys"},
        {"count": 3, "seed": 2**63 - 2},
        {"unknown": 1},
    ],
)
def test_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        NeuralStyleParams.model_validate({**BASE, **change})


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(max_size=8),
    st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=6),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@given(name=st.sampled_from(sorted(NeuralStyleParams.model_fields)), value=ANYTHING)
def test_anything_is_either_valid_or_a_validation_error(name: str, value: Any) -> None:
    try:
        params = NeuralStyleParams.model_validate({**BASE, name: value})
    except ValidationError:
        return
    assert math.isclose(sum(params.shares()), 1.0)
    assert NeuralStyleParams.model_validate_json(params.model_dump_json()) == params


@given(
    weights=st.lists(st.floats(min_value=0, max_value=1000), min_size=1, max_size=4),
)
def test_accepted_weights_give_finite_shares(weights: list[float]) -> None:
    raw = {**BASE, "style": ["art_a"] * len(weights), "style_weights": weights}
    try:
        params = NeuralStyleParams.model_validate(raw)
    except ValidationError:
        assert sum(weights) < 1e-3
        return
    assert all(0 <= share <= 1 for share in params.shares())
    assert math.isclose(sum(params.shares()), 1.0)


def test_only_gatys_needs_weights() -> None:
    for method, needed in (("patches", ()), ("auto", ()), ("gatys", ("vgg19",))):
        assert weights_for(NeuralStyleParams.model_validate({**BASE, "method": method})) == needed


def test_the_schema_is_plain_json() -> None:
    schema = SPEC.params.model_json_schema()
    assert json.loads(json.dumps(schema)) == schema


def test_several_pictures_are_of_the_seeds_that_follow() -> None:
    wanted = NeuralStyleParams.model_validate({**BASE, "count": 3, "seed": 7, "method": "auto"})
    assert [(one.seed, one.count, one.method) for one in wanted.pictures()] == [
        (7, 1, "patches"),
        (8, 1, "patches"),
        (9, 1, "patches"),
    ]


def test_one_picture_is_made_from_what_was_given() -> None:
    wanted = NeuralStyleParams.model_validate({**BASE, "method": "auto"})
    assert wanted.pictures() == [wanted]


def test_the_last_seeds_there_are() -> None:
    NeuralStyleParams.model_validate({**BASE, "count": 2, "seed": 2**63 - 2})
