"""Every engine's schema becomes a form, and what is typed a value that its schema allows, or a complaint."""

from __future__ import annotations

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engines
from bot import values
from bot.forms import BadValue, Choice, Form, Kind, NotAForm
from bot.presets import MOST, presets
from tests.bot.engine_views import form, offered, schema, view

PARSED = [(name, field.name) for name in engines.names() for field in form(name).fields]

#: Text that somebody might really type, the hostile among it.
TYPED = st.one_of(
    st.text(max_size=40),
    st.integers().map(str),
    st.floats().map(str),
    st.decimals(allow_nan=False, places=2, min_value=-3, max_value=3).map(lambda d: str(d).replace(".", ",")),
    st.sampled_from(
        ["yes", "нет", "off", "none", "mars", "MARS", "1-4", "1,5,10-12", "30000/1001", "fine=7"]
    ),
    st.sampled_from(["earth=0.6,mars=0.4", "earth:1", '{"earth":1}', '{"earth":NaN}', '{"earth":-1}', "{}"]),
    st.sampled_from(
        ["[]", "[1,2]", "[1e999]", "1e5", "1_000", "٣", "²", "-0", "+7", "0x10", "art_1", "planets"]
    ),
    st.sampled_from(["<b>", "&amp;", "\0", "\u202emars", "mars\u200f", "🪐", "{" * 4000, "[" * 4000]),
    st.sampled_from(["9" * 4000, "a" * 5000, "[" + "9" * 4090 + "]", "1" + "0" * 39]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["earth", "fine", "x"]), inner, max_size=3)
        ),
    ).map(json.dumps),
)


def field(name, of):
    return form(of)[name]


@given(at=st.sampled_from(PARSED), typed=TYPED)
def test_a_parsed_value_is_one_the_schema_allows(at, typed):
    name, param = at
    try:
        value = form(name)[param].parse(typed)
    except BadValue:
        return
    whole = view(name)["params_schema"]
    jsonschema.validate(value, {**whole["properties"][param], "$defs": whole.get("$defs", {})})
    json.dumps(value, allow_nan=False).encode()  # it can be sent
    form(name)[param].check(value)


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


@pytest.mark.parametrize(
    ("engine", "name", "typed", "value"),
    [
        ("planets", "world", " Mars ", "mars"),
        ("planets", "world", "earth=0.6, mars=0.4", {"earth": 0.6, "mars": 0.4}),
        ("planets", "world", "Earth 60% mars 40%", {"earth": 60, "mars": 40}),
        ("planets", "world", '{"sun": 1}', {"sun": 1}),
        ("planets", "morph", "none", None),
        ("planets", "variation", "0,5", 0.5),
        ("planets", "variation", ".5", 0.5),
        ("planets", "grid", "да", True),
        ("planets", "grid", "nein", False),
        ("neural_style", "style_weights", "3, 1", [3, 1]),
        ("stylegan", "seeds", "1,5,10-12", "1,5,10-12"),
        ("stylegan", "seeds", "[1, 5]", [1, 5]),
        ("stylegan", "mix", "fine=7", {"fine": 7}),
        ("stylegan", "fps", "30", 30),
        ("stylegan", "fps", "30000/1001", "30000/1001"),
        ("stylegan", "class", "7", 7),
        ("stylegan", "class", "cat", "cat"),
        ("stylegan", "truncation", "−0.7", -0.7),
        ("stylegan", "network", "planets", "planets"),
    ],
)
def test_what_people_type(engine, name, typed, value):
    assert form(engine)[name].parse(typed) == value


