"""Updates on their way to the bot, kept until it has confirmed them, and the log of all of them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from threading import RLock

from tests.telegram.parameters import Json

#: Seconds that an update waits for the bot.
DAY = 24 * 3600.0

#: Sent unless the bot asks for others.
USUAL = frozenset(
    {"message", "edited_message", "callback_query", "inline_query", "chosen_inline_result", "my_chat_member"}
)


@dataclass
class Update:
    """One update. Times are of `time.monotonic()`."""

    id: int
    kind: str
    body: Json
    #: Webhooks deliver those of one queue one after the other, different queues beside each other.
    queue: Hashable
    expires: float
    created: float = field(default_factory=time.monotonic)
    #: Each time it was handed to a bot.
    sent: list[float] = field(default_factory=list)

    def json(self) -> Json:
        return {"update_id": self.id, self.kind: self.body}


class Updates:
    """The queue. For any thread: `lock` is the world's."""

    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._ids = itertools.count(731_845_001)
        self._pending: dict[int, Update] = {}
        #: Every update ever, by its id.
        self.log: dict[int, Update] = {}
        self.allowed: frozenset[str] = USUAL
        #: Called after something was added, in the thread that added it.
        self.listeners: list[Callable[[], None]] = []

    def add(self, kind: str, body: Json, queue: Hashable, lives: float = DAY) -> Update | None:
        """Queue an update; None if the bot did not ask for this kind."""
        with self._lock:
            if kind not in self.allowed:
                return None
            update = Update(next(self._ids), kind, body, queue, time.monotonic() + lives)
            self._pending[update.id] = self.log[update.id] = update
            listeners = list(self.listeners)
        for listener in listeners:
            listener()
        return update

    def again(self, update: Update) -> None:
        """Deliver an old update once more, as Telegram does when it missed the bot's answer."""
        with self._lock:
            self._pending[update.id] = update
            self._pending = dict(sorted(self._pending.items()))
            listeners = list(self.listeners)
        for listener in listeners:
            listener()

    def pending(self, limit: int | None = None) -> list[Update]:
        """What waits, in order, without what has waited too long."""
        with self._lock:
            now = time.monotonic()
            for id in [one.id for one in self._pending.values() if one.expires <= now]:
                del self._pending[id]
            return list(self._pending.values())[:limit]

    def confirm(self, offset: int) -> None:
        """Forget all before the offset; a negative one keeps so many from the end."""
        with self._lock:
            ids = list(self._pending)
            gone = ids[:offset] if offset < 0 else [id for id in ids if id < offset]
            for id in gone:
                del self._pending[id]

    def forget(self, id: int) -> None:
        with self._lock:
            self._pending.pop(id, None)

    def clear(self) -> None:
        with self._lock:
            self._pending.clear()
