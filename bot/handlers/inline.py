"""Inline mode: `@bot planet earth` in any chat.

The answer is an article whose button opens the bot, which makes it there, and not the picture itself:
Telegram waits some seconds for inline results and a queue may take longer, an inline message cannot be given
a new file later (only one that Telegram has, or a public URL), and a laptop's pictures have no such URL.
Telegram also asks at every letter, which would be a job each. All users of a language see the same, so
Telegram may keep it.
"""

from __future__ import annotations

from telegram import (
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InlineQuery,
    InlineQueryResultArticle,
    InlineQueryResultsButton,
    InputTextMessageContent,
)

from bot.exchanges import Exchange
from bot.forms import BadValue, Form
from bot.handlers import shortcuts
from bot.texts import clip
from client import ApiError

#: How long Telegram may show the same results for the same query, in seconds.
_CACHE_SECONDS = 60
#: A deep link's payload (Bot API, deep linking).
_PAYLOAD_LENGTH = 64
_RESULTS = 20
_TITLE_LENGTH = 60


async def query(exchange: Exchange, asked: InlineQuery) -> None:
    """Answer with what the text names: a planet, or any engine."""
    words = exchange.words
    try:
        engines = [Form.of(engine) for engine in await exchange.services.api.engines(words.language)]
    except ApiError:
        engines = []
    results = []
    for payload, title, text in _found(engines, asked.query):
        results.append(_article(exchange, payload, title, text))
    button = None
    if not results:
        # Opens the private chat, where everything is offered.
        key = "inline.hint" if engines else "toast.server_away"
        button = InlineQueryResultsButton(words.plain(key), start_parameter="inline")
    await asked.answer(results[:_RESULTS], cache_time=_CACHE_SECONDS if results else 0, button=button)


def _found(engines: list[Form], text: str) -> list[tuple[str, str, str]]:
    """(Payload of the link, engine's title, what of it) for each result."""
    wanted = text.strip().casefold()
    found = []
    for form in engines:
        title = form.title
        if form.engine == shortcuts.PLANETS:
            found += [
                ("-".join(["planet", *names]), title, " + ".join(names)) for names in _worlds(form, wanted)
            ]
        if not wanted or wanted in title.casefold() or wanted in form.engine:
            found.append((f"new-{form.engine}", title, ""))
    return [one for one in found if len(one[0]) <= _PAYLOAD_LENGTH]


def _worlds(form: Form, wanted: str) -> list[list[str]]:
    """The worlds that are named, or all that begin so."""
    what, _, rest = wanted.partition(" ")
    if what not in ("planet", form.title.casefold()):
        rest = wanted
    if not rest:
        return []
    try:
        world = shortcuts.worlds(form, rest).get("world")
    except BadValue:
        world = None
    if isinstance(world, dict):
        return [list(world)]
    if isinstance(world, str):
        return [[world]]
    return [[str(c.value)] for c in form["world"].choices if str(c.value).startswith(rest) and rest.isascii()]


def _article(exchange: Exchange, payload: str, title: str, what: str) -> InlineQueryResultArticle:
    words = exchange.words
    shown = words.plain("inline.title", engine=title, what=what) if what else title
    link = f"https://t.me/{exchange.services.bot.username}?start={payload}"
    return InlineQueryResultArticle(
        id=payload,
        title=clip(shown, _TITLE_LENGTH),
        description=words.plain("inline.description"),
        input_message_content=InputTextMessageContent(shown),
        reply_markup=InlineKeyboardMarkup(
            [[InlineKeyboardButton(words.plain("button.open_link"), url=link)]]
        ),
    )
