"""What a schema says of how its fields are asked for, little or nonsense as it may be."""

from __future__ import annotations

import pytest

from bot import hints
from bot.forms import Form, NotAForm
from bot.hints import Hints
from tests.bot.engine_views import schema


def test_all_that_a_field_can_say():
    said = {
        "group": "look",
        "order": 7,
        "with": "walk",
        "role": "strength",
        "advanced": True,
        "ends": ["less", "more"],
        "choices": {"a": "An A"},
    }
    assert Hints.of({"x-ui": said}) == Hints(
        "look", 7, "walk", "strength", True, ("less", "more"), {"a": "An A"}
    )


def test_a_field_that_says_nothing_is_one_like_any_other():
    assert Hints.of({}) == Hints("", 0, None, None, False, None, {})


def test_fields_come_by_group_then_by_order_then_as_they_are_declared():
    said = {
        "late": {"group": "result", "order": 9},
        "b": {"group": "result"},
        "nowhere": {},
        "a": {"group": "result"},
        "first": {"group": "subject"},
        "unknown": {"group": "what no root names"},
    }
    fields = {name: {"x-ui": hints} for name, hints in said.items()}
    root = {"properties": fields, "x-ui": {"groups": {"subject": "Subject", "result": "Result"}}}
    assert hints.ordered(root) == ["first", "b", "a", "late", "nowhere", "unknown"]


def test_a_role_leads_to_its_field():
    root = {"properties": {"start": {"x-ui": {"role": "seed"}}, "seed": {}}}
    assert hints.of_role(root, "seed") == "start"
    assert hints.of_role(root, "strength") is None
    assert hints.of_role({}, "seed") is None, "of an engine that was removed"


def test_a_field_needs_no_other_that_there_is_not():
    shape = {
        "a": {"x-ui": {"with": "b"}},
        "b": {},
        "c": {"x-ui": {"with": "gone"}},
        "d": {"x-ui": {"with": "d"}},
    }
    assert {field.name: field.needs for field in Form.of(schema(shape)).fields} == {
        "a": "b",
        "b": None,
        "c": None,
        "d": None,
    }


def test_what_is_required_is_asked_for_however_it_is_marked():
    shape = {"a": {"x-ui": {"advanced": True}}, "b": {"x-ui": {"advanced": True}}}
    assert [field.advanced for field in Form.of(schema(shape, ("a",))).fields] == [False, True]


@pytest.mark.parametrize(
    "said", [3, "x", {"ends": ["one"]}, {"ends": 3}, {"order": "z"}, {"choices": 3}], ids=str
)
def test_nonsense_makes_no_form(said):
    with pytest.raises(NotAForm):
        Form.of(schema({"a": {"x-ui": said}}))
