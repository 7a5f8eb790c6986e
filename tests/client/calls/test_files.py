"""Requests about files: a small one is sent again under its key, a network once."""

from __future__ import annotations

from client.calls import files
from client.calls.base import Form, Stream
from client.uploads import File, unheard

FILE = File("a.png", b"bytes")


def test_an_upload_has_a_key_that_makes_it_one():
    call = files.upload(FILE, None)
    assert call.repeatable
    assert len(call.headers["Idempotency-Key"]) == 32
    assert call.body == Form({}, [("file", FILE)])


def test_a_network_is_streamed_and_sent_once():
    call = files.add_network(FILE, "mine", True, unheard)
    assert not call.repeatable
    assert call.body == Stream(FILE, unheard)
    assert call.query == {"name": "mine", "shared": "true"}
    assert files.add_network(FILE, "mine", False, unheard).query["shared"] is None


def test_what_is_gone_may_go_again():
    assert files.delete_file({"id": "art_1"}).path == "/v1/files/art_1"
    assert files.delete_file("art_1").repeatable
    assert files.delete_network("net_1").repeatable
