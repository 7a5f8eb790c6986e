"""/start, with or without something behind it, and /help."""

from __future__ import annotations

import re

from bot.accounts import NotAllowed
from bot.handlers import menu, shortcuts
from bot.handlers.reasons import Sorry
from bot.turns import Turn
from bot.words import Html
from client import Refused

#: Of what the API's link codes begin with.
_CODE = re.compile(r"link_[A-Za-z0-9_-]{8,59}")
#: A deep link of ours: `planet-earth-mars` (`bot.handlers.inline`), `new-neural_style`.
_PLANET, _NEW = "planet", "new"


async def start(turn: Turn, args: str) -> None:
    """Greet; with a link code link the account, with a deep link of ours go where it leads."""
    if _CODE.fullmatch(args):
        await _link(turn, args)
        return
    what, *rest = args.split("-")
    if what == _PLANET:
        await shortcuts.planet(turn, " ".join(rest))
    elif what == _NEW and rest:
        await menu.new(turn, rest[0])
    else:
        await _greet(turn)


async def help_(turn: Turn, _args: str) -> None:
    """What the bot can do."""
    await turn.say(turn.words("help.text", bot=turn.services.bot.username))


async def _greet(turn: Turn) -> None:
    words, settings = turn.words, turn.services.settings
    if not await turn.services.accounts.is_allowed(turn.user.id):
        raise NotAllowed
    name = turn.user.first_name
    account = await turn.services.notes.account(turn.user.id)
    if turn.is_admin or (account is not None and not account.guest):
        text = words("welcome.known", name=name)
    else:
        lines = [words("welcome.guest", name=name)]
        if settings.guest_queued:
            lines.append(words("welcome.limits", count=settings.guest_queued))
        if settings.guest_keep_days:
            lines.append(words("welcome.kept", count=settings.guest_keep_days))
        text = Html("\n".join(lines))
    await menu.show(turn, text)


async def _link(turn: Turn, code: str) -> None:
    if turn.is_group:
        raise Sorry("link.private")
    try:
        account = await turn.services.accounts.link(turn.user.id, code)
    except Refused as error:
        if error.status not in (400, 404, 422):
            raise
        raise Sorry("link.failed") from error
    await menu.show(turn, turn.words("link.succeeded", account=account.owner))
