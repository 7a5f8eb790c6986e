"""/settings: language, and the size and quality that forms begin with."""

from __future__ import annotations

from typing import Any

from bot import callbacks
from bot.callbacks import BadCallback
from bot.exchanges import Exchange
from bot.forms import Form
from bot.screens import Button, Screen
from bot.words import Words
from client import ApiError

#: Sides of pictures to choose from, in pixels. An engine that cannot keeps its own default.
SIZES = (128, 256, 512, 768, 1024, 1536)
#: The argument of the button that leaves it to each engine.
UNSET = "0"


async def settings(exchange: Exchange, _args: str) -> None:
    """/settings."""
    shown = await _screen(exchange)
    await exchange.say(shown.text, shown.rows)


async def main(exchange: Exchange) -> None:
    """Back to all of them."""
    await exchange.change(await _screen(exchange))


async def language(exchange: Exchange, args: tuple[str, ...]) -> None:
    """The languages to choose from, or the choice."""
    if not args:
        buttons = [
            Button(name, callbacks.pack(callbacks.LANGUAGE, tag)) for tag, name in Words.languages.items()
        ]
        await exchange.change(_choices(exchange, "settings.language", buttons, 2))
        return
    if args[0] not in Words.languages:
        raise BadCallback("no language of ours")
    await exchange.services.notes.set_language(exchange.user.id, args[0])
    exchange.words = Words(args[0])
    await _saved(exchange)


async def size(exchange: Exchange, args: tuple[str, ...]) -> None:
    """The sizes to choose from, or the choice."""
    if not args:
        buttons = [Button(str(side), callbacks.pack(callbacks.SIZE, side)) for side in SIZES]
        await exchange.change(
            _choices(exchange, "settings.size", [*buttons, _unset(exchange, callbacks.SIZE)], 3)
        )
        return
    if args[0] != UNSET and args[0] not in map(str, SIZES):
        raise BadCallback("no size of ours")
    await _set(exchange, "size", None if args[0] == UNSET else int(args[0]))


async def quality(exchange: Exchange, args: tuple[str, ...]) -> None:
    """What engines call their qualities, or the choice."""
    if not args:
        found = await _qualities(exchange)
        buttons = [Button(text, callbacks.pack(callbacks.QUALITY, value)) for value, text in found.items()]
        await exchange.change(
            _choices(exchange, "settings.quality", [*buttons, _unset(exchange, callbacks.QUALITY)], 3)
        )
        return
    if args[0] != UNSET and args[0] not in await _qualities(exchange):
        raise BadCallback("no quality that an engine has")
    await _set(exchange, "quality", None if args[0] == UNSET else args[0])


async def _screen(exchange: Exchange) -> Screen:
    words = exchange.words
    found = await exchange.services.notes.settings(exchange.user.id)
    unset = words.plain("settings.unset")
    text = words(
        "settings.title",
        language=Words.languages[words.language],
        size=found.get("size") or unset,
        quality=await _name_of(exchange, found["quality"]) if found.get("quality") else unset,
    )
    verbs = {
        "button.language": callbacks.LANGUAGE,
        "button.size": callbacks.SIZE,
        "button.quality": callbacks.QUALITY,
    }
    return Screen(text, [[Button(words.plain(key), callbacks.pack(verb))] for key, verb in verbs.items()])


async def _name_of(exchange: Exchange, quality: str) -> str:
    try:
        return (await _qualities(exchange)).get(quality, quality)
    except ApiError:
        return quality


async def _qualities(exchange: Exchange) -> dict[str, str]:
    """Every value of a field that is an engine's quality, and what it is called."""
    found: dict[str, str] = {}
    for engine in await exchange.services.api.engines(exchange.words.language):
        field = Form.of(engine).role("quality")
        for choice in field.choices if field is not None else ():
            found.setdefault(str(choice.value), choice.title)
    return found


def _choices(exchange: Exchange, key: str, buttons: list[Button], in_row: int) -> Screen:
    back = Button(exchange.words.plain("button.back"), callbacks.pack(callbacks.SETTINGS))
    rows = [buttons[start : start + in_row] for start in range(0, len(buttons), in_row)]
    return Screen(exchange.words(key), [*rows, [back]])


def _unset(exchange: Exchange, verb: str) -> Button:
    return Button(exchange.words.plain("settings.unset"), callbacks.pack(verb, UNSET))


async def _set(exchange: Exchange, name: str, value: Any) -> None:
    notes = exchange.services.notes
    found = await notes.settings(exchange.user.id)
    kept = {key: old for key, old in found.items() if key != name}
    await notes.set_settings(exchange.user.id, kept if value is None else kept | {name: value})
    await _saved(exchange)


async def _saved(exchange: Exchange) -> None:
    await exchange.notice(exchange.words.plain("toast.saved"))
    await main(exchange)
