"""JSON against anybody's schema: what fits, what does not, and schemas that would never end."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from engines.prompts.fitting import Misfit, check_schema, fitting

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


def doubling(times: int) -> dict[str, Any]:
    """References that unfold to 2 to the power of `times` parts."""
    twice = {
        f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}, {"$ref": f"#/$defs/a{n + 1}"}]}
        for n in range(times)
    }
    return {"$ref": "#/$defs/a0", "$defs": twice | {f"a{times}": {"type": "string"}}}


def nested(depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        made = {"not": made}
    return made


@pytest.mark.parametrize(
    "schema",
    [
        {},
        SCHEMA,
        {"type": "array", "items": {"$ref": "#/$defs/a"}, "$defs": {"a": {"type": "string"}}},
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "string"},
        {"type": "object", "properties": {"$id": {"type": "string"}, "$ref": {"type": "string"}}},
        {"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "string"}}},
        doubling(5),
    ],
    ids=["any", "object", "reference", "dialect", "names", "escaped", "doubling"],
)
def test_schemas_that_are_taken(schema):
    check_schema(schema)


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "nonsense"}, "no JSON Schema"),
        ({"pattern": "("}, "no JSON Schema"),
        ({"pattern": "(a{1000}){1000}"}, "no JSON Schema"),
        ({"$schema": "https://example.org/mine"}, "no JSON Schema"),
        ({"$ref": "https://example.org/a"}, "itself alone"),
        ({"$ref": "file:///etc/passwd"}, "itself alone"),
        ({"$ref": "#"}, "itself alone"),
        ({"$ref": "#/$defs/a"}, "has not"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}}, "refers to itself"),
        ({"$id": "https://example.org/"}, "may not use"),
        ({"$dynamicRef": "#a"}, "may not use"),
        (doubling(60), "parts"),
        (nested(50_000), "deep"),
        ({"enum": ["x" * 20_000]}, "characters"),
        ({"const": float("nan")}, "JSON"),
        ({"const": "\ud800"}, "UTF-8"),
    ],
    ids=[
        *("type", "pattern", "large-pattern", "dialect", "remote", "file", "whole", "missing", "circle"),
        *("id", "dynamic", "doubling", "deep", "long", "nan", "half"),
    ],
)
def test_schemas_that_are_not(schema, why):
    began = time.monotonic()
    with pytest.raises(ValueError, match=why):
        check_schema(schema)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "text",
    ['{"a": 1}', ' {"a":1}\n', '```json\n{"a": 1}\n```', '```\n{"a": 1}\n```\n'],
    ids=["plain", "spaces", "fence", "nameless-fence"],
)
def test_what_fits_is_written_anew(text):
    assert json.loads(fitting(SCHEMA, text)) == {"a": 1}


@pytest.mark.parametrize(
    "text",
    [
        *('{"a": "x"}', "{}", "", "Sure! Here it is.", '{"a": 1} Enjoy!', '{"a": 1', '{"a": NaN}', "[1, 2"),
        '{"a": 1e999}',
        "[" * 100_000,
        '{"a": ' + "9" * 5000 + "}",
    ],
    ids=["type", "missing", "empty", "prose", "more", "cut", "nan", "list", "infinite", "deep", "digits"],
)
def test_what_does_not(text):
    with pytest.raises(Misfit):
        fitting(SCHEMA, text)


def test_where_it_does_not_fit_is_said():
    with pytest.raises(Misfit, match=r"at \$\['a'\]: .*integer"):
        fitting(SCHEMA, '{"a": "x"}')


def test_half_a_character_is_no_reason_to_break_down():
    with pytest.raises(Misfit):
        fitting({"type": "string"}, '"\\ud800"')


def test_a_pattern_that_tries_everything_ends():
    began = time.monotonic()
    with pytest.raises(Misfit):
        fitting({"type": "string", "pattern": "^(a|aa)+(?=b)$"}, json.dumps("a" * 50_000))
    assert time.monotonic() - began < 5
