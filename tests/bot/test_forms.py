"""Every engine's schema becomes a form, and a schema that nobody has seen one as well."""

from __future__ import annotations

import jsonschema
import pytest

import engines
from bot.forms import BadValue, Choice, Form, Kind, NotAForm
from tests.bot.engine_views import form, offered, schema, view


def field(name, of):
    return form(of)[name]


@pytest.mark.parametrize("name", engines.names())
def test_every_button_s_value_is_allowed_and_can_be_typed(name):
    whole = view(name)["params_schema"]
    for one in form(name).fields:
        for value in [*(choice.value for choice in one.choices), *one.presets]:
            jsonschema.validate(value, whole["properties"][one.name])
            assert one.parse(str(value)) == value, (one.name, value)


@pytest.mark.parametrize("name", engines.names())
def test_every_field_is_there_with_its_default(name):
    whole = view(name)["params_schema"]
    assert {one.name for one in form(name).fields} == whole["properties"].keys()
    for one in form(name).fields:
        assert one.required == (one.name in whole.get("required", ()))
        assert one.default == whole["properties"][one.name].get("default")
        assert one.description
    files = {one.name for one in form(name).fields if one.kind is Kind.FILE}
    assert files == engines.spec(name).file_params.keys()
    networks = {one.name for one in form(name).fields if one.kind is Kind.NETWORK}
    assert networks == engines.spec(name).network_params.keys()


@pytest.mark.parametrize(
    ("engine", "name", "kind"),
    [
        ("planets", "world", Kind.CHOICE),
        ("planets", "morph_to", Kind.CHOICE),
        ("planets", "count", Kind.WHOLE),
        ("planets", "variation", Kind.NUMBER),
        ("planets", "grid", Kind.SWITCH),
        ("planets", "latent", Kind.TEXT),
        ("neural_style", "style", Kind.FILE),
        ("neural_style", "style_weights", Kind.JSON),
        ("planet_classifier", "threshold", Kind.NUMBER),
        ("stylegan", "network", Kind.NETWORK),
        ("stylegan", "seeds", Kind.TEXT),
        ("stylegan", "mix", Kind.JSON),
        ("stylegan", "fps", Kind.TEXT),
        ("stylegan", "class", Kind.TEXT),
    ],
)
def test_the_kinds_of_real_fields(engine, name, kind):
    assert form(engine)[name].kind is kind


def test_one_style_or_several_are_several_files():
    assert field("style", "neural_style").multiple == (1, 4)
    assert field("content", "neural_style").multiple == (1, 1)
    assert "image/jpeg" in field("style", "neural_style").accept


def test_the_short_forms():
    def short(name):
        return [f.name for f in form(name).fields if not f.advanced and f.needs is None]

    assert short("planets") == ["world", "variation", "transparent", "morph", "count", "size", "grid"]
    assert short("planet_classifier") == ["image"]
    assert short("stylegan") == ["network", "truncation", "noise", "walk", "count", "grid"]
    assert "seed" not in short("neural_style")
    assert {f.name for f in form("planets").fields if f.needs == "morph"} == {
        "morph_to",
        "morph_seconds",
        "morph_fps",
    }


def test_a_schema_nobody_has_seen_becomes_a_form():
    shape = {
        "mode": {"$ref": "#/$defs/Mode", "description": "How."},
        "level": {"type": ["integer", "null"], "minimum": 1, "maximum": 3, "default": None},
        "one": {"const": "only"},
        "maybe": {"anyOf": [{"type": "boolean"}, {"type": "null"}], "default": None},
        "sizes": {"type": "array", "items": {"type": "integer"}, "maxItems": 2},
        "odd": {"pattern": "("},
        "loop": {"$ref": "#/$defs/Loop"},
        "ratio": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "default": 0.5},
        "mesh": {"type": "string", "x-artifact": {"accept": ["model/stl"]}},
    }
    defs = {"Mode": {"enum": ["a", "b"], "type": "string"}, "Loop": {"anyOf": [{"$ref": "#/$defs/Loop"}]}}
    found = Form.of(schema(shape, ("mode", "mesh"), **{"$defs": defs}))
    assert {one.name: one.kind for one in found.fields} == {
        "mode": Kind.CHOICE,
        "level": Kind.WHOLE,
        "one": Kind.CHOICE,
        "maybe": Kind.SWITCH,
        "sizes": Kind.JSON,
        "odd": Kind.JSON,
        "loop": Kind.JSON,
        "ratio": Kind.NUMBER,
        "mesh": Kind.FILE,
    }
    assert found["mode"].choices == (Choice("a", "A"), Choice("b", "B"))
    assert found["mode"].description == "How."
    assert found["sizes"].parse("1 2") == [1, 2]
    assert found["ratio"].presets == (0.25, 0.5, 0.75)
    with pytest.raises(BadValue):
        found["ratio"].parse("1")
    with pytest.raises(BadValue):
        found["level"].parse("4")


@pytest.mark.parametrize("broken", [{}, {"name": "x"}, schema({"a": None}), schema({"a": {"anyOf": [3]}})])
def test_what_is_no_engine_is_refused(broken):
    with pytest.raises(NotAForm):
        Form.of(broken)


def test_networks_and_galleries_are_offered():
    mine = [Choice("net_" + "0" * 32, "<b>faces</b>"), Choice("planets", "Planets")]
    shown = form("stylegan").offering({"network": mine, "noise": [Choice("loud", "Loud")]})
    assert shown["network"].choices == tuple(mine)
    assert shown["network"].parse("<B>Faces</B>") == "net_" + "0" * 32
    assert shown["noise"] == form("stylegan")["noise"]  # the schema's own choices stay


def test_the_digest_changes_with_what_buttons_mean():
    one = Form.of(schema({"a": {"enum": ["x", "y"]}}))
    other = Form.of(schema({"a": {"enum": ["y", "x"]}}))
    assert one.digest != other.digest
    assert one.digest == Form.of(schema({"a": {"enum": ["x", "y"], "description": "Said better."}})).digest
    assert len({form(name).digest for name in offered()}) == len(offered())
