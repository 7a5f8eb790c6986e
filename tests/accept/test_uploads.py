"""One file, through the door and into the store."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accept.uploads import display_name, inspect, sha256_of, storage_name, store_file, store_file_once
from jobs.errors import BadFile, IdempotencyConflict, Unavailable
from tests.accept.conftest import files_of
from tests.api.helpers import picture


def kept(means, owner_id, name="a.png", key=None):
    stream = io.BytesIO(picture())
    info, sha256 = inspect(stream), sha256_of(stream)
    if key is None:
        return store_file(means, owner_id, stream, name, info, sha256)
    return store_file_once(means, owner_id, stream, name, info, sha256, key)


def test_bytes_and_row_say_the_same(means, ada):
    row = kept(means, ada, "C:\\pictures\\me.png")
    assert (row.name, row.media_type, row.width, row.height) == ("me.png", "image/png", 48, 32)
    assert row.key == f"files/{row.id}/me.png"
    with means.storage.open(row.key) as stream:
        assert sha256_of(io.BytesIO(stream.read())) == row.sha256


def test_one_key_with_one_file_is_one_file(means, ada):
    (first, made), (second, again) = kept(means, ada, key="k"), kept(means, ada, key="k")
    assert (made, again, first.id) == (True, False, second.id)
    assert files_of(means, ada) == ["a.png"]
    stream = io.BytesIO(picture(color="red"))
    with pytest.raises(IdempotencyConflict):
        store_file_once(means, ada, stream, "b", inspect(stream), sha256_of(stream), "k")
    assert files_of(means, ada) == ["a.png"]


def test_without_its_row_there_is_no_file_for_long(means, ada, monkeypatch):
    def away(*_args):
        raise Unavailable

    monkeypatch.setattr(type(means.files), "add_once", away)
    with pytest.raises(Unavailable):
        kept(means, ada, key="k")
    assert files_of(means, ada) == []


def test_what_a_field_does_not_take_is_said_of_it():
    with pytest.raises(BadFile) as refused:
        inspect(io.BytesIO(picture()), ("image/jpeg",), field="mask")
    assert refused.value.problem_code == "wrong_media_type"
    assert refused.value.extra["errors"][0]["field"] == "mask"
    with pytest.raises(BadFile) as refused:
        inspect(io.BytesIO(b"no picture"), ("image/png",), field="mask")
    assert refused.value.extra["errors"][0] | {"message": ""} == {
        "field": "mask",
        "message": "",
        "code": "unsupported_image_type",
    }


@given(st.text(max_size=300))
@settings(derandomize=True, database=None)
def test_no_name_leaves_its_folder(name):
    shown = display_name(name, "image/png")
    assert 0 < len(shown) <= 120
    assert shown.isprintable()
    assert not set("/\\") & set(shown)
    stored = storage_name(shown, "image/png")
    assert stored.isascii()
    assert stored.endswith(".png")
    assert stored != ".png"
    assert "/" not in stored
