"""A person in a chat: what they send, what they tap, and what they see."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from tests.patience import PATIENCE
from tests.telegram import asking, media
from tests.telegram.chats import Chat, Posted
from tests.telegram.entities import detect
from tests.telegram.files import Media
from tests.telegram.inline_sending import content_of
from tests.telegram.parameters import Json, Upload
from tests.telegram.transcript import Button, Shown, shown, transcript
from tests.telegram.world import CALLBACK_LIVES, INLINE_LIVES, World

#: How long `wait_for` waits unless told otherwise.
SECONDS = PATIENCE


class Talk:
    """One person in one chat. Nothing here blocks but `wait_for`, `wait_until` and `inline_query`."""

    def __init__(self, world: World, person: Json, chat: Chat) -> None:
        self.world = world
        self.person = person
        self.chat = chat

    @property
    def messages(self) -> list[Shown]:
        """The transcript: all messages as they are seen now, oldest first."""
        return transcript(self.world, self.chat)

    @property
    def last(self) -> Shown:
        """The newest message of the bot. Raises AssertionError where there is none."""
        found = [one for one in self.messages if one.from_bot and one.kind != "service"]
        if not found:
            raise AssertionError(f"the bot has said nothing in\n{self}")
        return found[-1]

    def say(self, text: str, *, reply_to: Shown | None = None) -> Shown:
        """Send a text. The first one opens a private chat."""
        return self._send(_text("text", text), reply_to)

    def send_photo(
        self,
        data: bytes,
        caption: str = "",
        *,
        media_group_id: str | None = None,
        reply_to: Shown | None = None,
    ) -> Shown:
        """Send a picture as a photo, which Telegram makes smaller."""
        return self._send_media(media.photo(data), caption, reply_to, media_group_id)

    def send_album(self, pictures: list[bytes], caption: str = "") -> list[Shown]:
        """Several photos at once; the caption is the first one's."""
        group = str(secrets.randbits(53))
        return [
            self.send_photo(one, "" if number else caption, media_group_id=group)
            for number, one in enumerate(pictures)
        ]

    def send_document(
        self,
        data: bytes,
        name: str = "file",
        mime: str = "application/octet-stream",
        caption: str = "",
        *,
        media_group_id: str | None = None,
        reply_to: Shown | None = None,
    ) -> Shown:
        """Send a file as it is, under any name."""
        return self._send_media(media.document(Upload(name, mime, data)), caption, reply_to, media_group_id)

    def send_sound(self, data: bytes, mime: str = "audio/mpeg", *, kind: str = "audio") -> Shown:
        """Send a song; with `kind="voice"` something that was spoken."""
        upload = Upload(f"{kind}.bin", mime, data)
        return self._send_media(media.audio(kind, upload, 2), "", None, None)

    def send_sticker(self, data: bytes, emoji: str = "🙂") -> Shown:
        return self._send_media(media.sticker(data, emoji), "", None, None)

    def send_video(self, data: bytes, caption: str = "", *, seconds: int = 1, moving: str = "video") -> Shown:
        """Send a video; with `moving="animation"` one without sound."""
        upload = Upload("video.mp4", "video/mp4", data)
        return self._send_media(media.moving(moving, upload, 640, 480, seconds), caption, None, None)

    def edit(self, message: Shown, text: str) -> None:
        """Change a text of one's own."""
        with self.world.lock:
            posted = self.chat.posted[message.id]
            posted.change({**posted.message, "entities": [], **_text("text", text)})
            self.chat.changed.notify_all()
            if self.world.may_hear(self.chat, posted.message):
                self.world.updates.add("edited_message", dict(posted.message), ("chat", self.chat.id))

    def delete(self, message: Shown) -> None:
        """Delete a message for both sides; the bot is not told."""
        with self.world.lock:
            self.chat.posted[message.id].deleted_at = time.monotonic()
            self.chat.changed.notify_all()

    def button(self, label: str, message: Shown | None = None) -> tuple[Shown, Button]:
        """The newest button with this text or data. Raises AssertionError where there is none."""
        for one in [message] if message else reversed(self.messages):
            for button in (button for row in one.buttons for button in row):
                if label in (button.text, button.data):
                    return one, button
        raise AssertionError(f"no button {label!r} in\n{self}")

    def press(self, label: str, message: Shown | None = None) -> asking.Press:
        """Tap a button, named by its text or its data: the newest such, or the one of a message."""
        return self.press_data(*self.button(label, message))

    def press_data(self, message: Shown, button: Button) -> asking.Press:
        """Tap a button again that may be gone by now."""
        if button.data is None:
            raise AssertionError(f"{button} does not ask the bot")
        posted = self.chat.posted[message.id]
        query = self.world.queries.callback()
        body: Json = {
            "id": query.id,
            "from": self.person,
            "chat_instance": str(self.chat.id),
            "data": button.data,
        }
        if posted.inline_id:
            body["inline_message_id"] = posted.inline_id
        else:
            body["message"] = dict(posted.message)
        query.update = self.world.updates.add(
            "callback_query", body, ("pressed", self.person["id"]), CALLBACK_LIVES
        )
        return asking.Press(query)

    def tap(self, label: str) -> Shown:
        """Tap a key of the reply keyboard: it is sent as text."""
        if not any(label in row for row in self.chat.keyboard):
            raise AssertionError(f"no key {label!r} in {self.chat.keyboard}")
        return self.say(label)

    def inline_query(self, text: str, *, offset: str = "", seconds: float = SECONDS) -> asking.Inline:
        """Type `@bot text` and wait for the results. Raises AssertionError after the time."""
        queries = self.world.queries
        query = queries.inline()
        known = queries.cached(self.person["id"], text, offset)
        if known is not None:
            query.take(known)
            return asking.Inline(query, text, known)
        kind = "sender" if self.chat.id == self.person["id"] else self.chat.kind
        body = {"id": query.id, "from": self.person, "query": text, "offset": offset, "chat_type": kind}
        with self.world.lock:
            queue = ("typed", self.person["id"])
            query.update = self.world.updates.add("inline_query", body, queue, INLINE_LIVES)
        if not query.answered.wait(seconds):
            raise AssertionError(f"no results for {text!r} within {seconds} s")
        return asking.Inline(query, text, query.answer or {})

    def choose(self, inline: asking.Inline, wanted: int | str = 0) -> Shown:
        """Send a result (by position, id or title) into this chat; the bot hears of the choice."""
        result = inline.result(wanted)
        content = content_of(self.world, result) | {"via_bot": self.world.bot}
        with self.world.lock:
            posted = self.world.post(self.chat, self.person, content)
            chosen = {"result_id": result["id"], "from": self.person, "query": inline.text}
            if "reply_markup" in content:
                chosen["inline_message_id"] = self.world.new_inline_id(posted)
            self.world.updates.add("chosen_inline_result", chosen, ("typed", self.person["id"]))
            self.world.hear(self.chat, posted)
            return shown(self.world, posted)

    def wait_for(
        self, predicate: Callable[[Shown], object], seconds: float = SECONDS, *, after: Shown | None = None
    ) -> Shown:
        """The newest message of the bot, later than `after`, for which the predicate holds now.

        Raises AssertionError with the transcript after the time.
        """

        def found(messages: list[Shown]) -> Shown | None:
            since = after.id if after else 0
            return next((m for m in reversed(messages) if m.from_bot and m.id > since and predicate(m)), None)

        got = self._await(found, seconds)
        assert isinstance(got, Shown)
        return got

    def wait_until(self, predicate: Callable[[list[Shown]], object], seconds: float = SECONDS) -> list[Shown]:
        """The transcript, as soon as the predicate holds for all of it. Raises AssertionError."""
        self._await(predicate, seconds)
        return self.messages

    def _await(self, look: Callable[[list[Shown]], object], seconds: float) -> object:
        until = time.monotonic() + seconds
        with self.chat.changed:
            while not (got := look(transcript(self.world, self.chat))):
                left = until - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"waited {seconds} s in vain in\n{self}")
                self.chat.changed.wait(left)
        return got

    def __str__(self) -> str:
        return "\n".join(map(str, self.messages)) or "(an empty chat)"

    def _send_media(self, sent: Media, caption: str, reply_to: Shown | None, group: str | None) -> Shown:
        for blob in (*sent.blobs, sent.thumbnail):
            if blob:
                _ = blob.data  # made here, in the test's time, so that the bot is told its size
        content = media.fields(sent, self.world.files) | _text("caption", caption)
        return self._send(content | ({"media_group_id": group} if group else {}), reply_to)

    def _send(self, content: Json, reply_to: Shown | None) -> Shown:
        with self.world.lock:
            if not self.chat.is_group:
                if self.chat.barred:
                    raise AssertionError("one who has blocked the bot cannot write to it")
                self.chat.open = True
            if reply_to:
                content["reply_to_message"] = self._quoted(self.chat.posted[reply_to.id])
            posted = self.world.post(self.chat, self.person, content)
            self.world.hear(self.chat, posted)
            return shown(self.world, posted)

    @staticmethod
    def _quoted(posted: Posted) -> Json:
        return {k: v for k, v in posted.message.items() if k != "reply_to_message"}


def _text(name: str, text: str) -> Json:
    """A text or caption with what Telegram finds in it."""
    if not text:
        return {}
    entities = detect(text)
    key = "entities" if name == "text" else "caption_entities"
    return {name: text, **({key: entities} if entities else {})}
