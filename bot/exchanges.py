"""One update of one person: who and where it is, in which language, and how it is answered."""

from __future__ import annotations

import asyncio
import html
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from telegram import (
    CallbackQuery,
    LinkPreviewOptions,
    Message,
    ReplyParameters,
    Update,
    User,
)
from telegram.constants import ChatType, ParseMode
from telegram.error import BadRequest, Forbidden
from telegram.ext import ExtBot

from bot.accounts import Accounts
from bot.albums import Albums
from bot.delivering import keyboard
from bot.downloads import Downloads
from bot.gallery import Gallery
from bot.notes import Account, Notes
from bot.screens import Button, Screen
from bot.settings import Settings
from bot.studio import Studio
from bot.texts import clip
from bot.words import Html, Words

#: How often a message is sent again after Telegram said to wait (`bot.pacing`).
RETRIES = 3
#: Of the notice that a tap is answered with (Bot API, answerCallbackQuery).
_NOTICE_LENGTH = 200

#: In the catalogues' own HTML; facts are escaped.
_TAG = re.compile(r"</?[a-z]+[^>]*>")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Services:
    """What all exchanges of a process share."""

    settings: Settings
    bot: ExtBot[Any]
    api: Studio
    notes: Notes
    accounts: Accounts
    albums: Albums
    downloads: Downloads
    gallery: Gallery
    #: Held while the files of a large submission are in memory.
    large: asyncio.Semaphore


class Exchange:
    """One update. Sending raises python-telegram-bot's errors, but where nobody is there to read it."""

    def __init__(
        self,
        services: Services,
        update: Update,
        user: User,
        language: str,
        *,
        message: Message | None = None,
        query: CallbackQuery | None = None,
    ) -> None:
        self.services = services
        self.update = update
        self.user = user
        self.words = Words(language)
        #: What was sent, or the message whose button was tapped.
        self.message = message
        self.query = query
        self._answered = False

    @property
    def update_key(self) -> str:
        """The Idempotency-Key of what this update asks for: however often it comes, it is one job."""
        return f"telegram-{self.services.settings.bot_id}-{self.update.update_id}"

    @property
    def chat_id(self) -> int:
        """Where it happens; without a chat (inline mode) the user's own."""
        return self.message.chat.id if self.message else self.user.id

    @property
    def is_group(self) -> bool:
        """Whether others read along."""
        return self.message is not None and self.message.chat.type != ChatType.PRIVATE

    @property
    def thread_id(self) -> int | None:
        """The topic of a forum."""
        message = self.message
        return message.message_thread_id if message and message.is_topic_message else None

    @property
    def reply_to(self) -> int | None:
        """In a group: what an answer belongs to."""
        return self.message.message_id if self.is_group and self.message and self.query is None else None

    @property
    def is_admin(self) -> bool:
        """Whether the user is one of the bot's operators."""
        return self.user.id in self.services.settings.admins

    @cached_property
    def shows_media(self) -> bool:
        """Whether the tapped message has a picture or another file, so that its text is a caption."""
        shown = self.message
        return bool(
            shown and (shown.photo or shown.animation or shown.document or shown.video or shown.audio)
        )

    async def account(self) -> Account:
        """Whose jobs the user's are. Raises NotAllowed and the errors of the API."""
        return await self.services.accounts.of(self.user.id)

    async def say(self, text: Html, rows: Sequence[Sequence[Button]] = ()) -> Message:
        """A new message; in a group it answers what was sent."""
        return await self.services.bot.send_message(
            self.chat_id,
            text,
            reply_markup=keyboard(rows),
            link_preview_options=LinkPreviewOptions(is_disabled=True),
            **self._where(),
        )

    async def show_picture(self, picture: Any, text: Html, rows: Sequence[Sequence[Button]]) -> Message:
        """A new message with a picture (bytes or the id of one that was sent) above its text."""
        return await self.services.bot.send_photo(
            self.chat_id, picture, caption=text, reply_markup=keyboard(rows), **self._where()
        )

    async def change(self, screen: Screen) -> Message | None:
        """Show this in the message that was tapped, or in a new one where that is impossible.

        The new message, if there is one.
        """
        assert self.message is not None
        place: dict[str, Any] = {"chat_id": self.chat_id, "message_id": self.message.message_id}
        place |= {
            "reply_markup": keyboard(screen.rows),
            "parse_mode": ParseMode.HTML,
            "rate_limit_args": RETRIES,
        }
        try:
            if self.shows_media:
                await self.services.bot.edit_message_caption(caption=screen.text, **place)
            else:
                await self.services.bot.edit_message_text(
                    screen.text, link_preview_options=LinkPreviewOptions(is_disabled=True), **place
                )
        except BadRequest as error:
            if "not modified" in error.message.lower():
                return None
            # Deleted, too old, or too long for a caption.
            _log.info("a message is sent anew: %s", error.message)
            await self.retire(self.message.message_id)
            return await self.say(screen.text, screen.rows)
        return None

    async def retire(self, message_id: int) -> None:
        """Take the buttons of an older message away; where it is gone there are none."""
        try:
            await self.services.bot.edit_message_reply_markup(
                self.chat_id, message_id, reply_markup=None, rate_limit_args=RETRIES
            )
        except BadRequest as error:
            _log.debug("buttons stay: %s", error.message)

    async def notice(self, text: str = "", *, alert: bool = False) -> bool:
        """Answer the tap: the button stops waiting, and `text` is shown. False: it cannot be (any more)."""
        if self.query is None or self._answered:
            return False
        self._answered = True
        try:
            return await self.query.answer(clip(text, _NOTICE_LENGTH) or None, show_alert=alert)
        except BadRequest as error:
            _log.info("a tap was answered too late: %s", error.message)
            return False

    async def tell(self, text: Html) -> None:
        """Say it the way this update is answered: a tap with a notice, anything else with a message."""
        if await self.notice(html.unescape(_TAG.sub("", text)), alert=True):
            return
        try:
            await self.say(text)
        except Forbidden as error:
            _log.info("nobody reads chat %s any more: %s", self.chat_id, error.message)

    def _where(self) -> dict[str, Any]:
        reply = None
        if self.reply_to is not None:
            reply = ReplyParameters(self.reply_to, allow_sending_without_reply=True)
        return {
            "message_thread_id": self.thread_id,
            "reply_parameters": reply,
            "parse_mode": ParseMode.HTML,
            "rate_limit_args": RETRIES,
        }
