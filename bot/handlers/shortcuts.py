"""/planet, /style, /stylegan and /classify: the best of it, without a way through menus.

Made by hand, and so the only place of the bot that knows engines by name.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from telegram import Message

from bot import dialogue
from bot.exchanges import Exchange
from bot.forms import BadValue, Field, Form
from bot.handlers import forms, menu, submitting

PLANETS, STYLE, STYLEGAN, CLASSIFIER = "planets", "neural_style", "stylegan", "planet_classifier"
#: Files of pictures that Telegram's users send; what an engine takes is in its form.
_IMAGE = "image/"


async def planet(exchange: Exchange, args: str) -> None:
    """/planet asks; /planet earth, /planet mars moon 4, /planet earth=0.7 mars=0.3 make it at once."""
    form, draft = await forms.begin(exchange, PLANETS)
    if not args.strip():
        await forms.show_new(exchange, form, draft)
        return
    draft = draft.model_copy(update={"values": {**draft.values, **worlds(form, args)}})
    await submitting.hand_in(exchange, form, draft)


async def style(exchange: Exchange, _args: str) -> None:
    """/style below a photo, as an answer to one, or before one."""
    await with_picture(exchange, STYLE)


async def classify(exchange: Exchange, _args: str) -> None:
    """/classify, in the same three ways."""
    await with_picture(exchange, CLASSIFIER)


async def stylegan(exchange: Exchange, args: str) -> None:
    """/stylegan, or /stylegan <network>."""
    known = {"network": args.strip()} if args.strip() else {}
    form, draft = await forms.begin(exchange, STYLEGAN, **known)
    await forms.show_new(exchange, form, draft)


async def with_picture(exchange: Exchange, engine: str) -> None:
    """An engine's form with the picture that the command came with or answers."""
    form, draft = await forms.begin(exchange, engine)
    found = picture_of(exchange.message) or picture_of(
        exchange.message.reply_to_message if exchange.message else None
    )
    if found is None:
        await forms.show_new(exchange, form, draft)
    else:
        await take(exchange, form, draft, [found[0]], found[1])


async def take(
    exchange: Exchange, form: Form, draft: dialogue.Draft, files: list[str], media_type: str
) -> None:
    """Go on with these pictures in a draft that has none. Raises BadValue."""
    draft = dialogue.apply(form, draft, dialogue.Sent(tuple(files), media_type))
    more = await menu.others_for_picture(exchange, form.engine) if dialogue.missing(form, draft) else []
    await forms.proceed(exchange, form, draft, more)


def picture_of(message: Message | None) -> tuple[str, str] | None:
    """A message's picture: Telegram's id of the file, and its media type."""
    if message is None:
        return None
    if message.photo:
        return message.photo[-1].file_id, "image/jpeg"  # the largest; Telegram makes JPEG of every photo
    document = message.document
    if document is not None and (document.mime_type or "").startswith(_IMAGE):
        return document.file_id, str(document.mime_type)
    return None


def worlds(form: Form, text: str) -> dict[str, Any]:
    """What was asked for: `world`, and a number as `count`. Several worlds are mixed. Raises BadValue."""
    field = form["world"]
    if "=" in text or ":" in text:
        return {"world": _mix(field, text)}
    found: dict[str, Any] = {}
    rest = []
    for word in re.split(r"[\s,;]+", text.strip()):
        if word.isascii() and word.isdigit():
            found["count"] = form["count"].parse(word)
        elif word:
            rest.append(word)
    if not rest:
        return found
    names = {str(choice.value).casefold(): choice.value for choice in field.choices}
    names |= {choice.title.casefold(): choice.value for choice in field.choices}
    unknown = [word for word in rest if word.casefold() not in names]
    if unknown:
        raise BadValue("unknown_name", name=unknown[0])
    chosen = list(dict.fromkeys(names[word.casefold()] for word in rest))
    world = chosen[0] if len(chosen) == 1 else dict.fromkeys(chosen, 1.0)
    field.check(world)
    return found | {"world": world}


def _mix(field: Field, text: str) -> Any:
    try:
        return field.parse(text)
    except BadValue as complaint:
        if complaint.code != "not_a_choice":
            raise
        # It may be a name too, but with a sign in it, it was not meant as one.
        raise BadValue("not_pairs") from complaint


COMMANDS: Mapping[str, Callable[[Exchange, str], Awaitable[None]]] = {
    "style": style,
    "planet": planet,
    "stylegan": stylegan,
    "classify": classify,
}
