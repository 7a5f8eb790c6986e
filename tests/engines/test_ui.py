"""The hints that specs give: what is said, and nothing of what is left out."""

from __future__ import annotations

import pytest

from engines.ui import GROUPS, named, ui


def test_only_what_is_said_is_there():
    assert ui("look") == {"x-ui": {"group": "look"}}
    assert ui(
        "film",
        order=3,
        only_with="walk",
        role="strength",
        advanced=True,
        ends=("less", "more"),
        choices={"a": "An A"},
    ) == {
        "x-ui": {
            "group": "film",
            "order": 3,
            "with": "walk",
            "role": "strength",
            "advanced": True,
            "ends": ["less", "more"],
            "choices": {"a": "An A"},
        }
    }


@pytest.mark.parametrize(
    ("value", "said"),
    [("png", "PNG"), ("webp", "WebP"), ("not_a_planet", "Not a planet"), ("mars", "Mars"), ("4", "4")],
)
def test_a_choice_has_its_own_name_where_nobody_says_it_better(value, said):
    assert named(value) == said


def test_groups_are_in_the_order_of_a_form():
    assert list(GROUPS) == ["subject", "look", "film", "result"]
