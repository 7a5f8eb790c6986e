"""What a button carries comes back as it was, and nothing else comes through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import callbacks
from bot.callbacks import MAX_BYTES, VERBS, BadCallback, TooLong, pack, unpack

VERB = st.sampled_from(sorted(VERBS))


@st.composite
def calls(draw):
    verb = draw(VERB)
    fewest, most = VERBS[verb]
    return verb, draw(st.lists(st.text(max_size=12), min_size=fewest, max_size=most))


@given(calls())
def test_what_is_packed_comes_back(call):
    verb, args = call
    try:
        data = pack(verb, *args)
    except TooLong:
        assert len("".join(args).encode()) > 12  # each byte takes three at most
        return
    assert 1 <= len(data.encode()) <= MAX_BYTES
    assert unpack(data) == (verb, tuple(args))


@given(st.one_of(st.text(max_size=80), st.from_regex(r"1?[a-z]{1,2}(:[\w%]{0,9}){0,4}", fullmatch=True)))
def test_anything_else_is_refused_or_is_ours(data):
    try:
        verb, args = unpack(data)
    except BadCallback:
        return
    assert pack(verb, *args) == data


@pytest.mark.parametrize(
    "data",
    [
        "",
        "g",  # of no version
        "0g:ab12",  # of another one
        "2g:ab12",
        "1zz:1",
        "1g",  # an argument is missing
        "1g:ab12:1",  # and one too many
        "1jc:%4a",  # not as we write it
        "1jc:%",
        "1jc:%ff",  # no UTF-8
        "1jc:a b",
        "1jc:" + "a" * 61,
        "1jc:\0",
        "1jc:\ud800",
    ],
)
def test_old_and_foreign_data_is_refused(data):
    with pytest.raises(BadCallback):
        unpack(data)


def test_numbers_are_arguments():
    assert unpack(pack(callbacks.SET, "ab12", 3, 14)) == (callbacks.SET, ("ab12", "3", "14"))


def test_the_ids_of_the_api_fit():
    for verb in (callbacks.CANCEL, callbacks.DRAIN):
        assert len(pack(verb, "job_" + "0" * 32)) <= MAX_BYTES
    assert len(pack(callbacks.USE, "job_" + "0" * 32, 63)) <= MAX_BYTES


def test_a_verb_has_its_arguments_and_no_others():
    with pytest.raises(ValueError, match="1 to 1 arguments"):
        pack(callbacks.GO)
    with pytest.raises(TooLong):
        pack(callbacks.ENGINE, "e" * 63)


def test_the_verbs_differ():
    said = [v for k, v in vars(callbacks).items() if k.isupper() and isinstance(v, str) and k[0] != "_"]
    assert sorted(said) == sorted(VERBS)
    assert VERBS.keys() >= callbacks.OF_A_FORM
