"""What a reader of events asks for next."""

from __future__ import annotations

import json

import pytest

from client.errors import NoServer, NotAtelier, refused
from client.following import BROKEN_STREAMS, LONGEST_SECONDS, POLL_SECONDS, Following
from client.patience import PATIENCE_SECONDS
from client.sse import Message
from tests.client.helpers import event, job

CUT = NoServer("cut")


def test_it_goes_on_behind_the_last_event():
    following = Following("job_1")
    assert "Last-Event-ID" not in following.stream().headers
    assert following.is_news(event(4))
    assert not following.is_news(event(4)), "told twice"
    assert not following.is_news(event(3)), "out of order"
    assert following.stream().headers["Last-Event-ID"] == "4"
    assert Following("job_1", after=7).stream().headers["Last-Event-ID"] == "7"
    assert not following.over
    assert following.is_news(event(5, "failed"))
    assert following.over


def test_streams_that_never_speak_are_replaced_by_polling():
    following = Following("job_1")
    for _ in range(BROKEN_STREAMS):
        assert following.streams
        following.pause(CUT, 0.0)
    assert not following.streams
    assert following.poll().path == "/v1/jobs/job_1"


def test_a_sign_of_life_is_enough_to_stay():
    following = Following("job_1")
    for _ in range(3 * BROKEN_STREAMS):
        following.alive()
        following.pause(None, 0.0)
    assert following.streams


def test_where_there_are_too_many_streams_it_polls_at_once():
    following = Following("job_1")
    assert following.pause(refused(503, {"code": "too_many_streams", "retry_after": 5}), 0.0) == POLL_SECONDS
    assert not following.streams


def test_it_stays_away_as_long_as_it_is_told():
    following = Following("job_1")
    following.told(2500)
    assert following.pause(None, 0.0) == 2.5
    assert following.pause(refused(429, {"retry_after": 9}), 0.0) == 9.0
    following.told(10**8)
    assert following.pause(None, 0.0) == LONGEST_SECONDS


def test_a_server_that_stays_away_ends_the_wait_and_one_that_comes_back_does_not():
    following = Following("job_1")
    following.pause(CUT, 0.0)
    following.pause(CUT, PATIENCE_SECONDS)
    with pytest.raises(NoServer, match="cut"):
        following.pause(CUT, PATIENCE_SECONDS + 1)
    following.alive()
    following.pause(CUT, PATIENCE_SECONDS + 2)


def test_streams_that_end_at_once_are_not_read_for_ever():
    following = Following("job_1")
    following.pause(None, 0.0)
    with pytest.raises(NoServer, match="ended early"):
        following.pause(None, PATIENCE_SECONDS + 1)


@pytest.mark.parametrize("status", [401, 403, 404, 422])
def test_waiting_does_not_help_against_a_refusal(status):
    error = refused(status, {"code": "x"})
    with pytest.raises(type(error)):
        Following("job_1").pause(error, 0.0)


@pytest.mark.parametrize(
    "odd",
    [
        "",
        "{",
        "[]",
        "7",
        "{}",
        '{"version": "1", "state": "x"}',
        '{"version": true, "state": "x"}',
        "[" * 9**5,
    ],
    ids=["empty", "cut", "list", "number", "nothing", "deep", "text", "true"],
)
def test_what_is_no_event_is_not_atelier_s(odd):
    with pytest.raises(NotAtelier):
        Following("job_1").read(Message(odd), 200)


def test_an_event_is_read_and_a_job_is_one_too():
    assert Following("job_1").read(Message(json.dumps(event(1))), 200) == event(1)
    assert Following("job_1").read(Message(), 200) is None
    assert Following("job_1").polled(job("queued", 3)) == event(3, "queued")
    with pytest.raises(NotAtelier):
        Following("job_1").polled({"id": "job_1", "state": "queued"})
