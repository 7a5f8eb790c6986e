"""One transport in several threads, with several keys, and what is left when nobody listens."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from client.calls import house, jobs
from client.following import Following
from client.sync_transport import Transport
from tests.client.helpers import job

URL = "http://api.test"
SSE = {"Content-Type": "text/event-stream"}


def key_of(request: httpx.Request) -> str:
    return request.headers["Authorization"].removeprefix("Bearer ")


def who_asks(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"id": key_of(request)})


@pytest.fixture
def ours() -> Iterator[Transport]:
    with Transport(URL, "atl_a", transport=httpx.MockTransport(who_asks)) as made:
        yield made


def test_threads_ask_at_once_and_each_gets_its_own_answer():
    together = threading.Barrier(4)

    def answer(request: httpx.Request) -> httpx.Response:
        together.wait(30)  # a request at a time would never get by
        return httpx.Response(200, json=job(id=request.url.path.rpartition("/")[2]))

    names = [f"job_{number}" for number in range(8)]
    with (
        Transport(URL, "atl_a", transport=httpx.MockTransport(answer)) as transport,
        ThreadPoolExecutor(4) as threads,
    ):
        found = list(threads.map(lambda name: transport.send(jobs.job(name))["id"], names))
    assert found == names


def test_somebody_else_s_key_goes_over_the_same_connections_which_are_not_theirs_to_end(ours):
    theirs = ours.with_key("atl_b")
    assert theirs.send(house.me())["id"] == "atl_b"
    theirs.close()
    assert ours.send(house.me())["id"] == "atl_a"
    assert theirs.send(house.me())["id"] == "atl_b"
    ours.close()
    with pytest.raises(RuntimeError, match="closed"):
        theirs.send(house.me())


def test_a_page_is_asked_for_when_somebody_wants_it():
    asked: list[dict[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        is_last = "cursor" in asked[-1]
        page = {"jobs": [{"id": len(asked)}], "next_cursor": None if is_last else "second"}
        return httpx.Response(200, json=page)

    with Transport(URL, "atl_a", transport=httpx.MockTransport(answer)) as transport:
        found = transport.each("jobs", jobs.jobs, {"limit": 1})
        assert asked == []
        assert next(found) == {"id": 1}
        assert asked == [{"limit": "1"}]
        assert list(found) == [{"id": 2}]
        assert asked[1:] == [{"limit": "1", "cursor": "second"}]


class Endless(httpx.SyncByteStream):
    """Events without an end."""

    def __init__(self) -> None:
        self.is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        version = 0
        while True:
            version += 1
            yield b'id: %d\nevent: progress\ndata: {"version": %d, "state": "running"}\n\n' % (
                version,
                version,
            )

    def close(self) -> None:
        self.is_closed = True


def test_who_leaves_the_events_leaves_no_connection_open():
    stream = Endless()
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, headers=SSE, stream=stream))
    with Transport(URL, "atl_a", transport=transport) as made:
        events = made.follow(Following("job_1", 0))
        assert [next(events)["version"] for _ in range(3)] == [1, 2, 3]
        assert not stream.is_closed
        events.close()
        assert stream.is_closed
