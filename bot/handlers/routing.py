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
from bot.handlers import admin, forms, inline, jobs, menu, photos, settings, shortcuts, start
from bot.handlers.reasons import EXPECTED, Sorry, explain
from bot.intake import LATER, Intake
from bot.turns import Services, Turn
from client import Refused

#: A command at the beginning of a text or caption, the bot it is meant for, and what follows.
_COMMAND = re.compile(r"/([A-Za-z0-9_]{1,32})(?:@([A-Za-z0-9_]{5,32}))?(?:\s+(.*))?", re.DOTALL)

#: A tap is answered after so long, whatever it was for.
ANSWER_SECONDS = 0.2
#: What people may say whom the operator has not let in.
FOR_ALL = frozenset({"start", "help", "settings"})

Command = Callable[[Turn, str], Awaitable[None]]
Tap = Callable[[Turn, tuple[str, ...]], Awaitable[None]]

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
    callbacks.ENGINE: lambda turn, args: menu.chosen(turn, args[0]),
    callbacks.ALBUM: lambda turn, args: photos.album_chosen(turn, args[0]),
    callbacks.CANCEL: lambda turn, args: jobs.stop(turn, args[0]),
    callbacks.AGAIN: lambda turn, args: jobs.again(turn, args[0]),
    callbacks.VARIATION: lambda turn, args: jobs.variation(turn, args[0]),
    callbacks.STRONGER: lambda turn, args: jobs.stronger(turn, args[0]),
    callbacks.WEAKER: lambda turn, args: jobs.weaker(turn, args[0]),
    callbacks.USE: jobs.use,
    callbacks.SHARE: lambda turn, args: jobs.share(turn, args[0]),
    callbacks.FULL: lambda turn, args: jobs.full(turn, args[0]),
    callbacks.RETRY: lambda turn, args: jobs.retry(turn, args[0]),
    callbacks.JOBS: jobs.page,
    callbacks.SETTINGS: lambda turn, _args: settings.main(turn),
    callbacks.LANGUAGE: settings.language,
    callbacks.SIZE: settings.size,
    callbacks.QUALITY: settings.quality,
    callbacks.FLEET: lambda turn, _args: admin.fleet(turn),
    callbacks.QUEUE: lambda turn, _args: admin.queue(turn),
    callbacks.DRAIN: lambda turn, args: admin.drain(turn, args[0]),
    callbacks.RESUME: lambda turn, args: admin.resume(turn, args[0]),
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

    do: Callable[[Turn], Awaitable[None]]
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
        turn = await self._turn(captioned, messages[0].from_user, captioned.message)
        files = [found for found in map(shortcuts.picture_of, messages) if found]
        command = self._command(turn, captioned.message.caption if captioned.message else None)

        async def all_of_it(turn: Turn) -> None:
            if not files:
                raise Sorry("error.not_a_picture")
            await photos.album(turn, files, is_late=album.is_late)

        if command is None or command.name == "style":
            command = Work(all_of_it)
        await self._locked(turn, command)

    async def _message(self, update: Update, _context: CallbackContext[Any, Any, Any, Any]) -> None:
        message = update.message
        if message is None or message.from_user is None or message.from_user.is_bot:
            return
        turn = await self._turn(update, message.from_user, message)
        if message.media_group_id and (message.photo or message.document):
            if self._may_concern(turn, message):
                await self._services.albums.add(
                    message.chat.id, message.media_group_id, message.message_id, update.to_dict()
                )
            return
        work = self._command(turn, message.text or message.caption)
        if work is None and (content := self._content(turn, message)) is not None:
            work = Work(content)
        if work is not None:
            await self._locked(turn, work)

    async def _tap(self, update: Update, _context: CallbackContext[Any, Any, Any, Any]) -> None:
        query = update.callback_query
        assert query is not None
        message = query.message if isinstance(query.message, Message) else None
        turn = await self._turn(update, query.from_user, message)
        turn.query = query
        try:
            verb, args = callbacks.unpack(query.data or "")
        except BadCallback:
            message = None
        if message is None:
            await turn.notice(turn.words.plain("toast.old_button"), alert=True)
            return

        async def work(turn: Turn) -> None:
            if verb in TAPS:
                await TAPS[verb](turn, args)
            elif verb in _FORM_VERBS:
                await forms.tapped(turn, verb, args)
            else:
                raise BadCallback(verb)

        answering = asyncio.create_task(_answer_in_time(turn))
        try:
            await self._locked(turn, Work(work, for_all=verb in TAPS_FOR_ALL))
        except (BadCallback, Outdated):
            await turn.notice(turn.words.plain("toast.old_button"), alert=True)
        finally:
            answering.cancel()
            await turn.notice()

    async def _inline(self, update: Update, _context: CallbackContext[Any, Any, Any, Any]) -> None:
        asked = update.inline_query
        assert asked is not None
        turn = await self._turn(update, asked.from_user, None)
        try:
            await inline.query(turn, asked)
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
        turn = await self._turn(update, update.effective_user, update.effective_message)
        await self._unexpected(turn, error)

    async def _unexpected(self, turn: Turn, error: Exception) -> None:
        _log.error("update %d", turn.update.update_id, exc_info=error)
        await turn.tell(turn.words("error.unexpected"))

    async def _turn(self, update: Update, user: User, message: Message | None) -> Turn:
        language = await self._services.notes.language(user.id) or user.language_code or ""
        return Turn(self._services, update, user, language, message=message)

    async def _locked(self, turn: Turn, work: Work) -> None:
        """Do it as the only update of its chat, and say why where it cannot be done."""
        try:
            async with self._services.notes.lock(turn.chat_id):
                if not work.for_all and not await self._services.accounts.is_allowed(turn.user.id):
                    raise NotAllowed
                try:
                    await work.do(turn)
                except Refused as error:
                    if not is_bad_key(error) or not await self._renewed(turn):
                        raise
                    await work.do(turn)
        except EXPECTED as error:
            await explain(turn, error)

    async def _renewed(self, turn: Turn) -> bool:
        """Whether the API knew the user's key no more, and there may be another one."""
        return await self._services.accounts.renew(turn.user.id)

    def _command(self, turn: Turn, text: str | None) -> Work | None:
        """The work of a command at the beginning of the text; None: there is none."""
        found = _COMMAND.fullmatch((text or "").strip())
        if found is None:
            return None
        name, target, args = found[1].lower(), found[2], (found[3] or "").strip()
        if target and target.lower() != (self._services.bot.username or "").lower():
            return Work(_nothing, for_all=True)
        command = COMMANDS.get(name)
        if command is None or (command is admin.admin and not turn.is_admin):
            return Work(_nothing if turn.is_group and not target else _unknown, for_all=True)
        return Work(lambda turn: command(turn, args), name, for_all=name in FOR_ALL)

    def _content(self, turn: Turn, message: Message) -> Callable[[Turn], Awaitable[None]] | None:
        """The work of a message without a command; None: it is not for the bot."""
        if not self._may_concern(turn, message):
            return None
        if shortcuts.picture_of(message):
            return photos.picture
        if message.text:
            text = message.text
            return lambda turn: _typed(turn, text)
        if message.effective_attachment is not None and not turn.is_group:
            return photos.something_else
        return None  # somebody came, something was pinned

    def _may_concern(self, turn: Turn, message: Message) -> bool:
        """In groups: an answer to the bot, and nothing else that people say there."""
        if not turn.is_group:
            return True
        replied = message.reply_to_message
        caption = message.caption or ""
        return caption.startswith("/") or (
            replied is not None
            and replied.from_user is not None
            and replied.from_user.id == self._services.settings.bot_id
        )


async def _answer_in_time(turn: Turn) -> None:
    """A button does not wait for a slow studio; what went wrong is then said in a message."""
    await asyncio.sleep(ANSWER_SECONDS)
    await turn.notice()


async def _typed(turn: Turn, text: str) -> None:
    if await forms.typed(turn, text) or turn.is_group:
        return
    await turn.services.accounts.of(turn.user.id)
    raise Sorry("error.unasked")


async def _unknown(_turn: Turn) -> None:
    raise Sorry("error.unknown_command")


async def _nothing(_turn: Turn) -> None:
    """A command for another bot."""
