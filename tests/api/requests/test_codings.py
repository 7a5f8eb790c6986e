"""Packed request bodies."""

from __future__ import annotations

import gzip
import io
import json
import os
import zlib

import pytest
from werkzeug.test import EnvironBuilder

from api.requests.codings import Unpacked
from tests.api.helpers import Api, picture, problem

ECHO = json.dumps({"engine": "echo", "params": {"text": "packed"}}).encode()


def post(
    api, data: bytes, coding: str = "gzip", path: str = "/v1/jobs", media_type: str = "application/json"
):
    return api.post(path, data=data, content_type=media_type, headers={"Content-Encoding": coding})


def form(**files: tuple[io.BytesIO, str]) -> tuple[bytes, str]:
    """The bytes of a form, and its media type."""
    builder = EnvironBuilder(method="POST", data=files)
    environ = builder.get_environ()
    builder.close()
    return environ["wsgi.input"].read(), environ["CONTENT_TYPE"]


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("gzip", gzip.compress(ECHO)),
        ("GZIP", gzip.compress(ECHO)),
        ("x-gzip", gzip.compress(ECHO)),
        ("deflate", zlib.compress(ECHO)),
        ("identity", ECHO),
        ("gzip", gzip.compress(ECHO[:9]) + gzip.compress(b"") + gzip.compress(ECHO[9:])),
    ],
    ids=["gzip", "GZIP", "x-gzip", "deflate", "identity", "several"],
)
def test_json_may_come_packed(api, coding, data):
    answer = post(api, data, coding)
    assert answer.status_code == 202, answer.text
    assert answer.json["params"]["text"] == "packed"


def test_without_a_length_too(api):
    answer = api.post(
        "/v1/jobs",
        content_type="application/json",
        headers={"Content-Encoding": "gzip", "Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input": io.BytesIO(gzip.compress(ECHO)), "wsgi.input_terminated": True},
    )
    assert answer.status_code == 202, answer.text


def test_forms_may_come_packed(api):
    data, media_type = form(file=(io.BytesIO(picture()), "photo.png"))
    answer = post(api, gzip.compress(data), path="/v1/files", media_type=media_type)
    assert answer.status_code == 201, answer.text
    assert api.get(answer.json["url"]).data == picture()


def test_a_network_may_come_packed(api):
    """The door sees what is in the packing, and says what is wrong with that."""
    answer = post(
        api, gzip.compress(b"<html>"), path="/v1/networks?name=n", media_type="application/octet-stream"
    )
    assert "web page" in problem(answer, 422, "unknown_network_format")["detail"]


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "nonsense"])
def test_another_coding_is_a_415_that_names_those_there_are(api, coding):
    answer = post(api, ECHO, coding)
    problem(answer, 415, "unsupported_media_type")
    assert answer.headers["Accept-Encoding"] == "gzip, deflate"


def test_a_415_about_the_media_type_names_no_codings(api):
    answer = api.post("/v1/jobs", data=b"x", content_type="text/plain")
    problem(answer, 415, "unsupported_media_type")
    assert "Accept-Encoding" not in answer.headers


def test_a_request_without_a_body_has_nothing_to_unpack(api):
    assert api.get("/v1/me", headers={"Content-Encoding": "br"}).status_code == 200


@pytest.mark.parametrize(
    "data",
    [ECHO, gzip.compress(ECHO)[:-9], gzip.compress(ECHO)[:-1] + b"x", gzip.compress(ECHO) + b"rest", b"\x1f"],
    ids=["not packed", "cut", "wrong checksum", "something behind", "one byte"],
)
def test_what_is_no_such_packing_is_a_400(api, data):
    problem(post(api, data), 400, "bad_content_encoding")


# A form that breaks off leaves werkzeug's temporary file to the garbage collector, packed or not.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("make", ["json", "form"])
def test_a_bomb_is_too_large_before_it_is_unpacked(make_app, make_key, make, monkeypatch):
    """64 MB in 64 KB: no more of it comes out than the key may send."""
    api = Api(make_app(max_upload_bytes=200_000), make_key())
    made = 0
    reading = Unpacked.readinto

    def counted(self, buffer):
        nonlocal made
        made += (got := reading(self, buffer))
        return got

    monkeypatch.setattr(Unpacked, "readinto", counted)
    if make == "json":
        answer = post(api, gzip.compress(b'"' + bytes(64_000_000) + b'"'))
    else:
        data, media_type = form(file=(io.BytesIO(bytes(64_000_000)), "x.png"))
        answer = post(api, gzip.compress(data), path="/v1/files", media_type=media_type)
    problem(answer, 413, "too_large")
    assert 0 < made < 400_000


def test_a_packing_of_nothing_does_not_go_on_for_ever(make_app, make_key):
    api = Api(make_app(max_upload_bytes=100_000), make_key())
    member = b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * 1000 + b"\0" + gzip.compress(b"")[10:]
    problem(post(api, member * 200), 413, "too_large")


def test_packings_of_nothing_take_no_time_to_speak_of(api):
    problem(post(api, gzip.compress(b"") * 10_000 + gzip.compress(ECHO)), 400, "bad_content_encoding")


def test_as_many_packings_as_tools_make_are_taken(api):
    body = ECHO + b" " * 500_000
    packed = b"".join(gzip.compress(body[at : at + 100], 1) for at in range(0, len(body), 100))
    problem(post(api, packed), 400, "bad_content_encoding")
    blocks = b"".join(gzip.compress(body[at : at + 2000], 1) for at in range(0, len(body), 2000))
    assert post(api, blocks).status_code == 202


@pytest.mark.parametrize("size", [1, 7, 1000, 100_000])
def test_what_comes_out_is_what_went_in_however_it_is_read(app, size):
    data = os.urandom(50_000) + bytes(300_000) + os.urandom(5)
    with app.test_request_context():
        unpacked = Unpacked(io.BytesIO(gzip.compress(data)), 31)
        pieces = []
        while piece := unpacked.read(size if size > 1 else 4096 + 1):
            pieces.append(piece)
    assert b"".join(pieces) == data
