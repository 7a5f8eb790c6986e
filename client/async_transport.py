"""Sends calls and awaits the answers, in this event loop (asyncio).

Files are read and written in the loop's own thread: a piece is small.
"""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, aclosing, asynccontextmanager
from typing import Any, Self, TypeVar

import httpx

from client import answers, requests
from client.calls.base import Call, Stream
from client.errors import ApiError, Json, NotAtelier
from client.following import SILENCE_SECONDS, Following
from client.retrying import Retries
from client.saving import CHUNK, Received, Source, url_of
from client.server import TIMEOUT, Server
from client.sse import Decoder, NoEvents
from client.uploads import pieces

T = TypeVar("T")


class AsyncTransport:
    """One server and one key."""

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        retries: Retries | None = None,
        agent: str = "",
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._server = Server.chosen(url, key, agent)
        self._retries = retries or Retries()
        self._http = httpx.AsyncClient(transport=transport, **self._server.connection())
        self._borrowed = False

    @property
    def url(self) -> str:
        """Where the server is."""
        return self._server.url

    def with_key(self, key: str) -> Self:
        """The same for somebody else, over the same connections, which end with this one."""
        made = copy.copy(self)
        made._server, made._borrowed = self._server.with_key(key), True
        return made

    async def close(self) -> None:
        """Let the connections go."""
        if not self._borrowed:
            await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.close()

    async def send(self, call: Call[T]) -> T:
        """What was asked for. Raises NoServer and Refused, and OSError for a file that cannot be read."""

        async def work() -> T:
            return answers.read(call, await self._answer(call))

        return await self._tried(work, call)

    async def each(self, name: str, call: Callable[[Json], Call[Json]], query: Json) -> AsyncIterator[Json]:
        """The things of all pages, one page after the other as they are wanted."""
        cursor = query.get("cursor")
        while True:
            page = await self.send(call({"limit": 100, **query, "cursor": cursor}))
            for one in page[name]:
                yield one
            before, cursor = cursor, page["next_cursor"]
            if cursor is None:
                return
            if cursor == before:
                raise NotAtelier("one page of a list is followed by itself", 200)

    async def follow(self, following: Following) -> AsyncIterator[Json]:
        """The events of a job until it has ended."""
        while not following.over:
            error: ApiError | None = None
            try:
                async with aclosing(self._events(following)) as events:
                    async for event in events:
                        if following.is_news(event):
                            yield event
                        if following.over:
                            return
            except ApiError as found:
                error = found
            await asyncio.sleep(following.pause(error, time.monotonic()))

    async def receive(self, source: Source, received: Received, *, with_key: bool = False) -> None:
        """The bytes of a file. A signed URL needs no key, and its server may be anybody's."""
        await self._tried(lambda: self._receive(source, received, with_key), None)

    async def _tried(self, work: Callable[[], Awaitable[T]], call: Call[T] | None) -> T:
        tried = 0
        while True:
            tried += 1
            try:
                return await work()
            except ApiError as error:
                if call is not None and answers.was_done(call, error, tried):
                    return call.read({})
                repeatable = call is None or call.repeatable
                pause = self._retries.after(error, tried, repeatable=repeatable)
                if pause is None:
                    raise
            await asyncio.sleep(pause)

    async def _answer(self, call: Call[Any]) -> httpx.Response:
        with ExitStack() as stack:
            options = requests.options(call, self._server, stack)
            if isinstance(call.body, Stream):
                total = call.body.file.size
                stream = stack.enter_context(call.body.file.opened())
                options["headers"] |= requests.streamed(total)

                async def content(sent: Stream = call.body) -> AsyncIterator[bytes]:
                    for piece in pieces(stream, total, sent.sent):
                        yield piece

                options["content"] = content()
            try:
                return await self._http.request(call.method, call.path, **options)
            except httpx.RequestError as error:
                raise answers.lost(error) from error

    async def _events(self, following: Following) -> AsyncGenerator[Json]:
        if not following.streams:
            call = following.poll()
            yield following.polled(answers.read(call, await self._answer(call)))
            return
        decoder = Decoder()
        with ExitStack() as stack:
            call = following.stream()
            options = requests.options(call, self._server, stack)
            options["timeout"] = requests.stream_timeout(SILENCE_SECONDS)
            async with self._reading(self._http, call.path, options) as answer:
                try:
                    async for piece in answer.aiter_bytes():
                        for message in decoder.feed(piece):
                            event = following.read(message, answer.status_code)
                            if event is not None:
                                yield event
                        if decoder.retry is not None:
                            following.told(decoder.retry)
                except NoEvents as error:
                    raise NotAtelier(f"{call.path} answered with {error}", answer.status_code) from error

    async def _receive(self, source: Source, received: Received, with_key: bool) -> None:
        where = self._server.at(url_of(source))
        async with self._plain(where) as http:
            headers = self._server.headers(with_key=with_key and self._server.is_at(where))
            options = {"headers": headers, "follow_redirects": True}
            async with self._reading(http, where, options) as answer:
                received.begin()
                async for piece in answer.aiter_bytes(CHUNK):
                    received.take(piece)
        received.end()

    @asynccontextmanager
    async def _reading(
        self, http: httpx.AsyncClient, where: str, options: dict[str, Any]
    ) -> AsyncIterator[httpx.Response]:
        follow = options.pop("follow_redirects")
        request = http.build_request("GET", where, **options)
        try:
            answer = await http.send(request, stream=True, follow_redirects=follow)
            try:
                if answer.status_code != 200:
                    await answer.aread()
                    raise answers.error_of(answer)
                yield answer
            finally:
                await answer.aclose()
        except httpx.RequestError as error:
            raise answers.lost(error) from error

    @asynccontextmanager
    async def _plain(self, url: str) -> AsyncIterator[httpx.AsyncClient]:
        """The connections for this URL: an object store may be behind a proxy that our server is not."""
        if self._server.is_at(url):
            yield self._http
            return
        async with httpx.AsyncClient(timeout=TIMEOUT) as other:
            yield other
