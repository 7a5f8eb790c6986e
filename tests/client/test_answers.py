"""What answers say, well made or not."""

from __future__ import annotations

import httpx
import pytest

from client import answers
from client.calls import house, jobs
from client.calls.base import get, whole
from client.errors import Invalid, NoServer, NotAtelier, NotFound, RateLimited, Refused, TimedOut

REQUEST = httpx.Request("GET", "http://api.test/v1/x?signature=secret")
PROBLEM = {"code": "busy", "detail": "No."}


def said(status: int, **more: object) -> httpx.Response:
    return httpx.Response(status, request=REQUEST, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "odd",
    [
        b"<html>hello</html>",
        b"[]",
        b'"text"',
        b'{"engines": [',
        b"[" * 100_000,
        b"\xff\xfe\x00",
        b'{"engines": {"a": 1}}',
        b'{"jobs": []}',
        b"",
    ],
    ids=["page", "list", "text", "cut", "deep", "bytes", "kind", "other", "nothing"],
)
def test_what_is_not_what_was_asked_for_is_not_atelier(odd):
    with pytest.raises(NotAtelier, match="not Atelier's API") as caught:
        answers.read(house.engines(False, None), said(200, content=odd))
    assert "secret" not in str(caught.value)
    assert caught.value.status == 200


def test_a_thing_has_an_id():
    assert answers.read(jobs.cancel("job_1"), said(200, json={"id": "job_1"})) == {"id": "job_1"}
    for odd in ({}, {"id": 7}):
        with pytest.raises(NotAtelier):
            answers.read(jobs.cancel("job_1"), said(202, json=odd))


@pytest.mark.parametrize("odd", [{"id": "job_1"}, {"id": "job_1", "state": None}], ids=["none", "null"])
def test_a_job_has_a_state(odd):
    with pytest.raises(NotAtelier):
        answers.read(jobs.job("job_1"), said(200, json=odd))


def test_nothing_is_an_answer_where_nothing_is_expected():
    assert answers.read(jobs.delete("job_1"), said(204)) == {}


def test_a_problem_document_is_a_refusal():
    error = answers.error_of(said(422, json={**PROBLEM, "errors": [{"field": "size"}]}))
    assert isinstance(error, Invalid)
    assert (error.code, error.errors) == ("busy", [{"field": "size"}])


@pytest.mark.parametrize(
    "odd",
    [{"text": "<html>Bad Gateway"}, {"json": {"message": "no"}}, {"json": {"code": 7}}, {"content": b""}],
    ids=["page", "message", "number", "nothing"],
)
def test_what_is_none_is_somebody_else(odd):
    error = answers.error_of(said(502, **odd))
    assert isinstance(error, NotAtelier)
    assert error.status == 502


@pytest.mark.parametrize(
    ("header", "document", "seconds"),
    [
        ("7", {}, 7.0),
        ("7", {"retry_after": 2}, 2.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", {}, 0.0),
        ("-1", {}, 0.0),
        ("9" * 400, {}, 0.0),
        ("", {}, 0.0),
    ],
    ids=["header", "document", "date", "negative", "endless", "none"],
)
def test_how_long_to_wait(header, document, seconds):
    error = answers.error_of(said(429, json=PROBLEM | document, headers={"Retry-After": header}))
    assert isinstance(error, RateLimited)
    assert error.retry_after == seconds


def test_a_post_that_is_sent_elsewhere_says_where():
    error = answers.error_of(said(301, headers={"Location": "https://api.test/v1/x"}))
    assert isinstance(error, NotAtelier)
    assert "https://api.test/v1/x" in str(error)


def test_what_is_gone_at_the_second_try_was_deleted_by_the_first():
    gone: Refused = NotFound(404, PROBLEM)
    assert answers.was_done(jobs.delete("job_1"), gone, 2)
    assert not answers.was_done(jobs.delete("job_1"), gone, 1)
    assert not answers.was_done(get("/v1/x", whole), gone, 2)


def test_why_there_is_no_answer():
    assert isinstance(answers.lost(httpx.ReadTimeout("")), TimedOut)
    assert str(answers.lost(httpx.ConnectError("refused"))) == "refused"
    assert str(answers.lost(httpx.ReadError(""))) == "ReadError"
    assert isinstance(answers.lost(httpx.ReadError("")), NoServer)
