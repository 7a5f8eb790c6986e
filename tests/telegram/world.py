"""All that Telegram knows: the bot, people, chats, files and updates. One lock guards it."""

from __future__ import annotations

import itertools
import secrets
import threading
import time
from typing import Any

from tests.telegram.chats import Chat, Posted
from tests.telegram.errors import bad_request
from tests.telegram.files import Files
from tests.telegram.flood import Flood, Limits
from tests.telegram.parameters import Json, Parameters
from tests.telegram.queries import Queries
from tests.telegram.sources import Sources
from tests.telegram.updates import Updates

#: Seconds that a pressed button, and an inline query, wait for the bot as updates.
CALLBACK_LIVES = 150.0
INLINE_LIVES = 30.0

#: A message with none of these is a service message.
WRITTEN = ("text", "photo", "document", "sticker", "video", "animation", "audio", "voice")


class World:
    """The state behind the API. Methods may be called from any thread."""

    def __init__(self, token: str, username: str, limits: Limits) -> None:
        self.token = token
        self.lock = threading.RLock()
        self.bot: Json = {
            "id": int(token.partition(":")[0]),
            "is_bot": True,
            "first_name": "Atelier",
            "username": username,
        }
        self.people: dict[int, Json] = {}
        self.chats: dict[int, Chat] = {}
        self.files = Files()
        self.sources = Sources(self.files)
        self.updates = Updates(self.lock)
        self.queries = Queries()
        self.flood = Flood(limits)
        #: By scope and language.
        self.commands: dict[tuple[str, str], list[Json]] = {}
        #: Messages sent by inline mode, by inline_message_id.
        self.inline_messages: dict[str, Posted] = {}
        #: Without it (as BotFather sets a new bot up) a bot hears in groups only what is meant for it.
        self.reads_groups = False
        self._ids = itertools.count(5_000_001)
        #: Private chats and small groups share their message ids; a supergroup has its own.
        self._message_ids = itertools.count(101)
        self._supergroup_ids: dict[int, Any] = {}

    def new_person(self, first_name: str, **more: Any) -> Json:
        with self.lock:
            person = {"id": next(self._ids), "is_bot": False, "first_name": first_name, **more}
            self.people[person["id"]] = person
            self.chats[person["id"]] = Chat(person["id"], "private", self.lock, person=person)
            return person

    def new_group(self, title: str, kind: str) -> Chat:
        with self.lock:
            number = next(self._ids)
            chat = Chat(
                -1_000_000_000_000 - number if kind == "supergroup" else -number, kind, self.lock, title
            )
            self.chats[chat.id] = chat
            return chat

    def chat(self, call: Parameters) -> Chat:
        """The chat that a call names. Raises ApiError (400)."""
        value = call.text("chat_id")
        if not value:
            raise bad_request("chat_id is empty")
        found = self.chats.get(int(value)) if value.lstrip("-").isdigit() else None
        if found is None:
            raise bad_request("chat not found")
        return found

    def chat_to_write(self, call: Parameters, messages: int = 1) -> Chat:
        """The chat, if the bot may write there now. Raises ApiError (400, 403, 429)."""
        chat = self.chat(call)
        refusal = chat.refusal()
        if refusal:
            raise refusal
        if messages:
            self.flood.count(chat.id, messages)
        return chat

    def post(self, chat: Chat, sender: Json, content: Json) -> Posted:
        """Put a message into a chat, as everybody there sees it."""
        with self.lock:
            ids = self._message_ids
            if chat.kind == "supergroup":
                ids = self._supergroup_ids.setdefault(chat.id, itertools.count(1))
            head = {"message_id": next(ids), "from": sender, "chat": chat.json(), "date": int(time.time())}
            posted = Posted(head | content)
            chat.posted[posted.message["message_id"]] = posted
            chat.changed.notify_all()
            return posted

    def hear(self, chat: Chat, posted: Posted) -> None:
        """Tell the bot of what a person wrote, if it may hear it."""
        if self.may_hear(chat, posted.message):
            self.updates.add("message", dict(posted.message), ("chat", chat.id))

    def may_hear(self, chat: Chat, message: Json) -> bool:
        """Privacy mode: commands, replies to the bot, what was sent through it, and service messages."""
        if not chat.open or chat.barred:
            return False
        if not chat.is_group or self.reads_groups:
            return True
        if message.get("via_bot") or not any(one in message for one in WRITTEN):
            return True
        if message.get("reply_to_message", {}).get("from", {}).get("id") == self.bot["id"]:
            return True
        text = message.get("text", "")
        command = text.split()[0] if text.startswith("/") else ""
        name = command.partition("@")[2]
        return bool(command) and (not name or name.lower() == self.bot["username"].lower())

    def membership(self, chat: Chat, by: Json, old: str, new: str) -> None:
        """Tell the bot what it has become in a chat."""

        def member(status: str) -> Json:
            ban = {"until_date": 0} if status == "kicked" else {}
            return {"user": self.bot, "status": status, **ban}

        body = {
            "chat": chat.json(),
            "from": by,
            "date": int(time.time()),
            "old_chat_member": member(old),
            "new_chat_member": member(new),
        }
        self.updates.add("my_chat_member", body, ("chat", chat.id))

    def new_inline_id(self, posted: Posted) -> str:
        with self.lock:
            posted.inline_id = "AgAAA" + secrets.token_urlsafe(18)
            self.inline_messages[posted.inline_id] = posted
            return posted.inline_id
