"""The real python-telegram-bot against the server: single calls, and bots that run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from telegram import Bot, Update
from telegram.ext import Application, ApplicationBuilder

from tests.ports import own_port
from tests.telegram.server import BotApi

Result = TypeVar("Result")
#: Seconds a bot waits for an answer: a machine that does much else is slow.
PATIENCE = 60.0

App = Application[Any, Any, Any, Any, Any, Any]


def use(server: BotApi, work: Callable[[Bot], Awaitable[Result]], token: str | None = None) -> Result:
    """The result of some calls of a bot."""

    async def run() -> Result:
        async with Bot(
            token or server.token, base_url=server.base_url, base_file_url=server.base_file_url
        ) as bot:
            return await work(bot)

    return asyncio.run(run())


@contextmanager
def running(
    server: BotApi,
    setup: Callable[[App], None],
    *,
    webhook: bool = False,
    secret: str | None = None,
) -> Iterator[App]:
    """A bot with the handlers that `setup` adds, in a thread of its own: by polling, or on a webhook."""
    built: list[App] = []
    ready = threading.Event()
    stop: list[Callable[[], object]] = []

    async def serve() -> None:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(stopped.set))
        builder = ApplicationBuilder().token(server.token).base_url(server.base_url)
        builder = builder.base_file_url(server.base_file_url).concurrent_updates(256)
        builder = builder.connect_timeout(PATIENCE).read_timeout(PATIENCE).pool_timeout(PATIENCE)
        app = builder.build()
        setup(app)
        built.append(app)
        async with app:
            await app.start()
            assert app.updater
            if webhook:
                port = own_port()
                await app.updater.start_webhook(
                    "127.0.0.1",
                    port,
                    "/telegram",
                    webhook_url=f"http://127.0.0.1:{port}/telegram",
                    secret_token=secret,
                )
            else:
                await app.updater.start_polling(timeout=5, allowed_updates=Update.ALL_TYPES)
            ready.set()
            await stopped.wait()
            await app.updater.stop()
            await app.stop()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="bot")
    thread.start()
    try:
        assert ready.wait(20), "the bot did not start"
        yield built[0]
    finally:
        stop[0]()
        thread.join()
