"""One process of the bot: its parts put together, its start, and its end without losing anything."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError
from telegram import BotCommand
from telegram.error import InvalidToken, TelegramError
from telegram.ext import Application, ExtBot

from bot.accounts import Accounts
from bot.albums import Albums
from bot.downloads import Downloads
from bot.exchanges import Services
from bot.following import Follower
from bot.gallery import Gallery
from bot.handlers.routing import LISTED, Router
from bot.inbox import Inbox
from bot.intake import Intake
from bot.notes import Notes
from bot.pacing import Pacing
from bot.polling import Polling
from bot.sending import Sender
from bot.settings import Settings
from bot.studio import Studio
from bot.webhook import CONNECTIONS, Server
from bot.words import Words
from client import AsyncClient

#: The kinds of update that we have handlers for.
ALLOWED = ("message", "callback_query", "inline_query")
#: A stop waits so long for updates in hand; what is not handled by then comes again.
STOP_SECONDS = 12.0
#: Connections to Telegram at once: answers to 200 chats, results among them.
_CONNECTIONS = 64
#: Between two tries to reach Telegram at the start: so long, doubled up to the most.
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0

BotApplication = Application[Any, Any, Any, Any, Any, Any]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Bot:
    """All parts of a process."""

    settings: Settings
    application: BotApplication
    services: Services
    redis: Redis
    intake: Intake
    inbox: Inbox
    router: Router
    follower: Follower


def build(settings: Settings) -> Bot:
    """The parts, connected to nothing yet."""
    application: BotApplication = (
        Application.builder()
        .token(settings.token)
        .base_url(settings.base_url)
        .base_file_url(settings.base_file_url)
        .connection_pool_size(_CONNECTIONS)
        .pool_timeout(20.0)
        .connect_timeout(10.0)
        .read_timeout(20.0)
        .get_updates_connection_pool_size(2)
        .rate_limiter(Pacing())
        # Updates come by `bot.polling` or `bot.webhook`, which confirm what was handled and nothing else.
        .updater(None)
        .build()
    )
    redis = Redis.from_url(settings.redis_url, socket_connect_timeout=5.0, socket_timeout=10.0)
    admin = AsyncClient(settings.url, settings.key, agent="atelier-bot")
    api = Studio(admin, settings.links_url)
    notes = Notes(redis, settings.bot_id)
    bot: ExtBot[Any] = application.bot
    services = Services(
        settings=settings,
        bot=bot,
        api=api,
        notes=notes,
        accounts=Accounts(settings, api, notes),
        albums=Albums(redis, settings.bot_id),
        downloads=Downloads(settings.api),
        gallery=Gallery(),
        large=asyncio.Semaphore(1),
    )
    inbox = Inbox(redis, settings.bot_id)
    intake = Intake(application, inbox)
    router = Router(services, intake)
    router.register(application)
    follower = Follower(notes, api, Sender(bot), settings.files_bytes)
    return Bot(settings, application, services, redis, intake, inbox, router, follower)


def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. Raises InvalidToken and OSError (the port)."""
    asyncio.run(_until_told(settings))


async def _until_told(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await serve(build(settings), stop)


async def serve(bot: Bot, stop: asyncio.Event, listening: asyncio.Future[int] | None = None) -> None:
    """Work until `stop`, then finish what is in hand. `listening` is told the port.

    Raises InvalidToken and OSError.
    """
    settings = bot.settings
    server = Server(lambda: health(bot, stop))
    if settings.webhook:
        server.add_webhook(settings.webhook, bot.application.bot, bot.intake, settings.secret)
    port = server.start(settings.host, settings.port)
    if listening is not None:
        listening.set_result(port)
    try:
        if not await _ready(bot, stop):
            return
        await _work(bot, stop, server)
    finally:
        await server.close()
        await bot.application.shutdown()
        await bot.services.downloads.close()
        await bot.services.api.close()
        await bot.redis.aclose()


async def health(bot: Bot, stop: asyncio.Event) -> dict[str, Any]:
    """Whether this process can work. The API is no part of it: without it people are told so."""
    reason = ""
    if stop.is_set():
        reason = "it is ending"
    else:
        try:
            await asyncio.wait_for(bot.services.notes.open_count(), 3.0)
        except (RedisError, TimeoutError) as error:
            reason = f"Redis: {type(error).__name__}"
    return {"ok": not reason, "reason": reason, "in_hand": bot.intake.in_hand}


async def _ready(bot: Bot, stop: asyncio.Event) -> bool:
    """Know who we are and be known; False: told to stop while Telegram was away. Raises InvalidToken."""
    wait = _FIRST_WAIT
    while not stop.is_set():
        try:
            await bot.application.initialize()
            await _introduce(bot)
        except InvalidToken:
            raise
        except TelegramError as error:
            _log.warning("Telegram is away: %s", error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), wait)
            wait = min(2 * wait, _LONGEST_WAIT)
        else:
            _log.info("ready as @%s", bot.application.bot.username)
            return True
    return False


async def _introduce(bot: Bot) -> None:
    """Commands in every language, and where updates are to go."""
    telegram, settings = bot.application.bot, bot.settings
    for language in Words.languages:
        words = Words(language)
        commands = [BotCommand(name, words.plain(f"command.{name}")) for name in LISTED]
        # Without a language they are for everybody who speaks none of ours.
        tag = None if language == Words.DEFAULT else language
        await telegram.set_my_commands(commands, language_code=tag)
    if settings.webhook:
        await telegram.set_webhook(
            settings.webhook,
            allowed_updates=ALLOWED,
            secret_token=settings.secret,
            max_connections=CONNECTIONS,
        )
    else:
        await telegram.delete_webhook()


async def _work(bot: Bot, stop: asyncio.Event, server: Server) -> None:
    following = asyncio.create_task(bot.follower.run(stop), name="following")
    albums = asyncio.create_task(bot.services.albums.run(bot.intake.handle_other), name="albums")
    renewing = asyncio.create_task(bot.inbox.renew(), name="renewing")
    polling = None if bot.settings.webhook else Polling(bot.application.bot, bot.intake, ALLOWED)
    taking = asyncio.create_task(polling.run(stop) if polling else stop.wait(), name="taking updates")
    tasks = {following, albums, renewing, taking}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if not stop.is_set():
                _log.critical("%s has ended", task.get_name(), exc_info=task.exception())
                task.result()
        # From here on Telegram keeps what is new for whoever comes next.
        server.closing = True
        if not await bot.intake.finished(STOP_SECONDS):
            _log.warning("%d updates are left for later", bot.intake.in_hand)
        if polling is not None:
            await polling.close()
        await following
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
