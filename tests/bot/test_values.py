"""What people type is a value that the schema allows, or a precise complaint."""

from __future__ import annotations

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engines
from bot import values
from bot.forms import BadValue, Form
from tests.bot.engine_views import form, schema, view

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
