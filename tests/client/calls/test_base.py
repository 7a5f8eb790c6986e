"""How answers are read, and ids written."""

from __future__ import annotations

import pytest

from client.calls.base import listed, new_key, once, page, part, thing


def test_a_thing_or_its_id():
    assert part("job_1") == part({"id": "job_1"}) == "job_1"


def test_a_page_has_its_things_and_says_whether_there_are_more():
    assert page("jobs")({"jobs": [1]}) == {"jobs": [1], "next_cursor": None}
    assert page("jobs")({"jobs": [], "next_cursor": "c"})["next_cursor"] == "c"
    assert listed("jobs")({"jobs": [1]}) == [1]


@pytest.mark.parametrize("odd", [{}, {"jobs": {}}, {"jobs": None}], ids=["none", "object", "null"])
def test_what_is_no_list_is_refused(odd):
    with pytest.raises((KeyError, TypeError)):
        page("jobs")(odd)


def test_an_id_is_text():
    with pytest.raises(TypeError):
        thing({"id": None})


def test_keys_fit_the_header():
    assert once("mine") == {"Idempotency-Key": "mine"}
    assert new_key() != new_key()
    assert new_key().isalnum()
