"""Both clients against servers that break off, are busy, say nonsense, or are not there."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest

from client import (
    Damaged,
    File,
    NoServer,
    NotAtelier,
    NotFound,
    RateLimited,
    Retries,
    Unauthorized,
    Unavailable,
    following,
    waiting,
)
from tests.client.helpers import answer, answering, event, job, refusal, stream

QUICK = Retries(pause=0.0)
ME = answer(200, {"id": "key_1"})
DONE = stream(event(3, "succeeded"))


@pytest.fixture(autouse=True)
def _hurry(monkeypatch):
    monkeypatch.setattr(following, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(waiting, "PAUSE_SECONDS", 0.0)


def test_nobody_there(connect):
    client = connect("http://127.0.0.1:1", retries=QUICK)
    for ask in (client.me, lambda: client.read("/x"), lambda: client.submit("echo")):
        with pytest.raises(NoServer):
            ask()


@pytest.mark.parametrize(
    "broken",
    [
        None,
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        answer(200, {"id": "job_1"}, length=1000),
        answer(502, b"<html>Bad Gateway</html>"),
        refusal(503, Retry_After="0"),
        b"\x16\x03\x01 nonsense\r\n\r\n",
    ],
    ids=["hung up", "nothing", "half a head", "half a body", "gateway", "unavailable", "nonsense"],
)
def test_a_submission_that_breaks_off_is_sent_again_under_its_key(connect, broken):
    with answering(broken, answer(202, {"id": "job_1"})) as server:
        client = connect(server.url, retries=QUICK)
        sent = client.submit("echo", {"photo": File("a.png", io.BytesIO(b"bytes"))}, priority="low")

    assert sent == {"id": "job_1"}
    first, second = server.asked
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"] != ""
    for one in (first, second):
        assert one.body.count(b"\r\n\r\nbytes\r\n") == 1
        assert b'name="priority"\r\n\r\nlow' in one.body


def test_two_submissions_are_two(connect):
    with answering(answer(202, {"id": "job_1"})) as server:
        client = connect(server.url)
        client.submit("echo")
        client.submit("echo")
        client.submit("echo", idempotency_key="mine")
    keys = [one.headers["idempotency-key"] for one in server.asked]
    assert len(set(keys)) == 3
    assert keys[2] == "mine"


def test_what_twice_would_be_two_is_not_sent_again(connect):
    with answering(None) as server:
        with pytest.raises(NoServer):
            connect(server.url, retries=QUICK).make_key("ada")
        assert len(server.asked) == 1


def test_it_gives_up(connect):
    with answering(None) as server:
        with pytest.raises(NoServer):
            connect(server.url, retries=QUICK).me()
        assert len(server.asked) == 3


def test_a_short_wait_is_waited_and_a_long_one_is_the_caller_s(connect):
    with answering(refusal(429, Retry_After="0"), refusal(503, Retry_After="0"), ME) as server:
        assert connect(server.url, retries=QUICK).me() == {"id": "key_1"}
    with answering(refusal(429, "rate_limited", Retry_After="40")) as server:
        with pytest.raises(RateLimited) as caught:
            connect(server.url).me()
        assert (caught.value.retry_after, caught.value.code, len(server.asked)) == (40, "rate_limited", 1)
    with answering(refusal(503, Retry_After="0")) as server:
        with pytest.raises(Unavailable):
            connect(server.url, retries=QUICK).me()
        assert len(server.asked) == 3


@pytest.mark.parametrize(
    "odd",
    [answer(200, b"<html>hello</html>"), answer(200, []), answer(200, b""), answer(404, b"no")],
    ids=["page", "list", "nothing", "404"],
)
def test_somebody_else_is_not_asked_twice(connect, odd):
    with answering(odd) as server:
        with pytest.raises(NotAtelier, match="not Atelier's API"):
            connect(server.url, retries=QUICK).me()
        assert len(server.asked) == 1


def test_a_post_is_not_made_a_get(connect):
    with answering(answer(301, b"", Location="https://elsewhere.example/v1/jobs")) as server:
        with pytest.raises(NotAtelier, match="elsewhere"):
            connect(server.url).submit("echo")
        assert len(server.asked) == 1


def test_what_was_deleted_by_a_try_that_broke_off_is_deleted(connect):
    with answering(None, refusal(404, "not_found")) as server:
        assert connect(server.url, retries=QUICK).delete("job_1") is None
    with answering(refusal(404, "not_found")) as server, pytest.raises(NotFound):
        connect(server.url, retries=QUICK).delete("job_1")


def test_events_go_on_where_the_stream_broke(connect):
    half = b'id: 3\ndata: {"version": 3, "sta'
    with answering(stream(event(1), event(2), tail=half), None, DONE) as server:
        found = list(connect(server.url).events("job_1"))

    assert [one["version"] for one in found] == [1, 2, 3]
    assert [one.headers.get("last-event-id") for one in server.asked] == [None, "2", "2"]
    assert {one.headers["accept"] for one in server.asked} == {"text/event-stream"}


def test_events_begin_where_one_wants(connect):
    with answering(DONE) as server:
        assert len(list(connect(server.url).events({"id": "job_1"}, after=2))) == 1
    assert server.asked[0].headers["last-event-id"] == "2"


@pytest.mark.parametrize(
    "silent",
    [None, answer(200, b"<html>hello</html>"), stream(), stream(tail=b"data: {}\n\n"), refusal(500)],
    ids=["hung up", "page", "empty", "odd", "internal"],
)
def test_a_stream_that_never_speaks_is_replaced_by_polling(connect, silent):
    polled = [answer(200, job("running", 4)), answer(200, job("running", 4)), answer(200, job(version=6))]
    with answering(*[silent] * 3, *polled) as server:
        found = list(connect(server.url).events("job_1"))

    assert [(one["version"], one["state"]) for one in found] == [(4, "running"), (6, "succeeded")]
    assert [one.path for one in server.asked] == ["/v1/jobs/job_1/events"] * 3 + ["/v1/jobs/job_1"] * 3


def test_too_many_streams_are_polled_at_once(connect):
    with answering(refusal(503, "too_many_streams", Retry_After="9"), answer(200, job())) as server:
        assert [one["state"] for one in connect(server.url).events("job_1")] == ["succeeded"]
        assert len(server.asked) == 2


def test_a_revoked_key_ends_the_events(connect):
    with answering(stream(event(1)), refusal(401, "unauthorized")) as server:
        found = connect(server.url).events("job_1")
        assert next(found)["version"] == 1
        with pytest.raises(Unauthorized):
            next(found)


def test_events_may_be_left(connect):
    with answering(stream(event(1), event(2))) as server:
        found = connect(server.url).events("job_1")
        assert next(found)["version"] == 1
        found.close()


def test_a_server_that_stays_away_ends_the_events(connect, monkeypatch):
    monkeypatch.setattr("client.patience.PATIENCE_SECONDS", -1.0)
    with pytest.raises(NoServer):
        list(connect("http://127.0.0.1:1").events("job_1"))


def test_waiting_survives_a_server_that_starts_again(connect):
    busy = [None, answer(502, b"gateway"), refusal(503, Retry_After="0"), refusal(500), None]
    with answering(*busy, answer(200, job("running")), answer(200, job())) as server:
        assert connect(server.url, retries=QUICK).wait("job_1")["state"] == "succeeded"
    assert all("wait=25.000" in one.path for one in server.asked)


def test_half_a_file_is_fetched_again_and_never_kept(connect, tmp_path):
    with answering(answer(200, b"hel", length=5), answer(200, b"hello")) as server:
        client = connect(server.url, retries=QUICK)
        path = client.download("/v1/files/art_1/content?signature=x", tmp_path / "out" / "a.txt")
    assert path.read_bytes() == b"hello"
    assert "authorization" not in server.asked[0].headers
    with answering(answer(200, b"hel", length=5)) as server, pytest.raises(NoServer):
        connect(server.url, retries=QUICK).download("/x", tmp_path / "b.txt")
    assert list(tmp_path.rglob("*.txt")) == [path]


def test_another_file_is_not_the_one(connect, tmp_path):
    said = {"url": "/x", "size": 5, "sha256": hashlib.sha256(b"hello").hexdigest()}
    with answering(answer(200, b"hallo")) as server, pytest.raises(Damaged):
        connect(server.url, retries=QUICK).download(said, tmp_path / "a.txt")
    assert list(tmp_path.iterdir()) == []


def test_a_refused_file_leaves_nothing(connect, tmp_path):
    with answering(refusal(410, "gone")) as server, pytest.raises(NotFound):
        connect(server.url).download("/x", tmp_path / "a.txt")
    assert list(tmp_path.iterdir()) == []


def test_the_key_stays_at_home(connect, tmp_path):
    with answering(answer(200, b"zip")) as server:
        client = connect(server.url)
        client.archive("job_1", tmp_path / "a.zip")
        assert server.asked[0].headers["authorization"] == "Bearer atl_key"
        # where the answer sends elsewhere, the key does not go along
        with answering(answer(200, b"there")) as elsewhere:
            moved = answer(302, b"", Location=f"{elsewhere.url}/there")
            with answering(moved) as own:
                connect(own.url).archive("job_1", tmp_path / "b.zip")
                assert own.asked[0].headers["authorization"] == "Bearer atl_key"
            assert "authorization" not in elsewhere.asked[0].headers
    assert (tmp_path / "b.zip").read_bytes() == b"there"


def test_a_list_that_goes_round_ends(connect):
    page = answer(200, {"jobs": [{"id": "job_1"}], "next_cursor": "job_1"})
    with answering(page) as server, pytest.raises(NotAtelier, match="itself"):
        list(connect(server.url).jobs())


def test_a_file_of_this_machine_that_is_not_there(connect):
    client = connect("http://127.0.0.1:1")
    with pytest.raises(FileNotFoundError):
        client.upload("/no/such.png")
    with pytest.raises(FileNotFoundError):
        client.submit("echo", {"photo": Path("/no/such.png")})
