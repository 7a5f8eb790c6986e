"""Requests about the rest of the house: what may be sent twice, and what is an answer."""

from __future__ import annotations

import pytest

from client.calls import house

TWICE = {
    "drain": house.drain("w", True),
    "resume": house.resume("w"),
    "limit_owner": house.limit_owner("o", {"max_queued": 3}),
    "revoke_key": house.revoke_key("k"),
    "me": house.me(),
}
ONCE = {
    "make_key": house.make_key("u", {}),
    "link_code": house.link_code(),
    "redeem": house.redeem("c", "n"),
    "other": house.other("POST", "/v1/x", {}, None, False),
}


@pytest.mark.parametrize("name", TWICE)
def test_what_twice_is_done_once_may_be_sent_twice(name):
    assert TWICE[name].repeatable


@pytest.mark.parametrize("name", ONCE)
def test_the_rest_is_sent_once(name):
    assert not ONCE[name].repeatable


def test_engines_in_a_language():
    assert house.engines(True, "de").query == {"hidden": "true", "lang": "de"}
    assert house.engine("echo", None).query == {"lang": None}


@pytest.mark.parametrize(
    ("call", "odd"),
    [
        (house.engine("echo", None), {"params_schema": []}),
        (house.make_key("u", {}), {"key": None}),
        (house.workers(), {"workers": {}}),
    ],
    ids=["schema", "key", "workers"],
)
def test_what_is_no_answer_is_refused(call, odd):
    with pytest.raises(TypeError):
        call.read(odd)
