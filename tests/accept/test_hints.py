"""The name that was probably meant."""

from __future__ import annotations

import pytest

from accept.hints import hint

KNOWN = ("engine", "params", "priority", "style_weights", "seed")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("input", "params"),
        ("model", "engine"),
        ("Engine", "engine"),
        ("prioriy", "priority"),
        ("style-weights", "style_weights"),
        ("zebra", None),
        ("", None),
        ("s" * 10_000, None),
    ],
)
def test_a_near_name_is_named(name, meant):
    assert hint(name, KNOWN) == (f" Did you mean {meant}?" if meant else "")


def test_another_service_s_name_is_none_of_ours_where_we_have_no_such_thing():
    assert hint("input", ["seed", "text"]) == ""
