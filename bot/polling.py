"""Long polling, for a machine that Telegram cannot reach: updates are confirmed when they were handled."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from telegram import Bot, Update
from telegram.error import Conflict, InvalidToken, RetryAfter, TelegramError

from bot.intake import Intake, NotNow
from bot.pacing import seconds_of

#: How long Telegram holds a question while there is nothing to tell.
_HOLD_SECONDS = 30
#: Telegram tells this many at once, which also is how far what is slow lets others go ahead.
_AT_ONCE = 100
#: While something is in hand, Telegram answers at once with what is not confirmed; so long is waited first.
_PAUSE_SECONDS = 0.1
#: After an error: so long, doubled up to the most.
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0
#: Before an update that was given back is tried again.
_AGAIN_SECONDS = 1.0

_log = logging.getLogger(__name__)


class Polling:
    """One process's polling; Telegram allows one process at a time."""

    def __init__(self, bot: Bot, intake: Intake, allowed: Sequence[str]) -> None:
        self._bot = bot
        self._intake = intake
        self._allowed = list(allowed)
        #: Of each update that is not confirmed: whether it was handled.
        self._known: dict[int, asyncio.Task[bool]] = {}
        self._next = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`. Raises InvalidToken."""
        wait = _FIRST_WAIT
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                asking = asyncio.create_task(self._ask())
                await asyncio.wait({asking, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not asking.done():
                    asking.cancel()
                    break
                try:
                    updates = asking.result()
                    wait = _FIRST_WAIT
                except InvalidToken:
                    raise
                except TelegramError as error:
                    if isinstance(error, RetryAfter):
                        wait = seconds_of(error)
                    _log.log(
                        logging.ERROR if isinstance(error, Conflict) else logging.WARNING,
                        "Telegram does not tell what is new: %s",
                        error,
                    )
                    await asyncio.wait({stopping}, timeout=wait)
                    wait = min(2 * wait, _LONGEST_WAIT)
                    continue
                for update in updates:
                    self._begin(update)
                self._confirm()
                if self._known:
                    await asyncio.wait({stopping}, timeout=_PAUSE_SECONDS)
                    self._confirm()
        finally:
            stopping.cancel()

    async def close(self) -> None:
        """Tell Telegram how far we came, once everything is handled."""
        self._confirm()
        try:
            await self._bot.get_updates(offset=self._next, timeout=0, limit=1, allowed_updates=self._allowed)
        except TelegramError as error:
            _log.info("the last updates are not confirmed, and come again: %s", error)

    async def _ask(self) -> Sequence[Update]:
        # While something is in hand the answer comes at once, for it is told of again.
        return await self._bot.get_updates(
            offset=self._next,
            timeout=_HOLD_SECONDS,
            limit=_AT_ONCE,
            allowed_updates=self._allowed,
            read_timeout=10.0,  # beyond the time that Telegram holds it
        )

    def _begin(self, update: Update) -> None:
        if update.update_id not in self._known:
            self._known[update.update_id] = asyncio.create_task(self._until_handled(update))

    async def _until_handled(self, update: Update) -> bool:
        wait = _AGAIN_SECONDS
        while True:
            try:
                await self._intake.handle(update)
            except NotNow as error:
                _log.info("update %d waits: %s", update.update_id, error)
                await asyncio.sleep(wait)
                wait = min(2 * wait, _LONGEST_WAIT)
            else:
                return True

    def _confirm(self) -> None:
        """Everything before the first update that is still in hand."""
        for number in sorted(self._known):
            task = self._known[number]
            if not task.done():
                return
            if (error := task.exception()) is not None:
                _log.error("update %d", number, exc_info=error)
            del self._known[number]
            self._next = number + 1
