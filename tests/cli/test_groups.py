"""An engine's help has the sections that its schema names."""

from __future__ import annotations

import pytest

import engines
from cli.groups import ADVANCED, UNGROUPED, sections
from engines.words import shown


def names(schema: dict) -> dict[str, list[str]]:
    return {title: [option.name for option in some] for title, some in sections(schema).items()}


def test_parameters_are_in_their_groups_and_the_advanced_ones_last():
    schema = {
        "properties": {
            "seed": {"type": "integer", "x-ui": {"group": "result", "order": 9, "advanced": True}},
            "format": {"type": "string", "x-ui": {"group": "result", "advanced": True}},
            "size": {"type": "integer", "x-ui": {"group": "result"}},
            "photo": {"type": "string", "x-ui": {"group": "subject"}},
            "lost": {"type": "string", "x-ui": {"group": "unheard of"}},
            "plain": {"type": "string"},
        },
        "x-ui": {"groups": {"subject": "Subject", "look": "Look", "result": "Result"}},
    }
    found = names(schema)
    assert found == {
        UNGROUPED: ["lost", "plain"],
        "Subject": ["photo"],
        "Result": ["size"],
        ADVANCED: ["format", "seed"],
    }
    assert list(found) == [UNGROUPED, "Subject", "Result", ADVANCED]


def test_a_schema_that_names_none_is_one_section():
    assert names({"properties": {"text": {"type": "string"}}}) == {UNGROUPED: ["text"]}


@pytest.mark.parametrize("name", engines.names())
def test_no_parameter_of_an_engine_is_left_out(name):
    schema = shown(engines.spec(name)).params_schema
    found = names(schema)
    assert sorted(one for some in found.values() for one in some) == sorted(schema["properties"])
    assert UNGROUPED not in found


def test_help_says_what_a_parameter_needs():
    schema = shown(engines.spec("stylegan")).params_schema
    (frames,) = [option for option in sections(schema)["Film"] if option.name == "frames"]
    assert "only with --walk" in str(frames.help)
