"""The error of each status, and problem documents that are badly made."""

from __future__ import annotations

import pytest

from client import errors
from client.errors import JobFailed, NotFinished, refused


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.Invalid),
        (413, errors.Invalid),
        (415, errors.Invalid),
        (422, errors.Invalid),
        (401, errors.Unauthorized),
        (403, errors.Forbidden),
        (404, errors.NotFound),
        (410, errors.NotFound),
        (409, errors.Conflict),
        (429, errors.RateLimited),
        (500, errors.Unavailable),
        (503, errors.Unavailable),
    ],
)
def test_the_status_decides(status, kind):
    found = refused(status, {"code": "c", "detail": "Because.", "instance": "req_1"})

    assert type(found) is kind
    assert str(found) == f"{status} c: Because."
    assert (found.status, found.code, found.detail, found.request_id) == (status, "c", "Because.", "req_1")


@pytest.mark.parametrize("seconds", [None, "soon", True, [], {}, -1, float("nan"), float("inf")], ids=repr)
def test_seconds_that_are_none_are_none(seconds):
    assert refused(429, {"retry_after": seconds}).retry_after == 0.0


def test_seconds_and_fields():
    found = refused(422, {"retry_after": 2, "errors": [{"field": "x"}, "odd", None]})

    assert found.retry_after == 2.0
    assert found.errors == [{"field": "x"}]
    assert refused(422, {"errors": "odd"}).errors == []
    assert refused(422, {}).code == "error"
    assert refused(422, {}).detail == "The server answered 422."


def test_what_became_of_a_job():
    failed = JobFailed({"id": "job_1", "state": "failed", "error": {"code": "oom", "detail": "Too large."}})
    canceled = JobFailed({"id": "job_1", "state": "canceled", "error": None})

    assert (failed.code, failed.detail) == ("oom", "Too large.")
    assert str(failed) == "job_1 failed: Too large. (oom)"
    assert (canceled.code, canceled.detail) == ("canceled", "The job was canceled.")
    assert str(NotFinished({"id": "job_1", "state": "queued"})) == "job_1 is still queued"


def test_the_tree_of_the_docstring_is_the_tree():
    lines = (errors.__doc__ or "").splitlines()
    drawn = [line.split("── ")[1].split()[0] for line in lines if "── " in line]
    known = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    kinds = {kind.__name__ for kind in known if issubclass(kind, errors.ApiError)}

    assert set(drawn) == kinds - {"ApiError"}
    assert all(issubclass(getattr(errors, name), errors.ApiError) for name in drawn)
