"""Pictures in a JSON text are found as its strings are, whatever stands around them and in them."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.requests.data_uris import data_uris, without_data_uris


def found(text: str) -> list[str]:
    data = text.encode()
    return [data[start:end].decode() for start, end in data_uris(data)]


@pytest.mark.parametrize(
    ("text", "uris"),
    [
        ('{"image": "data:image/png;base64,AA=="}', ['"data:image/png;base64,AA=="']),
        ('["data:a", "data:b"]', ['"data:a"', '"data:b"']),
        (r'{"image": "data:image\/png;base64,A\/A="}', [r'"data:image\/png;base64,A\/A="']),
        (r'{"text": "say \"data:a\""}', []),
        (r'{"image": "data:\u20ac"}', []),
        ('{"image": "data:€"}', []),
        ('{"image": "data:never ends', []),
        ('{"data:a": "data:€", "b": "data:b"}', ['"data:a"', '"data:b"']),
        ("{}", []),
    ],
    ids=["one", "two", "escaped slashes", "escaped quotes", "escaped letter", "letter", "cut", "key", "none"],
)
def test_which_are_found(text, uris):
    assert found(text) == uris


_strings = st.one_of(
    st.text(max_size=20),
    st.text("AZaz09+/=", max_size=40).map("data:image/png;base64,{}".format),
)


@given(st.lists(_strings), st.booleans())
def test_of_strings_without_escapes_they_are_those_that_begin_so_and_are_ascii(strings, ascii_only):
    strings = [one for one in strings if '"' not in one and "\\" not in one]
    text = json.dumps(strings, ensure_ascii=ascii_only)
    expected = [one for one in strings if one.startswith("data:") and one.isascii() and one.isprintable()]
    assert [json.loads(uri) for uri in found(text) if json.loads(uri).isprintable()] == expected


def test_what_is_long_is_put_aside_and_the_text_stays_json_with_as_many_values():
    long = "data:image/png;base64," + "A" * 2000
    made = {
        "keep": "data:short",
        "images": [long, long],
        long: 1,
        long + "B": 2,
        "escaped": "data:" + "\\" * 999,
    }
    short = json.loads(without_data_uris(json.dumps(made).encode()))
    assert len(short) == len(made)
    assert short["keep"] == "data:short"
    assert short["escaped"] == made["escaped"]
    assert len(set(short["images"])) == 2
    assert all(len(one) < 20 for one in short["images"])


def test_a_hostile_text_is_searched_in_one_pass():
    began = time.process_time()
    for text in ('"data:' * 200_000, '\\"data:' * 200_000, '"data:€' * 200_000):
        list(data_uris(text.encode()))
    assert time.process_time() - began < 5  # quadratic, it would be minutes
