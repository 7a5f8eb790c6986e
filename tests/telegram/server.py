"""The server as tests start it."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from tests.telegram.calls import Calls
from tests.telegram.faults import Faults
from tests.telegram.flood import Flood, Limits
from tests.telegram.handlers import FileHandler, MethodHandler
from tests.telegram.people import Group, User
from tests.telegram.session import Session
from tests.telegram.updates import Updates
from tests.telegram.world import World

TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
#: Above the largest upload, so that the answer is ours and not a closed connection.
BODY_BYTES = 256 * 1024 * 1024


class BotApi:
    """Telegram, with one bot. A context manager; everything else may be called from any thread.

    `webhook_backoff` scales the pauses between tries of a webhook. With `https_only` webhooks must be as
    Telegram's own servers want them; without, as a local Bot API server takes them.
    """

    def __init__(
        self,
        *,
        token: str = TOKEN,
        username: str = "AtelierBot",
        limits: Limits | None = None,
        webhook_backoff: float = 1.0,
        https_only: bool = False,
    ) -> None:
        self.token = token
        self.world = World(token, username, limits or Limits())
        self.calls = Calls()
        self.faults = Faults()
        self._webhook = (webhook_backoff, https_only)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="telegram")
        self._ready = threading.Event()
        self.url = ""

    @property
    def base_url(self) -> str:
        """For python-telegram-bot's `base_url`."""
        return f"{self.url}/bot"

    @property
    def base_file_url(self) -> str:
        """For python-telegram-bot's `base_file_url`."""
        return f"{self.url}/file/bot"

    @property
    def updates(self) -> Updates:
        return self.world.updates

    @property
    def reachable(self) -> set[str]:
        """`host:port` of private addresses that Telegram shall be able to fetch files from."""
        return self.world.sources.reachable

    def limit(self, limits: Limits) -> None:
        """Other limits from now on."""
        with self.world.lock:
            self.world.flood = Flood(limits)

    def answer_within(self, seconds: float) -> None:
        """How long the queries asked from now on wait for an answer."""
        self.world.queries.seconds = seconds

    def user(self, first_name: str, *, language_code: str = "en", username: str = "") -> User:
        """A person who has not talked to the bot yet."""
        more = {"language_code": language_code, **({"username": username} if username else {})}
        person = self.world.new_person(first_name, **more)
        return User(self.world, person, self.world.chats[person["id"]])

    def group(self, title: str, *members: User, supergroup: bool = False, with_bot: bool = True) -> Group:
        """A group; with the bot, its first member has added it."""
        group = Group(self.world, self.world.new_group(title, "supergroup" if supergroup else "group"))
        for one in members:
            one.join(group)
        if with_bot:
            group.add_bot(members[0])
        return group

    def __enter__(self) -> BotApi:
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the server did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        session = Session(self.world, *self._webhook)
        parts: dict[str, Any] = {"session": session, "faults": self.faults, "calls": self.calls}
        routes: list[Any] = [
            (r"/bot([^/]+)/([^/]+)", MethodHandler, parts),
            (r"/file/bot([^/]+)/(.+)", FileHandler, parts),
        ]
        server = HTTPServer(Application(routes, log_function=_silence), max_buffer_size=BODY_BYTES)
        sockets = bind_sockets(0, "127.0.0.1", backlog=1024)
        self.url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
        server.add_sockets(sockets)
        self._ready.set()
        await self._stop.wait()
        server.stop()
        await session.close()
        self.world.updates.listeners.clear()
        await server.close_all_connections()


def _silence(_handler: RequestHandler | HTTPServerRequest) -> None:
    """`Calls` is the log."""
