"""People who talk to the bot, and the groups in which they do."""

from __future__ import annotations

import time
from typing import Any

from tests.telegram.chats import Chat
from tests.telegram.parameters import Json
from tests.telegram.talk import Talk
from tests.telegram.transcript import Shown, transcript
from tests.telegram.world import World


class User(Talk):
    """A person in the private chat with the bot. `join` gives the same person in a group."""

    @property
    def id(self) -> int:
        return int(self.person["id"])

    def join(self, group: Group) -> Talk:
        """Come into a group; the bot hears of it if it is there."""
        with self.world.lock:
            group.chat.members.add(self.id)
            group.note(self.person, {"new_chat_members": [self.person]})
        return Talk(self.world, self.person, group.chat)

    def leave(self, group: Group) -> None:
        with self.world.lock:
            group.note(self.person, {"left_chat_member": self.person})
            group.chat.members.discard(self.id)

    def block_bot(self) -> None:
        """The bot may not write any more, and hears of it."""
        self._bar(True)

    def unblock_bot(self) -> None:
        self._bar(False)

    def _bar(self, barred: bool) -> None:
        with self.world.lock:
            if self.chat.barred != barred:
                self.chat.barred = barred
                old, new = ("member", "kicked") if barred else ("kicked", "member")
                self.world.membership(self.chat, self.person, old, new)


class Group:
    """A group or a supergroup."""

    def __init__(self, world: World, chat: Chat) -> None:
        self.world = world
        self.chat = chat

    @property
    def id(self) -> int:
        return self.chat.id

    @property
    def messages(self) -> list[Shown]:
        """All messages, oldest first."""
        return transcript(self.world, self.chat)

    def add_bot(self, by: User) -> None:
        with self.world.lock:
            self.chat.open, self.chat.barred = True, False
            self.world.membership(self.chat, by.person, "left", "member")
            self.note(by.person, {"new_chat_members": [self.world.bot]})

    def kick_bot(self, by: User) -> None:
        with self.world.lock:
            self.chat.barred = True
            self.world.membership(self.chat, by.person, "member", "kicked")

    def upgrade(self) -> Group:
        """The supergroup that it becomes; the old chat refuses messages with `migrate_to_chat_id`."""
        with self.world.lock:
            new = self.world.new_group(self.chat.title, "supergroup")
            new.open, new.members = True, self.chat.members
            self.note(self.world.bot, {"migrate_to_chat_id": new.id})
            self.chat.moved_to = new.id
            upgraded = Group(self.world, new)
            upgraded.note(self.world.bot, {"migrate_from_chat_id": self.chat.id})
            return upgraded

    def note(self, by: Json, content: dict[str, Any]) -> None:
        """A service message."""
        self.world.hear(self.chat, self.world.post(self.chat, by, content | {"date": int(time.time())}))
