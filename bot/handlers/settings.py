"""/settings: language, and the size and quality that forms begin with."""

from __future__ import annotations

from typing import Any

from bot import callbacks
from bot.callbacks import BadCallback
from bot.forms import Form
from bot.screens import Button, Screen
from bot.turns import Turn
from bot.words import Words
from client import ApiError

#: Sides of pictures to choose from, in pixels. An engine that cannot keeps its own default.
SIZES = (128, 256, 512, 768, 1024, 1536)
#: The argument of the button that leaves it to each engine.
UNSET = "0"


async def settings(turn: Turn, _args: str) -> None:
    """/settings."""
    shown = await _screen(turn)
    await turn.say(shown.text, shown.rows)


async def main(turn: Turn) -> None:
    """Back to all of them."""
    await turn.change(await _screen(turn))


async def language(turn: Turn, args: tuple[str, ...]) -> None:
    """The languages to choose from, or the choice."""
    if not args:
        buttons = [
            Button(name, callbacks.pack(callbacks.LANGUAGE, tag)) for tag, name in Words.languages.items()
        ]
        await turn.change(_choices(turn, "settings.language", buttons, 2))
        return
    if args[0] not in Words.languages:
        raise BadCallback("no language of ours")
    await turn.services.notes.set_language(turn.user.id, args[0])
    turn.words = Words(args[0])
    await _saved(turn)


async def size(turn: Turn, args: tuple[str, ...]) -> None:
    """The sizes to choose from, or the choice."""
    if not args:
        buttons = [Button(str(side), callbacks.pack(callbacks.SIZE, side)) for side in SIZES]
        await turn.change(_choices(turn, "settings.size", [*buttons, _unset(turn, callbacks.SIZE)], 3))
        return
    if args[0] != UNSET and args[0] not in map(str, SIZES):
        raise BadCallback("no size of ours")
    await _set(turn, "size", None if args[0] == UNSET else int(args[0]))


async def quality(turn: Turn, args: tuple[str, ...]) -> None:
    """What engines call their qualities, or the choice."""
    if not args:
        found = await _qualities(turn)
        buttons = [Button(text, callbacks.pack(callbacks.QUALITY, value)) for value, text in found.items()]
        await turn.change(_choices(turn, "settings.quality", [*buttons, _unset(turn, callbacks.QUALITY)], 3))
        return
    if args[0] != UNSET and args[0] not in await _qualities(turn):
        raise BadCallback("no quality that an engine has")
    await _set(turn, "quality", None if args[0] == UNSET else args[0])


async def _screen(turn: Turn) -> Screen:
    words = turn.words
    found = await turn.services.notes.settings(turn.user.id)
    unset = words.plain("settings.unset")
    text = words(
        "settings.title",
        language=Words.languages[words.language],
        size=found.get("size") or unset,
        quality=await _name_of(turn, found["quality"]) if found.get("quality") else unset,
    )
    verbs = {
        "button.language": callbacks.LANGUAGE,
        "button.size": callbacks.SIZE,
        "button.quality": callbacks.QUALITY,
    }
    return Screen(text, [[Button(words.plain(key), callbacks.pack(verb))] for key, verb in verbs.items()])


async def _name_of(turn: Turn, quality: str) -> str:
    try:
        return (await _qualities(turn)).get(quality, quality)
    except ApiError:
        return quality


async def _qualities(turn: Turn) -> dict[str, str]:
    """Every value of a field that is an engine's quality, and what it is called."""
    found: dict[str, str] = {}
    for engine in await turn.services.api.engines(turn.words.language):
        field = Form.of(engine).role("quality")
        for choice in field.choices if field is not None else ():
            found.setdefault(str(choice.value), choice.title)
    return found


def _choices(turn: Turn, key: str, buttons: list[Button], in_row: int) -> Screen:
    back = Button(turn.words.plain("button.back"), callbacks.pack(callbacks.SETTINGS))
    rows = [buttons[start : start + in_row] for start in range(0, len(buttons), in_row)]
    return Screen(turn.words(key), [*rows, [back]])


def _unset(turn: Turn, verb: str) -> Button:
    return Button(turn.words.plain("settings.unset"), callbacks.pack(verb, UNSET))


async def _set(turn: Turn, name: str, value: Any) -> None:
    notes = turn.services.notes
    found = await notes.settings(turn.user.id)
    kept = {key: old for key, old in found.items() if key != name}
    await notes.set_settings(turn.user.id, kept if value is None else kept | {name: value})
    await _saved(turn)


async def _saved(turn: Turn) -> None:
    await turn.notice(turn.words.plain("toast.saved"))
    await main(turn)
