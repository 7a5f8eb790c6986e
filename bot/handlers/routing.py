"""Which handler an update is for, and what happens when that one cannot do it."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from telegram import Message, Update, User
from telegram.error import BadRequest, Forbidden
from telegram.ext import (
    Application,
    CallbackContext,
    CallbackQueryHandler,
    InlineQueryHandler,
    MessageHandler,
    TypeHandler,
    filters,
)

from bot import callbacks
from bot.accounts import NotAllowed, is_bad_key
from bot.albums import Album
from bot.callbacks import BadCallback
from bot.dialogue import Outdated
from bot.exchanges import Exchange, Services
from bot.handlers import admin, forms, inline, jobs, menu, photos, settings, shortcuts, start
from bot.handlers.reasons import EXPECTED, Sorry, explain
from bot.intake import LATER, Intake
from client import Refused

#: A command at the beginning of a text or caption, the bot it is meant for, and what follows.
_COMMAND = re.compile(r"/([A-Za-z0-9_]{1,32})(?:@([A-Za-z0-9_]{5,32}))?(?:\s+(.*))?", re.DOTALL)

#: A tap is answered after so long, whatever it was for.
ANSWER_SECONDS = 0.2
#: What people may say whom the operator has not let in.
FOR_ALL = frozenset({"start", "help", "settings"})

Command = Callable[[Exchange, str], Awaitable[None]]
Tap = Callable[[Exchange, tuple[str, ...]], Awaitable[None]]

COMMANDS: dict[str, Command] = {
    "start": start.start,
    "help": start.help_,
    "new": menu.new,
    **shortcuts.COMMANDS,
    "jobs": jobs.jobs,
    "cancel": jobs.cancel,
    "settings": settings.settings,
    "admin": admin.admin,
}
#: What Telegram's menu lists; /start it knows, /admin is for few.
LISTED = tuple(name for name in COMMANDS if name not in ("start", "admin"))

TAPS: dict[str, Tap] = {
    callbacks.MENU: menu.page,
    callbacks.ENGINE: lambda exchange, args: menu.chosen(exchange, args[0]),
    callbacks.ALBUM: lambda exchange, args: photos.album_chosen(exchange, args[0]),
    callbacks.CANCEL: lambda exchange, args: jobs.stop(exchange, args[0]),
    callbacks.AGAIN: lambda exchange, args: jobs.again(exchange, args[0]),
    callbacks.VARIATION: lambda exchange, args: jobs.variation(exchange, args[0]),
    callbacks.STRONGER: lambda exchange, args: jobs.stronger(exchange, args[0]),
    callbacks.WEAKER: lambda exchange, args: jobs.weaker(exchange, args[0]),
    callbacks.USE: jobs.use,
    callbacks.SHARE: lambda exchange, args: jobs.share(exchange, args[0]),
    callbacks.FULL: lambda exchange, args: jobs.full(exchange, args[0]),
    callbacks.RETRY: lambda exchange, args: jobs.retry(exchange, args[0]),
    callbacks.JOBS: jobs.page,
    callbacks.SETTINGS: lambda exchange, _args: settings.main(exchange),
    callbacks.LANGUAGE: settings.language,
    callbacks.SIZE: settings.size,
    callbacks.QUALITY: settings.quality,
    callbacks.FLEET: lambda exchange, _args: admin.fleet(exchange),
    callbacks.QUEUE: lambda exchange, _args: admin.queue(exchange),
    callbacks.DRAIN: lambda exchange, args: admin.drain(exchange, args[0]),
    callbacks.RESUME: lambda exchange, args: admin.resume(exchange, args[0]),
}
TAPS_FOR_ALL = frozenset({callbacks.SETTINGS, callbacks.LANGUAGE, callbacks.SIZE, callbacks.QUALITY})
_FORM_VERBS = (
    callbacks.GO,
    callbacks.ASK,
    callbacks.SET,
    callbacks.CLEAR,
    callbacks.BACK,
    callbacks.MORE,
    callbacks.PAGE,
    callbacks.CLOSE,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Work:
    """What an update asks for."""

    do: Callable[[Exchange], Awaitable[None]]
    #: Of the command, if it is one.
    name: str = ""
    #: Whether the user need not be let in.
    for_all: bool = False


class Router:
    """The handlers of one application."""

    def __init__(self, services: Services, intake: Intake) -> None:
        self._services = services
        self._intake = intake

    def register(self, application: Application[Any, Any, Any, Any, Any, Any]) -> None:
        """Make the application's updates come here."""
        application.add_handler(MessageHandler(filters.UpdateType.MESSAGE, self._message))
        application.add_handler(CallbackQueryHandler(self._tap))
        application.add_handler(InlineQueryHandler(self._inline))
        application.add_handler(TypeHandler(Album, self._album))
        application.add_error_handler(self._error)

    async def _album(self, album: Album, _context: CallbackContext[Any, Any, Any, Any]) -> None:
        updates = [Update.de_json(part, self._services.bot) for part in album.parts]
        messages = [update.message for update in updates if update.message]
        if not messages or messages[0].from_user is None:
            return
        captioned = next((one for one in updates if one.message and one.message.caption), updates[0])
        exchange = await self._exchange(captioned, messages[0].from_user, captioned.message)
        files = [found for found in map(shortcuts.picture_of, messages) if found]
        command = self._command(exchange, captioned.message.caption if captioned.message else None)

        async def all_of_it(exchange: Exchange) -> None:
            if not files:
                raise Sorry("error.not_a_picture")
            await photos.album(exchange, files, is_late=album.is_late)

        if command is None or command.name == "style":
            command = Work(all_of_it)
        await self._locked(exchange, command)

    async def _message(self, update: Update, _context: CallbackContext[Any, Any, Any, Any]) -> None:
        message = update.message
        if message is None or message.from_user is None or message.from_user.is_bot:
            return
        exchange = await self._exchange(update, message.from_user, message)
        if message.media_group_id and (message.photo or message.document):
            if self._may_concern(exchange, message):
                await self._services.albums.add(
                    message.chat.id, message.media_group_id, message.message_id, update.to_dict()
                )
            return
        work = self._command(exchange, message.text or message.caption)
        if work is None and (content := self._content(exchange, message)) is not None:
            work = Work(content)
        if work is not None:
            await self._locked(exchange, work)

    async def _tap(self, update: Update, _context: CallbackContext[Any, Any, Any, Any]) -> None:
        query = update.callback_query
        assert query is not None
        message = query.message if isinstance(query.message, Message) else None
        exchange = await self._exchange(update, query.from_user, message)
        exchange.query = query
        try:
            verb, args = callbacks.unpack(query.data or "")
        except BadCallback:
            message = None
        if message is None:
            await exchange.notice(exchange.words.plain("toast.old_button"), alert=True)
            return

        async def work(exchange: Exchange) -> None:
            if verb in TAPS:
                await TAPS[verb](exchange, args)
            elif verb in _FORM_VERBS:
                await forms.tapped(exchange, verb, args)
            else:
                raise BadCallback(verb)

        answering = asyncio.create_task(_answer_in_time(exchange))
        try:
            await self._locked(exchange, Work(work, for_all=verb in TAPS_FOR_ALL))
        except (BadCallback, Outdated):
            await exchange.notice(exchange.words.plain("toast.old_button"), alert=True)
        finally:
            answering.cancel()
            await exchange.notice()

    async def _inline(self, update: Update, _context: CallbackContext[Any, Any, Any, Any]) -> None:
        asked = update.inline_query
        assert asked is not None
        exchange = await self._exchange(update, asked.from_user, None)
        try:
            await inline.query(exchange, asked)
        except BadRequest as error:
            _log.info("an inline query was answered too late: %s", error.message)

    async def _error(self, update: object, context: CallbackContext[Any, Any, Any, Any]) -> None:
        error = context.error
        # BadRequest is a NetworkError, and no other time mends it.
        if error is not None and isinstance(error, LATER) and not isinstance(error, BadRequest):
            self._intake.failed(update, error)
            return
        if isinstance(update, Album):
            update = Update.de_json(update.parts[0], self._services.bot)
        if not isinstance(update, Update) or error is None:
            _log.error("outside of an update", exc_info=error)
            return
        if isinstance(error, Forbidden):
            _log.info("update %d: nobody is there to be answered: %s", update.update_id, error.message)
            return
        if update.effective_user is None or update.inline_query is not None:
            _log.error("update %d", update.update_id, exc_info=error)
            return
        exchange = await self._exchange(update, update.effective_user, update.effective_message)
        await self._unexpected(exchange, error)

    async def _unexpected(self, exchange: Exchange, error: Exception) -> None:
        _log.error("update %d", exchange.update.update_id, exc_info=error)
        await exchange.tell(exchange.words("error.unexpected"))

    async def _exchange(self, update: Update, user: User, message: Message | None) -> Exchange:
        language = await self._services.notes.language(user.id) or user.language_code or ""
        return Exchange(self._services, update, user, language, message=message)

    async def _locked(self, exchange: Exchange, work: Work) -> None:
        """Do it as the only update of its chat, and say why where it cannot be done."""
        try:
            async with self._services.notes.lock(exchange.chat_id):
                if not work.for_all and not await self._services.accounts.is_allowed(exchange.user.id):
                    raise NotAllowed
                try:
                    await work.do(exchange)
                except Refused as error:
                    if not is_bad_key(error) or not await self._renewed(exchange):
                        raise
                    await work.do(exchange)
        except EXPECTED as error:
            await explain(exchange, error)

    async def _renewed(self, exchange: Exchange) -> bool:
        """Whether the API knew the user's key no more, and there may be another one."""
        return await self._services.accounts.renew(exchange.user.id)

    def _command(self, exchange: Exchange, text: str | None) -> Work | None:
        """The work of a command at the beginning of the text; None: there is none."""
        found = _COMMAND.fullmatch((text or "").strip())
        if found is None:
            return None
        name, target, args = found[1].lower(), found[2], (found[3] or "").strip()
        if target and target.lower() != (self._services.bot.username or "").lower():
            return Work(_nothing, for_all=True)
        command = COMMANDS.get(name)
        if command is None or (command is admin.admin and not exchange.is_admin):
            return Work(_nothing if exchange.is_group and not target else _unknown, for_all=True)
        return Work(lambda exchange: command(exchange, args), name, for_all=name in FOR_ALL)

    def _content(self, exchange: Exchange, message: Message) -> Callable[[Exchange], Awaitable[None]] | None:
        """The work of a message without a command; None: it is not for the bot."""
        if not self._may_concern(exchange, message):
            return None
        if shortcuts.picture_of(message):
            return photos.picture
        if message.text:
            text = message.text
            return lambda exchange: _typed(exchange, text)
        if message.effective_attachment is not None and not exchange.is_group:
            return photos.something_else
        return None  # somebody came, something was pinned

    def _may_concern(self, exchange: Exchange, message: Message) -> bool:
        """In groups: an answer to the bot, and nothing else that people say there."""
        if not exchange.is_group:
            return True
        replied = message.reply_to_message
        caption = message.caption or ""
        return caption.startswith("/") or (
            replied is not None
            and replied.from_user is not None
            and replied.from_user.id == self._services.settings.bot_id
        )


async def _answer_in_time(exchange: Exchange) -> None:
    """A button does not wait for a slow studio; what went wrong is then said in a message."""
    await asyncio.sleep(ANSWER_SECONDS)
    await exchange.notice()


async def _typed(exchange: Exchange, text: str) -> None:
    if await forms.typed(exchange, text) or exchange.is_group:
        return
    await exchange.services.accounts.of(exchange.user.id)
    raise Sorry("error.unasked")


async def _unknown(_exchange: Exchange) -> None:
    raise Sorry("error.unknown_command")


async def _nothing(_exchange: Exchange) -> None:
    """A command for another bot."""
