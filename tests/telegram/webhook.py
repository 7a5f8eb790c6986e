"""Delivery of updates by POST: in order within a chat, again until it is taken.

As the real server does (tdlib/telegram-bot-api, WebhookActor): different chats go beside each other over at
most `max_connections`; the first failure is tried again at once, the next after 2, 4, 8 ... seconds, or after
the answer's Retry-After.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Hashable

import httpx

from tests.telegram.parameters import Json
from tests.telegram.updates import Update, Updates

LONGEST_DELAY = 60.0
ANSWER_SECONDS = 60.0


class Webhook:
    """A webhook that is set. Lives in the server's loop."""

    def __init__(
        self,
        updates: Updates,
        url: str,
        *,
        secret: str = "",
        connections: int = 40,
        certificate: str | None = None,
        backoff: float = 1.0,
    ) -> None:
        self.url = url
        self.connections = connections
        self.certificate = certificate
        #: When and why a delivery failed last; the time is Unix time.
        self.error: tuple[int, str] | None = None
        self._updates = updates
        self._secret = secret
        self._backoff = backoff
        self._busy: set[Hashable] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(connections)
        self._loop = asyncio.get_running_loop()
        verify: ssl.SSLContext | bool = (
            ssl.create_default_context(cadata=certificate) if certificate else True
        )
        self._client = httpx.AsyncClient(
            verify=verify,
            timeout=ANSWER_SECONDS,
            trust_env=False,
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        )
        updates.listeners.append(self._added)
        self._pump()

    async def close(self) -> None:
        """Stop delivering; what was not taken stays pending."""
        self._updates.listeners.remove(self._added)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    def describe(self) -> Json:
        """Its part of WebhookInfo."""
        info: Json = {
            "url": self.url,
            "has_custom_certificate": self.certificate is not None,
            "max_connections": self.connections,
            "ip_address": "127.0.0.1",
        }
        if self.error:
            info["last_error_date"], info["last_error_message"] = self.error
        return info

    def _added(self) -> None:
        self._loop.call_soon_threadsafe(self._pump)

    def _pump(self) -> None:
        for update in self._updates.pending():
            if update.queue not in self._busy:
                self._busy.add(update.queue)
                task = self._loop.create_task(self._deliver(update))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _deliver(self, update: Update) -> None:
        delay, failures = 1.0, 0
        while update.expires > time.monotonic():
            async with self._slots:
                failed = await self._post(update)
            if failed is None:
                break
            wait, words = failed
            self.error = (int(time.time()), words)
            if wait == 0 and failures:
                delay = min(LONGEST_DELAY, delay * 2)
                wait = delay * self._backoff
            failures += 1
            await asyncio.sleep(wait)
        self._updates.forget(update.id)
        self._busy.discard(update.queue)
        self._pump()

    async def _post(self, update: Update) -> tuple[float, str] | None:
        """Post it once. Where it was not taken: seconds the answer wants us to wait, and what went wrong."""
        headers = {"Content-Type": "application/json"}
        if self._secret:
            headers["X-Telegram-Bot-Api-Secret-Token"] = self._secret
        update.sent.append(time.monotonic())
        try:
            answer = await self._client.post(self.url, content=json.dumps(update.json()), headers=headers)
        except httpx.HTTPError as error:
            return 0.0, f"Connection failed: {type(error).__name__}"
        if answer.is_success:
            return None
        wait = answer.headers.get("Retry-After", "0")
        words = f"Wrong response from the webhook: {answer.status_code} {answer.reason_phrase}"
        return (float(wait) if wait.isdigit() else 0.0), words
