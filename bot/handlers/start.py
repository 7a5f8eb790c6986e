"""/start, with or without something behind it, and /help."""

from __future__ import annotations

import re

from bot.accounts import NotAllowed
from bot.exchanges import Exchange
from bot.handlers import menu, shortcuts
from bot.handlers.reasons import Sorry
from bot.words import Html
from client import Refused

#: Of what the API's link codes begin with.
_CODE = re.compile(r"link_[A-Za-z0-9_-]{8,59}")
#: A deep link of ours: `planet-earth-mars` (`bot.handlers.inline`), `new-neural_style`.
_PLANET, _NEW = "planet", "new"


async def start(exchange: Exchange, args: str) -> None:
    """Greet; with a link code link the account, with a deep link of ours go where it leads."""
    if _CODE.fullmatch(args):
        await _link(exchange, args)
        return
    what, *rest = args.split("-")
    if what == _PLANET:
        await shortcuts.planet(exchange, " ".join(rest))
    elif what == _NEW and rest:
        await menu.new(exchange, rest[0])
    else:
        await _greet(exchange)


async def help_(exchange: Exchange, _args: str) -> None:
    """What the bot can do."""
    await exchange.say(exchange.words("help.text", bot=exchange.services.bot.username))


async def _greet(exchange: Exchange) -> None:
    words, settings = exchange.words, exchange.services.settings
    if not await exchange.services.accounts.is_allowed(exchange.user.id):
        raise NotAllowed
    name = exchange.user.first_name
    account = await exchange.services.notes.account(exchange.user.id)
    if exchange.is_admin or (account is not None and not account.guest):
        text = words("welcome.known", name=name)
    else:
        lines = [words("welcome.guest", name=name)]
        if settings.guest_queued:
            lines.append(words("welcome.limits", count=settings.guest_queued))
        if settings.guest_keep_days:
            lines.append(words("welcome.kept", count=settings.guest_keep_days))
        text = Html("\n".join(lines))
    await menu.show(exchange, text)


async def _link(exchange: Exchange, code: str) -> None:
    if exchange.is_group:
        raise Sorry("link.private")
    try:
        account = await exchange.services.accounts.link(exchange.user.id, code)
    except Refused as error:
        if error.status not in (400, 404, 422):
            raise
        raise Sorry("link.failed") from error
    await menu.show(exchange, exchange.words("link.succeeded", account=account.owner))
