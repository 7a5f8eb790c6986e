"""The bot's own web server: the webhook, answered when the update was handled, and /healthz for probes."""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from telegram import Bot, Update
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from bot.intake import Intake, NotNow

#: The Bot API's header for what setWebhook was told.
_SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"
#: Updates are some kilobytes.
_MOST_BYTES = 1_000_000
#: When Telegram is to try again what was not handled, in seconds.
_AGAIN_SECONDS = 2
#: Updates that Telegram sends a bot at the same time; all processes share them. The most there is.
CONNECTIONS = 100

_log = logging.getLogger(__name__)

Check = Callable[[], Awaitable[dict[str, Any]]]


class Hook(RequestHandler):
    """One update. Any answer but 200 makes Telegram send it again."""

    def initialize(self, bot: Bot, intake: Intake, secret: str, server: Server) -> None:
        self.bot, self.intake, self.secret, self.server = bot, intake, secret, server

    async def post(self) -> None:
        told = self.request.headers.get(_SECRET_HEADER, "")
        if not hmac.compare_digest(told.encode(), self.secret.encode()):
            self.send_error(403)
            return
        if self.server.closing:
            self._later()
            return
        try:
            update = Update.de_json(json.loads(self.request.body), self.bot)
            assert update is not None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            # Sent again it is no better, and would hold up all that come after it.
            _log.error("not an update: %r", error)
            self.set_status(200)
            return
        try:
            await self.intake.handle(update)
        except NotNow as error:
            _log.info("update %d comes again: %s", update.update_id, error)
            self._later()

    def _later(self) -> None:
        self.set_status(503)
        self.set_header("Retry-After", str(_AGAIN_SECONDS))


class Health(RequestHandler):
    """200 while the bot can do its work; 503, with the reason, while it cannot, or is about to end."""

    def initialize(self, check: Check) -> None:
        self.check = check

    async def get(self) -> None:
        found = await self.check()
        self.set_status(200 if found["ok"] else 503)
        self.finish(found)


class Server:
    """The web server of one process."""

    def __init__(self, check: Check) -> None:
        self._routes: list[Any] = [(r"/healthz", Health, {"check": check})]
        self._http: HTTPServer | None = None
        self.closing = False

    def add_webhook(self, url: str, bot: Bot, intake: Intake, secret: str) -> None:
        """Take updates at the path of this URL."""
        parts = {"bot": bot, "intake": intake, "secret": secret, "server": self}
        # A proxy may leave the path as it is, or strip it.
        self._routes += [(path, Hook, parts) for path in {urlsplit(url).path or "/", "/"}]

    def start(self, host: str, port: int) -> int:
        """Listen; the port. Raises OSError."""
        self._http = HTTPServer(
            Application(self._routes, log_function=_log_nothing), max_buffer_size=_MOST_BYTES
        )
        sockets = bind_sockets(port, host or None)
        self._http.add_sockets(sockets)
        return int(sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Take nothing new, and let the connections go."""
        self.closing = True
        if self._http is not None:
            self._http.stop()
            await self._http.close_all_connections()


def _log_nothing(_handler: RequestHandler) -> None:
    """Every update is logged where it matters, if it does."""
