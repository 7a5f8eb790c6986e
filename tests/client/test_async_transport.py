"""One transport for many tasks: asked at once, given up in the middle, and left without a trace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import httpx
import pytest

from client.async_transport import AsyncTransport
from client.calls import house, jobs
from client.following import Following
from tests.client.helpers import job

pytestmark = pytest.mark.anyio

URL = "http://api.test"
SSE = {"Content-Type": "text/event-stream"}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


async def test_tasks_ask_at_once_and_each_gets_its_own_answer():
    together = asyncio.Barrier(4)

    async def answer(request: httpx.Request) -> httpx.Response:
        await asyncio.wait_for(together.wait(), 30)  # a request at a time would never get by
        return httpx.Response(200, json=job(id=request.url.path.rpartition("/")[2]))

    names = [f"job_{number}" for number in range(8)]
    async with AsyncTransport(URL, "atl_a", transport=httpx.MockTransport(answer)) as transport:
        found = await asyncio.gather(*(transport.send(jobs.job(name)) for name in names))
    assert [one["id"] for one in found] == names


async def test_somebody_else_s_key_goes_over_the_same_connections_which_are_not_theirs_to_end():
    async def who_asks(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"id": request.headers["Authorization"].removeprefix("Bearer ")})

    ours = AsyncTransport(URL, "atl_a", transport=httpx.MockTransport(who_asks))
    theirs = ours.with_key("atl_b")
    assert (await theirs.send(house.me()))["id"] == "atl_b"
    await theirs.close()
    assert (await ours.send(house.me()))["id"] == "atl_a"
    assert (await theirs.send(house.me()))["id"] == "atl_b"
    await ours.close()
    with pytest.raises(RuntimeError, match="closed"):
        await theirs.send(house.me())


async def test_who_gives_up_in_the_middle_is_not_sent_again():
    asked = 0

    async def answer(_request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        if asked == 1:
            await asyncio.Event().wait()
        return httpx.Response(200, json={"id": "key_1"})

    async with AsyncTransport(URL, "atl_a", transport=httpx.MockTransport(answer)) as transport:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(transport.send(house.me()), 0.05)
        assert asked == 1
        assert await transport.send(house.me()) == {"id": "key_1"}


async def test_a_page_is_asked_for_when_somebody_wants_it():
    asked: list[dict[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        is_last = "cursor" in asked[-1]
        page = {"jobs": [{"id": len(asked)}], "next_cursor": None if is_last else "second"}
        return httpx.Response(200, json=page)

    async with AsyncTransport(URL, "atl_a", transport=httpx.MockTransport(answer)) as transport:
        found = transport.each("jobs", jobs.jobs, {"limit": 1})
        assert asked == []
        assert await anext(found) == {"id": 1}
        assert asked == [{"limit": "1"}]
        assert [one async for one in found] == [{"id": 2}]
        assert asked[1:] == [{"limit": "1", "cursor": "second"}]


class Endless(httpx.AsyncByteStream):
    """Events without an end."""

    def __init__(self) -> None:
        self.is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        version = 0
        while True:
            version += 1
            yield b'id: %d\nevent: progress\ndata: {"version": %d, "state": "running"}\n\n' % (
                version,
                version,
            )

    async def aclose(self) -> None:
        self.is_closed = True


async def test_who_leaves_the_events_leaves_no_connection_open():
    stream = Endless()
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, headers=SSE, stream=stream))
    async with AsyncTransport(URL, "atl_a", transport=transport) as made:
        async with aclosing(made.follow(Following("job_1", 0))) as events:
            assert [(await anext(events))["version"] for _ in range(3)] == [1, 2, 3]
            assert not stream.is_closed
        assert stream.is_closed
