"""How fast messages leave: in all no faster than Telegram allows; who is told to wait waits alone.

python-telegram-bot's own AIORateLimiter lets every chat wait when one was told to.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
import warnings
from collections.abc import Callable, Coroutine
from typing import Any

from aiolimiter import AsyncLimiter
from telegram._utils.types import JSONDict
from telegram.error import RetryAfter
from telegram.ext import BaseRateLimiter

#: Messages a second to all chats together (core.telegram.org/bots/faq).
OVERALL = 30
#: A longer wait than this is the caller's to plan.
LONGEST_WAIT = 30.0

_Answer = bool | JSONDict | list[JSONDict]

_log = logging.getLogger(__name__)


class Pacing(BaseRateLimiter[int]):
    """`rate_limit_args` of a call: how often it is tried again after RetryAfter; not at all by default."""

    def __init__(self) -> None:
        self._overall = AsyncLimiter(OVERALL, 1.0)

    async def initialize(self) -> None:
        """Nothing to prepare."""

    async def shutdown(self) -> None:
        """Nothing to let go of."""

    async def process_request(
        self,
        callback: Callable[..., Coroutine[Any, Any, _Answer]],
        args: Any,
        kwargs: dict[str, Any],
        endpoint: str,
        data: dict[str, Any],
        rate_limit_args: int | None,
    ) -> _Answer:
        """Make the call when its turn has come. Raises RetryAfter when the tries are used up."""
        left = rate_limit_args or 0
        while True:
            if data.get("chat_id") is not None:
                await self._overall.acquire()
            try:
                return await callback(*args, **kwargs)
            except RetryAfter as error:
                wait = seconds_of(error)
                if left == 0 or wait > LONGEST_WAIT:
                    raise
                left -= 1
                _log.info("%s waits %g s", endpoint, wait)
                await asyncio.sleep(wait)


def seconds_of(error: RetryAfter) -> float:
    """How long to wait."""
    with warnings.catch_warnings():
        # It will be a timedelta some day, and warns of that each time it is read.
        warnings.simplefilter("ignore")
        wait: int | datetime.timedelta = error.retry_after
    return wait.total_seconds() if isinstance(wait, datetime.timedelta) else float(wait)
