"""The bytes of a stored file: whole, in ranges, or not again."""

from __future__ import annotations

import pytest

from jobs.files import FileStore
from tests.api.helpers import finish, picture, problem


@pytest.fixture
def content(api) -> str:
    return f"/v1/files/{api.upload().json['id']}/content"


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=10-", 10, None),
        ("bytes=-5", -5, None),
        ("bytes=0-", 0, None),
        ("bytes=0-99999999", 0, None),
    ],
)
def test_a_range_is_a_206(api, content, wanted, start, end):
    answer = api.get(content, headers={"Range": wanted})
    assert answer.status_code == 206
    assert answer.data == picture()[start:end]
    assert answer.headers["Content-Range"].endswith(f"/{len(picture())}")
    assert int(answer.headers["Content-Length"]) == len(answer.data)


def test_a_range_past_the_end_is_a_416(api, content):
    answer = api.get(content, headers={"Range": "bytes=100000-"})
    problem(answer, 416, "requested_range_not_satisfiable")
    assert answer.headers["Content-Range"] == f"bytes */{len(picture())}"


@pytest.mark.parametrize("wanted", ["bytes=x", "bytes=5-2", "lines=1-2", "bytes=0-1,4-5"])
def test_ranges_that_mean_nothing_give_the_whole(api, content, wanted):
    answer = api.get(content, headers={"Range": wanted})
    assert (answer.status_code, answer.data) == (200, picture())


def test_what_the_client_has_is_not_sent_again(api, content):
    etag = api.get(content).headers["ETag"]
    again = api.get(content, headers={"If-None-Match": etag})
    assert (again.status_code, again.data) == (304, b"")
    part = {"Range": "bytes=0-3"}
    assert api.get(content, headers=part | {"If-Range": etag}).status_code == 206
    assert api.get(content, headers=part | {"If-Range": '"other"'}).status_code == 200
    head = api.request("HEAD", content)
    assert (head.status_code, head.data) == (200, b"")
    assert int(head.headers["Content-Length"]) == len(picture())


def test_bytes_that_are_gone_are_a_410(api, storage, store, content):
    file_id = content.split("/")[3]
    storage.delete(FileStore(store.database).get(file_id).key)
    problem(api.get(content), 410, "gone")
    problem(api.request("GET", content, headers={"Range": "bytes=0-1"}), 410, "gone")


def test_content_that_is_no_image_is_an_attachment(api, store, storage):
    api.job_id()
    finish(store, storage)
    url = api.get("/v1/jobs").json["jobs"][0]["artifacts"][0]["url"]
    assert api.get(url).headers["Content-Disposition"].startswith("attachment")
