"""A call as httpx takes it."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime

import httpx
import pytest

from client import requests
from client.calls import files, jobs
from client.calls.base import Call, get, whole
from client.server import Server
from client.uploads import File

SERVER = Server.chosen("http://api.test", "atl_key")


def sent(call: Call[object]) -> httpx.Request:
    with ExitStack() as stack, httpx.Client(base_url=SERVER.url) as http:
        options = requests.options(call, SERVER, stack)
        options.pop("follow_redirects")
        request = http.build_request(call.method, call.path, **options)
        request.read()
        return request


def test_a_query_leaves_out_what_is_none_and_repeats_lists():
    when = datetime(2026, 11, 21, 9, tzinfo=UTC)
    request = sent(get("/v1/jobs", whole, all=True, state=["a", "b"], q=None, limit=3, created_after=when))
    assert request.url.params.multi_items() == [
        *(("all", "true"), ("state", "a"), ("state", "b"), ("limit", "3")),
        ("created_after", "2026-11-21T09:00:00+00:00"),
    ]
    assert request.headers["Authorization"] == "Bearer atl_key"


@pytest.mark.parametrize("odd", ["../keys", "a/b?x=1#y", "ä %2F"], ids=["up", "query", "odd"])
def test_an_id_is_one_part_of_a_path_whatever_is_in_it(odd):
    request = sent(jobs.job(odd))
    assert request.url.raw_path.count(b"/") == 3
    assert request.url.path == f"/v1/jobs/{odd}"
    assert request.url.query == b""


def test_a_form_has_its_files_and_is_the_same_each_time(tmp_path):
    (tmp_path / "a.png").write_bytes(b"bytes")
    call = files.upload(File.of(tmp_path / "a.png"), "key")
    for _ in range(2):
        request = sent(call)
        assert request.headers["Idempotency-Key"] == "key"
        assert b'name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\nbytes\r\n' in request.content


def test_only_questions_are_sent_elsewhere():
    with ExitStack() as stack:
        assert requests.options(jobs.job("j"), SERVER, stack)["follow_redirects"] is True
        assert requests.options(jobs.cancel("j"), SERVER, stack)["follow_redirects"] is False


def test_a_large_upload_has_its_own_time():
    with ExitStack() as stack:
        assert "timeout" not in requests.options(jobs.job("j"), SERVER, stack)
        assert requests.options(files.upload(File("a", b""), None), SERVER, stack)["timeout"].read == 300.0
