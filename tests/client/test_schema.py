"""An engine's schema as flat fields."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

import engines
from client import schema
from client.schema import Bounds, Kind
from engines.base import ImageRef, NetworkRef


class Point(BaseModel):
    x: int = Field(default=0, ge=0, description="Across.")
    next: Point | None = None


class Example(BaseModel):
    photo: ImageRef = Field(description="The photograph. ")
    styles: list[ImageRef] | ImageRef = Field(min_length=1, max_length=4)
    size: int | None = Field(default=None, gt=0, le=10)
    share: float = Field(default=0.5, ge=0, lt=1)
    tile: bool = False
    text: str = Field(default="hi", max_length=9, pattern="^h")
    place: Annotated[str, Field(json_schema_extra={"enum": ["here", "there"]})] | dict[str, float] = "here"
    network: Annotated[str, NetworkRef("stylegan", shipped=("planets",))] = "planets"
    at: Point = Field(default=Point(), description="Where.")
    latent: str = Field(default="", json_schema_extra={"x-ui": {"role": "latent", "group": "expert"}})


@pytest.fixture(scope="module")
def found() -> dict[str, schema.Field]:
    return {field.name: field for field in schema.fields(Example.model_json_schema())}


def only(field: schema.Field) -> schema.Variant:
    (variant,) = field.variants
    return variant


def test_fields_are_in_the_engine_s_order_with_what_they_say(found):
    assert list(found) == list(Example.model_fields)
    photo = found["photo"]
    assert (photo.title, photo.description, photo.required, photo.nullable) == (
        *("Photo", "The photograph."),
        *(True, False),
    )
    assert (found["size"].nullable, found["size"].default, found["share"].default) == (True, None, 0.5)


def test_kinds_and_bounds(found):
    assert [only(found[name]).kind for name in ("size", "share", "tile", "text")] == [
        *(Kind.WHOLE, Kind.NUMBER, Kind.SWITCH, Kind.TEXT),
    ]
    assert only(found["size"]).bounds == Bounds(0, 10, low_open=True)
    assert only(found["share"]).bounds == Bounds(0, 1, high_open=True)
    assert only(found["text"]).bounds == Bounds(None, 9)
    assert only(found["text"]).pattern == "^h"


def test_files_and_networks(found):
    one, several = found["photo"], found["styles"]
    assert one.role == several.role == "file"
    assert "image/png" in one.file.accept
    assert one.several is None
    assert several.several.kind is Kind.LIST
    assert several.file.kind is Kind.FILE
    network = found["network"]
    assert (network.role, network.network.network, network.network.shipped) == (
        *("network", "stylegan"),
        ("planets",),
    )


def test_hints_are_carried(found):
    assert found["latent"].ui == {"role": "latent", "group": "expert"}
    assert found["latent"].role == "latent"
    assert found["tile"].ui == {}


def test_a_choice_or_shares(found):
    word, shares = found["place"].variants
    assert (word.kind, word.choices, word.is_text) == (Kind.CHOICE, ("here", "there"), True)
    assert (shares.kind, shares.items.kind) == (Kind.OBJECT, Kind.NUMBER)


def test_what_is_within_is_read_as_deep_as_anybody_asks(found):
    at = only(found["at"])
    assert found["at"].description == "Where."
    assert [field.name for field in at.fields] == ["x", "next"]
    assert at.fields[0].description == "Across."
    deep, depth = at, 0
    while deep.fields:
        deep, depth = deep.fields[1].variants[0], depth + 1
    assert 3 < depth < 20


@pytest.mark.parametrize(
    ("odd", "kind"),
    [
        ({}, Kind.ANY),
        ({"type": "unheard-of"}, Kind.ANY),
        ({"$ref": "#/$defs/Missing"}, Kind.ANY),
        ({"allOf": [{"type": "string"}, {"maxLength": 3}]}, Kind.TEXT),
        ({"const": 7}, Kind.CHOICE),
        ({"type": "null"}, Kind.ANY),
        ({"type": ["integer", "null"]}, Kind.WHOLE),
        ({"x-ui": None, "type": "string"}, Kind.TEXT),
    ],
    ids=["nothing", "type", "reference", "all", "const", "null", "types", "hints"],
)
def test_what_engines_do_not_use_breaks_nothing(odd: dict[str, Any], kind: Kind):
    (field,) = schema.fields({"properties": {"x": odd}})
    assert only(field).kind is kind
    assert field.name == field.title == "x"


def test_a_schema_that_goes_round_ends():
    again = {"$ref": "#/$defs/A"}
    (field,) = schema.fields({"properties": {"x": again}, "$defs": {"A": again}})
    assert only(field).kind is Kind.ANY


@pytest.mark.parametrize("name", engines.names())
def test_every_engine_is_understood(name):
    spec = engines.spec(name)
    found = {field.name: field for field in schema.fields(spec.params.model_json_schema())}
    assert {name for name, field in found.items() if field.file} == set(spec.file_params)
    for field in found.values():
        assert field.description
        assert all(variant.kind is not Kind.ANY for variant in field.variants), field.name
        if field.default is not None and len(field.variants) == 1 and field.variants[0].choices:
            assert field.default in field.variants[0].choices
