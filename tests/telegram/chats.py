"""Chats and what was written in them, as Telegram keeps it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from threading import Condition, RLock

from tests.telegram.errors import ApiError, bad_request, forbidden
from tests.telegram.parameters import Json


@dataclass
class Posted:
    """A message with all that it has been. Times are of `time.monotonic()`."""

    message: Json
    at: float = field(default_factory=time.monotonic)
    #: Earlier contents, each with the time at which it came.
    earlier: list[tuple[float, Json]] = field(default_factory=list)
    edited_at: float | None = None
    deleted_at: float | None = None
    #: The bot's name for a message that was sent by inline mode.
    inline_id: str | None = None

    def change(self, message: Json) -> None:
        self.earlier.append((self.edited_at or self.at, self.message))
        self.edited_at = time.monotonic()
        self.message = {**message, "edit_date": int(time.time())}


class Chat:
    """A private chat (its id is the person's) or a group."""

    def __init__(self, id: int, kind: str, lock: RLock, title: str = "", person: Json | None = None) -> None:
        self.id = id
        self.kind = kind
        self.title = title
        self.person = person
        self.posted: dict[int, Posted] = {}
        #: Told of every change. Its lock is the world's.
        self.changed = Condition(lock)
        #: Whether the bot may write: a person has opened the chat, or the bot is in the group.
        self.open = False
        #: Blocked by the person, or kicked out of the group.
        self.barred = False
        self.moved_to: int | None = None
        #: Ids of people in a group.
        self.members: set[int] = set()
        #: `typing` and so on, with the time.
        self.actions: list[tuple[float, str]] = []
        #: Labels of a reply keyboard.
        self.keyboard: list[list[str]] = []

    @property
    def is_group(self) -> bool:
        return self.kind != "private"

    def json(self) -> Json:
        body: Json = {"id": self.id, "type": self.kind}
        if self.person is None:
            return {**body, "title": self.title}
        names = ("first_name", "last_name", "username")
        return body | {one: self.person[one] for one in names if one in self.person}

    def find(self, message_id: int) -> Posted | None:
        """A message that still is there."""
        posted = self.posted.get(message_id)
        return posted if posted and posted.deleted_at is None else None

    def visible(self) -> list[Posted]:
        return [one for one in self.posted.values() if one.deleted_at is None]

    def refusal(self) -> ApiError | None:
        """Why the bot may not write here."""
        if self.moved_to is not None:
            return ApiError(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
                migrate_to_chat_id=self.moved_to,
            )
        if self.barred and self.is_group:
            return forbidden(f"bot was kicked from the {self.kind} chat")
        if self.barred:
            return forbidden("bot was blocked by the user")
        if not self.open:
            return bad_request("chat not found")
        return None