@pytest.mark.parametrize(
    ("engine", "name", "typed", "code", "facts"),
    [
        ("planets", "count", "65", "too_large", {"maximum": 64}),
        ("planets", "count", "0", "too_small", {"minimum": 1}),
        ("planets", "count", "two", "not_whole", {}),
        ("planets", "count", "1.5", "not_whole", {}),
        ("planets", "variation", "1e99", "too_large", {"maximum": 1.5}),
        ("planets", "variation", "1e999", "not_a_number", {}),
        ("planets", "variation", "nan", "not_a_number", {}),
        ("planets", "world", "krypton", "not_a_choice", {}),
        ("planets", "world", "earth=0.6, krypton=1", "unknown_name", {"name": "krypton"}),
        ("planets", "world", "earth=2000", "too_large", {"maximum": 1000}),
        ("planets", "grid", "perhaps", "not_yes_or_no", {}),
        ("planets", "latent", "x" * 701, "too_long", {"maximum": 700}),
        ("planets", "latent", "x" * 5000, "too_long", {"maximum": 4096}),
        ("planets", "seed", str(2**63), "too_large", {"maximum": 2**63 - 1}),
        ("neural_style", "content", "a photo", "send_a_file", {}),
        ("neural_style", "style_weights", "1,1,1,1,1", "too_many", {"maximum": 4}),
        ("stylegan", "fps", "500", "too_large", {"maximum": 120}),
        ("stylegan", "fps", "fast", "pattern", {}),
        ("stylegan", "mix", "[" * 4000, "not_pairs", {}),
        ("stylegan", "points", "[" * 4000, "not_json", {}),
        ("stylegan", "network", "../../etc/passwd", "pattern", {}),
    ],
)
def test_what_does_not_fit_is_told_precisely(engine, name, typed, code, facts):
    with pytest.raises(BadValue) as caught:
        form(engine)[name].parse(typed)
    assert (caught.value.code, caught.value.facts) == (code, facts)


@pytest.mark.parametrize(
    ("bounds", "whole", "wanted"),
    [
        ((0.0, 1.0, 0.5), False, (0.25, 0.5, 0.75, 1.0)),  # strength
        ((0.0, 1.5, 1.0), False, (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)),
        ((0.5, 2.0, 1.0), False, (0.5, 1.0, 2.0)),  # stroke
        ((1, 64, 1), True, (1, 4, 9, 16)),  # count
        ((64, 512, 128), True, (64, 128, 256, 512)),  # size
        ((64, 2048, 768), True, (128, 256, 512, 768, 1024, 2048)),
        ((1, 7200, 48), True, (12, 24, 48, 96, 192)),  # frames
        ((0, 3, 0), True, (0, 1, 2, 3)),
        ((5, 5, None), True, (5,)),
        ((0, 2**63 - 1, None), True, ()),  # a seed
        ((None, None, 24), True, (6, 12, 24, 48, 96)),
        ((None, None, None), False, ()),
    ],
)
def test_presets(bounds, whole, wanted):
    assert presets(*bounds, whole=whole) == wanted


@given(st.data(), st.booleans())
def test_presets_are_few_ascending_and_within_bounds(data, whole):
    number = st.integers(-(10**6), 10**6) if whole else st.floats(-1e6, 1e6, width=32)
    low, high = sorted([data.draw(number) + 0, data.draw(number) + 0])  # no -0.0
    default = data.draw(st.none() | (st.integers(low, high) if whole else st.floats(low, high)))
    found = presets(low, high, default, whole=whole)
    assert len(found) <= MOST
    assert list(found) == sorted(set(found))
    assert all(low <= value <= high for value in found)
    assert not found or default is None or default in found
    assert all(isinstance(value, int if whole else float) for value in found)


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


def test_true_is_no_number():
    for wrong in ({"type": "integer"}, {"type": "number"}, {"enum": [1]}):
        with pytest.raises(BadValue):
            values.check(wrong, True)


@pytest.mark.parametrize(
    "typed", ['{"x": 1e999}', '{"x": NaN}', '{"x": -Infinity}', "[" * 4000, '{"x": ' + "9" * 4090 + "}"]
)
def test_json_that_cannot_be_sent_is_refused(typed):
    anything = Form.of(schema({"a": {"type": "object"}, "b": {}}))
    for name in ("a", "b"):
        with pytest.raises(BadValue):
            anything[name].parse(typed)
