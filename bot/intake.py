"""The way of an update through a process, by whichever door: once, in its chat's order, or again later."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from typing import Any

from redis.exceptions import RedisError
from telegram import Update
from telegram.error import NetworkError, RetryAfter
from telegram.ext import Application

from bot.inbox import Inbox, Taken
from bot.notes import ChatBusy

#: An update that is not handled in this time is given back.
HANDLING_SECONDS = 90.0
#: What another time may mend: the update is given back, and comes again.
LATER = (RedisError, NetworkError, RetryAfter, ChatBusy, TimeoutError)

_log = logging.getLogger(__name__)


class NotNow(Exception):
    """The update was not handled and has to come again."""


class Intake:
    """Hands updates to the handlers of an application."""

    def __init__(self, application: Application[Any, Any, Any, Any, Any, Any], inbox: Inbox) -> None:
        self._application = application
        self._inbox = inbox
        #: By the identity of what was being processed.
        self._failed: dict[int, Exception] = {}
        self._last: dict[Hashable, asyncio.Event] = {}
        self._in_hand = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def in_hand(self) -> int:
        """Updates being handled."""
        return self._in_hand

    async def handle(self, update: Update) -> None:
        """Handle it, if it was not. Raises NotNow."""
        async with self._counted(), self._in_order(update):
            try:
                found = await self._inbox.take(update.update_id)
                if found is Taken.BUSY:
                    raise NotNow("it is in hand elsewhere")
                if found is Taken.OURS:
                    await self._take(update)
            except RedisError as error:
                raise NotNow(str(error)) from error

    async def handle_other(self, thing: object) -> None:
        """Hand something to the handlers that is no update and whose owner keeps it. Raises NotNow."""
        async with self._counted():
            if (failed := await self._process(thing)) is not None:
                raise NotNow(str(failed)) from failed

    def failed(self, thing: object, error: Exception) -> None:
        """To be called by the application's error handler for what another time may mend."""
        self._failed[id(thing)] = error

    async def finished(self, seconds: float) -> bool:
        """Wait until nothing is in hand; False: it took longer."""
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _process(self, thing: object) -> Exception | None:
        """What went wrong that another time may mend."""
        try:
            # It catches what handlers raise, and tells the error handlers.
            await asyncio.wait_for(self._application.process_update(thing), HANDLING_SECONDS)
        except TimeoutError as error:
            return error
        return self._failed.pop(id(thing), None)

    async def _take(self, update: Update) -> None:
        number = update.update_id
        failed = await self._process(update)
        if failed is None:
            await self._inbox.done(number)
        elif await self._inbox.give_back(number):
            _log.warning("update %d is for later: %r", number, failed)
            raise NotNow(str(failed)) from failed
        else:
            _log.error("update %d is given up: %r", number, failed)

    @asynccontextmanager
    async def _counted(self) -> AsyncIterator[None]:
        self._in_hand += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._in_hand -= 1
            if not self._in_hand:
                self._idle.set()

    @asynccontextmanager
    async def _in_order(self, update: Update) -> AsyncIterator[None]:
        """After the updates of the same chat that came before."""
        chat = update.effective_chat or update.effective_user
        key = chat.id if chat else None
        before, mine = self._last.get(key), asyncio.Event()
        self._last[key] = mine
        try:
            if before is not None:
                await before.wait()
            yield
        finally:
            mine.set()
            if self._last.get(key) is mine:
                del self._last[key]
